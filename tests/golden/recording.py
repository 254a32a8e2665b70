"""Runs a WCS program against the local service and records what it sent and got."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.scripted import Peer, ScriptedServer
from tests.wcs_server import WcsServer

PROGRAM = Path(__file__).with_name("wcs_program.py")
SIZES = {"small": 10, "middle": 600_000, "large": 4 * 1024 * 1024 + 700_000}
HEADERS = ("authorization", "content-type", "uploadbatch", "key", "mimetype")


def make_files(folder: Path) -> None:
    """Write the files that the program uploads; always the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in SIZES.items():
        pattern = hashlib.sha256(name.encode()).hexdigest().encode()
        (folder / name).write_bytes((pattern * (size // len(pattern) + 1))[:size])


def normalise(target: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return a request without what chance decides: contexts, ids, boundaries, query order."""
    path, _, query = target.partition("?")
    path = re.sub(r"^/bput/[^/]+/", "/bput/CONTEXT/", path)
    kept = {name: value for name, value in headers.items() if name in HEADERS}
    if "uploadbatch" in kept:
        assert re.fullmatch("[A-Za-z0-9]{32}", kept["uploadbatch"])
        kept["uploadbatch"] = "BATCH"
    if path.startswith("/mkfile/"):
        body = b",".join(b"CONTEXT" for _ in body.split(b","))
    kind, _, boundary = kept.get("content-type", "").partition("boundary=")
    if boundary:
        kept["content-type"] = kind + "boundary=BOUNDARY"
        return {"path": path, "headers": kept, "form": read_form(body, boundary.encode())}
    if query:
        # The signature covers the order, which the original leaves to chance.
        kept.pop("authorization")
    return {
        "path": path,
        "query": sorted(parse_qsl(query)),
        "headers": kept,
        "body": body.decode() if len(body) < 200 else hashlib.sha256(body).hexdigest(),
    }


def read_form(body: bytes, boundary: bytes) -> list[list[str]]:
    """Return a form's parts, each with its head and the digest or text of its content."""
    parts = []
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part[2:-2].partition(b"\r\n\r\n")
        text = content.decode() if len(content) < 300 else hashlib.sha256(content).hexdigest()
        parts.append([*sorted(head.decode().lower().split("\r\n")), text])
    return sorted(parts)


def record(run: Callable[[str, str], subprocess.CompletedProcess[str]], folder: Path) -> Any:
    """Run the program with `run(url, folder)` and return its requests and results."""
    make_files(folder)
    service = WcsServer()
    requests: list[dict[str, Any]] = []

    def forward(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            first, *lines = request[0].decode().split("\r\n")
            method, target, _ = first.split(" ")
            headers = dict(line.split(": ", 1) for line in lines)
            lower = {name.lower(): value for name, value in headers.items()}
            body = b"" if method == "GET" else request[1]
            if method == "GET":
                # The original repeats the query as a GET's body; see DIFFERENCES.md.
                lower.pop("content-type", None)
            requests.append({"method": method, **normalise(target, lower, body)})
            # The program may pause for longer than the service keeps a connection.
            made = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=10)
            with contextlib.closing(made) as upstream:
                upstream.request(method, target, body, headers if body else _bodiless(headers))
                response = upstream.getresponse()
                peer.answer(response.status, response.read())

    try:
        with ScriptedServer(forward) as proxy:
            done = run(proxy.url, str(folder))
    finally:
        service.close()
    assert done.returncode == 0, done.stderr
    results = json.loads(re.sub(r'("putTime": )\d+', r"\g<1>0", done.stdout))
    # Blocks are sent side by side, so only what was sent is compared, not when.
    ordered = sorted(requests, key=lambda request: json.dumps(request, sort_keys=True))
    return {"requests": ordered, "results": results}


def _bodiless(headers: Mapping[str, str]) -> dict[str, str]:
    own = ("content-length", "content-type")
    return {name: value for name, value in headers.items() if name.lower() not in own}
