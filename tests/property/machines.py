"""What the state machines of the local services share: a clock, a loop, and how long they run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings

from wirespeed.local.clock import Clock as LocalClock

_Result = TypeVar("_Result")

_FEW = 5 if "WIRESPEED_BACKEND" in os.environ else 25
"""The services are the same whatever the backend: the long run is for one of them."""

QUICK = settings(
    max_examples=2 * _FEW,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
QUICK_HTTP = settings(QUICK, max_examples=_FEW // 2)


class Clock:
    """A clock that stands still until it is set forward: seconds since 1970."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Still(LocalClock):
    """A local cloud's clock that goes by one which is set by hand."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def _time(self) -> float:
        return self._clock.now


class Loop:
    """An event loop of a state machine, which runs one coroutine at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def __call__(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return self._loop.run_until_complete(asyncio.wait_for(work, 5))

    def close(self) -> None:
        """End it."""
        self._loop.close()
