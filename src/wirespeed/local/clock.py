"""The time of a cloud: the machine's, which can be moved ahead."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import time
from collections.abc import Callable

from ..errors import ConfigError

_FARTHEST = 10 * 366 * 86_400.0

_skew: contextvars.ContextVar[float] = contextvars.ContextVar("wirespeed_skew", default=0.0)


def skew(seconds: float) -> None:
    """Let the rest of the running task see a clock that is wrong by some seconds."""
    _skew.set(seconds)


class Timer:
    """A call to come; see `Clock.later`."""

    __slots__ = ("_call", "due")

    def __init__(self, due: float, call: Callable[[], object]) -> None:
        self.due = due
        self._call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Do not call. A second time does nothing."""
        self._call = None

    def fire(self) -> None:
        """Call, once."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Clock:
    """Tells the time and calls back at times. One event loop uses it, but for `now`.

    Attributes:
        ahead: seconds that it is before the machine's clock.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._handle: asyncio.TimerHandle | None = None
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        """Return the time, seconds since 1970."""
        return self._time() + _skew.get()

    def _time(self) -> float:
        return time.time() + self.ahead

    def wall(self) -> float:
        """Return the time that nobody has moved, seconds since 1970: clients sign by theirs."""
        return time.time() + _skew.get()

    def milliseconds(self) -> int:
        """Return the time, milliseconds since 1970."""
        return int(self.now() * 1000)

    def later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Call back after some seconds of this clock."""
        return self.at(self.now() + seconds, call)

    def at(self, due: float, call: Callable[[], object]) -> Timer:
        """Call back when it is `due`, seconds since 1970; at once where that is past."""
        timer = Timer(due, call)
        heapq.heappush(self._timers, (due, next(self._numbers), timer))
        if self._timers[0][2] is timer:
            self._arm()
        return timer

    async def sleep(self, seconds: float) -> None:
        """Return after some seconds of this clock."""
        over = asyncio.Event()
        timer = self.later(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    def on_travel(self, call: Callable[[], None]) -> None:
        """Call back whenever the clock has been moved."""
        self._listeners.append(call)

    def travel(self, seconds: float) -> None:
        """Move the clock ahead; what falls due is called in the loop's next rounds.

        Raises:
            ConfigError: `seconds` is negative, or more than ten years.
        """
        if not 0 <= seconds <= _FARTHEST:
            raise ConfigError(f"seconds must be from 0 to {_FARTHEST:.0f}, not {seconds}")
        self.ahead += seconds
        self._arm()
        for call in self._listeners:
            call()

    def stop(self) -> None:
        """Forget all calls to come."""
        self._timers.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._timers:
            wait = max(0.0, self._timers[0][0] - self._time())
            self._handle = asyncio.get_running_loop().call_later(wait, self._ring)

    def _ring(self) -> None:
        now = self._time()
        try:
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2].fire()
        finally:
            self._arm()
