"""Every error that wirespeed raises.

```
WirespeedError
├── ConfigError            an argument or setting is wrong (also a ValueError)
├── ClosedError            the client was closed before the call
├── Cancelled              the caller's progress callback stopped a transfer
├── Unsupported            the service or server lacks the operation
├── TransportError
│   ├── ConnectError       nothing was sent (also a ConnectionError)
│   ├── TlsError           the peer could not be verified
│   └── DeadlineExceeded   the deadline passed (also a TimeoutError)
├── ProtocolError
│   ├── FrameTooLarge
│   ├── CorruptMessage
│   └── MissingCodec       the message needs an extra that is not installed
├── ServiceError           the server answered with an error
│   ├── Throttled  Busy  Conflict
│   ├── AccessDenied       (also a PermissionError)
│   └── NotFound
│       ├── TopicNotFound
│       └── ObjectNotFound (also a FileNotFoundError)
├── SendError              a message was not acknowledged; see `outcome`
├── IntegrityError         a digest differs from the one expected
└── SourceChanged          a file changed while it was read
```
"""

from __future__ import annotations

from typing import Any, Literal

Outcome = Literal["not_sent", "rejected", "unknown"]

_FIELDS = (
    "service",
    "code",
    "status",
    "request_id",
    "endpoint",
    "attempts",
    "retryable",
    "outcome",
    "hint",
)


def _rebuild(kind: type[WirespeedError], message: str, fields: dict[str, Any]) -> WirespeedError:
    return kind(message, **fields)


class WirespeedError(Exception):
    """Base of every error of this package. Picklable; `str()` is the message, then the hint.

    Attributes:
        message: what happened, for a person.
        service: "rocketmq", "cmq", "sqs", "wcs", "cos", or "" where none is involved.
        code: the server's error code, as the server spells it (int or str), or None.
        status: the HTTP status, or None.
        request_id: the server's id of the request, or "".
        endpoint: "host:port" or URL without credentials, or "".
        attempts: how many times the operation was tried; 0 where it never began.
        retryable: whether the same call may succeed later.
        outcome: "not_sent" (the server never had it), "rejected" (it said no),
            "unknown" (it may have been carried out), or None where that means nothing.
        hint: what to do next, or "".
    """

    def __init__(
        self,
        message: str = "",
        *,
        service: str = "",
        code: int | str | None = None,
        status: int | None = None,
        request_id: str = "",
        endpoint: str = "",
        attempts: int = 0,
        retryable: bool = False,
        outcome: Outcome | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.service = service
        self.code = code
        self.status = status
        self.request_id = request_id
        self.endpoint = endpoint
        self.attempts = attempts
        self.retryable = retryable
        self.outcome = outcome
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {name: getattr(self, name) for name in _FIELDS}
        return _rebuild, (type(self), self.message, fields)

    def describe(self) -> dict[str, Any]:
        """Return the error as a flat dict for JSON output: type, message and the set fields."""
        set_fields = {name: getattr(self, name) for name in _FIELDS}
        return {
            "type": type(self).__name__,
            "message": self.message,
            **{name: value for name, value in set_fields.items() if value not in (None, "")},
        }


class ConfigError(WirespeedError, ValueError):
    """An argument, setting or URL is wrong; the message names it and the limit."""


class ClosedError(WirespeedError):
    """The client was closed; make a new one."""


class Cancelled(WirespeedError):
    """A progress callback asked to stop."""


class Unsupported(WirespeedError):
    """The service, or this server, does not have the operation."""


class TransportError(WirespeedError):
    """The network failed. `outcome` tells whether the request may have been carried out."""


class ConnectError(TransportError, ConnectionError):
    """No connection could be made; nothing was sent."""


class TlsError(TransportError):
    """The TLS handshake failed or the peer's certificate was not accepted."""


class DeadlineExceeded(TransportError, TimeoutError):
    """The deadline of the call passed."""


class ProtocolError(WirespeedError):
    """The peer broke the protocol."""


class FrameTooLarge(ProtocolError):
    """A frame, header or body passes its limit."""


class CorruptMessage(ProtocolError):
    """A message's length, checksum or compression is broken."""


class MissingCodec(ProtocolError):
    """The message is compressed with a codec that is not installed; the hint names the extra."""


class ServiceError(WirespeedError):
    """The server answered with an error."""


class Throttled(ServiceError):
    """The server asks to slow down."""


class Busy(ServiceError):
    """The server is overloaded or not ready."""


class Conflict(ServiceError):
    """The resource exists already, or changed."""


class AccessDenied(ServiceError, PermissionError):
    """The signature or the permission was refused."""


class NotFound(ServiceError):
    """The server does not know the resource."""


class TopicNotFound(NotFound):
    """No route for the topic."""


class ObjectNotFound(NotFound, FileNotFoundError):
    """No such object or bucket."""


class SendError(WirespeedError):
    """A message was not acknowledged; `outcome` tells whether it may be stored."""


class IntegrityError(WirespeedError):
    """A digest differs from the one expected."""


class SourceChanged(WirespeedError):
    """The file changed while it was read."""
