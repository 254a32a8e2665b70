"""Carries HTTP exchanges out with blocking sockets."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from ..errors import ClosedError, ConfigError, ProtocolError, TransportError, WirespeedError
from ..telemetry import EndpointStatus, Telemetry
from . import failures
from .codec import LAST_CHUNK, encode_head, frame_chunk, new_reader
from .dial import dial
from .idle import Watch
from .models import CONSENT, Limits, Origin, Request, Response
from .proxy import Proxies, Proxy

if TYPE_CHECKING:
    import ssl

    import requests

    from ..engine.effects import Exchange
    from .session import SessionTransport

_log = logging.getLogger("wirespeed.http")

_RECEIVE = 64 * 1024
_RECEIVE_LARGE = 512 * 1024
_JOIN = 16 * 1024
_MOST_BUFFERS = 64
_LATE = 0.01
_EARLY_ANSWER = 1.0
_LONGEST_WAIT = threading.TIMEOUT_MAX
# With these the kernel keeps the time and no poll precedes each call.
_KERNEL_TIMEOUTS = sys.platform in ("linux", "darwin") and struct.calcsize("l") == 8


class _Connection:
    """One connection, used by one exchange at a time."""

    def __init__(self, origin: Origin, sock: socket.socket, limits: Limits, codec: str) -> None:
        self.reader = new_reader(limits, codec)
        self.origin = origin
        self.idle_since = 0.0
        self.received = 0
        self._timeout = -1.0
        self._kernel_timeouts = _KERNEL_TIMEOUTS and origin.scheme == "http"
        if self._kernel_timeouts:
            sock.setblocking(True)
        self._socket = sock
        self._watch = Watch(sock)

    def close(self) -> None:
        self._socket.close()

    def interrupt(self) -> None:
        """Wake the thread that waits on the connection; to it the peer seems gone."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def is_stale(self) -> bool:
        """Whether the peer closed it, or sent what nobody asked for."""
        return self._watch.readable()

    def _arm(self, deadline: float) -> None:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        # Setting it costs a system call. What is set may be up to _LATE too long, or a tenth
        # too short: after a time-out the caller arms again, and here it ends.
        if remaining < self._timeout - _LATE or self._timeout < remaining * 0.9:
            if self._kernel_timeouts:
                packed = struct.pack("ll", *divmod(int(remaining * 1e6) + 1, 1_000_000))
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, packed)
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, packed)
            else:
                self._socket.settimeout(remaining)
            self._timeout = remaining

    def exchange(
        self, request: Request, head: bytes, body: list[memoryview], deadline: float
    ) -> Response:
        """Send and receive; raises an error of this package, after which the connection is dead."""
        self.reader.start(request.method, request.sink)
        self.received = 0
        self._sent = False
        try:
            try:
                if request.stream is None and not request.expect_continue:
                    self._send(head, body, deadline)
                elif self._send_in_steps(request, head, body, deadline):
                    return self.reader.response()
            except ConnectionError as error:
                return self._early_answer(error, deadline)
            return self._receive(deadline)
        except ProtocolError as error:
            failures.locate(error, self.origin)
            raise
        except OSError as error:
            if isinstance(error, WirespeedError):
                raise
            failures.exchanging(self.origin, error, self._sent)

    def _send(self, head: bytes, body: list[memoryview], deadline: float) -> None:
        sock = self._socket
        if sum(map(len, body)) <= _JOIN:
            whole = b"".join((head, *body))
            self._arm(deadline)
            try:
                count = sock.send(whole)
            except (TimeoutError, BlockingIOError):
                self._timeout = -1.0
                count = 0
            self._sent = self._sent or count > 0
            if count == len(whole):
                return
            buffers = [memoryview(whole)[count:]]
        else:
            buffers = [memoryview(head), *body]
        scatter = self._kernel_timeouts and hasattr(sock, "sendmsg")
        while buffers:
            self._arm(deadline)
            try:
                if scatter and len(buffers) > 1:
                    count = sock.sendmsg(buffers[:_MOST_BUFFERS])
                else:
                    count = sock.send(buffers[0])
            except (TimeoutError, BlockingIOError):
                self._timeout = -1.0
                continue
            self._sent = True
            while buffers and count >= len(buffers[0]):
                count -= len(buffers.pop(0))
            if count:
                buffers[0] = buffers[0][count:]

    def _send_in_steps(
        self, request: Request, head: bytes, body: list[memoryview], deadline: float
    ) -> bool:
        """Send a head, wait for consent where that is asked for, then the body or the stream.

        Returns:
            Whether the answer came instead of the consent.
        """
        if request.expect_continue:
            self._send(head, [], deadline)
            with contextlib.suppress(TimeoutError):
                self._receive(min(deadline, time.monotonic() + CONSENT), until_continued=True)
            if self.reader.complete:
                self.reader.reusable = False
                return True
            head = b""
        if request.stream is None:
            self._send(head, body, deadline)
            return False
        pieces = request.stream
        if not isinstance(pieces, Iterable):
            raise ConfigError("an async iterable can be sent by asyncio clients alone")
        if head:
            self._send(head, [], deadline)
        for piece in pieces:
            views = [memoryview(part).cast("B") for part in frame_chunk(piece)]
            self._send(b"", views, deadline)
        self._send(LAST_CHUNK, [], deadline)
        return False

    def _receive(self, deadline: float, until_continued: bool = False) -> Response:
        reader = self.reader
        sock = self._socket
        room = _RECEIVE
        while True:
            self._arm(deadline)
            try:
                data = sock.recv(room)
            except (TimeoutError, BlockingIOError):
                self._timeout = -1.0
                continue
            if not data:
                if reader.end_of_stream():
                    return reader.response()
                failures.ended_early(self.origin, reader.began)
            self.received += len(data)
            if len(data) == room:
                # Much is coming: fewer and larger pieces cost less.
                room = _RECEIVE_LARGE
            if reader.feed(data) or (until_continued and reader.continued):
                return reader.response()

    def _early_answer(self, error: ConnectionError, deadline: float) -> Response:
        """Read the answer of a server that closed before it had the whole request."""
        try:
            response = self._receive(min(deadline, time.monotonic() + _EARLY_ANSWER))
        except (OSError, WirespeedError):
            raise error from None
        self.reader.reusable = False
        return response


class _Site:
    """What a transport knows of one server."""

    __slots__ = ("active", "failing", "idle", "origin", "proxy", "slots", "plain_proxy")

    def __init__(self, origin: Origin, proxy: Proxy | None, most: int) -> None:
        self.origin = origin
        self.proxy = proxy
        self.plain_proxy = proxy if origin.scheme == "http" else None
        self.idle: deque[_Connection] = deque()
        self.active: set[_Connection] = set()
        self.failing = False
        # Its items are the right to a connection each.
        self.slots: SimpleQueue[None] = SimpleQueue()
        for _ in range(most):
            self.slots.put(None)


class Transport:
    """Keep-alive connections to any number of origins. Thread-safe; usable after a fork.

    An exchange that fails closes its connection; nothing is ever sent twice.

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
        self._sites: dict[Origin, _Site] = {}
        self._proxies = Proxies(proxy)
        self._telemetry = telemetry or Telemetry("")
        self._closed = False
        _transports.add(self)

    def exchange(self, effect: Exchange) -> Any:
        """Send the effect's `Request` to its `Origin`; return the `Response`.

        Raises:
            ClosedError: the transport was closed.
            ConfigError: the request cannot be written; nothing was sent.
            ConnectError, TlsError: no connection; outcome "not_sent".
            DeadlineExceeded, TransportError: outcome "not_sent" when no byte had left,
                otherwise "unknown".
            ProtocolError: the answer is no HTTP or passes a limit; outcome "unknown".
        """
        if self._closed:
            raise ClosedError("the client is closed")
        origin: Origin = effect.endpoint
        request: Request = effect.request
        deadline = effect.deadline
        site = self._sites.get(origin) or self._new_site(origin)
        body = request.buffers()
        length = request.length(body)
        head = encode_head(request, origin, length, site.plain_proxy)
        started = time.monotonic()
        try:
            site.slots.get(False)
        except Empty:
            self._wait_for_slot(site, deadline - started)
        connection = None
        try:
            connection = self._acquire(site, started, deadline)
            site.active.add(connection)
            response = connection.exchange(request, head, body, deadline)
        except BaseException as error:
            if connection is not None:
                site.active.discard(connection)
                connection.close()
            if isinstance(error, TransportError):
                site.failing = True
            self._telemetry.add_failure()
            if _log.isEnabledFor(logging.DEBUG):
                _log.debug("%r at %s failed: %s", request, origin, type(error).__name__)
            raise
        finally:
            site.slots.put(None)
        now = time.monotonic()
        self._telemetry.add_exchange(len(head) + (length or 0), connection.received, now - started)
        if _log.isEnabledFor(logging.DEBUG):
            spent = (now - started) * 1000
            _log.debug("%r at %s: %d in %.1f ms", request, origin, response.status, spent)
        site.active.discard(connection)
        if site.failing:
            site.failing = False
            self._telemetry.emit("reconnect", endpoint=str(origin))
        if connection.reader.reusable and len(site.idle) < self._max_idle:
            connection.idle_since = now
            site.idle.append(connection)
            self._close_if_closed()
        else:
            connection.close()
        return response

    def _close_if_closed(self) -> None:
        if self._closed:
            self.close()

    def _new_site(self, origin: Origin) -> _Site:
        proxy = self._proxies.find(origin) if self._proxies else None
        return self._sites.setdefault(origin, _Site(origin, proxy, self._max_connections))

    def _wait_for_slot(self, site: _Site, seconds: float) -> None:
        try:
            site.slots.get(timeout=min(max(0.0, seconds), _LONGEST_WAIT))
        except Empty:
            failures.waiting(site.origin, self._max_connections)

    def _acquire(self, site: _Site, now: float, deadline: float) -> _Connection:
        idle = site.idle
        while idle:
            try:
                connection = idle.pop()
            except IndexError:
                break
            if now - connection.idle_since <= self._idle_ttl and not connection.is_stale():
                return connection
            connection.close()
        deadline = min(deadline, now + self._connect_timeout)
        sock = dial(site.origin, site.proxy, deadline, self._tls, self._limits, self._codec)
        self._telemetry.add("connections")
        return _Connection(site.origin, sock, self._limits, self._codec)

    @property
    def idle_connections(self) -> int:
        """How many idle connections are kept."""
        return sum(len(site.idle) for site in list(self._sites.values()))

    def endpoints(self) -> dict[str, EndpointStatus]:
        """Return how each server is doing that was spoken to."""
        return {
            str(origin): EndpointStatus(not site.failing, len(site.active), len(site.idle))
            for origin, site in list(self._sites.items())
        }

    def close(self) -> None:
        """Close the idle connections; those in use close as they end. Twice is fine."""
        self._closed = True
        for site in list(self._sites.values()):
            while site.idle:
                try:
                    site.idle.pop().close()
                except IndexError:
                    break

    def interrupt(self) -> None:
        """End the exchanges that other threads have under way, each with a `TransportError`."""
        for site in list(self._sites.values()):
            for connection in list(site.active):
                connection.interrupt()

    def discard(self) -> None:
        """Close without ceremony, for a client that nobody closed."""
        self.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self) -> None:
        """After a fork: the connections are the parent's. Closing our copies sends nothing."""
        for site in self._sites.values():
            for connection in site.idle:
                connection.close()
        self._sites = {}


def open_transport(
    *,
    tls: ssl.SSLContext | None,
    proxy: str | None,
    session: requests.Session | None,
    telemetry: Telemetry,
    connections: int,
) -> Transport | SessionTransport:
    """Return a client's transport: our own, or one over the caller's session."""
    if session is None:
        return Transport(tls=tls, proxy=proxy, telemetry=telemetry, max_idle=connections)
    from .session import SessionTransport

    return SessionTransport(session, telemetry=telemetry)


_transports: weakref.WeakSet[Transport] = weakref.WeakSet()


def _forget_all() -> None:
    for transport in list(_transports):
        transport._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
