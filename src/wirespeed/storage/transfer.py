"""The plan of a transfer, for every store and both ways: parts, several at a time, once each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ..config import whole
from ..engine.effects import Flow, Gather

T = TypeVar("T")
MEMORY = 64 * 1024 * 1024
"""Bytes that the parts under way may take together, however large the file."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file.

    Attributes:
        index: which, from 0.
        offset: where it begins.
        size: its bytes.
    """

    index: int
    offset: int
    size: int


def plan(size: int, part_size: int) -> list[Part]:
    """Divide a file into parts; an empty one has none."""
    return [
        Part(index, offset, min(part_size, size - offset))
        for index, offset in enumerate(range(0, size, part_size))
    ]


def room_for(workers: int, part_size: int) -> int:
    """Return how many of `workers` parts may be under way at a time."""
    return max(1, min(workers, MEMORY // part_size))


class Reporter(Protocol):
    """Takes the progress; see `progress.ProgressReporter`."""

    def reach(self, block: int, offset: int, *, resumed: bool = False) -> None:
        """That many bytes of a part are confirmed."""


def carry(
    parts: Sequence[Part],
    carry_one: Callable[[Part], Flow[T]],
    workers: int,
    *,
    reporter: Reporter,
    done: Callable[[Part], T | None] | None = None,
    note: Callable[[Part, T], Any] | None = None,
) -> Flow[list[T]]:
    """Carry every part, `workers` at a time; return what each gave, in order.

    Args:
        parts: the plan.
        carry_one: returns the flow that carries one part.
        workers: how many at a time.
        reporter: takes the progress.
        done: returns what a part gave in an earlier run, or None where it is to be carried.
        note: called with each part that was carried and what it gave.
    """

    def one(part: Part) -> Flow[T]:
        before = done(part) if done is not None else None
        if before is not None:
            reporter.reach(part.index, part.size, resumed=True)
            return before
        result = yield from carry_one(part)
        if note is not None:
            note(part, result)
        reporter.reach(part.index, part.size)
        return result

    return (yield Gather([one(part) for part in parts], workers))  # type: ignore[no-any-return]


class RateLimit:
    """Spreads bytes over time. Share one between transfers to limit them together. Thread-safe.

    Args:
        bytes_per_second: at least 1.

    Raises:
        ConfigError: it is not.
    """

    def __init__(self, bytes_per_second: int) -> None:
        self._rate = whole(bytes_per_second, "limit_rate", 1, 1 << 50)
        self._lock = threading.Lock()
        self._free_at = 0.0

    def delay(self, count: int, now: float) -> float:
        """Return the seconds to wait before `count` more bytes may go."""
        with self._lock:
            start = max(self._free_at, now)
            self._free_at = start + count / self._rate
            return start - now


def rate_limit(given: int | RateLimit | None) -> RateLimit | None:
    """Return a transfer's limit, of a number of bytes a second or a limit that others share.

    Raises:
        ConfigError: it is neither.
    """
    return given if given is None or isinstance(given, RateLimit) else RateLimit(given)


def byte_range(start: int | None, end: int | None) -> list[tuple[str, str]]:
    """Return the header that asks for the bytes from `start` on, and before `end`; none for all.

    Raises:
        ConfigError: they are no range.
    """
    if start is None and end is None:
        return []
    first = whole(0 if start is None else start, "start", 0, 2**63 - 1)
    last = "" if end is None else str(whole(end, "end", first + 1, 2**63 - 1) - 1)
    return [("Range", f"bytes={first}-{last}")]
