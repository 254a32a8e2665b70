"""Remoting connections on an asyncio event loop."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from ..engine.effects import Exchange
from ..errors import ClosedError, ProtocolError, WirespeedError
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

_CONNECT_TIMEOUT = 3.0
_SWEEP = 0.05


class LoopConnection(asyncio.BufferedProtocol):
    """A connection owned by its event loop; replies complete futures.

    One timer sweeps the deadlines of all its calls, at most `_SWEEP` seconds late. `retiring` is
    set when the server asked for no further request, or when a request's time passed and nothing
    at all had come: the line may be dead.
    """

    def __init__(
        self,
        endpoint: str,
        handler: RequestHandler,
        *,
        binary: bool,
        on_lost: Callable[[WirespeedError], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._on_lost = on_lost
        self.retiring = False
        self._replaced = False
        self.counts = [0, 0, 0]
        self._core = Connection(handler, self._write_answers, binary=binary)
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, tuple[asyncio.Future[Frame], float, int]] = {}
        self._transport: asyncio.Transport | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._core.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self.counts[2] += nbytes
        try:
            responses, answers = self._core.received(nbytes)
        except ProtocolError as error:
            error.endpoint = self.endpoint
            error.outcome = "unknown"
            self._fail(error)
            return
        for frame in responses:
            if frame.code == GO_AWAY:
                self.retiring = True
            entry = self._pending.pop(frame.opaque, None)
            if entry is not None and not entry[0].done():
                entry[0].set_result(frame)
        if answers:
            self._write_answers(answers)

    def _write_answers(self, answers: list[Body]) -> None:
        if self._transport is not None and not self.closed:
            self._transport.writelines(answers)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(lost(self.endpoint, exc or "closed by the server"))

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _fail(self, error: WirespeedError) -> None:
        if self.closed:
            return
        self.closed = True
        self._writable.set()
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._transport is not None and not self._loop.is_closed():
            self._transport.abort()
        pending, self._pending = self._pending, {}
        for future, _, _ in pending.values():
            if not future.done():
                future.set_exception(copy.copy(error))
        if self._on_lost is not None:
            self._on_lost(error)

    async def _write(self, buffers: list[Any], deadline: float) -> None:
        if not self._writable.is_set():
            try:
                await asyncio.wait_for(self._writable.wait(), deadline - time.monotonic())
            except asyncio.TimeoutError:
                raise not_taken(self.endpoint) from None
        if self.closed or self._transport is None:
            raise lost(self.endpoint, "it is closed", "not_sent")
        self.counts[0] += 1
        self.counts[1] += sum(map(len, buffers))
        if len(buffers) == 1:
            self._transport.write(buffers[0])
        else:
            self._transport.writelines(buffers)

    async def call(self, command: Command, deadline: float) -> Frame:
        """Send `command` and return its reply; a cancelled call's reply is dropped.

        Raises:
            DeadlineExceeded: no reply by `deadline`.
            TransportError: the connection was lost.
        """
        opaque, buffers = self._core.encode(command)
        await self._write(buffers, deadline)
        future: asyncio.Future[Frame] = self._loop.create_future()
        self._pending[opaque] = (future, deadline, self.counts[2])
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(_SWEEP, self._sweep)
        try:
            return await future
        finally:
            self._pending.pop(opaque, None)
            if self._replaced and not self._pending:
                self.close()

    async def send_oneway(self, command: Command, deadline: float) -> None:
        """Write `command`, which has no reply."""
        _, buffers = self._core.encode(command, oneway=True)
        await self._write(buffers, deadline)

    def _sweep(self) -> None:
        self._sweeper = None
        now = time.monotonic()
        for future, deadline, heard in list(self._pending.values()):
            if deadline <= now and not future.done():
                future.set_exception(late(self.endpoint))
                if heard == self.counts[2]:
                    self.retiring = True
        if self._pending:
            self._sweeper = self._loop.call_later(_SWEEP, self._sweep)

    @property
    def in_use(self) -> bool:
        """Whether an exchange is under way."""
        return bool(self._pending)

    def retire(self) -> None:
        """Close once what is under way has ended."""
        self._replaced = True
        if not self._pending:
            self.close()

    def abandon(self) -> None:
        """Let go of a socket inherited by a forked child, without a word to the server."""
        self.closed = True
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is None or sock.fileno() < 0:
            return
        # The loop is told nothing: what it watches, the parent's loop watches too. And the number
        # stays taken, for the loop's transport closes it when it is collected.
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, sock.fileno(), inheritable=False)
        os.close(nothing)

    def close(self) -> None:
        """Close the socket; who still waits gets a `TransportError`. Twice is fine."""
        self._on_lost = None
        self._fail(lost(self.endpoint, "closed by this client"))


class Transport:
    """The connections of one client on one loop, one per endpoint, made when first needed.

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
        self._past = [0, 0, 0]
        self._connections: dict[str, LoopConnection] = {}
        self._connecting: dict[str, asyncio.Lock] = {}
        self._closed = False

    async def exchange(self, effect: Exchange) -> Frame | None:
        """Carry an `Exchange` of a `Command` with "host:port" out."""
        connection = self._connections.get(effect.endpoint)
        if connection is None or connection.closed or connection.retiring:
            connection = await self._connect(effect.endpoint, effect.deadline)
        if effect.oneway:
            await connection.send_oneway(effect.request, effect.deadline)
            return None
        return await connection.call(effect.request, effect.deadline)

    async def _connect(self, endpoint: str, deadline: float) -> LoopConnection:
        left = min(deadline - time.monotonic(), _CONNECT_TIMEOUT)
        try:
            return await asyncio.wait_for(self._open(endpoint), left)
        except asyncio.TimeoutError as error:
            raise not_connected(endpoint) from error
        except OSError as error:
            if self._tls is not None and not isinstance(error, ConnectionError):
                raise not_secured(endpoint, error) from error
            raise refused(endpoint, error) from error

    async def _open(self, endpoint: str) -> LoopConnection:
        host, port = parse_address(endpoint)
        async with self._connecting.setdefault(endpoint, asyncio.Lock()):
            before = self._connections.get(endpoint)
            if before is not None and not before.closed and not before.retiring:
                return before
            if self._closed:
                raise ClosedError("the client is closed", outcome="not_sent")
            tls = self._tls
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: LoopConnection(
                    endpoint,
                    self._handler,
                    binary=self._binary,
                    on_lost=lambda error: self._lost(endpoint, error),
                ),
                host,
                port,
                ssl=None if tls is None else tls.context,
                server_hostname=None if tls is None else tls.server_name or host,
            )
            self._connections[endpoint] = connection
            self._telemetry.add("connections")
            if before is not None:
                self._past = sums(self._past, before.counts)
                if before.retiring:
                    before.retire()
                self._telemetry.emit("reconnect", endpoint=endpoint)
            return connection

    def _lost(self, endpoint: str, error: WirespeedError) -> None:
        self._telemetry.emit("broker_down", endpoint=endpoint, error=error)

    def attend(self) -> None:
        """Do nothing: a loop reads what servers send by themselves as it comes."""

    def forget(self, endpoint: str) -> None:
        """Close the connection to an endpoint that is not asked any more."""
        connection = self._connections.pop(endpoint, None)
        if connection is not None:
            self._past = sums(self._past, connection.counts)
            connection.close()

    def endpoints(self) -> dict[str, EndpointStatus]:
        """Return each server's state."""
        return {
            endpoint: EndpointStatus(
                not connection.closed,
                int(connection.in_use),
                int(not connection.closed and not connection.in_use),
            )
            for endpoint, connection in self._connections.items()
        }

    def counts(self) -> dict[str, float]:
        """Return the requests and the bytes of all connections so far."""
        total = list(self._past)
        for connection in self._connections.values():
            total = sums(total, connection.counts)
        return dict(zip(("requests", "bytes_sent", "bytes_received"), total, strict=True))

    async def close(self) -> None:
        """Close every connection. Twice is fine."""
        self.discard()

    def discard(self) -> None:
        """Close every connection without waiting."""
        self._closed = True
        for connection in self._connections.values():
            self._past = sums(self._past, connection.counts)
            connection.close()
        self._connections.clear()

    def after_fork(self) -> None:
        """In a forked child: forget the parent's connections."""
        connections = list(self._connections.values())
        self._connections.clear()
        for connection in connections:
            connection.abandon()
