"""What stands between a local service and the connections it gets: who may ask, and how slowly."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 10.0
"""How long a request's head may take, from its first byte, or from when its connection began."""

BODY_SECONDS = 30.0
"""How long a request's body may stand still."""

HEAD_LIMIT = 1024 * 1024
"""The most bytes of a request's head: a message sent by GET is within its URL."""

_NAMES = ("localhost", "host.docker.internal")
# Programs may find the services' own names at this machine by a hosts file, and .test is nobody's:
# no page's owner can have these lead here.
_DOMAINS = (".amazonaws.com", ".myqcloud.com", ".qcloud.com", ".tencentyun.com", ".test")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class Guard:
    """An ASGI application that refuses what only an attack sends, and passes on the rest.

    A page in a browser can have its own host's name lead to 127.0.0.1, and then ask what listens
    there; its requests name that host. On a loopback address they are refused with 421.
    A request whose length two readers could read differently is refused with 400.

    Args:
        app: the application.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._host: str | None = None

    def listens_at(self, host: str) -> None:
        """Say where it listens; requests to another host than this machine are refused there."""
        self._host = host.lower() if is_loopback(host) else None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] == "http":
            refused = self._refused(scope)
            if refused is not None:
                await _refuse(send, *refused)
                return
        await self._app(scope, receive, send)

    def _refused(self, scope: MutableMapping[str, Any]) -> tuple[int, str] | None:
        hosts: list[bytes] = []
        lengths = 0
        size = len(scope["raw_path"]) + len(scope["query_string"])
        coding: bytes | None = None
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name == b"host":
                hosts.append(value)
            elif name == b"content-length":
                lengths += 1
            elif name == b"transfer-encoding":
                if coding is not None or value.strip().lower() != b"chunked":
                    return 400, "the only Transfer-Encoding there is here is chunked"
                coding = value
        if lengths > 1 or (lengths and coding is not None):
            return 400, "a request has one Content-Length or Transfer-Encoding"
        if size > HEAD_LIMIT:
            return 431, "the head of the request is too large"
        if len(hosts) != 1:
            return 400, "a request has one Host"
        host = host_name(hosts[0].decode("latin-1"))
        if self._host is None or host == self._host or is_loopback(host):
            return None
        if host.endswith(_DOMAINS):
            return None
        return 421, "the Host of the request is not this machine"


def host_name(value: str) -> str:
    """Return the host of a Host header: in lower case, without port and brackets."""
    value = value.strip().lower()
    if value.startswith("["):
        return value[1:].partition("]")[0]
    return value.partition(":")[0].removesuffix(".")


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address is this machine for everybody."""
    if host.lower() in _NAMES or host.lower().endswith(".localhost"):
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


async def _refuse(send: Send, status: int, text: str) -> None:
    body = f'{{"message":"{text}"}}'.encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        # What follows on the connection may be the inside of another's request.
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_Protocol: Any = AutoHTTPProtocol


class Connection(_Protocol):  # type: ignore[misc]
    """uvicorn's protocol, which closes the connection of a client that stops within a request."""

    _timer: asyncio.TimerHandle | None = None
    _in_body = False
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin."""
        super().connection_made(transport)
        self._wait(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and expect more of them where a request has begun."""
        before = self.cycle
        super().data_received(data)
        cycle = self.cycle
        was_in_body = self._in_body
        self._in_body = cycle is not None and cycle.more_body and not cycle.response_complete
        if self._in_body:
            self._rest()
            self._wait(BODY_SECONDS)
        elif was_in_body or cycle is not before:
            self._rest()
            self._head = 0
        else:
            # Part of a head: whatever follows of it, the time runs from here.
            self._head += len(data)
            if self._head > HEAD_LIMIT:
                self.transport.abort()
            elif self._timer is None:
                self._wait(HEAD_SECONDS)

    def _wait(self, seconds: float) -> None:
        if not self.transport.is_closing():
            self._timer = self.loop.call_later(seconds, self._late, seconds)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self, seconds: float) -> None:
        self._timer = None
        # A body that the service does not read yet stands still through no fault of the client.
        if self.flow.read_paused:
            self._wait(seconds)
        else:
            self.transport.abort()
