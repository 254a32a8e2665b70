"""What the HTTP engine does beyond one request and one answer, on threads and on asyncio."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.test_http_tls import certificate, exchange_all
from tests.fault.test_http_transport import KINDS, Blocking, Looped, Requested, Side, echo, get
from tests.scripted import Peer, ScriptedServer, closed_port
from wirespeed.engine.effects import Exchange
from wirespeed.errors import (
    ConfigError,
    ConnectError,
    DeadlineExceeded,
    IntegrityError,
    TlsError,
    WirespeedError,
)
from wirespeed.http import aio, dial
from wirespeed.http.models import Origin, Request, Response
from wirespeed.telemetry import Event, Telemetry

__all__ = ["certificate"]


@pytest.fixture(params=["threads", "aio"])
def kind(request: pytest.FixtureRequest) -> type[Side]:
    return KINDS[request.param]


@pytest.fixture
def side(kind: type[Side]) -> Iterator[Side]:
    made = kind(proxy="")
    yield made
    made.close()


# ---- proxies ----


def proxy_of(seen: list[tuple[bytes, dict[bytes, bytes]]], answer: bytes = b"") -> Any:
    """Return the handler of a proxy: it answers http itself and tunnels what CONNECT names."""

    def handle(peer: Peer) -> None:
        while (head := peer.read_head()) is not None:
            first, *lines = head.split(b"\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(b":") for line in lines)
            }
            seen.append((first, headers))
            if answer:
                peer.send(answer)
                return
            if not first.startswith(b"CONNECT "):
                size = int(headers.get(b"content-length", b"0"))
                while len(peer._data) < size:
                    assert peer._fill()
                peer._data = peer._data[size:]
                peer.answer(200, first)
                continue
            host, _, port = first.split()[1].decode().rpartition(":")
            peer.send(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
            with socket.create_connection((host, int(port)), 5) as upstream:
                back = threading.Thread(target=pump, args=(upstream, peer.sock), daemon=True)
                back.start()
                pump(peer.sock, upstream)
                back.join(5)
            return

    return handle


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_plain_requests_go_to_the_proxy_whole(kind: type[Side]) -> None:
    seen: list[tuple[bytes, dict[bytes, bytes]]] = []
    with ScriptedServer(proxy_of(seen)) as server:
        side = kind(proxy=f"http://user:pa%20ss@127.0.0.1:{server.port}")
        for _ in range(2):
            answer = side.exchange("http://queue.invalid:8080", Request("POST", "/a?b=c"))
            assert answer.body == b"POST http://queue.invalid:8080/a?b=c HTTP/1.1"
        assert len(server.peers) == 1
        assert seen[0][1][b"host"] == b"queue.invalid:8080"
        assert seen[0][1][b"proxy-authorization"] == b"Basic dXNlcjpwYSBzcw=="
        side.close()


def test_tls_goes_through_a_tunnel_and_is_verified(
    kind: type[Side], certificate: tuple[Path, Path]
) -> None:
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(*map(str, certificate))

    def secure_echo(peer: Peer) -> None:
        peer.sock = server_context.wrap_socket(peer.sock, server_side=True)
        with peer.sock:
            echo(peer)

    seen: list[tuple[bytes, dict[bytes, bytes]]] = []
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with ScriptedServer(secure_echo) as server, ScriptedServer(proxy_of(seen)) as proxy:
        side = kind(tls=trusting, proxy=f"http://u:p@127.0.0.1:{proxy.port}")
        url = f"https://localhost:{server.port}"
        for body in (b"one", bytes(1 << 20)):
            assert side.exchange(url, Request("POST", "/", (), body), 10).body == body
        assert [first for first, _ in seen] == [b"CONNECT localhost:%d HTTP/1.1" % server.port]
        assert seen[0][1][b"proxy-authorization"] == b"Basic dTpw"
        heads = [head for peer in server.peers for head, _ in peer.requests]
        assert all(b"roxy" not in head for head in heads)
        side.close()
        wary = kind(proxy=f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(TlsError):
            wary.exchange(url, get())
        wary.close()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 407 Key\r\nContent-Length: 0\r\n\r\n", "user and password"),
        (b"HTTP/1.1 502 Gone\r\nContent-Length: 4\r\n\r\nbody", "502 Gone"),
        (b"HTTP/1.1 200 OK", "proxy closed"),
    ],
)
def test_a_refused_tunnel_is_a_connect_error(kind: type[Side], answer: bytes, text: str) -> None:
    with ScriptedServer(proxy_of([], answer)) as proxy:
        side = kind(proxy=f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(ConnectError, match=text) as caught:
            side.exchange("https://queue.invalid", get())
        assert caught.value.outcome == "not_sent"
        side.close()


def test_a_silent_proxy_meets_the_deadline(kind: type[Side]) -> None:
    with ScriptedServer(Peer.wait_closed) as proxy:
        side = kind(proxy=f"http://127.0.0.1:{proxy.port}")
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            side.exchange("https://queue.invalid", get(), 0.3)
        assert time.monotonic() - began < 1.5
        assert caught.value.outcome == "not_sent"
        side.close()


# ---- several addresses ----


def found(*addresses: tuple[str, int]) -> list[Any]:
    families = {True: socket.AF_INET6, False: socket.AF_INET}
    return [
        (families[":" in host], socket.SOCK_STREAM, 6, "", (host, port)) for host, port in addresses
    ]


def test_addresses_take_turns() -> None:
    six = found(("::1", 1), ("::2", 1), ("::3", 1))
    four = found(("1.1.1.1", 1))
    assert dial.interleave(six + four) == [six[0], four[0], six[1], six[2]]
    assert dial.interleave(four + six) == [four[0], *six]
    assert dial.interleave([]) == []


def test_a_dead_address_costs_little(kind: type[Side], monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(echo) as server, socket.socket() as full:
        # A listener whose queue is full does not answer: its connections hang.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        hanging = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(hanging)
        addresses = [hanging, ("127.0.0.1", closed_port()), ("127.0.0.1", server.port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found(*addresses))
        side = kind(proxy="")
        began = time.monotonic()
        assert side.exchange("http://many.invalid", Request("POST", "/", (), b"hi")).body == b"hi"
        assert time.monotonic() - began < 1.0
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found(hanging, hanging))
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            side.exchange("http://more.invalid", get(), 0.4)
        assert time.monotonic() - began < 1.0
        refusing = ("127.0.0.1", closed_port())
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found(refusing, refusing))
        with pytest.raises(ConnectError):
            side.exchange("http://none.invalid", get())
        for filler in fillers:
            filler.close()
        side.close()


# ---- bodies as they come, both ways ----


def chunked_echo(peer: Peer) -> None:
    """Answer a chunked request with its chunks' sizes and its body."""
    while (head := peer.read_head()) is not None:
        assert b"Transfer-Encoding: chunked" in head
        assert b"Content-Length" not in head
        sizes, body = [], b""
        while True:
            while b"\r\n" not in peer._data:
                assert peer._fill()
            line, _, peer._data = peer._data.partition(b"\r\n")
            size = int(line, 16)
            while len(peer._data) < size + 2:
                assert peer._fill()
            body += peer._data[:size]
            peer._data = peer._data[size + 2 :]
            if not size:
                break
            sizes.append(size)
        peer.answer(200, b"%r %s" % (sizes, body))


@pytest.mark.parametrize("name", ["threads", "aio", "requests"])
def test_a_body_may_come_piece_by_piece(name: str) -> None:
    side = KINDS[name]()
    pieces = [b"ab", bytearray(b"cde"), b"", memoryview(b"f" * 40_000)]
    with ScriptedServer(chunked_echo) as server:
        for _ in range(2):
            answer = side.exchange(server.url, Request("POST", "/", stream=iter(pieces)), 5)
            assert answer.body == b"[2, 3, 40000] abcde" + b"f" * 40_000
        assert len(server.peers) == 1
    side.close()


async def two_pieces() -> AsyncIterator[bytes]:
    yield b"ab"
    await asyncio.sleep(0)
    yield b"c"


def test_asyncio_takes_async_iterables_and_threads_refuse_them() -> None:
    with ScriptedServer(chunked_echo) as server:
        looped = Looped()
        answer = looped.exchange(server.url, Request("POST", "/", stream=two_pieces()))
        assert answer.body == b"[2, 1] abc"
        looped.close()
        for kind in (Blocking, Requested):
            blocking = kind()
            with pytest.raises(ConfigError, match="async"):
                blocking.exchange(server.url, Request("POST", "/", stream=two_pieces()))
            blocking.close()


def test_a_stream_that_raises_ends_its_connection(side: Side) -> None:
    def broken() -> Iterator[bytes]:
        yield b"ab"
        raise IntegrityError("the source is broken")

    with ScriptedServer(echo) as server:
        with pytest.raises(IntegrityError):
            side.exchange(server.url, Request("POST", "/", stream=broken()))
        assert side.transport.idle_connections == 0


@pytest.mark.parametrize("name", ["threads", "aio", "requests"])
@pytest.mark.parametrize("codec", ["httptools", "h11"])
def test_a_sink_gets_the_body_of_a_success_alone(name: str, codec: str) -> None:
    side = KINDS[name](**({} if name == "requests" else {"codec": codec}))
    pieces: list[bytes] = []
    body = bytes(range(256)) * 4096

    def answer(peer: Peer) -> None:
        for status in (200, 404, 206):
            peer.read_request()
            peer.answer(status, body)

    with ScriptedServer(answer) as server:
        for status, kept in ((200, b""), (404, body), (206, b"")):
            pieces.clear()
            response = side.exchange(server.url, Request("GET", "/", sink=pieces.append), 5)
            assert (response.status, response.body) == (status, kept)
            assert b"".join(pieces) == (b"" if kept else body)
    side.close()


def test_a_sink_that_raises_ends_the_call(side: Side) -> None:
    def refuse(_: bytes) -> None:
        raise IntegrityError("no room")

    with ScriptedServer(echo) as server:
        with pytest.raises(IntegrityError, match="no room"):
            side.exchange(server.url, Request("POST", "/", (), b"body", sink=refuse))
        assert side.transport.idle_connections == 0


# ---- consent ----


def test_the_body_waits_for_consent(side: Side) -> None:
    order: list[str] = []

    def consenting(peer: Peer) -> None:
        head = peer.read_head()
        assert head is not None
        assert b"Expect: 100-continue" in head
        time.sleep(0.05)
        order.append("body came" if peer._data else "no body yet")
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(peer._data) < 4:
            peer._fill()
        peer.answer(200, peer._data[:4])

    with ScriptedServer(consenting) as server:
        request = Request("POST", "/", (), b"body", expect_continue=True)
        assert side.exchange(server.url, request).body == b"body"
        assert order == ["no body yet"]


def test_a_refusal_spares_the_body(side: Side) -> None:
    left: list[bytes] = []

    def refusing(peer: Peer) -> None:
        peer.read_head()
        peer.answer(403, b"no")
        peer.sock.settimeout(2)
        left.append(peer._data + peer.sock.recv(100))

    with ScriptedServer(refusing) as server:
        request = Request("POST", "/", (), bytes(1 << 20), expect_continue=True)
        assert side.exchange(server.url, request).status == 403
        assert side.transport.idle_connections == 0
    assert left == [b""]


def test_a_server_that_does_not_know_consent_gets_the_body(side: Side) -> None:
    with ScriptedServer(echo) as server:
        request = Request("POST", "/", (), b"body", expect_continue=True)
        began = time.monotonic()
        assert side.exchange(server.url, request, 5).body == b"body"
        assert 0.9 < time.monotonic() - began < 2.5


# ---- seen from outside ----


def test_counters_status_and_reconnect(kind: type[Side]) -> None:
    telemetry = Telemetry("sqs")
    events: list[Event] = []
    telemetry.on("reconnect", events.append)
    side = kind(proxy="", telemetry=telemetry)

    def fail_once(peer: Peer) -> None:
        if peer.number == 1:
            peer.read_request()
            return
        for _ in range(2 if peer.number == 0 else 1):
            peer.read_request()
            peer.answer(200, b"12345", "Connection: close\r\n" if peer.number == 0 else "")

    with ScriptedServer(fail_once) as server:
        side.exchange(server.url, Request("POST", "/", (), b"abc"))
        assert side.transport.endpoints()[server.url].ok
        with pytest.raises(WirespeedError):
            side.exchange(server.url, get())
        assert not side.transport.endpoints()[server.url].ok
        assert events == []
        side.exchange(server.url, get())
        assert [(event.name, event.endpoint) for event in events] == [("reconnect", server.url)]
        status = side.transport.endpoints()[server.url]
        assert (status.ok, status.in_use, status.idle) == (True, 0, 1)
        counts = telemetry.snapshot()
        assert (counts["requests"], counts["failures"], counts["connections"]) == (3, 1, 3)
        assert counts["bytes_sent"] > 100
        assert counts["bytes_received"] > 80
        assert counts["seconds"] > 0
        side.close()


# ---- many times over ----


def test_a_server_that_closes_after_each_reply(kind: type[Side]) -> None:
    """10,000 closes on threads and 10,000 on asyncio; 100,000 in soak."""
    endure_closes(kind, 10_000)


def endure_closes(kind: type[Side], count: int) -> None:
    """Call a server that closes after each reply: calls are answered, or known to be in doubt."""
    served = 0

    def close_after_one(listener: socket.socket) -> None:
        nonlocal served
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock:
                data = sock.recv(4096)
                while data and b"\r\n\r\n" not in data:
                    data += sock.recv(4096)
                if data:
                    served += 1
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        thread = threading.Thread(target=close_after_one, args=(listener,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        side = kind(proxy="")
        for _ in range(count):
            answer = None
            while answer is None:
                try:
                    answer = side.exchange(url, get(), 5)
                except WirespeedError as error:
                    # The close may cross the next request: then it is known to be in doubt.
                    assert error.outcome == "unknown"
            assert answer.body == b"ok"
        assert served >= count
        side.close()
        listener.shutdown(socket.SHUT_RDWR)


def test_random_cancellation_never_mixes_answers_up() -> None:
    """2,000 calls told to end at random points of a shared pool; 20,000 in soak."""
    endure_cancellations(400)


def endure_cancellations(turns: int) -> int:
    """Cancel 10 of 20 calls at random points, `turns` times: no call gets another's answer."""
    chance = random.Random(5)

    def tagged(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request[1].endswith(b"7"):
                time.sleep(0.001)
            peer.answer(200, request[1])

    async def main(url: str) -> tuple[int, int]:
        origin = Origin.parse(url)
        cancelled = answered = 0
        async with aio.Transport(proxy="", max_connections=8) as transport:

            async def call(tag: bytes) -> None:
                effect = Exchange(origin, Request("POST", "/", (), tag), time.monotonic() + 20)
                response: Response = await transport.exchange(effect)
                assert response.body == tag

            for turn in range(turns):
                tasks = [
                    asyncio.ensure_future(call(b"%d-%d" % (turn, number))) for number in range(20)
                ]
                victims = chance.sample(tasks, 10)
                for task in victims:
                    asyncio.get_running_loop().call_later(chance.random() * 0.0015, task.cancel)
                for result in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(result, asyncio.CancelledError):
                        cancelled += 1
                    else:
                        assert result is None, result
                        answered += 1
        return cancelled, answered

    with ScriptedServer(tagged) as server:
        cancelled, answered = asyncio.run(main(server.url))
    assert cancelled + answered == 20 * turns
    assert cancelled > 4 * turns
    return cancelled


# ---- wrong certificates ----


def test_a_client_certificate_is_shown(kind: type[Side], certificate: tuple[Path, Path]) -> None:
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(*map(str, certificate))
    server_context.load_verify_locations(str(certificate[0]))
    server_context.verify_mode = ssl.CERT_REQUIRED

    def secure_echo(peer: Peer) -> None:
        peer.sock = server_context.wrap_socket(peer.sock, server_side=True)
        with peer.sock:
            echo(peer)

    with ScriptedServer(secure_echo) as server:
        showing = ssl.create_default_context(cafile=str(certificate[0]))
        showing.load_cert_chain(*map(str, certificate))
        name = "threads" if kind is Blocking else "aio"
        origin = Origin("https", "localhost", server.port)
        assert exchange_all(name, origin, [b"hi"], showing)[0] == [b"hi"]
        without = ssl.create_default_context(cafile=str(certificate[0]))
        with pytest.raises(WirespeedError):
            exchange_all(name, origin, [b"hi"], without)
