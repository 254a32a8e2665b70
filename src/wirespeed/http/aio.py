"""Carries HTTP exchanges out on an asyncio event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
import weakref
from collections import deque
from collections.abc import AsyncIterable, Callable
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ..errors import ClosedError, ConfigError, ProtocolError, TransportError, WirespeedError
from ..telemetry import EndpointStatus, Telemetry
from . import failures
from .codec import LAST_CHUNK, encode_head, encode_tunnel, frame_chunk, new_reader
from .dial import HEAD_START, interleave
from .idle import Watch
from .models import CONSENT, Buffer, Limits, Origin, Request, Response
from .proxy import Proxies, Proxy
from .tls import shared_context

if TYPE_CHECKING:
    import ssl

    from ..engine.effects import Exchange

_log = logging.getLogger("wirespeed.http")

_JOIN = 16 * 1024
_SLICE = 256 * 1024


class _Connection(asyncio.Protocol):
    """One connection, used by one exchange at a time."""

    def __init__(self, origin: Origin, limits: Limits, codec: str) -> None:
        self.reader = new_reader(limits, codec)
        self.origin = origin
        self.idle_since = 0.0
        self.received = 0
        self._watch: Watch | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Response] | None = None
        self._consent: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._sent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_SLICE)

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        self._stop_timer()
        if error is not None:
            self._fail(failures.exchanging, error, self._sent)
        else:
            self._fail(failures.ended_early, self.reader.began)
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            self._ended = True
            return
        self.received += len(data)
        try:
            if self.reader.feed(data):
                waiter.set_result(self.reader.response())
        except Exception as error:
            if isinstance(error, ProtocolError):
                failures.locate(error, self.origin)
            waiter.set_exception(error)
        if waiter.done():
            self.resume_writing()
        if self.reader.continued:
            self._give_consent()

    def eof_received(self) -> bool:
        self._ended = True
        waiter = self._waiter
        if waiter is not None and not waiter.done() and self.reader.end_of_stream():
            waiter.set_result(self.reader.response())
        return False

    def _give_consent(self) -> None:
        consent, self._consent = self._consent, None
        if consent is not None and not consent.done():
            consent.set_result(None)

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        waiter = self._waiter
        if waiter is None or waiter.done():
            self._give_consent()

    def _fail(self, how: Any, *details: object) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        try:
            how(self.origin, *details)
        except Exception as error:
            waiter.set_exception(error)

    def close(self) -> None:
        """Close without waiting for what is not yet sent."""
        self._ended = True
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    def is_stale(self) -> bool:
        """Whether the peer closed it, or sent what nobody asked for."""
        transport = self._transport
        if self._ended or transport is None or transport.is_closing():
            return True
        if self._watch is None:
            sock = transport.get_extra_info("socket")
            self._watch = Watch(sock) if sock is not None else None
        return self._watch is not None and self._watch.readable()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_deadline(self, deadline: float) -> None:
        """Keep one timer for all exchanges; it is moved only when a deadline comes sooner."""
        self._deadline = deadline
        when = self._loop.time() + deadline - time.monotonic()
        if self._timer is None or self._timer.when() > when:
            self._stop_timer()
            self._timer = self._loop.call_at(when, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if time.monotonic() < self._deadline:
            self._set_deadline(self._deadline)
            return
        self._fail(failures.exchanging, TimeoutError(), self._sent)
        self.resume_writing()

    async def exchange(
        self, request: Request, head: bytes, body: list[memoryview], deadline: float
    ) -> Response:
        """Send and receive; after an error or a cancellation the connection is dead."""
        self.reader.start(request.method, request.sink)
        self.received = 0
        self._sent = False
        waiter: asyncio.Future[Response] = self._loop.create_future()
        self._waiter = waiter
        self._set_deadline(deadline)
        try:
            if self._ended:
                failures.exchanging(self.origin, ConnectionResetError("closed by peer"), False)
            if request.stream is None and not request.expect_continue:
                await self._send(head, body, waiter)
            else:
                await self._send_in_steps(request, head, body, waiter)
            response = await waiter
        finally:
            self._waiter = None
            if waiter.done() and not waiter.cancelled():
                waiter.exception()
        assert self._transport is not None
        if self._ended or self._transport.get_write_buffer_size():
            self.reader.reusable = False
        return response

    async def _send(
        self, head: bytes, body: list[memoryview], waiter: asyncio.Future[Response]
    ) -> None:
        transport = self._transport
        assert transport is not None
        size = sum(map(len, body))
        self._sent = True
        if size <= _JOIN:
            transport.write(b"".join((head, *body)))
            return
        if head:
            transport.write(head)
        for view in body:
            for at in range(0, len(view), _SLICE):
                # An answer or an error that comes first makes the rest pointless.
                if waiter.done():
                    self.reader.reusable = False
                    return
                transport.write(view[at : at + _SLICE])
                if self._room is not None:
                    await self._room

    async def _send_in_steps(
        self,
        request: Request,
        head: bytes,
        body: list[memoryview],
        waiter: asyncio.Future[Response],
    ) -> None:
        """Send a head, wait for consent where that is asked for, then the body or the stream."""
        if request.expect_continue:
            consent = self._consent = self._loop.create_future()
            await self._send(head, [], waiter)
            timer = self._loop.call_later(CONSENT, self._give_consent)
            try:
                await consent
            finally:
                timer.cancel()
                self._consent = None
            if waiter.done():
                self.reader.reusable = False
                return
            head = b""
        if request.stream is None:
            await self._send(head, body, waiter)
            return
        if head:
            await self._send(head, [], waiter)
        pieces = request.stream
        if isinstance(pieces, AsyncIterable):
            async for piece in pieces:
                await self._send_chunk(piece, waiter)
        else:
            for piece in pieces:
                await self._send_chunk(piece, waiter)
        await self._send(LAST_CHUNK, [], waiter)

    async def _send_chunk(self, piece: Buffer, waiter: asyncio.Future[Response]) -> None:
        if waiter.done():
            self.reader.reusable = False
            return
        views = [memoryview(part).cast("B") for part in frame_chunk(piece)]
        await self._send(b"", views, waiter)
        if self._room is not None:
            await self._room


class _Tunnel(asyncio.Protocol):
    """The dialogue with a proxy before a connection becomes the server's."""

    def __init__(self, origin: Origin, proxy: Proxy, limits: Limits, codec: str) -> None:
        self._request = encode_tunnel(origin, proxy.authorization)
        self._reader = new_reader(limits, codec)
        self._reader.start("CONNECT")
        self.answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.answer.done():
            reason = error or ConnectionResetError("the proxy closed the connection")
            self.answer.set_exception(reason)

    def data_received(self, data: bytes) -> None:
        if self.answer.done():
            return
        try:
            if self._reader.feed(data):
                self.answer.set_result(self._reader.response())
        except ProtocolError as error:
            self.answer.set_exception(error)


class Transport:
    """Keep-alive connections to any number of origins, for one event loop.

    An exchange that fails or is cancelled closes its connection; nothing is ever sent twice.

    Args:
        connect_timeout: seconds a connection may take to be made, within the deadline; 5.
        max_connections: connections to each origin at a time, 64; who gets none waits for one.
        max_idle: idle connections kept for each origin; 16.
        idle_ttl: seconds after which an idle connection is not used again; 50.
        tls: an `ssl.SSLContext`; by default one that verifies the peer.
        limits: what a response may measure.
        codec: "httptools", "h11", or "" for the first of them that is installed.
        proxy: a proxy's URL, "" for none, None for those of the environment.
        telemetry: what is told of exchanges; one of its own by default.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 5.0,
        max_connections: int = 64,
        max_idle: int = 16,
        idle_ttl: float = 50.0,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
        codec: str = "",
        proxy: str | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._connect_timeout = connect_timeout
        self._max_connections = max_connections
        self._max_idle = max_idle
        self._idle_ttl = idle_ttl
        self._tls = tls
        self._limits = limits or Limits()
        self._codec = codec
        self._idle: dict[Origin, deque[_Connection]] = {}
        self._slots: dict[Origin, asyncio.Semaphore] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._active: set[_Connection] = set()
        self._proxies = Proxies(proxy)
        self._telemetry = telemetry or Telemetry("")
        self._failing: set[Origin] = set()
        self._closed = False
        _transports.add(self)

    async def exchange(self, effect: Exchange) -> Any:
        """Send the effect's `Request` to its `Origin`; return the `Response`.

        Raises:
            ClosedError: the transport was closed.
            ConfigError: the request cannot be written, or another event loop made the
                connections; nothing was sent.
            ConnectError, TlsError: no connection; outcome "not_sent".
            DeadlineExceeded, TransportError: outcome "not_sent" when no byte had left,
                otherwise "unknown".
            ProtocolError: the answer is no HTTP or passes a limit; outcome "unknown".
        """
        if self._closed:
            raise ClosedError("the client is closed")
        self._bind()
        origin: Origin = effect.endpoint
        request: Request = effect.request
        body = request.buffers()
        proxy = self._proxies.find(origin) if self._proxies and origin.scheme == "http" else None
        head = encode_head(request, origin, request.length(body), proxy)
        slots = await self._take_slot(origin, effect.deadline)
        try:
            return await self._carry_out(origin, request, head, body, effect.deadline)
        finally:
            slots.release()

    async def _take_slot(self, origin: Origin, deadline: float) -> asyncio.Semaphore:
        """Wait for the right to a connection; return what takes it back."""
        slots = self._slots.get(origin)
        if slots is None:
            slots = self._slots[origin] = asyncio.Semaphore(self._max_connections)
        if not slots.locked():
            await slots.acquire()
            return slots
        try:
            await asyncio.wait_for(slots.acquire(), max(0.0, deadline - time.monotonic()))
        except asyncio.TimeoutError:
            failures.waiting(origin, self._max_connections)
        return slots

    async def _carry_out(
        self,
        origin: Origin,
        request: Request,
        head: bytes,
        body: list[memoryview],
        deadline: float,
    ) -> Response:
        started = time.monotonic()
        connection = None
        try:
            connection = await self._acquire(origin, started, deadline)
            self._active.add(connection)
            response = await connection.exchange(request, head, body, deadline)
        except BaseException as error:
            if connection is not None:
                self._active.discard(connection)
                connection.close()
            if isinstance(error, TransportError):
                self._failing.add(origin)
            self._telemetry.add_failure()
            if _log.isEnabledFor(logging.DEBUG):
                _log.debug("%r at %s failed: %s", request, origin, type(error).__name__)
            raise
        spent = time.monotonic() - started
        self._telemetry.add_exchange(len(head) + sum(map(len, body)), connection.received, spent)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%r at %s: %d in %.1f ms", request, origin, response.status, spent * 1000)
        self._active.discard(connection)
        self._release(origin, connection)
        if origin in self._failing:
            self._failing.discard(origin)
            self._telemetry.emit("reconnect", endpoint=str(origin))
        return response

    def _bind(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigError("an asyncio client belongs to the event loop that first used it")

    async def _acquire(self, origin: Origin, now: float, deadline: float) -> _Connection:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if now - connection.idle_since <= self._idle_ttl and not connection.is_stale():
                return connection
            connection.close()
        return await self._connect(origin, min(deadline, now + self._connect_timeout))

    async def _connect(self, origin: Origin, deadline: float) -> _Connection:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            failures.connecting(origin, TimeoutError())
        connection = _Connection(origin, self._limits, self._codec)
        proxy = self._proxies.find(origin) if self._proxies else None
        try:
            await asyncio.wait_for(self._dial(connection, origin, proxy), remaining)
        except asyncio.TimeoutError:
            connection.close()
            _raise_timeout(origin)
        except BaseException as error:
            connection.close()
            if isinstance(error, (OSError, UnicodeError)) and not isinstance(error, WirespeedError):
                failures.connecting(origin, error)
            raise
        self._telemetry.add("connections")
        return connection

    async def _dial(self, connection: _Connection, origin: Origin, proxy: Proxy | None) -> None:
        """Connect to a server, by its proxy where there is one."""
        loop = asyncio.get_running_loop()
        context = (self._tls or shared_context()) if origin.scheme == "https" else None
        first = proxy.origin if proxy else origin
        sock = await _open_socket(first.host, first.port)
        name = origin.host if context else None
        if proxy is None or context is None:
            await _adopt(lambda: connection, sock, ssl=context, server_hostname=name)
            return
        tunnel = _Tunnel(origin, proxy, self._limits, self._codec)
        transport = await _adopt(lambda: tunnel, sock)
        try:
            failures.check_tunnel(origin, proxy.origin, await tunnel.answer)
            secured = await loop.start_tls(transport, connection, context, server_hostname=name)
        except BaseException:
            transport.abort()
            raise
        assert secured is not None
        connection.connection_made(secured)

    def _release(self, origin: Origin, connection: _Connection) -> None:
        idle = self._idle.setdefault(origin, deque())
        if self._closed or not connection.reader.reusable or len(idle) >= self._max_idle:
            connection.close()
            return
        connection.idle_since = time.monotonic()
        idle.append(connection)

    @property
    def idle_connections(self) -> int:
        """How many idle connections are kept."""
        return sum(map(len, self._idle.values()))

    def endpoints(self) -> dict[str, EndpointStatus]:
        """Return how each server is doing that was spoken to."""
        active = [connection.origin for connection in self._active]
        return {
            str(origin): EndpointStatus(
                origin not in self._failing, active.count(origin), len(self._idle.get(origin, ()))
            )
            for origin in self._slots
        }

    async def close(self) -> None:
        """Close the idle connections; those in use close as they end. Twice is fine."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
        # The loop closes the sockets in its next round.
        await asyncio.sleep(0)

    def interrupt(self) -> None:
        """End the exchanges under way, each with a `TransportError`."""
        for connection in list(self._active):
            connection.close()

    def discard(self) -> None:
        """Close without ceremony, for a client that nobody closed."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                # The loop may be gone, and its sockets with it.
                with contextlib.suppress(RuntimeError):
                    idle.pop().close()

    async def __aenter__(self) -> Transport:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _forget(self) -> None:
        """After a fork: the connections and their loop are the parent's."""
        self._idle = {}
        self._slots = {}
        self._active = set()
        self._loop = None


async def _adopt(
    protocol: Callable[[], asyncio.Protocol], sock: socket.socket, **options: Any
) -> asyncio.Transport:
    """Return the transport that a socket becomes; it is closed where none is made."""
    loop = asyncio.get_running_loop()
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport, _ = await loop.create_connection(protocol, sock=sock, **options)
    except BaseException:
        sock.close()
        raise
    return transport


async def _open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that the first of the host's addresses to answer accepted.

    The loop's own race of addresses leaves sockets open when it is cancelled.
    """
    loop = asyncio.get_running_loop()
    found = interleave(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    if len(found) == 1:
        return await _open_address(*found[0])
    waiting = list(reversed(found))
    racing: set[asyncio.Task[socket.socket]] = set()
    winner: socket.socket | None = None
    failure: BaseException | None = None
    try:
        while winner is None and (waiting or racing):
            if waiting:
                racing.add(loop.create_task(_open_address(*waiting.pop())))
            done, racing = await asyncio.wait(
                racing,
                timeout=HEAD_START if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                failure = task.exception()
                if failure is None and winner is None:
                    winner = task.result()
                elif failure is None:
                    task.result().close()
    finally:
        for task in racing:
            task.cancel()
            task.add_done_callback(_close_late)
    if winner is None:
        raise failure or OSError("the host has no address")
    return winner


def _close_late(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _open_address(
    family: int, kind: int, protocol: int, _: str, address: Any
) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _raise_timeout(origin: Origin) -> NoReturn:
    # Python 3.10 has an asyncio.TimeoutError of its own.
    failures.connecting(origin, TimeoutError())


def open_transport(
    *,
    tls: ssl.SSLContext | None,
    proxy: str | None,
    session: object | None,
    telemetry: Telemetry,
    connections: int,
) -> Transport:
    """Return a client's transport.

    Raises:
        ConfigError: a session was given.
    """
    if session is not None:
        raise ConfigError(
            "session must be None: requests blocks the event loop; use the sync client"
        )
    return Transport(tls=tls, proxy=proxy, telemetry=telemetry, max_idle=connections)


_transports: weakref.WeakSet[Transport] = weakref.WeakSet()


def _forget_all() -> None:
    for transport in list(_transports):
        transport._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
