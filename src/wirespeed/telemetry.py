"""What a client shows of itself: events, counters, and how its servers are doing."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .errors import ConfigError, WirespeedError

_log = logging.getLogger("wirespeed.telemetry")

EVENTS = (
    "retry",
    "throttle",
    "reconnect",
    "broker_down",
    "rebalance",
    "lease_lost",
)
COUNTERS = (
    "requests",
    "failures",
    "retries",
    "throttled",
    "retry_budget_exhausted",
    "connections",
    "bytes_sent",
    "bytes_received",
    "seconds",
)


_ADDED_UP_AT = 256


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a client wants to be known.

    Attributes:
        name: "retry" (a call is tried again), "throttle" (the server asked to slow down),
            "reconnect" (a server that had failed is connected to again), "broker_down" (a broker's
            connection was lost), "rebalance" (a consumer's queues changed), "lease_lost" (a
            message's visibility ended before it was settled).
        service: "rocketmq", "cmq", "sqs", "wcs" or "cos".
        endpoint: the server, or "".
        attempt: which try failed, from 1; 0 where that means nothing.
        delay: seconds until the next try.
        error: what failed, or None.
        detail: the queue, group or message it is about, or "".
    """

    name: str
    service: str
    endpoint: str = ""
    attempt: int = 0
    delay: float = 0.0
    error: WirespeedError | None = None
    detail: str = ""


class Telemetry:
    """A client's listeners and counters. Thread-safe."""

    __slots__ = ("_counts", "_listeners", "_lock", "_recent", "_sources", "service")

    def __init__(self, service: str) -> None:
        self.service = service
        self._listeners: dict[str, tuple[Callable[[Event], object], ...]] = {}
        self._counts: dict[str, float] = dict.fromkeys(COUNTERS, 0)
        self._counts["seconds"] = 0.0
        self._recent: deque[tuple[int, int, float]] = deque()
        self._sources: list[Callable[[], Mapping[str, float]]] = []
        self._lock = threading.Lock()

    def attach(self, source: Callable[[], Mapping[str, float]]) -> None:
        """Have the counts that `source` returns added to a snapshot's."""
        self._sources.append(source)

    def after_fork(self) -> None:
        """In a forked child: count on without the parent's connections."""
        self._lock = threading.Lock()
        self._sources = []

    def on(self, name: str, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Call `listener` with each `Event` of that name; return what ends it.

        It is called where the event happens and must be quick. An exception in it is logged.

        Raises:
            ConfigError: there is no event of that name, or `listener` cannot be called.
        """
        if name not in EVENTS:
            raise ConfigError(f"there is no event {name!r}: there are {', '.join(EVENTS)}")
        if not callable(listener):
            raise ConfigError(f"listener must be callable, not {type(listener).__name__}")
        with self._lock:
            self._listeners[name] = (*self._listeners.get(name, ()), listener)

        def remove() -> None:
            with self._lock:
                kept = [each for each in self._listeners.get(name, ()) if each is not listener]
                self._listeners[name] = tuple(kept)

        return remove

    def emit(
        self,
        name: str,
        *,
        endpoint: str = "",
        attempt: int = 0,
        delay: float = 0.0,
        error: WirespeedError | None = None,
        detail: str = "",
    ) -> None:
        """Tell the listeners of an event."""
        listeners = self._listeners.get(name)
        if not listeners:
            return
        event = Event(name, self.service, endpoint, attempt, delay, error, detail)
        for listener in listeners:
            try:
                listener(event)
            except Exception:
                _log.exception("a listener of %s failed", name)

    def add(self, counter: str, amount: float = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[counter] += amount

    def add_exchange(self, sent: int, received: int, seconds: float) -> None:
        """Count one exchange that got its answer."""
        # Appending needs no lock; adding up, which does, is left for later.
        recent = self._recent
        recent.append((sent, received, seconds))
        if len(recent) >= _ADDED_UP_AT:
            self._add_up()

    def _add_up(self) -> None:
        with self._lock:
            counts = self._counts
            for _ in range(len(self._recent)):
                sent, received, seconds = self._recent.popleft()
                counts["requests"] += 1
                counts["bytes_sent"] += sent
                counts["bytes_received"] += received
                counts["seconds"] += seconds

    def add_failure(self) -> None:
        """Count one exchange that got none."""
        with self._lock:
            self._counts["requests"] += 1
            self._counts["failures"] += 1

    def snapshot(self) -> dict[str, float]:
        """Return the counters by name: see `COUNTERS`.

        `seconds` is the time in exchanges; RocketMQ's, which share connections, are not timed.
        """
        self._add_up()
        with self._lock:
            counts = dict(self._counts)
        for source in list(self._sources):
            for name, amount in source().items():
                counts[name] += amount
        return counts


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """One server, as a client sees it.

    Attributes:
        ok: whether the last exchange with it got an answer.
        in_use: connections that carry an exchange.
        idle: connections kept for the next.
    """

    ok: bool
    in_use: int
    idle: int


@dataclass(frozen=True, slots=True)
class Status:
    """How a client is doing; asking costs no request.

    Attributes:
        ok: whether every server answered last time.
        endpoints: the servers it spoke to, by address.
    """

    ok: bool
    endpoints: Mapping[str, EndpointStatus] = field(default_factory=dict)
