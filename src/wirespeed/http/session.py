"""Carries HTTP exchanges out over the caller's `requests.Session`: its adapters, its proxies."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import ClosedError, ConfigError, FrameTooLarge, ProtocolError
from ..telemetry import EndpointStatus, Telemetry
from . import failures
from .codec import encode_head
from .models import Buffer, Limits, Origin, Request, Response

if TYPE_CHECKING:
    import requests

    from ..engine.effects import Exchange

_PIECE = 64 * 1024


class SessionTransport:
    """As `threads.Transport`, over a `requests.Session` of the caller, who also closes it.

    The session's adapters, proxies, `verify` and `cert` count. Its headers, cookies and `auth` do
    not, and no `.netrc` is read: the requests are signed and go out as they are. Redirects are
    not followed.

    Args:
        session: a `requests.Session`, used by the caller's threads as that allows.
        connect_timeout: seconds a connection may take to be made, within the deadline; 5.
        limits: what a response may measure.
        telemetry: what is told of exchanges; one of its own by default.

    Raises:
        ConfigError: `session` is no session.
    """

    def __init__(
        self,
        session: requests.Session,
        *,
        connect_timeout: float = 5.0,
        limits: Limits | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        if not hasattr(session, "get_adapter") or not hasattr(session, "send"):
            raise ConfigError(f"session must be a requests.Session, not {type(session).__name__}")
        self._session = session
        self._connect_timeout = connect_timeout
        self._limits = limits or Limits()
        self._telemetry = telemetry or Telemetry("")
        self._endpoints: dict[str, bool] = {}
        self._closed = False

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
        buffers = request.buffers()
        length = request.length(buffers)
        # The checks of our own transport; its bytes are not used.
        head = encode_head(request, origin, length)
        started = time.monotonic()
        endpoint = str(origin)
        try:
            response = self._send(origin, request, buffers, effect.deadline)
        except BaseException:
            self._endpoints[endpoint] = False
            self._telemetry.add_failure()
            raise
        if self._endpoints.get(endpoint) is False:
            self._telemetry.emit("reconnect", endpoint=endpoint)
        self._endpoints[endpoint] = True
        spent = time.monotonic() - started
        self._telemetry.add_exchange(len(head) + (length or 0), len(response.body), spent)
        return response

    def _send(
        self, origin: Origin, request: Request, buffers: list[memoryview], deadline: float
    ) -> Response:
        import requests
        from urllib3.exceptions import HTTPError, ReadTimeoutError

        prepared = requests.Request(request.method, str(origin)).prepare()
        prepared.url = f"{origin.scheme}://{origin.host_header}{request.target}"
        for name, value in request.headers:
            prepared.headers[name] = value
        prepared.headers["Accept-Encoding"] = "identity"
        if request.expect_continue:
            raise ConfigError("expect_continue is not for sessions")
        prepared.body = _body(request, buffers)  # type: ignore[assignment]
        if request.stream is not None:
            prepared.headers["Transfer-Encoding"] = "chunked"
            prepared.headers.pop("Content-Length", None)
        elif buffers or request.method in ("POST", "PUT", "PATCH"):
            prepared.headers["Content-Length"] = str(sum(map(len, buffers)))
        settings = self._session.merge_environment_settings(str(origin), {}, True, None, None)
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            failures.connecting(origin, TimeoutError())
        times = (min(self._connect_timeout, remaining), min(remaining, 1e6))
        try:
            reply = self._session.send(prepared, timeout=times, allow_redirects=False, **settings)
        except requests.exceptions.ConnectTimeout:
            failures.connecting(origin, TimeoutError())
        except requests.exceptions.Timeout:
            failures.exchanging(origin, TimeoutError(), True)
        except requests.exceptions.SSLError as error:
            failures.insecure(origin, error)
        except requests.exceptions.ProxyError as error:
            failures.connecting(origin, ConnectionRefusedError(str(error)))
        except requests.exceptions.ConnectionError as error:
            _raise_broken(origin, error)
        except (requests.exceptions.InvalidHeader, ValueError) as error:
            raise ConfigError(f"requests cannot send this: {type(error).__name__}") from error
        try:
            with contextlib.closing(reply):
                return self._read(origin, request, reply, deadline)
        except (TimeoutError, ReadTimeoutError):
            failures.exchanging(origin, TimeoutError(), True)
        except ProtocolError as error:
            failures.locate(error, origin)
            raise
        except HTTPError as error:
            _raise_broken(origin, error)

    def _read(
        self, origin: Origin, request: Request, reply: requests.Response, deadline: float
    ) -> Response:
        headers = [(name.lower(), value) for name, value in reply.raw.headers.items()]
        if not headers:
            # http.client takes a head that was cut off for a whole one.
            failures.ended_early(origin, True)
        size = sum(len(name) + len(value) + 4 for name, value in headers)
        if size > self._limits.head or len(headers) > self._limits.headers:
            raise FrameTooLarge(f"the response's head passes {self._limits.head} bytes")
        sink = request.sink if 200 <= reply.status_code < 300 else None
        pieces: list[bytes] = []
        total = 0
        read = getattr(reply.raw, "read1", reply.raw.read)
        while piece := read(_PIECE):
            total += len(piece)
            if sink is not None:
                sink(piece)
            elif total > self._limits.body:
                raise FrameTooLarge(f"the response's body passes {self._limits.body} bytes")
            else:
                pieces.append(piece)
            if time.monotonic() >= deadline:
                raise TimeoutError
        return Response(reply.status_code, reply.reason or "", headers, b"".join(pieces))

    @property
    def idle_connections(self) -> int:
        """0: the session's connections are its owner's."""
        return 0

    def endpoints(self) -> dict[str, EndpointStatus]:
        """Return how each server is doing that was spoken to."""
        return {name: EndpointStatus(ok, 0, 0) for name, ok in list(self._endpoints.items())}

    def close(self) -> None:
        """Refuse further exchanges; the session stays open. Twice is fine."""
        self._closed = True

    discard = close

    def interrupt(self) -> None:
        """Leave exchanges under way to their deadlines: a session cannot end them."""


class _Buffers:
    """Buffers as the file that http.client reads a body from."""

    def __init__(self, buffers: list[memoryview]) -> None:
        self._left = list(reversed(buffers))

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        if not self._left:
            return b""
        view = self._left.pop()
        if 0 <= size < len(view):
            self._left.append(view[size:])
            view = view[:size]
        return bytes(view)


def _raise_broken(origin: Origin, error: Exception) -> NoReturn:
    """Raise for a connection that failed, or broke, or brought what is no HTTP."""
    from http.client import HTTPException, IncompleteRead, RemoteDisconnected

    from urllib3.exceptions import NewConnectionError

    causes: list[object] = [error]
    for cause in causes:
        for more in (*getattr(cause, "args", ()), getattr(cause, "reason", None)):
            if isinstance(more, Exception) and more not in causes:
                causes.append(more)
    for cause in causes:
        if isinstance(cause, NewConnectionError):
            failures.connecting(origin, ConnectionRefusedError(str(cause)))
        if isinstance(cause, TimeoutError):
            failures.exchanging(origin, cause, True)
        if isinstance(cause, (RemoteDisconnected, IncompleteRead)):
            failures.ended_early(origin, isinstance(cause, IncompleteRead))
        if isinstance(cause, HTTPException):
            large = "header" in str(cause).lower() or "LineTooLong" in type(cause).__name__
            kind = FrameTooLarge if large else ProtocolError
            failure = kind(f"the response is not HTTP/1.1: {cause}")
            failures.locate(failure, origin)
            raise failure from error
    failures.exchanging(origin, ConnectionResetError(str(causes[-1])), True)


def _body(
    request: Request, buffers: list[memoryview]
) -> bytes | _Buffers | Iterator[Buffer] | None:
    if request.stream is not None:
        if not isinstance(request.stream, Iterable):
            raise ConfigError("an async iterable can be sent by asyncio clients alone")
        return iter(request.stream)
    return _Buffers(buffers) if buffers else None
