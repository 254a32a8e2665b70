"""WCS uploads through a proxy that cuts, stalls, garbles and lies, sync and asyncio."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer
from tests.wcs_server import WcsServer
from tests.wcs_sides import Side
from wirespeed import digest
from wirespeed.errors import (
    AccessDenied,
    Busy,
    ConfigError,
    DeadlineExceeded,
    IntegrityError,
    ProtocolError,
    ServiceError,
    SourceChanged,
    TransportError,
)

BLOCK = 4 << 20
PIECE = 1 << 20

# Given the request's operation, how many of that kind came before, and a function that lets the
# real service answer, a fault sends what it likes and returns True, or returns False.
Fault = Callable[[Peer, str, int, Callable[[], tuple[int, bytes]]], bool]


class FaultyProxy:
    """Forwards to the local face, but for what the fault takes over."""

    def __init__(self, target: WcsServer, fault: Fault) -> None:
        self.counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._host = target.url.removeprefix("http://")
        self._fault = fault
        self.server = ScriptedServer(self._serve)
        self.url = self.server.url

    def _serve(self, peer: Peer) -> None:
        upstream = http.client.HTTPConnection(self._host, timeout=5)
        try:
            while (request := peer.read_request()) is not None:
                self._answer(peer, upstream, *request)
        finally:
            upstream.close()

    def _answer(
        self, peer: Peer, upstream: http.client.HTTPConnection, head: bytes, body: bytes
    ) -> None:
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        operation = target.split("/")[1].partition("?")[0]
        headers = dict(line.split(": ", 1) for line in lines)
        with self._lock:
            before = self.counts.get(operation, 0)
            self.counts[operation] = before + 1

        def forward() -> tuple[int, bytes]:
            upstream.request(method, target, body, headers)
            response = upstream.getresponse()
            return response.status, response.read()

        if not self._fault(peer, operation, before, forward):
            status, answer = forward()
            peer.answer(status, answer)


@pytest.fixture(scope="module")
def server() -> Iterator[WcsServer]:
    made = WcsServer()
    yield made
    made.close()


@pytest.fixture(params=["sync", "asyncio"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Trial:
    """One upload of a file of two blocks and a bit through a fault."""

    def __init__(self, kind: str, server: WcsServer, tmp_path: Path) -> None:
        self.kind = kind
        self.service = server
        self.path = tmp_path / "file"
        self.data = os.urandom(2 * BLOCK + 5)
        self.path.write_bytes(self.data)
        self.counts: dict[str, int] = {}
        self.seen: list[int] = []

    def run(self, fault: Fault, *, client: dict[str, Any] | None = None, **options: Any) -> Any:
        proxy = FaultyProxy(self.service, fault)
        side = Side(self.kind, proxy.url, **(client or {}))
        self.counts = proxy.counts
        try:
            return side.call(
                lambda bucket: bucket.upload_file(
                    self.path,
                    "k",
                    piece_size=PIECE,
                    progress=lambda progress: self.seen.append(progress.done),
                    **options,
                )
            )
        finally:
            side.close()
            proxy.server.close()

    def stored(self) -> bool:
        return "k" in self.service.state.buckets.get("b", {})

    def check(self) -> None:
        assert self.service.content("b", "k") == self.data
        assert self.seen == sorted(self.seen)
        assert self.seen[-1] == len(self.data)


@pytest.fixture
def trial(kind: str, server: WcsServer, tmp_path: Path) -> Trial:
    server.state.clear()
    return Trial(kind, server, tmp_path)


OPERATIONS = ["mkblk", "bput", "mkfile"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_error_of_the_server_is_retried(trial: Trial, operation: str, status: int) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        if at != operation or before:
            return False
        peer.answer(status, b'{"code":%d,"message":"later"}' % status)
        return True

    result = trial.run(fault)
    assert result.hash == digest.etag(trial.data)
    trial.check()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("how", ["reset before", "lost after", "cut answer"])
def test_a_broken_connection_is_repaired(trial: Trial, operation: str, how: str) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        if at != operation or before:
            return False
        if how == "reset before":
            peer.reset()
            raise OSError
        status, answer = forward()
        if how == "cut answer":
            peer.send(b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n" % (status, len(answer) + 1))
            peer.send(answer)
        raise OSError

    result = trial.run(fault)
    assert result.hash == digest.etag(trial.data)
    trial.check()
    if operation == "mkfile" and how != "reset before":
        assert (trial.counts["mkfile"], trial.counts["stat"]) == (2, 1)


def test_a_dead_context_restarts_its_block(trial: Trial) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        if at != "bput" or before != 4:
            return False
        peer.answer(400, b'{"code":701,"message":"bad ctx"}')
        return True

    trial.run(fault)
    trial.check()
    assert trial.counts["mkblk"] == 4


@pytest.mark.parametrize("field", ["crc32", "checksum", "offset"])
def test_garbled_bytes_are_sent_again(trial: Trial, field: str) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        if at != "bput" or before != 1:
            return False
        status, answer = forward()
        value = json.loads(answer)
        value[field] = "A" * 27 + "=" if field == "checksum" else value[field] + 1
        peer.answer(status, json.dumps(value).encode())
        return True

    trial.run(fault)
    trial.check()
    assert trial.counts["mkblk"] == 4


def test_bytes_that_stay_garbled_are_an_integrity_error(trial: Trial) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        if at != "mkblk":
            return False
        status, answer = forward()
        peer.answer(status, json.dumps({**json.loads(answer), "crc32": 1}).encode())
        return True

    with pytest.raises(IntegrityError, match="CRC-32"):
        trial.run(fault)
    assert not trial.stored()
    assert "mkfile" not in trial.counts


def test_another_hash_is_an_integrity_error(trial: Trial) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        if at != "mkfile":
            return False
        forward()
        peer.answer(200, b'{"hash":"lgWrong","key":"k"}')
        return True

    with pytest.raises(IntegrityError, match="lgWrong"):
        trial.run(fault)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_server_that_stays_down_is_given_up(trial: Trial, operation: str) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        if at != operation:
            return False
        peer.answer(503, b"")
        return True

    with pytest.raises(Busy) as caught:
        trial.run(fault, workers=1)
    assert (caught.value.attempts, trial.counts[operation]) == (3, 3)
    assert not trial.stored()


def test_a_refused_token_is_not_retried(trial: Trial) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        peer.answer(401, b'{"code":401,"message":"no"}')
        return True

    with pytest.raises(AccessDenied):
        trial.run(fault, workers=1)
    assert trial.counts == {"mkblk": 1}


def test_a_stall_meets_the_timeout_of_the_request_and_is_retried(trial: Trial) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        if at != "bput" or before:
            return False
        peer.wait_closed()
        raise OSError

    trial.run(fault, client={"timeout": 0.4})
    trial.check()


def test_a_stall_meets_the_timeout_of_the_upload(trial: Trial) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        peer.wait_closed()
        raise OSError

    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        trial.run(fault, timeout=0.3)
    assert time.monotonic() - began < 1.2
    assert caught.value.service == "wcs"
    assert caught.value.outcome == "unknown"


@pytest.mark.parametrize("answer", [b"", b"[]", b"<html>", b'{"ctx":1}', b"\xff" * 100])
def test_nonsense_is_a_protocol_error(trial: Trial, answer: bytes) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        peer.answer(200, answer)
        return True

    with pytest.raises(ProtocolError):
        trial.run(fault)
    assert "mkfile" not in trial.counts


def test_the_first_error_is_the_one_raised(trial: Trial) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        if at == "mkblk" and before == 0:
            time.sleep(0.05)
            return False
        if at == "mkblk":
            peer.answer(400, b'{"code":499,"message":"the cause"}')
            return True
        return False

    with pytest.raises(ServiceError, match="the cause"):
        trial.run(fault)
    assert "mkfile" not in trial.counts


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite", "replace", "remove"])
def test_a_file_that_changes_is_never_stored(trial: Trial, change: str) -> None:
    path = trial.path

    def mutate() -> None:
        if change == "grow":
            with path.open("ab") as file:
                file.write(b"more")
        elif change == "shrink":
            os.truncate(path, BLOCK)
        elif change == "rewrite":
            with path.open("r+b") as file:
                file.write(b"other")
        elif change == "replace":
            path.with_suffix(".new").write_bytes(trial.data)
            os.replace(path.with_suffix(".new"), path)
        else:
            path.unlink()

    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        if at == "bput" and not before:
            mutate()
        return False

    with pytest.raises(SourceChanged):
        trial.run(fault, workers=2)
    assert not trial.stored()
    assert "mkfile" not in trial.counts


def test_a_delete_whose_answer_is_lost_is_done(kind: str, server: WcsServer) -> None:
    def fault(peer: Peer, at: str, before: int, forward: Any) -> bool:
        if at != "delete" or before:
            return False
        forward()
        raise OSError

    proxy = FaultyProxy(server, fault)
    side = Side(kind, proxy.url)
    side.call(lambda bucket: bucket.put("d", b"x"))
    assert side.call(lambda bucket: bucket.delete("d")) is None
    assert "d" not in server.state.buckets["b"]
    side.close()
    proxy.server.close()


@pytest.mark.parametrize("operation", ["stat", "list", "upload"])
def test_every_call_has_a_deadline(kind: str, operation: str) -> None:
    with ScriptedServer(Peer.wait_closed) as silent:
        side = Side(kind, silent.url)
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            if operation == "stat":
                side.call(lambda bucket: bucket.stat("k", timeout=0.15))
            elif operation == "list":
                side.call(lambda bucket: bucket.list(timeout=0.15).all())
            else:
                side.call(lambda bucket: bucket.put("k", b"x", timeout="0.15s"))
        assert time.monotonic() - began < 1.0
        side.close()


def test_header_injection_through_a_key_pair_is_refused(kind: str) -> None:
    side = Side(kind, "http://127.0.0.1:9", access_key="a\r\nX: y")
    with pytest.raises(ConfigError, match="Authorization"):
        side.call(lambda bucket: bucket.stat("k"))
    side.close()


def test_a_lost_put_is_unknown_when_tries_run_out(kind: str) -> None:
    def lose(peer: Peer) -> None:
        peer.read_request()

    with ScriptedServer(lose) as rude:
        side = Side(kind, rude.url)
        with pytest.raises(TransportError) as caught:
            side.call(lambda bucket: bucket.put("k", b"x"))
        assert (caught.value.outcome, caught.value.attempts) == ("unknown", 3)
        side.close()


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT to a process")
def test_ctrl_c_ends_a_stalled_upload_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * BLOCK))
    script = (
        "import sys; from wirespeed import wcs\n"
        "with wcs.Client('a', 'b', upload_url=sys.argv[1], manage_url=sys.argv[1]) as client:\n"
        "    client.bucket('b').upload_file(sys.argv[2], 'k')\n"
    )
    stalled = threading.Event()

    def stall(peer: Peer) -> None:
        peer.read_request()
        stalled.set()
        peer.wait_closed()

    with ScriptedServer(stall) as server:
        command = [sys.executable, "-c", script, server.url, str(path)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert stalled.wait(10)
        time.sleep(0.2)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=15)
        assert time.monotonic() - began < 3
        assert errors.rstrip().endswith("KeyboardInterrupt")
        assert process.returncode != 0
