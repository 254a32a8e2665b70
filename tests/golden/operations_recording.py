"""Runs a program of WCS operations against a server that takes them all, and records them."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.scripted import Peer, ScriptedServer

PROGRAM = Path(__file__).with_name("wcs_operations_program.py")


def token(target: str, body: bytes) -> str:
    """Return the token that a request must carry."""
    digest = hmac.digest(b"qwer", target.encode() + b"\n" + body, "sha1").hex()
    return "1234:" + base64.urlsafe_b64encode(digest.encode()).decode()


def record(run: Callable[[str], subprocess.CompletedProcess[str]]) -> dict[str, Any]:
    """Run the program with `run(url)` and return its requests and results."""
    requests: list[dict[str, Any]] = []

    def answer(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            first, *lines = request[0].decode().split("\r\n")
            method, target, _ = first.split(" ")
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
            }
            # The original repeats the query as a GET's body; see DIFFERENCES.md.
            body = b"" if method == "GET" else request[1]
            path, _, query = target.partition("?")
            found = headers.get("authorization")
            # Chance decides the order under Python 2, and so the signature: it is checked here.
            assert found in (None, token(target, body)), (target, body)
            requests.append(
                {
                    "method": method,
                    "path": path,
                    "signed": found is not None,
                    "parameters": sorted(map(list, parse_qsl(query or body.decode()))),
                }
            )
            peer.answer(200, json.dumps({"persistentId": str(len(requests))}).encode())

    with ScriptedServer(answer) as server:
        done = run(server.url)
    assert done.returncode == 0, done.stderr
    return {"requests": requests, "results": json.loads(done.stdout)}
