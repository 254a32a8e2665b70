"""Runs a boto program against the local SQS and records what it sent and got."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.scripted import Peer, ScriptedServer
from wirespeed.local import LocalCloud

PROGRAM = Path(__file__).with_name("boto_program.py")
# Ours numbers what the original leaves bare; see DIFFERENCES.md.
_BARE = re.compile(r"AttributeName|Attribute\.(?:Name|Value)|AWSAccountId|ActionName")
_NUMBERED = {"Attribute.Name": "Attribute.1.Name", "Attribute.Value": "Attribute.1.Value"}


def normalise(target: str, body: bytes) -> dict[str, Any]:
    """Return a request's path and parameters; that the service took it proves the signature."""
    path, _, query = target.partition("?")
    # Ours posts a form where the original asks by GET; see DIFFERENCES.md.
    pairs = parse_qsl(body.decode() if body else query, True)
    fields = {
        _NUMBERED.get(name, f"{name}.1") if _BARE.fullmatch(name) else name: value
        for name, value in pairs
    }
    for name in fields:
        if name.endswith("ReceiptHandle") and fields[name] != "nonsense":
            fields[name] = "HANDLE"
        if name == "QueueUrl":
            fields[name] = urlsplit(fields[name]).path
    return {"path": path, "parameters": fields}


def record(
    run: Callable[[int, str], subprocess.CompletedProcess[str]], folder: Path
) -> dict[str, Any]:
    """Run the program with `run(port, folder)` and return its requests and results."""
    folder.mkdir(parents=True, exist_ok=True)
    requests: list[dict[str, Any]] = []
    with LocalCloud(["sqs"]) as cloud:

        def forward(peer: Peer) -> None:
            while (request := peer.read_request()) is not None:
                first, *lines = request[0].decode().split("\r\n")
                method, target, _ = first.split(" ")
                headers = dict(line.split(": ", 1) for line in lines)
                requests.append(normalise(target, request[1]))
                # The program may pause for longer than the service keeps a connection.
                made = http.client.HTTPConnection(cloud.sqs_url.removeprefix("http://"), timeout=10)
                with contextlib.closing(made) as upstream:
                    upstream.request(method, target, request[1] or None, headers)
                    response = upstream.getresponse()
                    peer.answer(response.status, response.read())

        with ScriptedServer(forward) as proxy:
            done = run(int(proxy.url.rpartition(":")[2]), str(folder))
    assert done.returncode == 0, done.stderr
    return {"requests": requests, "results": json.loads(done.stdout)}
