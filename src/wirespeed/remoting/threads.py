"""Remoting connections for threads.

A connection has one reader at a time. A lone caller reads its own reply, so a send costs two
system calls and no thread switch. When more than one exchange is in flight, one has no caller
to wait for it, or no caller has been there for a while, the connection's own thread reads.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..engine.effects import Exchange
from ..errors import (
    ClosedError,
    ProtocolError,
    WirespeedError,
)
from ..telemetry import EndpointStatus, Telemetry
from .connection import (
    GO_AWAY,
    Body,
    Command,
    Connection,
    Frame,
    RequestHandler,
    Tls,
    late,
    lost,
    not_connected,
    not_secured,
    not_taken,
    parse_address,
    refused,
    sums,
)

_log = logging.getLogger("wirespeed.remoting")

Done = Callable[[Any, BaseException | None], None]

_SLICE = 0.05
_IDLE = 0.5
_SWEEP = 0.1
_CONNECT_TIMEOUT = 3.0
_RECORDS = 64 * 1024


class _Waiter:
    """One exchange in flight; `lock` exists when its caller does not read for itself.

    `heard` are the bytes that had come when it began.
    """

    __slots__ = ("deadline", "done", "error", "frame", "heard", "lock")

    def __init__(self, deadline: float, done: Done | None, heard: int) -> None:
        self.deadline = deadline
        self.heard = heard
        self.done = done
        self.frame: Frame | None = None
        self.error: WirespeedError | None = None
        self.lock: Any = None

    def complete(self) -> None:
        if self.done is not None:
            self.done(self.frame, self.error)
        elif self.lock is not None:
            self.lock.release()


def _set_slice(sock: socket.socket | TlsSocket, option: int, seconds: float) -> None:
    """Let blocking calls return every `seconds` (below 1), without the poll that a timeout adds."""
    if sys.platform == "win32":
        sock.setsockopt(socket.SOL_SOCKET, option, int(seconds * 1000))
    else:
        sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", 0, int(seconds * 1e6)))


def _left_of(buffers: Sequence[Body], sent: int) -> Sequence[Body]:
    """Return what is still to be written once `sent` bytes are."""
    for place, buffer in enumerate(buffers):
        if sent < len(buffer):
            return [memoryview(buffer)[sent:], *buffers[place + 1 :]]
        sent -= len(buffer)
    return ()


class SocketConnection:
    """A connected socket and whoever waits on it. Thread-safe.

    `retiring` is set when the server asked for no further request, or when a request's time passed
    and nothing at all had come: the line may be dead. `counts` are the requests, the bytes written
    and the bytes read.
    """

    def __init__(
        self,
        endpoint: str,
        sock: socket.socket | TlsSocket,
        handler: RequestHandler,
        *,
        binary: bool,
        on_lost: Callable[[WirespeedError], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._sock = sock
        self._on_lost = on_lost
        self.retiring = False
        self._replaced = False
        self.counts = [0, 0, 0]
        self._core = Connection(handler, self._write_answers, binary=binary)
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._write_lock = threading.Lock()
        self._pending: dict[int, _Waiter] = {}
        self._reading = False
        self._used = time.monotonic()
        self.closed = False
        threading.Thread(target=self._serve, name=f"wirespeed-{endpoint}", daemon=True).start()

    def call(self, command: Command, deadline: float) -> Frame:
        """Send `command` and wait for its reply.

        Raises:
            DeadlineExceeded: no reply by `deadline`; a later one is dropped.
            TransportError: the connection was lost; `outcome` tells whether the server may
                have the request.
        """
        opaque, buffers = self._core.encode(command)
        waiter = _Waiter(deadline, None, self.counts[2])
        with self._lock:
            self._check_open()
            reads = not self._reading and not self._pending
            self._pending[opaque] = waiter
            if reads:
                self._reading = True
            else:
                waiter.lock = threading.Lock()
                waiter.lock.acquire()
        try:
            self._write(buffers, deadline)
            if reads:
                self._read_own(waiter)
            else:
                self._wait(waiter)
        finally:
            with self._lock:
                self._pending.pop(opaque, None)
                self._used = time.monotonic()
                if reads:
                    self._reading = False
                if self._pending and not self._reading:
                    self._wake.notify()
        if waiter.error is not None:
            raise waiter.error
        assert waiter.frame is not None
        return waiter.frame

    def submit(self, command: Command, deadline: float, done: Done) -> None:
        """Send `command`; `done(frame, error)` is called once, on the reading thread."""
        opaque, buffers = self._core.encode(command)
        waiter = _Waiter(deadline, done, self.counts[2])
        with self._lock:
            self._check_open()
            self._pending[opaque] = waiter
            if not self._reading:
                self._wake.notify()
        try:
            self._write(buffers, deadline)
        except WirespeedError as error:
            with self._lock:
                mine = self._pending.pop(opaque, None)
            if mine is not None:
                done(None, error)

    def send_oneway(self, command: Command, deadline: float) -> None:
        """Write `command`, which has no reply."""
        _, buffers = self._core.encode(command, oneway=True)
        with self._lock:
            self._check_open()
            self._used = time.monotonic()
        self._write(buffers, deadline)

    def _check_open(self) -> None:
        if self.closed:
            raise lost(self.endpoint, "it is closed", "not_sent")

    def _write(self, buffers: Sequence[Body], deadline: float) -> None:
        counts = self.counts
        with self._write_lock:
            counts[0] += 1
            try:
                while buffers:
                    try:
                        sent = self._send_some(buffers)
                    except (BlockingIOError, TimeoutError):
                        if time.monotonic() < deadline:
                            continue
                        raise not_taken(self.endpoint) from None
                    counts[1] += sent
                    buffers = _left_of(buffers, sent)
            except BaseException as error:
                self._fail(lost(self.endpoint, error))
                if isinstance(error, OSError) and not isinstance(error, WirespeedError):
                    raise lost(self.endpoint, error, "not_sent") from error
                raise

    def _send_some(self, buffers: Sequence[Body]) -> int:
        sock = self._sock
        if len(buffers) == 1 or not isinstance(sock, socket.socket) or not hasattr(sock, "sendmsg"):
            return sock.send(buffers[0])
        return sock.sendmsg(buffers)

    def _read_own(self, waiter: _Waiter) -> None:
        try:
            while waiter.frame is None and waiter.error is None:
                if not self._read_some() and time.monotonic() >= waiter.deadline:
                    self._end_late(waiter)
        except BaseException as error:
            self._fail(lost(self.endpoint, error))
            raise

    def _wait(self, waiter: _Waiter) -> None:
        while waiter.frame is None and waiter.error is None:
            left = waiter.deadline - time.monotonic()
            if left <= 0:
                self._end_late(waiter)
            else:
                waiter.lock.acquire(timeout=min(left, 60.0))

    def _end_late(self, waiter: _Waiter) -> None:
        waiter.error = late(self.endpoint)
        if waiter.heard == self.counts[2]:
            self.retiring = True

    def _read_some(self) -> bool:
        """Receive once and complete what arrived; False when nothing came for a slice."""
        try:
            size = self._sock.recv_into(self._core.buffer())
        except (BlockingIOError, TimeoutError):
            return False
        except OSError as error:
            self._fail(lost(self.endpoint, error))
            return True
        if size == 0:
            self._fail(lost(self.endpoint, "closed by the server"))
            return True
        self.counts[2] += size
        try:
            responses, answers = self._core.received(size)
        except ProtocolError as error:
            error.endpoint = self.endpoint
            error.outcome = "unknown"
            self._fail(error)
            return True
        for frame in responses:
            with self._lock:
                waiter = self._pending.pop(frame.opaque, None)
            if frame.code == GO_AWAY:
                self.retiring = True
            if waiter is not None:
                waiter.frame = frame
                waiter.complete()
        if answers:
            self._write_answers(answers)
        return True

    def _write_answers(self, answers: list[Body]) -> None:
        try:
            self._write(answers, time.monotonic() + _CONNECT_TIMEOUT)
        except WirespeedError as error:
            _log.debug("answer to %s not written: %s", self.endpoint, error)

    def _serve(self) -> None:
        """Read whenever no lone caller does: see the module's text."""
        while True:
            with self._lock:
                while self._reading or not (self.closed or self._pending or self._is_idle()):
                    self._wake.wait(_IDLE)
                if self.closed:
                    break
                self._reading = True
            try:
                self._read_until_lone()
            except BaseException as error:
                self._fail(lost(self.endpoint, error))
                raise
            finally:
                with self._lock:
                    self._reading = False
        self._sock.close()

    def _is_idle(self) -> bool:
        return time.monotonic() - self._used >= _IDLE

    def _read_until_lone(self) -> None:
        swept = time.monotonic()
        slice_seconds = _SLICE
        while not self.closed:
            wanted = _SLICE if self._pending else _IDLE
            if wanted != slice_seconds:
                slice_seconds = wanted
                _set_slice(self._sock, socket.SO_RCVTIMEO, slice_seconds)
            self._read_some()
            now = time.monotonic()
            if now - swept >= _SWEEP:
                swept = now
                self._expire(now)
            if self._replaced and not self._pending:
                self.close()
                break
            with self._lock:
                if not self._pending and not self._is_idle():
                    break
        if slice_seconds != _SLICE and not self.closed:
            _set_slice(self._sock, socket.SO_RCVTIMEO, _SLICE)

    def _expire(self, now: float) -> None:
        with self._lock:
            passed = [
                (opaque, waiter)
                for opaque, waiter in self._pending.items()
                if waiter.done is not None and waiter.deadline <= now
            ]
            for opaque, _ in passed:
                del self._pending[opaque]
        for _, waiter in passed:
            self._end_late(waiter)
            waiter.complete()

    def _fail(self, error: WirespeedError) -> None:
        with self._lock:
            if self.closed:
                return
            self.closed = True
            pending, self._pending = list(self._pending.values()), {}
            self._wake.notify_all()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        for waiter in pending:
            if waiter.frame is None and waiter.error is None:
                waiter.error = copy.copy(error)
            waiter.complete()
        if self._on_lost is not None:
            self._on_lost(error)

    def attend(self) -> None:
        """Let the connection's own thread read, unless a caller does."""
        with self._lock:
            self._used = float("-inf")
            self._wake.notify()

    def retire(self) -> None:
        """Close once what is under way has ended."""
        self._replaced = True
        if not self._pending:
            self.close()

    @property
    def in_use(self) -> bool:
        """Whether an exchange is under way."""
        return bool(self._pending)

    def close(self) -> None:
        """Close the socket; who still waits gets a `TransportError`. Twice is fine."""
        self._on_lost = None
        self._fail(lost(self.endpoint, "closed by this client"))

    def abandon(self) -> None:
        """Close a socket inherited by a forked child, without a word to the server."""
        self.closed = True
        with contextlib.suppress(OSError):
            os.close(self._sock.detach())


class Transport:
    """The connections of one client, one per endpoint, made when first needed.

    Args:
        handler: answers requests that a server begins; must not block.
        binary: send binary headers instead of JSON.
        tls: how connections are secured, or None.
        telemetry: is told of connections.
    """

    def __init__(
        self,
        handler: RequestHandler,
        *,
        binary: bool = False,
        tls: Tls | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._handler = handler
        self._binary = binary
        self._tls = tls
        self._telemetry = telemetry or Telemetry("rocketmq")
        self._telemetry.attach(self.counts)
        self._reset()
        self._closed = False

    def _reset(self) -> None:
        self._past = [0, 0, 0]
        self._connections: dict[str, SocketConnection] = {}
        self._connecting: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def exchange(self, effect: Exchange) -> Frame | None:
        """Carry an `Exchange` of a `Command` with "host:port" out."""
        connection = self._connections.get(effect.endpoint)
        if connection is None or connection.closed or connection.retiring:
            connection = self._connect(effect.endpoint, effect.deadline)
        if effect.oneway:
            connection.send_oneway(effect.request, effect.deadline)
            return None
        return connection.call(effect.request, effect.deadline)

    def submit(self, effect: Exchange, done: Done) -> None:
        """Carry an `Exchange` out and call `done(frame, error)` once, on whatever thread."""
        connection = self._connections.get(effect.endpoint)
        if connection is None or connection.closed or connection.retiring:
            threading.Thread(
                target=self._connect_and_submit,
                args=(effect, done),
                name="wirespeed-connect",
                daemon=True,
            ).start()
        else:
            self._submit(connection, effect, done)

    def _connect_and_submit(self, effect: Exchange, done: Done) -> None:
        try:
            connection = self._connect(effect.endpoint, effect.deadline)
        except BaseException as error:
            done(None, error)
            return
        self._submit(connection, effect, done)

    def _submit(self, connection: SocketConnection, effect: Exchange, done: Done) -> None:
        try:
            if not effect.oneway:
                connection.submit(effect.request, effect.deadline, done)
                return
            connection.send_oneway(effect.request, effect.deadline)
        except WirespeedError as error:
            done(None, error)
        else:
            done(None, None)

    def _connect(self, endpoint: str, deadline: float) -> SocketConnection:
        with self._lock:
            lock = self._connecting.setdefault(endpoint, threading.Lock())
        if not lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise not_connected(endpoint)
        try:
            if self._closed:
                raise ClosedError("the client is closed", outcome="not_sent")
            before = self._connections.get(endpoint)
            if before is not None and not before.closed and not before.retiring:
                return before
            plain = open_socket(endpoint, deadline)
            sock = plain if self._tls is None else secured(plain, endpoint, self._tls, deadline)
            connection = SocketConnection(
                endpoint,
                sock,
                self._handler,
                binary=self._binary,
                on_lost=lambda error: self._lost(endpoint, error),
            )
            self._publish(endpoint, connection)
            self._telemetry.add("connections")
            if before is not None:
                self._telemetry.emit("reconnect", endpoint=endpoint)
            return connection
        finally:
            lock.release()

    def _lost(self, endpoint: str, error: WirespeedError) -> None:
        self._telemetry.emit("broker_down", endpoint=endpoint, error=error)

    def _publish(self, endpoint: str, connection: SocketConnection) -> None:
        with self._lock:
            if not self._closed:
                before = self._connections.get(endpoint)
                if before is not None:
                    self._past = sums(self._past, before.counts)
                    if before.retiring:
                        before.retire()
                self._connections[endpoint] = connection
                return
        connection.close()
        raise ClosedError("the client is closed", outcome="not_sent")

    def attend(self) -> None:
        """Read what servers send by themselves at once, rather than when nobody calls for long."""
        for connection in list(self._connections.values()):
            connection.attend()

    def forget(self, endpoint: str) -> None:
        """Close the connection to an endpoint that is not asked any more."""
        with self._lock:
            connection = self._connections.pop(endpoint, None)
            if connection is not None:
                self._past = sums(self._past, connection.counts)
        if connection is not None:
            connection.close()

    def endpoints(self) -> dict[str, EndpointStatus]:
        """Return each server's state."""
        return {
            endpoint: EndpointStatus(
                not connection.closed,
                int(connection.in_use),
                int(not connection.closed and not connection.in_use),
            )
            for endpoint, connection in list(self._connections.items())
        }

    def counts(self) -> dict[str, float]:
        """Return the requests and the bytes of all connections so far."""
        total = list(self._past)
        for connection in list(self._connections.values()):
            total = sums(total, connection.counts)
        return dict(zip(("requests", "bytes_sent", "bytes_received"), total, strict=True))

    def close(self) -> None:
        """Close every connection. Twice is fine."""
        with self._lock:
            self._closed = True
            connections = list(self._connections.values())
            for connection in connections:
                self._past = sums(self._past, connection.counts)
            self._connections.clear()
        for connection in connections:
            connection.close()

    discard = close

    def after_fork(self) -> None:
        """In a forked child: forget the parent's connections, so that the child makes its own."""
        connections = list(self._connections.values())
        self._reset()
        for connection in connections:
            connection.abandon()


class TlsSocket:
    """A socket whose bytes are encrypted; one thread may read while another writes."""

    def __init__(self, sock: socket.socket, tls: Tls, host: str) -> None:
        import ssl

        self._sock = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = tls.context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=tls.server_name or host
        )
        self._wants = ssl.SSLWantReadError
        self._ended = (ssl.SSLZeroReturnError, ssl.SSLEOFError)
        # OpenSSL's session is for one thread at a time.
        self._lock = threading.Lock()
        self._raw = bytearray(_RECORDS)
        self._accepted = 0
        self._unsent = memoryview(b"")

    def shake_hands(self) -> None:
        """Agree with the server.

        Raises:
            OSError: the certificate is not trusted, or the server speaks no TLS.
        """
        while True:
            try:
                self._session.do_handshake()
                self._sock.sendall(self._outgoing.read())
                return
            except self._wants:
                self._sock.sendall(self._outgoing.read())
            if not self._fill():
                raise ConnectionResetError("closed during the handshake")

    def send(self, data: Body) -> int:
        """Write some bytes; return how many. After a slice has passed, go on with the same."""
        if not self._accepted:
            with self._lock:
                self._accepted = self._session.write(memoryview(data)[:_RECORDS])
                self._unsent = memoryview(self._outgoing.read())
        while self._unsent:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
        count, self._accepted = self._accepted, 0
        return count

    def recv_into(self, buffer: memoryview) -> int:
        """Read some bytes; 0 at the end."""
        while True:
            try:
                with self._lock:
                    return self._session.read(len(buffer), buffer)  # type: ignore[return-value]
            except self._wants:
                if not self._fill():
                    return 0
            except self._ended:
                return 0

    def _fill(self) -> bool:
        count = self._sock.recv_into(self._raw)
        with self._lock:
            self._incoming.write(memoryview(self._raw)[:count])
        return count > 0

    def setsockopt(self, level: int, name: int, value: int | bytes) -> None:
        """Set an option of the socket."""
        self._sock.setsockopt(level, name, value)

    def shutdown(self, how: int) -> None:
        """End the connection."""
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def detach(self) -> int:
        """Give the socket's descriptor up."""
        return self._sock.detach()


def secured(sock: socket.socket, endpoint: str, tls: Tls, deadline: float) -> TlsSocket:
    """Return a connected socket with TLS agreed upon.

    Raises:
        TlsError: the server's certificate is not trusted, or it speaks no TLS.
        DeadlineExceeded: no answer in time.
    """
    wrapped = TlsSocket(sock, tls, parse_address(endpoint)[0])
    try:
        sock.settimeout(max(0.001, min(_CONNECT_TIMEOUT, deadline - time.monotonic())))
        wrapped.shake_hands()
        _slice(sock)
    except TimeoutError as error:
        sock.close()
        raise not_connected(endpoint) from error
    except OSError as error:
        sock.close()
        raise not_secured(endpoint, error) from error
    except BaseException:
        sock.close()
        raise
    return wrapped


def open_socket(endpoint: str, deadline: float) -> socket.socket:
    """Connect to "host:port" within 3 s and `deadline`.

    Raises:
        ConfigError: the address is malformed.
        ConnectError: nobody listens there, or the name is unknown.
        DeadlineExceeded: no answer in time.
    """
    host, port = parse_address(endpoint)
    left = min(_CONNECT_TIMEOUT, deadline - time.monotonic())
    try:
        if left <= 0:
            raise TimeoutError
        sock = socket.create_connection((host, port), timeout=left)
    except TimeoutError as error:
        raise not_connected(endpoint) from error
    except OSError as error:
        raise refused(endpoint, error) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _slice(sock)
    return sock


def _slice(sock: socket.socket) -> None:
    """Let every blocking call return within a slice."""
    sock.settimeout(None)
    _set_slice(sock, socket.SO_RCVTIMEO, _SLICE)
    _set_slice(sock, socket.SO_SNDTIMEO, _SLICE)
