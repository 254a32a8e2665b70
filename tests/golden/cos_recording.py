"""Runs a COS program against the local service and records what it sent and got."""

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

from tests.golden.recording import read_form
from tests.scripted import Peer, ScriptedServer
from wirespeed.local import LocalCloud

PROGRAM = Path(__file__).with_name("cos_program.py")
MIB = 1 << 20
SIZES = {
    "empty": 0,
    "small": 1000,
    "middle": 2 * MIB + 100_000,
    "other": 3 * MIB,
    "large": 8 * MIB + 17,
}


def make_files(folder: Path) -> None:
    """Write the files that the program uploads; always the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in SIZES.items():
        pattern = hashlib.sha256(name.encode()).hexdigest().encode()
        (folder / name).write_bytes((pattern * (size // len(pattern) + 1))[:size])


def normalise(target: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return a request without what chance decides; that the service took it proves the rest."""
    path, _, query = target.partition("?")
    kept = {"path": path, "agent": headers.get("user-agent", "").partition("/")[0]}
    found: dict[str, Any] = dict(kept)
    found["query"] = sorted(
        [name, value] for name, value in parse_qsl(query, True) if name != "sign"
    )
    found["signed"] = "authorization" in headers
    if "sign=" in query:
        # Downloads carry whatever agent the HTTP library has.
        found["agent"] = ""
    kind, _, boundary = headers.get("content-type", "").partition("boundary=")
    if boundary:
        parts = read_form(body, boundary.encode())
        found["form"] = [
            [*part[:-1], re.sub("^[0-9a-f]{48}$", "SESSION", part[-1])] for part in parts
        ]
        for part in found["form"]:
            if 'name="uploadparts"' in part[0]:
                part[-1] = "UPLOADPARTS"
        assert "; filename=" in str(parts)
    elif kind == "application/json":
        found["json"] = json.loads(body)
    else:
        assert not body
    return found


def record(run: Callable[[str, str], subprocess.CompletedProcess[str]], folder: Path) -> Any:
    """Run the program with `run(host, folder)` and return its requests and results."""
    make_files(folder)
    requests: list[dict[str, Any]] = []
    with LocalCloud(["cos"]) as cloud:

        def forward(peer: Peer) -> None:
            while (request := peer.read_request()) is not None:
                first, *lines = request[0].decode().split("\r\n")
                method, target, _ = first.split(" ")
                headers = dict(line.split(": ", 1) for line in lines)
                lower = {name.lower(): value for name, value in headers.items()}
                requests.append({"method": method, **normalise(target, lower, request[1])})
                # The program may pause for longer than the service keeps a connection.
                made = http.client.HTTPConnection(cloud.cos_url.removeprefix("http://"), timeout=10)
                with contextlib.closing(made) as upstream:
                    upstream.request(method, target, request[1] or None, headers)
                    response = upstream.getresponse()
                    peer.answer(response.status, response.read())

        with ScriptedServer(forward) as proxy:
            host = proxy.url.removeprefix("http://")
            done = run(host, str(folder))
    assert done.returncode == 0, done.stderr
    text = done.stdout.replace(host, "HOST").replace(str(folder), "FOLDER")
    text = re.sub(r'("[cm]time": )\d{10}', r"\g<1>0", text)
    text = re.sub(r'("(?:request_id|vid)": )"[0-9a-f]+"', r'\g<1>"ID"', text)
    # Slices sent side by side come in any order.
    start = next(n for n, each in enumerate(requests) if each["path"].endswith("/b/par"))
    end = start + sum(each["path"].endswith("/b/par") for each in requests)
    requests[start:end] = sorted(requests[start:end], key=lambda each: json.dumps(each))
    return {"requests": requests, "results": json.loads(text)}
