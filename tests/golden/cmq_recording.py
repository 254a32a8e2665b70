"""Runs a CMQ program against the local service and records what it sent and got."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.scripted import Peer, ScriptedServer
from wirespeed.local import LocalCloud

PROGRAM = Path(__file__).with_name("cmq_program.py")
BY_CHANCE = ("Nonce", "Signature", "Timestamp")
# The original sends it by mistake; see DIFFERENCES.md.
LEAKED = "UserpollingWaitSeconds"


def normalise(method: str, target: str, body: bytes) -> dict[str, Any]:
    """Return a request without what chance decides; that the service took it proves the rest."""
    path, _, query = target.partition("?")
    fields = dict(parse_qsl((body.decode() if body else query), keep_blank_values=True))
    assert set(BY_CHANCE) <= set(fields)
    kept = {
        name: "HANDLE" if name.startswith("receiptHandle") and "-" in value else value
        for name, value in fields.items()
        if name not in (*BY_CHANCE, LEAKED)
    }
    return {"method": method, "path": path, "parameters": kept}


def record(run: Callable[[str], subprocess.CompletedProcess[str]]) -> Any:
    """Run the program with `run(url)` and return its requests and results."""
    requests: list[dict[str, Any]] = []
    with LocalCloud(["cmq"]) as cloud:

        def forward(peer: Peer) -> None:
            while (request := peer.read_request()) is not None:
                first, *lines = request[0].decode().split("\r\n")
                method, target, _ = first.split(" ")
                requests.append(normalise(method, target, request[1]))
                headers = dict(line.split(": ", 1) for line in lines)
                # The program may pause for longer than the service keeps a connection.
                made = http.client.HTTPConnection(cloud.cmq_url.removeprefix("http://"), timeout=10)
                with contextlib.closing(made) as upstream:
                    upstream.request(method, target, request[1] or None, headers)
                    response = upstream.getresponse()
                    peer.answer(response.status, response.read())

        with ScriptedServer(forward) as proxy:
            done = run(proxy.url)
    assert done.returncode == 0, done.stderr
    text = re.sub(r'(Time": )\d{10}', r"\g<1>0", done.stdout)
    text = re.sub(r'("msgId": )"\d+"', r'\g<1>"ID"', text)
    text = re.sub(r'"(queue|topic|subsc)-[0-9a-f]{8}"', r'"\g<1>-ID"', text)
    return {"requests": requests, "results": json.loads(text)}
