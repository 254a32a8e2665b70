"""What only an attack sends to the local services: they refuse it and go on."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from wirespeed import cos, sqs, wcs
from wirespeed.config import Credentials
from wirespeed.errors import ConfigError, Conflict
from wirespeed.local import LocalCloud, guard
from wirespeed.local.guard import Guard, host_name, is_loopback

KEYS = Credentials("local", "local-secret")
SERVICES = ("cmq", "cos", "sqs", "wcs")
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"

SMUGGLED = {
    "length and chunks": b"Content-Length: 4\r\n" + CHUNKED + b"0\r\n\r\n",
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "one length twice": b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": b"Content-Length: 5, 5\r\n\r\nhello",
    "a length with a sign": b"Content-Length: +5\r\n\r\nhello",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a hexadecimal length": b"Content-Length: 0x5\r\n\r\nhello",
    "a folded header": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a folded length": b"X-A: b\r\n Content-Length: 5\r\n\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a list of codings": b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a bare line feed": b"X: y\nContent-Length: 5\r\n\r\nhello",
    "a bare carriage return": b"X: y\rContent-Length: 5\r\n\r\n",
    "a zero byte": b"X: y\0z\r\n\r\n",
    "a negative chunk": CHUNKED + b"-1\r\n",
    "a hexadecimal chunk": CHUNKED + b"0x2\r\nab\r\n0\r\n\r\n",
    "a chunk of over 64 bits": CHUNKED + b"10000000000000002\r\nab\r\n0\r\n\r\n",
    "a chunk that goes on": CHUNKED + b"2\r\nabXX0\r\n\r\n",
    "chunks by line feeds": CHUNKED + b"2\nab\n0\n\n",
    "a line feed in an extension": CHUNKED + b"2;x\nxx\r\nab\r\n0\r\n\r\n",
    "two chunk sizes": CHUNKED + b"2 1\r\nab\r\n0\r\n\r\n",
    "a length in the trailer": CHUNKED + b"0\r\nContent-Length: 40\r\n\r\n",
    "a second host": b"Host: elsewhere\r\n\r\n",
}


@pytest.fixture(scope="module")
def running() -> Iterator[LocalCloud]:
    with LocalCloud(SERVICES) as made:
        yield made


@pytest.fixture
def cloud(running: LocalCloud) -> LocalCloud:
    running.reset()
    return running


def address(cloud: LocalCloud, service: str) -> tuple[str, int]:
    """Return where a service listens."""
    host, _, port = getattr(cloud, f"{service}_url").removeprefix("http://").rpartition(":")
    return host, int(port)


def talk(place: tuple[str, int], data: bytes) -> bytes:
    """Return all that a service answers until it closes."""
    answer = b""
    with socket.create_connection(place, timeout=5) as raw:
        try:
            raw.sendall(data)
            while piece := raw.recv(65536):
                answer += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    return answer


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", SMUGGLED)
def test_nothing_is_smuggled(cloud: LocalCloud, service: str, name: str) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
    answer = talk(address(cloud, service), head + SMUGGLED[name] + NEXT)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert "/smuggled" not in [each.path for each in cloud.faults.requests()]


def test_two_plain_requests_in_one_piece_are_answered(cloud: LocalCloud) -> None:
    last = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert talk(address(cloud, "sqs"), NEXT + last).count(b"HTTP/1.1 403 ") == 2


@pytest.mark.parametrize(
    "line",
    [
        b"GE T / HTTP/1.1",
        b"GET / HTTP/9.1",
        b"CONNECT localhost:80 HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_request(cloud: LocalCloud, line: bytes) -> None:
    data = line + b"\r\nHost: localhost\r\n\r\n"
    assert talk(address(cloud, "wcs"), data).startswith(b"HTTP/1.1 400 ")


def refused(*headers: tuple[bytes, bytes], listening: str = "127.0.0.1", path: bytes = b"/") -> int:
    """Return the status with which the guard alone refuses headers; 0: it passes them on."""
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(0)

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            seen.append(message["status"])

    made = Guard(app)
    made.listens_at(listening)
    scope = {"type": "http", "headers": list(headers), "raw_path": path, "query_string": b""}
    asyncio.run(made(scope, receive, send))
    [status] = seen
    return status


def test_the_guard_does_not_rely_on_the_parser() -> None:
    host = (b"host", b"localhost")
    length, chunked = (b"content-length", b"5"), (b"transfer-encoding", b"chunked")
    assert refused(host, length) == refused(host, chunked) == 0
    assert refused(host, length, length) == 400
    assert refused(host, length, chunked) == refused(host, chunked, length) == 400
    assert refused(host, chunked, chunked) == 400
    assert refused(host, (b"transfer-encoding", b"gzip, chunked")) == 400
    assert refused() == refused(host, host) == 400
    assert refused(host, (b"x", b"y" * guard.HEAD_LIMIT)) == 431
    assert refused(host, path=b"/" * guard.HEAD_LIMIT) == 431


def test_hosts_of_elsewhere_are_refused_on_loopback_alone() -> None:
    for here in (b"127.0.0.1", b"127.8.9.1:80", b"[::1]:80", b"LOCALHOST:1", b"b.localhost",
                 b"localhost.", b"host.docker.internal:80", b"films-1.file.myqcloud.com:80",
                 b"sqs.eu-west-1.amazonaws.com", b"b.test"):  # fmt: skip
        assert refused((b"host", here)) == 0, here
    for there in (b"rebound.example", b"rebound.example:80", b"localhost.rebound.example", b"",
                  b"localhost@rebound.example", b"10.0.0.1", b"[::2]:80", b"127.0.0.1.nip.example",
                  b"notlocalhost", b"notqcloud.com", b"amazonaws.com.rebound.example",
                  b"0.0.0.0", b"2130706433"):  # fmt: skip
        assert refused((b"host", there)) == 421, there
        assert refused((b"host", there), listening="0.0.0.0") == 0
    assert refused((b"host", b"laptop.lan"), listening="192.168.0.2") == 0
    assert host_name("[::1]:80") == "::1" and host_name("A.b:80") == "a.b"
    assert is_loopback("::1") and not is_loopback("::")


@pytest.mark.parametrize("service", SERVICES)
def test_a_rebound_name_gets_nothing(cloud: LocalCloud, service: str) -> None:
    connection = http.client.HTTPConnection(*address(cloud, service), timeout=5)
    connection.request("POST", "/", b"x" * 10_000, {"Host": "rebound.example:80"})
    reply = connection.getresponse()
    assert reply.status == 421 and "this machine" in json.loads(reply.read())["message"]
    assert reply.headers["connection"] == "close"
    connection.close()


# ---- slow clients ----


def test_a_head_has_a_deadline(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "HEAD_SECONDS", 0.3)
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "
    for begun in (b"", head):
        with socket.create_connection(address(cloud, "sqs"), timeout=5) as raw:
            raw.sendall(begun)
            start = time.monotonic()
            assert _closed(raw)
            assert 0.2 < time.monotonic() - start < 3
    with socket.create_connection(address(cloud, "sqs"), timeout=5) as raw:
        raw.sendall(NEXT)
        assert raw.recv(65536).startswith(b"HTTP/1.1 403 ")
        raw.sendall(head)
        start = time.monotonic()
        while time.monotonic() < start + 5:
            try:
                raw.sendall(b"x")
            except OSError:
                break
            time.sleep(0.02)
        assert 0.2 < time.monotonic() - start < 3


def test_a_body_that_stands_still_is_given_up(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.3)
    with socket.create_connection(address(cloud, "wcs"), timeout=5) as raw:
        raw.sendall(b"POST /mkblk/9/0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        for _ in range(4):
            time.sleep(0.15)
            raw.sendall(b"x")
        assert _closed(raw)


def test_who_waits_for_an_answer_is_not_given_up(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.2)
    with sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS) as client:
        queue = client.create_queue("q")
        threading.Timer(0.7, queue.send, ["late"]).start()
        assert [each.body for each in queue.receive(wait=5)] == ["late"]
    for size in (9, 3_000_000):
        # The service does not read on while a fault holds the request.
        cloud.faults.add("delay", "sqs", seconds=0.5, count=1)
        with socket.create_connection(address(cloud, "sqs"), timeout=5) as raw:
            head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size
            raw.sendall(head)
            time.sleep(0.05)
            raw.sendall(b"x" * size)
            assert raw.recv(65536).startswith(b"HTTP/1.1 403 ")


def _closed(raw: socket.socket) -> bool:
    """Return whether the other side closes without an answer."""
    try:
        return raw.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_head_without_end_is_cut(cloud: LocalCloud) -> None:
    with socket.create_connection(address(cloud, "cmq"), timeout=5) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        with pytest.raises(OSError):
            for _ in range(200):
                raw.sendall(b"a" * 65_536)
                time.sleep(0.001)


# ---- keys ----

ODD = [
    "../other/secret",
    "..\\other\\secret",
    "a/../../other/secret",
    "/etc/passwd",
    "//etc/passwd",
    "%2e%2e/other/secret",
    "..%2fother%2fsecret",
    "a\0b",
    "secret\0.txt",
    ".",
    "..",
    "~root",
    "C:\\secret",
    "CON",
    "a:b",
    "x" * 1_000,
]


@pytest.fixture
def wcs_client(cloud: LocalCloud) -> Iterator[wcs.Client]:
    with wcs.Client(
        "local",
        "local-secret",
        upload_url=cloud.wcs_url,
        manage_url=cloud.wcs_url,
        download_url=cloud.wcs_url + "/download/{bucket}",
    ) as client:
        client.bucket("other").put("secret", b"of another bucket")
        yield client


def test_a_key_of_wcs_is_only_a_name(wcs_client: wcs.Client) -> None:
    bucket = wcs_client.bucket("films")
    for key in ODD:
        bucket.put(key, key.encode())
    assert {item.key for item in bucket.list()} == set(ODD)
    for key in ODD:
        assert bucket.stat(key).size == len(key.encode())
    for key in ODD:
        bucket.delete(key)
    other = wcs_client.bucket("other")
    assert [item.key for item in other.list()] == ["secret"]
    assert other.get("secret") == b"of another bucket"


@pytest.mark.parametrize("service", ["cos", "wcs"])
def test_a_path_does_not_leave_its_bucket(
    cloud: LocalCloud, wcs_client: wcs.Client, service: str
) -> None:
    for path in (
        "/download/films/../other/secret",
        "/download/films/%2e%2e/other/secret",
        "/download/films/..%2fother%2fsecret",
        "/download/films%2f..%2fother/secret",
        "/download/..%2f..%2fetc%2fpasswd",
        "/download/../../../../etc/passwd",
        "/download/films/%00",
        "/download/films/..%c0%afother",
        "/download/films/" + "a/" * 4_000,
        "/files/v2/10001/films/../other/secret?op=stat",
        "/..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
    ):
        host, port = address(cloud, service)
        data = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = talk((host, port), data.encode())
        assert answer.startswith(b"HTTP/1.1 4"), (path, answer[:80])
        assert b"of another bucket" not in answer and b"root:" not in answer


def test_a_path_of_cos_is_only_a_name(cloud: LocalCloud) -> None:
    with cos.Client(
        10001,
        "local",
        "local-secret",
        endpoint=cloud.cos_url,
        download_endpoint=cloud.cos_url,
    ) as client:
        other, films = client.bucket("other"), client.bucket("films")
        other.put("secret", b"of another bucket")
        kept = []
        for key in ODD:
            try:
                films.put(key, key.encode())
            except (ConfigError, Conflict):
                continue
            kept.append(key)
        assert "../other/secret" in kept
        assert [films.get(key) for key in kept] == [key.encode() for key in kept]
        assert other.get("secret") == b"of another bucket"
