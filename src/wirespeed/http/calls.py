"""One call of an HTTP service: exchanges until an answer parses, as flows; no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ..config import Clock, Retry
from ..engine.effects import Exchange, Flow, Sleep
from ..errors import ProtocolError, ServiceError, TransportError
from .models import Origin, Request, Response

T = TypeVar("T")
_FREE_BODY = 4 * 1024 * 1024
_SLOWEST = 64 * 1024
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the calls of a service wait and how often they try.

    Args:
        service: its name, for errors.
        timeout: seconds that one request may take, and one more for each 64 KiB that its body
            has beyond 4 MiB.
        retry: how often a request is tried and how long it waits between.
        clock: time and randomness.
    """

    service: str
    timeout: float
    retry: Retry
    clock: Clock = field(default_factory=Clock)

    def deadline(self, timeout: float | None) -> float:
        """Return when a call that may take `timeout` seconds must be over."""
        return float("inf") if timeout is None else self.clock.monotonic() + timeout

    def allow(self, request: Request) -> float:
        """Return how many seconds a request may take."""
        body = request.body
        if isinstance(body, (bytes, bytearray, memoryview)) and len(body) <= _FREE_BODY:
            return self.timeout
        size = sum(map(len, request.buffers()))
        return self.timeout + max(0, size - _FREE_BODY) / _SLOWEST


@dataclass
class Doubt:
    """Whether some try of a call may have been carried out though it failed."""

    exists: bool = False


def call(
    patience: Patience,
    origin: Origin,
    request: Callable[[], Request],
    parse: Callable[[Response], T],
    deadline: float,
    doubt: Doubt | None = None,
    *,
    ambiguous: bool = True,
) -> Flow[T]:
    """Exchange until an answer parses, retrying what may be retried.

    An answer that asks for a pause (Retry-After, up to a minute) gets it. `doubt` learns whether
    one of the tries may have been carried out, and with `ambiguous` False the call ends there.

    Raises:
        WirespeedError: the last try's error, with service and attempts filled in.
    """
    retry = patience.retry
    now = patience.clock.monotonic
    attempt = 0
    while True:
        attempt += 1
        response = None
        try:
            made = request()
            response = yield Exchange(origin, made, min(deadline, now() + patience.allow(made)))
            return parse(response)
        except (TransportError, ServiceError, ProtocolError) as error:
            error.service = patience.service
            error.attempts = attempt
            error.endpoint = error.endpoint or str(origin)
            unknown = error.outcome == "unknown"
            if doubt is not None and unknown:
                doubt.exists = True
            if not error.retryable or attempt >= retry.attempts or (unknown and not ambiguous):
                raise
            delay = max(retry.delay(attempt, patience.clock.random()), _pause(response))
            if now() + delay >= deadline:
                raise
        yield Sleep(delay)


def _pause(response: Response | None) -> float:
    """Return the seconds that an answer asks us to wait."""
    text = "" if response is None else response.header("retry-after")
    return min(float(text), _LONGEST_PAUSE) if text.isascii() and text.isdigit() else 0.0
