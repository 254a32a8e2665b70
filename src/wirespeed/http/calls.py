"""One call of an HTTP service: exchanges until an answer parses, as flows; no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ..config import Clock, Retry
from ..engine.effects import Exchange, Flow, Sleep
from ..errors import (
    DeadlineExceeded,
    ProtocolError,
    ServiceError,
    Throttled,
    TransportError,
    WirespeedError,
)
from ..telemetry import Telemetry
from .models import Origin, Request, Response

T = TypeVar("T")
_FREE_BODY = 4 * 1024 * 1024
_SLOWEST = 64 * 1024
LONGEST_PAUSE = 60.0
"""Seconds that an answer may make us wait at most."""


class Budget:
    """What a client may still spend on retries."""

    __slots__ = ("_full", "left")

    def __init__(self, full: int = 500) -> None:
        self._full = self.left = full

    def spend(self, error: WirespeedError) -> bool:
        """Pay for a retry after `error`; False where too little is left."""
        cost = 10 if isinstance(error, DeadlineExceeded) else 5
        if self.left < cost:
            return False
        self.left -= cost
        return True

    def pay_back(self, retries: int) -> None:
        """Take back what the retries of a call cost that went well, or 1."""
        if self.left < self._full:
            self.left = min(self._full, self.left + max(1, 5 * retries))


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the calls of a service wait and how often they try.

    Args:
        service: its name, for errors.
        timeout: seconds that one request may take, and one more for each 64 KiB that its body
            has beyond 4 MiB.
        retry: how often a request is tried and how long it waits between.
        clock: time and randomness.
        telemetry: what is told of retries; one of its own by default.
        budget: what retries may cost; one of its own by default.
    """

    service: str
    timeout: float
    retry: Retry
    clock: Clock = field(default_factory=Clock)
    telemetry: Telemetry = field(default_factory=lambda: Telemetry(""))
    budget: Budget = field(default_factory=Budget)

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
            result = parse(response)
            patience.budget.pay_back(attempt - 1)
            return result
        except (TransportError, ServiceError, ProtocolError) as error:
            error.service = patience.service
            error.attempts = attempt
            error.endpoint = error.endpoint or str(origin)
            unknown = error.outcome == "unknown"
            if doubt is not None and unknown:
                doubt.exists = True
            if isinstance(error, Throttled):
                patience.telemetry.add("throttled")
                patience.telemetry.emit(
                    "throttle", endpoint=error.endpoint, attempt=attempt, error=error
                )
            if not error.retryable or attempt >= retry.attempts or (unknown and not ambiguous):
                raise
            pause = _pause(response, patience.clock)
            delay = max(retry.delay(attempt, patience.clock.random()), pause)
            if now() + delay >= deadline:
                raise
            if not patience.budget.spend(error):
                patience.telemetry.add("retry_budget_exhausted")
                raise
            patience.telemetry.add("retries")
            patience.telemetry.emit(
                "retry", endpoint=error.endpoint, attempt=attempt, delay=delay, error=error
            )
        yield Sleep(delay)


def _pause(response: Response | None, clock: Clock) -> float:
    """Return the seconds that an answer asks us to wait: a number, or until a date."""
    text = "" if response is None else response.header("retry-after").strip()
    if not text:
        return 0.0
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_PAUSE)
    from email.utils import parsedate_to_datetime

    try:
        then = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(0.0, then - clock.wall()), LONGEST_PAUSE)
