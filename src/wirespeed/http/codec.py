"""HTTP/1.1 bytes and values, without I/O.

`encode_head` writes a request's head. A `ResponseReader` reads the responses of one
connection, one after the other: on httptools where it is installed, on h11 otherwise.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import ConfigError, FrameTooLarge, ProtocolError
from .models import Buffer, Limits, Origin, Request, Response
from .proxy import Proxy

Sink = Callable[[bytes], object]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(r"/[!-~]*")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FRAMING = frozenset(("content-length", "transfer-encoding"))
_OWN_HEADERS = frozenset(("host", "content-length", "transfer-encoding", "connection"))


def encode_head(
    request: Request, origin: Origin, length: int | None, proxy: Proxy | None = None
) -> bytes:
    """Return the head of a request.

    Args:
        request: what is sent.
        origin: where it goes.
        length: bytes of its body; None where the body is sent in chunks.
        proxy: the proxy that it is sent to instead.

    Raises:
        ConfigError: method, target or a header holds what would break the head; the message
            names it and never shows a header's value.
    """
    target = request.target
    start = _start if "?" in target else _usual_start
    lines = [start(request.method, target, origin, proxy is not None)]
    for name, value in request.headers:
        _check_name(name)
        plain = value.isascii() and value.isprintable()
        if not (plain or _VALUE.fullmatch(value)) or value != value.strip():
            raise ConfigError(
                f"the header {name} may hold only Latin-1 text without control characters, "
                "and no space at its ends"
            )
        lines.append(f"{name}: {value}\r\n")
    if proxy is not None and proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}\r\n")
    if length is None:
        lines.append("Transfer-Encoding: chunked\r\n")
    elif length or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {length}\r\n")
    if request.expect_continue:
        lines.append("Expect: 100-continue\r\n")
    lines.append("Accept-Encoding: identity\r\n\r\n")
    return "".join(lines).encode("latin-1")


def _start(method: str, target: str, origin: Origin, whole: bool) -> str:
    """Return the request line and the Host header; `whole` names the server in the target too."""
    if not _TOKEN.fullmatch(method):
        raise ConfigError(f"the method {method!r} is not an HTTP token")
    if not _TARGET.fullmatch(target):
        raise ConfigError("the request target must begin with / and be printable ASCII")
    host = origin.host_header
    if whole:
        target = f"{origin.scheme}://{host}{target}"
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n"


_usual_start = functools.lru_cache(maxsize=256)(_start)


def encode_tunnel(origin: Origin, authorization: str) -> bytes:
    """Return the request that asks a proxy for a connection to a server."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    head = f"CONNECT {host}:{origin.port} HTTP/1.1\r\nHost: {host}:{origin.port}\r\n"
    if authorization:
        head += f"Proxy-Authorization: {authorization}\r\n"
    return f"{head}\r\n".encode("ascii")


def frame_chunk(piece: Buffer) -> list[Buffer]:
    """Return a piece of a chunked body with its framing; nothing for an empty one."""
    size = memoryview(piece).nbytes
    return [b"%x\r\n" % size, piece, b"\r\n"] if size else []


LAST_CHUNK = b"0\r\n\r\n"


@functools.lru_cache(maxsize=256)
def _check_name(name: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ConfigError(f"the header name {name!r} is not an HTTP token")
    if name.lower() in _OWN_HEADERS:
        raise ConfigError(f"the header {name} is set by the client itself")


@functools.lru_cache(maxsize=256)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


class ResponseReader(Protocol):
    """Reads the responses of one connection.

    Attributes:
        began: whether a byte of the current response came.
        complete: whether it is whole.
        continued: whether "100 Continue" came.
        reusable: whether the connection may carry another request; judge it when complete.
    """

    began: bool
    complete: bool
    continued: bool
    reusable: bool

    def start(self, method: str, sink: Sink | None = None) -> None:
        """Expect the response to a request of that method.

        `sink` gets the body of a 2xx response piece by piece, and the response has none then.
        What it raises ends the response.
        """

    def feed(self, data: Buffer) -> bool:
        """Take bytes as they came; return `complete`.

        Raises:
            ProtocolError: they are no HTTP.
            FrameTooLarge: they pass a limit.
        """

    def end_of_stream(self) -> bool:
        """Take the end of the connection; return whether the response was whole by then."""

    def response(self) -> Response:
        """Return the response; only when complete."""


class _Assembly:
    """What both readers collect, with the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._head_only = False
        self._sink: Sink | None = None
        self.began = False
        self.complete = False
        self.continued = False
        self.reusable = False
        self._clear()

    def _clear(self) -> None:
        self._framed = False
        self._status = 0
        self._reason = ""
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._body_size = 0
        self._head_size = 0
        self._wire_size = 0

    def _start(self, method: str, sink: Sink | None) -> None:
        self._head_only = method in ("HEAD", "CONNECT")
        self._sink = sink
        self.began = False
        self.complete = False
        self.continued = False
        self.reusable = False
        self._clear()

    def _add_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value) + 4
        if self._head_size > self._limits.head:
            raise FrameTooLarge(f"the response's head passes {self._limits.head} bytes")
        if len(self._headers) >= self._limits.headers:
            raise FrameTooLarge(f"the response has more than {self._limits.headers} headers")
        key, text = _lower(name), value.decode("latin-1")
        if key in _FRAMING:
            self._check_framing(key, text)
        self._headers.append((key, text))

    def _check_framing(self, key: str, text: str) -> None:
        """Refuse a body whose end two readers might see at different places."""
        if self._framed:
            raise ProtocolError("the response says more than once how long its body is")
        self._framed = True
        plain = text.isdigit() if key == "content-length" else text.lower() == "chunked"
        if not plain:
            raise ProtocolError(f"the response's {key} is not understood")

    def _add_body(self, data: bytes) -> None:
        self._body_size += len(data)
        if self._sink is not None and 200 <= self._status < 300:
            self._sink(data)
            return
        if self._body_size > self._limits.body:
            raise FrameTooLarge(f"the response's body passes {self._limits.body} bytes")
        self._body.append(data)

    def _count(self, size: int, in_head: bool) -> None:
        """Bound what a parser holds back: a head without end, chunk lines without data."""
        self._wire_size += size
        slack = self._limits.head + (0 if in_head else 8 * self._body_size)
        if self._wire_size - self._body_size > slack + 64 * 1024:
            what = "head" if in_head else "chunk framing"
            raise FrameTooLarge(f"the response's {what} passes {self._limits.head} bytes")

    def response(self) -> Response:
        """Return the response; only when complete."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return Response(self._status, self._reason, self._headers, body)


class HttptoolsReader(_Assembly):
    """A `ResponseReader` on httptools (llhttp)."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        import httptools

        self._parser: Any = httptools.HttpResponseParser(self)
        self._errors: tuple[type[Exception], ...] = (
            httptools.HttpParserError,
            httptools.HttpParserUpgrade,
        )
        self._in_head = True
        self._failure: Exception | None = None

    def start(self, method: str, sink: Sink | None = None) -> None:
        """Expect the response to a request of that method."""
        self._start(method, sink)
        self._in_head = True
        self._failure = None

    def feed(self, data: Buffer) -> bool:
        """Take bytes as they came; return `complete`."""
        if self.complete:
            self.reusable = False
            return True
        self.began = True
        try:
            self._parser.feed_data(data)
        except self._errors as error:
            if self._failure is not None:
                raise self._failure from None
            # Bytes after a whole response spoil the connection, not the response.
            self.reusable = False
            if not self.complete:
                raise ProtocolError(f"the response is not HTTP/1.1: {error}") from None
        if not self.complete:
            self._count(len(data), self._in_head)
        return self.complete

    def end_of_stream(self) -> bool:
        """Take the end of the connection; return whether the response was whole by then."""
        self.reusable = False
        if not self.complete and self._until_close():
            self.complete = True
        return self.complete

    def _until_close(self) -> bool:
        return not self._in_head and not self._framed

    def on_message_begin(self) -> None:
        """httptools: a response begins."""
        if self.complete:
            self.reusable = False

    def on_status(self, status: bytes) -> None:
        """httptools: the reason phrase, or a part of it."""
        if not self.complete:
            self._reason += status.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header or trailer."""
        if self.complete:
            return
        try:
            self._add_header(name, value)
        except ProtocolError as error:
            self._failure = error
            raise

    def on_headers_complete(self) -> None:
        """httptools: the head is whole."""
        if self.complete:
            return
        self._in_head = False
        self._status = self._parser.get_status_code()
        if self._head_only and self._status >= 200:
            self.complete = True

    def on_body(self, data: bytes) -> None:
        """httptools: a part of the body."""
        if self.complete:
            return
        try:
            self._add_body(data)
        except Exception as error:
            self._failure = error
            raise

    def on_message_complete(self) -> None:
        """httptools: the response is whole; interim ones (1xx) are dropped."""
        if self.complete:
            return
        if 100 <= self._status < 200 and self._status != 101:
            self.continued = self.continued or self._status == 100
            self._clear()
            self._in_head = True
            return
        self.complete = True
        self.reusable = self._status != 101 and bool(self._parser.should_keep_alive())


class H11Reader(_Assembly):
    """A `ResponseReader` on h11, for interpreters without httptools."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        import h11

        self._h11: Any = h11
        self._connection: Any = None

    def start(self, method: str, sink: Sink | None = None) -> None:
        """Expect the response to a request of that method."""
        self._start(method, sink)
        h11 = self._h11
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=self._limits.head)
        # The request itself was written by `encode_head`; h11 only has to know its method.
        known = "HEAD" if self._head_only else method
        connection.send(h11.Request(method=known, target="/", headers=[("Host", "-")]))
        connection.send(h11.EndOfMessage())
        self._connection = connection

    def feed(self, data: Buffer) -> bool:
        """Take bytes as they came; return `complete`."""
        if self.complete:
            self.reusable = False
            return True
        self.began = True
        return self._advance(bytes(data))

    def end_of_stream(self) -> bool:
        """Take the end of the connection; return whether the response was whole by then."""
        if not self.complete:
            with contextlib.suppress(ProtocolError):
                self._advance(b"")
        self.reusable = False
        return self.complete

    def _advance(self, data: bytes) -> bool:
        h11 = self._h11
        connection = self._connection
        try:
            connection.receive_data(data)
            while not self.complete:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    break
                if event is h11.PAUSED or type(event) is h11.ConnectionClosed:
                    raise ProtocolError("the connection ended within the response")
                if type(event) is h11.Response:
                    self._status = event.status_code
                    self._reason = bytes(event.reason).decode("latin-1")
                    for name, value in event.headers:
                        self._add_header(bytes(name), bytes(value))
                elif type(event) is h11.InformationalResponse:
                    self.continued = self.continued or event.status_code == 100
                elif type(event) is h11.Data:
                    self._add_body(bytes(event.data))
                elif type(event) is h11.EndOfMessage:
                    self.complete = True
                    rest, _ = connection.trailing_data
                    self.reusable = not rest and connection.their_state is h11.DONE
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == 431:
                message = f"the response's head passes {self._limits.head} bytes"
                raise FrameTooLarge(message) from None
            raise ProtocolError(f"the response is not HTTP/1.1: {error}") from None
        return self.complete


def new_reader(limits: Limits, codec: str = "") -> ResponseReader:
    """Return a reader for one connection.

    Args:
        limits: what a response may measure.
        codec: "httptools", "h11", or "" for the first of them that is installed.

    Raises:
        ConfigError: another name, or the codec is not installed.
    """
    if codec not in ("", "httptools", "h11"):
        raise ConfigError(f'codec must be "httptools" or "h11", not {codec!r}')
    if codec != "h11":
        try:
            return HttptoolsReader(limits)
        except ImportError:
            if codec:
                raise ConfigError("codec: httptools is not installed") from None
    try:
        return H11Reader(limits)
    except ImportError:
        raise ConfigError("neither httptools nor h11 is installed") from None
