"""Both HTTP transports against servers that are well, slow, rude or gone."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.scripted import Peer, ScriptedServer, closed_port
from wirespeed.engine.effects import Exchange
from wirespeed.errors import (
    ClosedError,
    ConfigError,
    ConnectError,
    DeadlineExceeded,
    FrameTooLarge,
    ProtocolError,
    TransportError,
)
from wirespeed.http import aio, threads
from wirespeed.http.models import Limits, Origin, Request, Response
from wirespeed.http.session import SessionTransport


class Blocking:
    """The thread transport."""

    def __init__(self, **options: Any) -> None:
        self.transport = threads.Transport(**options)

    def exchange(self, url: str, request: Request, seconds: float = 1.5) -> Response:
        deadline = time.monotonic() + seconds
        response: Response = self.transport.exchange(Exchange(Origin.parse(url), request, deadline))
        return response

    def close(self) -> None:
        self.transport.close()
        self.transport.close()


class Looped:
    """The asyncio transport, driven one call at a time."""

    def __init__(self, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.transport = aio.Transport(**options)

    def exchange(self, url: str, request: Request, seconds: float = 1.5) -> Response:
        deadline = time.monotonic() + seconds
        effect = Exchange(Origin.parse(url), request, deadline)
        response: Response = self.loop.run_until_complete(self.transport.exchange(effect))
        return response

    def close(self) -> None:
        self.loop.run_until_complete(self.transport.close())
        self.loop.run_until_complete(self.transport.close())
        self.loop.close()


class Requested:
    """The transport over a session of requests."""

    def __init__(self, **options: Any) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.transport = SessionTransport(self.session, **options)

    def exchange(self, url: str, request: Request, seconds: float = 1.5) -> Response:
        deadline = time.monotonic() + seconds
        response: Response = self.transport.exchange(Exchange(Origin.parse(url), request, deadline))
        return response

    def close(self) -> None:
        self.transport.close()
        self.transport.close()
        self.session.close()


Side = Blocking | Looped | Requested
KINDS: dict[str, type[Side]] = {"threads": Blocking, "aio": Looped, "requests": Requested}


@pytest.fixture(params=["threads", "aio", "requests"])
def kind(request: pytest.FixtureRequest) -> type[Side]:
    return KINDS[request.param]


@pytest.fixture(params=["threads", "aio"])
def own_kind(request: pytest.FixtureRequest) -> type[Side]:
    """The transports whose connections are ours."""
    return KINDS[request.param]


@pytest.fixture
def side(kind: type[Side]) -> Iterator[Side]:
    made = kind()
    yield made
    made.close()


def echo(peer: Peer) -> None:
    while (request := peer.read_request()) is not None:
        peer.answer(200, request[1])


def get() -> Request:
    return Request("GET", "/")


@pytest.mark.parametrize("codec", ["httptools", "h11", "requests"])
def test_bodies_arrive_and_the_connection_is_kept(own_kind: type[Side], codec: str) -> None:
    pytest.importorskip(codec)
    side = Requested() if codec == "requests" else own_kind(codec=codec)
    big = os.urandom(3 << 20)
    with ScriptedServer(echo) as server:
        for body in (b"", b"x", bytearray(b"abc" * 1000), memoryview(big)):
            assert side.exchange(server.url, Request("POST", "/", (), body)).body == body
        pieces = [b"head", b"", memoryview(big)[5:], bytearray(b"tail")] + [b"z"] * 200
        answer = side.exchange(server.url, Request("POST", "/", (), pieces))
        assert answer.body == b"head" + big[5:] + b"tail" + b"z" * 200
        assert len(server.peers) == 1
        if codec != "requests":
            assert side.transport.idle_connections == 1
        side.close()
        assert side.transport.idle_connections == 0


def test_a_closed_transport_refuses(kind: type[Side]) -> None:
    side = kind()
    side.transport._closed = True
    with pytest.raises(ClosedError):
        side.exchange("http://127.0.0.1:9", get())
    side.close()


def test_a_closed_port_is_a_connect_error(side: Side) -> None:
    with pytest.raises(ConnectError, match=r"127\.0\.0\.1") as caught:
        side.exchange(f"http://127.0.0.1:{closed_port()}", get())
    assert caught.value.outcome == "not_sent"
    assert caught.value.retryable


def test_an_unknown_host_is_a_connect_error(side: Side) -> None:
    with pytest.raises(ConnectError, match=r"no-such-host\.invalid") as caught:
        side.exchange("http://no-such-host.invalid:9", get(), 20)
    assert caught.value.outcome == "not_sent"


def test_a_bad_header_sends_nothing(side: Side) -> None:
    with ScriptedServer(echo) as server:
        with pytest.raises(ConfigError, match="X-A"):
            side.exchange(server.url, Request("GET", "/", [("X-A", "a\r\nb")]))
        assert server.peers == []


def test_a_silent_server_meets_the_deadline(side: Side) -> None:
    with ScriptedServer(Peer.wait_closed) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            side.exchange(server.url, get(), 0.2)
        assert 0.15 < time.monotonic() - began < 1.0
        assert caught.value.outcome == "unknown"
        assert caught.value.endpoint == server.url


def test_a_dripping_server_meets_the_deadline(side: Side) -> None:
    def drip(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            peer.send(b"x")
            time.sleep(0.03)

    with ScriptedServer(drip) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            side.exchange(server.url, get(), 0.25)
        assert time.monotonic() - began < 1.0


def test_a_server_that_does_not_read_meets_the_deadline(side: Side) -> None:
    done = threading.Event()
    with ScriptedServer(lambda peer: done.wait(5) and None) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            side.exchange(server.url, Request("POST", "/", (), bytes(64 << 20)), 0.3)
        assert time.monotonic() - began < 1.5
        assert caught.value.outcome == "unknown"
        done.set()


def test_a_passed_deadline_sends_nothing(side: Side) -> None:
    with ScriptedServer(echo) as server:
        with pytest.raises(DeadlineExceeded) as caught:
            side.exchange(server.url, get(), -1)
        assert caught.value.outcome == "not_sent"


@pytest.mark.parametrize("rude", ["close", "reset", "cut head", "cut body"])
def test_a_lost_answer_is_unknown_and_not_sent_again(side: Side, rude: str) -> None:
    def lose(peer: Peer) -> None:
        peer.read_request()
        if rude == "reset":
            peer.reset()
        elif rude == "cut head":
            peer.send(b"HTTP/1.1 200 O")
        elif rude == "cut body":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")

    with ScriptedServer(lose) as server:
        with pytest.raises(TransportError) as caught:
            side.exchange(server.url, Request("POST", "/", (), b"once"))
        assert caught.value.outcome == "unknown"
        assert len(server.peers) == 1
        assert side.transport.idle_connections == 0


def test_garbage_is_a_protocol_error(side: Side) -> None:
    def garble(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"SSH-2.0-nobody\r\n\r\n")
        peer.wait_closed()

    with ScriptedServer(garble) as server:
        with pytest.raises(ProtocolError) as caught:
            side.exchange(server.url, get())
        assert caught.value.outcome == "unknown"
        assert caught.value.endpoint == server.url


def test_a_large_answer_is_refused(kind: type[Side]) -> None:
    side = kind(limits=Limits(body=1000))
    with ScriptedServer(echo) as server:
        with pytest.raises(FrameTooLarge, match="1000"):
            side.exchange(server.url, Request("POST", "/", (), b"x" * 1001))
        assert side.transport.idle_connections == 0
        side.close()


@pytest.mark.parametrize("farewell", ["close", "reset", "noise"])
def test_a_stale_connection_is_not_used(side: Side, farewell: str) -> None:
    left = threading.Event()

    def leave(peer: Peer) -> None:
        if peer.number:
            echo(peer)
            return
        peer.read_request()
        peer.answer()
        time.sleep(0.02)
        if farewell == "reset":
            peer.reset()
        elif farewell == "noise":
            peer.send(b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n")
            left.set()
            peer.wait_closed()
        else:
            peer.sock.close()
        left.set()

    with ScriptedServer(leave) as server:
        assert side.exchange(server.url, get()).status == 200
        assert left.wait(2)
        time.sleep(0.02)
        assert side.exchange(server.url, Request("POST", "/", (), b"hi")).body == b"hi"
        assert len(server.peers) == 2


def test_an_old_connection_is_not_used(own_kind: type[Side]) -> None:
    side = own_kind(idle_ttl=0.0)
    with ScriptedServer(echo) as server:
        for _ in range(2):
            side.exchange(server.url, get())
            time.sleep(0.002)
        assert len(server.peers) == 2
        side.close()


def test_an_early_answer_is_read(side: Side) -> None:
    def refuse(peer: Peer) -> None:
        peer.read_head()
        peer.answer(413, b"too large", "Connection: close\r\n")
        time.sleep(0.05)
        while peer.sock.recv(1 << 20):
            pass

    with ScriptedServer(refuse) as server:
        answer = side.exchange(server.url, Request("POST", "/", (), bytes(8 << 20)), 5)
        assert (answer.status, answer.body) == (413, b"too large")
        assert side.transport.idle_connections == 0


def test_connection_close_is_obeyed(side: Side) -> None:
    def once(peer: Peer) -> None:
        peer.read_request()
        peer.answer(200, b"", "Connection: close\r\n")
        peer.wait_closed()

    with ScriptedServer(once) as server:
        for _ in range(2):
            side.exchange(server.url, get())
        assert len(server.peers) == 2


def test_many_threads_share_a_transport_without_crosstalk() -> None:
    side = Blocking()
    wrong: list[bytes] = []

    def work(name: int) -> None:
        for turn in range(30):
            body = b"%d-%d" % (name, turn)
            if side.exchange(server.url, Request("POST", "/", (), body), 10).body != body:
                wrong.append(body)

    with ScriptedServer(echo) as server:
        workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not wrong
        assert len(server.peers) <= 8
        side.close()


def test_cancelled_calls_leave_no_dirty_connection() -> None:
    def slow_echo(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            time.sleep(0.002)
            peer.answer(200, request[1])

    async def main(url: str) -> None:
        origin = Origin.parse(url)
        async with aio.Transport() as transport:

            async def call(text: bytes) -> bytes:
                effect = Exchange(origin, Request("POST", "/", (), text), time.monotonic() + 5)
                body: bytes = (await transport.exchange(effect)).body
                return body

            for turn in range(60):
                task = asyncio.ensure_future(call(b"cancelled"))
                await asyncio.sleep(turn * 0.0001)
                task.cancel()
                assert await call(b"%d" % turn) == b"%d" % turn
                await asyncio.gather(task, return_exceptions=True)

    with ScriptedServer(slow_echo) as server:
        asyncio.run(main(server.url))


def test_an_asyncio_transport_stays_on_its_loop() -> None:
    side = Looped()
    other = asyncio.new_event_loop()
    with ScriptedServer(echo) as server:
        side.exchange(server.url, get())
        effect = Exchange(Origin.parse(server.url), get(), time.monotonic() + 1)
        with pytest.raises(ConfigError, match="event loop"):
            other.run_until_complete(side.transport.exchange(effect))
        other.close()
        side.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_leaves_the_parents_connection_alone() -> None:
    side = Blocking()
    with ScriptedServer(echo) as server:
        side.exchange(server.url, get())
        child = os.fork()
        if child == 0:
            code = 1
            try:
                body = side.exchange(server.url, Request("POST", "/", (), b"child")).body
                code = 0 if body == b"child" else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert side.exchange(server.url, Request("POST", "/", (), b"parent")).body == b"parent"
        assert [len(peer.requests) for peer in server.peers] == [2, 1]
        side.close()


def slow_echo(peer: Peer) -> None:
    while (request := peer.read_request()) is not None:
        time.sleep(0.005)
        peer.answer(200, request[1])


def call_many(kind: type[Side], url: str, count: int, seconds: float, **options: Any) -> list[Any]:
    """Exchange `count` requests at a time; return each one's body or error."""
    origin = Origin.parse(url)
    deadline = time.monotonic() + seconds

    def effect(number: int) -> Exchange:
        request = Request("POST", "/", (), b"%d" % number)
        return Exchange(origin, request, deadline)

    if kind is Looped:

        async def main() -> list[Any]:
            async with aio.Transport(**options) as transport:
                calls = [transport.exchange(effect(number)) for number in range(count)]
                return list(await asyncio.gather(*calls, return_exceptions=True))

        results = asyncio.run(main())
    else:
        with threads.Transport(**options) as transport:

            def one(number: int) -> Any:
                try:
                    return transport.exchange(effect(number))
                except Exception as error:
                    return error

            with ThreadPoolExecutor(count) as pool:
                results = list(pool.map(one, range(count)))
    return [getattr(result, "body", result) for result in results]


def test_connections_are_bounded_and_waited_for(own_kind: type[Side]) -> None:
    with ScriptedServer(slow_echo) as server:
        results = call_many(own_kind, server.url, 40, 5, max_connections=3)
        assert results == [b"%d" % number for number in range(40)]
        assert len(server.peers) <= 3


def test_waiting_for_a_connection_meets_the_deadline(own_kind: type[Side]) -> None:
    with ScriptedServer(Peer.wait_closed) as server:
        began = time.monotonic()
        results = call_many(own_kind, server.url, 3, 0.2, max_connections=1)
        assert time.monotonic() - began < 1.5
        assert all(type(result) is DeadlineExceeded for result in results)
        assert sorted(str(result.outcome) for result in results)[:2] == ["not_sent", "not_sent"]
