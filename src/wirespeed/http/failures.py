"""Which error a failed exchange becomes, and what it says about the request's fate."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from ..errors import ConnectError, DeadlineExceeded, ProtocolError, TlsError, TransportError
from .models import Origin, Response


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno and not error.filename:
        return error.strerror or os.strerror(error.errno)
    return str(error) or type(error).__name__


def _is_tls(error: BaseException) -> bool:
    ssl = sys.modules.get("ssl")
    return ssl is not None and isinstance(error, ssl.SSLError)


def connecting(origin: Origin, error: BaseException) -> NoReturn:
    """Raise for a connection that could not be made: nothing was sent."""
    endpoint = str(origin)
    if isinstance(error, TimeoutError):
        raise DeadlineExceeded(
            f"no connection to {endpoint} within the deadline",
            endpoint=endpoint,
            retryable=True,
            outcome="not_sent",
        ) from error
    if _is_tls(error):
        insecure(origin, error)
    raise ConnectError(
        f"cannot connect to {endpoint}: {_reason(error)}",
        endpoint=endpoint,
        retryable=True,
        outcome="not_sent",
    ) from error


def insecure(origin: Origin, error: BaseException) -> NoReturn:
    """Raise for a TLS handshake that failed: nothing was sent."""
    endpoint = str(origin)
    raise TlsError(
        f"the TLS handshake with {endpoint} failed: {_reason(error)}",
        endpoint=endpoint,
        outcome="not_sent",
        hint="is the server's port https?" if "WRONG_VERSION" in str(error) else "",
    ) from error


def waiting(origin: Origin, limit: int) -> NoReturn:
    """Raise for an exchange that got none of the `limit` connections in time."""
    raise DeadlineExceeded(
        f"none of the {limit} connections to {origin} became free within the deadline",
        endpoint=str(origin),
        retryable=True,
        outcome="not_sent",
    )


def exchanging(origin: Origin, error: BaseException, sent: bool) -> NoReturn:
    """Raise for an exchange that failed on a connection; `sent` if a byte left us."""
    endpoint = str(origin)
    if isinstance(error, (TimeoutError, BlockingIOError)):
        raise DeadlineExceeded(
            f"no answer from {endpoint} within the deadline",
            endpoint=endpoint,
            retryable=True,
            outcome="unknown" if sent else "not_sent",
        ) from error
    raise TransportError(
        f"the connection to {endpoint} broke: {_reason(error)}",
        endpoint=endpoint,
        retryable=True,
        outcome="unknown" if sent else "not_sent",
    ) from error


def ended_early(origin: Origin, began: bool) -> NoReturn:
    """Raise for a peer that closed the connection before the response was whole."""
    when = "within its answer" if began else "without an answer"
    raise TransportError(
        f"{origin} closed the connection {when}",
        endpoint=str(origin),
        retryable=True,
        outcome="unknown",
    )


def locate(error: ProtocolError, origin: Origin) -> None:
    """Add to a codec's error where it came from; the request was sent."""
    error.endpoint = str(origin)
    error.outcome = "unknown"


def check_tunnel(origin: Origin, proxy: Origin, response: Response) -> None:
    """Raise for a proxy that gave no connection to the server: nothing was sent to it."""
    if 200 <= response.status < 300:
        return
    wants_key = response.status == 407
    raise ConnectError(
        f"the proxy {proxy} gives no connection to {origin}: {response.status} {response.reason}",
        status=response.status,
        endpoint=str(origin),
        retryable=response.status >= 500,
        outcome="not_sent",
        hint="give the proxy's URL a user and password" if wants_key else "",
    )
