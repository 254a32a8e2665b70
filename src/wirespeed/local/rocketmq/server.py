"""Connections of the remoting protocol on asyncio, for the name server and the broker."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from ... import _native
from ..clock import skew
from ..faults import Fault
from . import codes
from .tls import Opening, Tls

_LOG = logging.getLogger("wirespeed.local")
_REPLY_FLAG = 1
_ONEWAY_FLAG = 2
_JAVA = 0


class Refusal(Exception):
    """The answer is an error.

    Args:
        code: the response code.
        remark: the text beside it.
        fields: further fields of the reply.
    """

    def __init__(self, code: int, remark: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(remark)
        self.code = code
        self.remark = remark
        self.fields = fields or {}


@dataclass(slots=True)
class Request:
    """One command of a client.

    Attributes:
        code: what is asked.
        language: what the client is written in, as the protocol numbers it.
        version: what the client claims to be.
        opaque: the number to answer with.
        oneway: whether no answer is wanted.
        fields: the header's fields.
        body: the bytes after the header.
        connection: where it came from.
        came: when, by `time.monotonic`.
        fault: the kind of fault that struck it, or "".
    """

    code: int
    language: int
    version: int
    opaque: int
    oneway: bool
    fields: dict[str, str]
    body: bytes
    connection: Connection
    came: float = field(default_factory=time.monotonic)
    fault: str = ""

    def text(self, name: str) -> str:
        """Return a field that must be there; its absence is refused with code 1."""
        try:
            return self.fields[name]
        except KeyError:
            raise Refusal(
                codes.SYSTEM_ERROR,
                f"java.lang.NullPointerException: the custom field <{name}> is null",
            ) from None

    def integer(self, name: str, default: int | None = None) -> int:
        """Return a field as a number; one that is missing or no number is refused with code 1."""
        if default is not None and name not in self.fields:
            return default
        value = self.text(name)
        try:
            return int(value)
        except ValueError:
            raise Refusal(
                codes.SYSTEM_ERROR,
                f'java.lang.NumberFormatException: For input string: "{value}"',
            ) from None


@dataclass(slots=True)
class Reply:
    """An answer.

    Attributes:
        code: the response code.
        remark: text beside it.
        fields: the header's fields.
        body: the bytes after the header.
    """

    code: int = codes.SUCCESS
    remark: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


_ACCEPT_SECONDS = 0.01
_ANSWER_SECONDS = 10.0

Handler = Callable[[Request], "Reply | None"]


class Connection(asyncio.BufferedProtocol):
    """One client.

    Attributes:
        peer: (address, port) of the client.
        language, version: what the client last said of itself.
    """

    def __init__(self, server: Server) -> None:
        self.peer: tuple[str, int] = ("", 0)
        self.language = self.version = 0
        self._server = server
        self._splitter = _native.FrameSplitter()
        self._asked: dict[int, tuple[Callable[[Reply], None], asyncio.TimerHandle]] = {}
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take part in the server."""
        self._transport = cast(asyncio.Transport, transport)
        self.peer = transport.get_extra_info("peername")[:2]
        self._server.connections.add(self)
        if self._server.closing:
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Leave the server."""
        self._transport = None
        for opaque in list(self._asked):
            self._answered(opaque, Reply(codes.CONSUME_TIMEOUT, "the client is gone"))
        self._server.connections.discard(self)
        self._server.on_lost(self)

    def write_to(self, transport: asyncio.Transport) -> None:
        """Write there from now on."""
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        return self._splitter.buffer()

    def buffer_updated(self, count: int) -> None:
        """Answer the commands that are complete; close the connection on what is none."""
        try:
            frames = self._splitter.received(count)
        except ValueError as error:
            _LOG.info("closing %s:%d: %s", *self.peer, error)
            self.close()
            return
        for code, language, version, opaque, flag, remark, fields, body in frames:
            if flag & _REPLY_FLAG:
                self._answered(opaque, Reply(code, remark, fields, body))
                continue
            self.language, self.version = language, version
            oneway = bool(flag & _ONEWAY_FLAG)
            self._answer(Request(code, language, version, opaque, oneway, fields, body, self))

    def pause_writing(self) -> None:
        """Read no more commands while the client does not read its answers."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def _answer(self, request: Request) -> None:
        fault = self._server.watch.strike(request)
        if fault is None:
            self._carry_out(request)
            return
        request.fault = fault.kind
        if fault.kind == "drop":
            self._server.watch.answered(request, 0)
            self.close()
        elif fault.kind == "delay":
            loop = asyncio.get_running_loop()
            loop.call_later(fault.seconds, self._carry_out, request)
        elif fault.kind == "status":
            self.reply(request, Reply(fault.status, "a fault was asked for"))
        elif fault.kind == "throttle":
            remark = "[REJECTREQUEST]system busy, start flow control for a while"
            self.reply(request, Reply(codes.SYSTEM_BUSY, remark))
        elif fault.kind == "skew":
            contextvars.copy_context().run(self._skewed, request, fault.seconds)
        else:
            self._carry_out(request)

    def _skewed(self, request: Request, seconds: float) -> None:
        skew(seconds)
        self._carry_out(request)

    def _carry_out(self, request: Request) -> None:
        try:
            reply = self._server.handler(request)
        except Refusal as refusal:
            reply = Reply(refusal.code, refusal.remark, refusal.fields)
        except Exception as error:
            _LOG.exception("command %d failed", request.code)
            reply = Reply(codes.SYSTEM_ERROR, f"{type(error).__name__}: {error}")
        if reply is not None:
            self.reply(request, reply)

    def reply(self, request: Request, reply: Reply) -> None:
        """Answer a command, now or after its handler returned None; what it did is written down."""
        try:
            self._server.watch.commit()
        except Exception as error:
            _LOG.error("command %d could not be written down: %s", request.code, error)
            reply = Reply(codes.SYSTEM_ERROR, f"{type(error).__name__}: {error}")
        self._server.watch.answered(request, reply.code)
        if not request.oneway:
            spoil = request.fault if request.fault in ("cut", "corrupt") else ""
            self._send(
                reply.code,
                request.opaque,
                _REPLY_FLAG,
                reply.fields,
                reply.body,
                reply.remark,
                spoil,
            )

    def notify(self, code: int, fields: dict[str, str], body: bytes = b"") -> None:
        """Send a one-way command to the client."""
        self._send(code, self._server.next_opaque(), _ONEWAY_FLAG, fields, body, None)

    def ask(
        self, code: int, fields: dict[str, str], body: bytes, answered: Callable[[Reply], None]
    ) -> None:
        """Send a command and have `answered` called with the client's answer, or with code 207
        when it is gone or did not answer in 10 seconds."""
        opaque = self._server.next_opaque()
        late = Reply(codes.CONSUME_TIMEOUT, "the client did not answer in time")
        timer = asyncio.get_running_loop().call_later(_ANSWER_SECONDS, self._answered, opaque, late)
        self._asked[opaque] = (answered, timer)
        self._send(code, opaque, 0, fields, body, None)

    def _answered(self, opaque: int, reply: Reply) -> None:
        asked = self._asked.pop(opaque, None)
        if asked is not None:
            answered, timer = asked
            timer.cancel()
            answered(reply)

    def _send(
        self,
        code: int,
        opaque: int,
        flag: int,
        fields: dict[str, str],
        body: bytes,
        remark: str | None,
        spoil: str = "",
    ) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        head = _native.encode_header(
            code,
            opaque,
            flag,
            fields,
            len(body),
            language=_JAVA,
            version=codes.DECLARED_VERSION,
            remark=remark,
        )
        frame = head + body
        middle = len(frame) // 2
        if spoil == "corrupt":
            frame = frame[:middle] + bytes((frame[middle] ^ 1,)) + frame[middle + 1 :]
        if spoil == "cut":
            self._transport.write(frame[:middle])
            self._transport.close()
        else:
            self._transport.write(frame)

    def close(self) -> None:
        """Close at once; what was not written is lost."""
        if self._transport is not None:
            self._transport.abort()


class Watch:
    """Looks on while commands are answered. This one does nothing."""

    def strike(self, request: Request) -> Fault | None:
        """Return the fault that strikes a command."""
        return None

    def commit(self) -> None:
        """Write down what a command did, before it is answered."""

    def answered(self, request: Request, code: int) -> None:
        """A command is answered; with code 0 also where nothing is."""


class Server:
    """Listens, and gives each command to a handler.

    Args:
        handler: answers a command; None when the answer comes later.
        on_lost: told of each connection that ended.
        tls: what clients that speak TLS are shown; without it they are turned away.

    Attributes:
        connections: the clients that are connected.
        closing: the server ends; who connects now is turned away.
        watch: looks on.
    """

    def __init__(
        self,
        handler: Handler,
        on_lost: Callable[[Connection], None] = lambda connection: None,
        tls: Tls | None = None,
    ) -> None:
        self.handler = handler
        self.on_lost = on_lost
        self._tls = tls
        self.connections: set[Connection] = set()
        self.closing = False
        self.watch = Watch()
        self._listener: asyncio.Server | None = None
        self._opaque = 0

    def next_opaque(self) -> int:
        """Return a number for a command of the server's own."""
        self._opaque = (self._opaque + 1) & 0x7FFFFFFF
        return self._opaque

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port; 0 asks for a free one. OSError if that cannot be."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._accept, host, port)
        found: int = self._listener.sockets[0].getsockname()[1]
        return found

    def _accept(self) -> asyncio.BaseProtocol:
        connection = Connection(self)
        return connection if self._tls is None else Opening(connection, self._tls)

    async def close(self) -> None:
        """Stop listening and close every connection."""
        self.closing = True
        # asyncio leaks a connection that it accepted but has not made when its server closes.
        await asyncio.sleep(_ACCEPT_SECONDS)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in list(self.connections):
            connection.close()
        # They tell that they are lost in the rounds that follow.
        while self.connections:
            await asyncio.sleep(0)
