"""Requests, responses and where they go."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import ConfigError

Buffer = bytes | bytearray | memoryview
Headers = Sequence[tuple[str, str]]

CONSENT = 1.0
"""Seconds to wait for "100 Continue" before the body is sent all the same."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A server: scheme, host and port.

    Args:
        scheme: "http" or "https".
        host: a name or address, IPv6 without brackets.
        port: 1 to 65535.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str, name: str = "url") -> Origin:
        """Return the origin of a URL that has no path, query, fragment or user.

        Raises:
            ConfigError: it is no such URL; the message calls it `name` and does not repeat
                what may hold a password.
        """
        example = 'such as "http://host" or "https://host:8443"'
        if not isinstance(url, str):
            raise ConfigError(f"{name} must be a str, not {type(url).__name__}")
        if any(ord(character) <= 0x20 or ord(character) >= 0x7F for character in url):
            raise ConfigError(f"{name} must be plain ASCII without spaces, {example}")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigError(f"{name} has a bad host or port; it must be {example}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{name} must begin with http:// or https://, {example}")
        if parts.username is not None or parts.password is not None:
            raise ConfigError(f"{name} must not hold a user or password")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ConfigError(f"{name} must have no path or query, {example}")
        if port == 0:
            raise ConfigError(f"{name} has port 0; it must be 1 to 65535")
        return cls(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))

    @property
    def host_header(self) -> str:
        """The value of the Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class Request:
    """One request.

    Args:
        method: such as "GET".
        target: path and query, percent-encoded, beginning with "/".
        headers: names and values; Host, Content-Length, Transfer-Encoding and Connection are
            the client's own and refused.
        body: a buffer, or several that are sent one after the other. They are not copied and
            must not change until the exchange ends.
        stream: the body instead: buffers as they come, each sent before the next is asked for,
            in chunks. An async iterable is for asyncio alone.
        sink: called with each piece of a 2xx response's body, which is not kept then.
        expect_continue: ask the server for its consent before the body is sent, and wait for it
            up to a second.
    """

    __slots__ = ("body", "expect_continue", "headers", "method", "sink", "stream", "target")

    def __init__(
        self,
        method: str,
        target: str,
        headers: Headers = (),
        body: Buffer | Sequence[Buffer] = b"",
        *,
        stream: Iterable[Buffer] | AsyncIterable[Buffer] | None = None,
        sink: Callable[[bytes], object] | None = None,
        expect_continue: bool = False,
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.stream = stream
        self.sink = sink
        self.expect_continue = expect_continue

    def buffers(self) -> list[memoryview]:
        """Return the body as byte views, the empty ones left out."""
        body = self.body
        pieces = [body] if isinstance(body, (bytes, bytearray, memoryview)) else body
        views = [memoryview(piece).cast("B") for piece in pieces if len(piece)]
        return views

    def length(self, buffers: Sequence[memoryview]) -> int | None:
        """Return the bytes of the body, whose buffers these are; None for a stream."""
        return sum(map(len, buffers)) if self.stream is None else None

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target.partition('?')[0]}>"


class Response:
    """One response, whole.

    Attributes:
        status: the status code.
        reason: its phrase, often "".
        headers: names in lower case and values, in order.
        body: the bytes of the body.
    """

    __slots__ = ("body", "headers", "reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body

    def header(self, name: str, default: str = "") -> str:
        """Return the first header of that name, in any case, or `default`."""
        name = name.lower()
        return next((value for key, value in self.headers if key == name), default)

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self.body)} bytes>"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a response may measure before it is refused with `FrameTooLarge`.

    Args:
        head: bytes of status line and headers, trailers included; 64 KiB.
        headers: how many headers; 128.
        body: bytes of the body; 64 MiB.
    """

    head: int = 64 * 1024
    headers: int = 128
    body: int = 64 * 1024 * 1024
