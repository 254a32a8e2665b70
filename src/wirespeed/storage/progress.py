"""Tells a caller how far a transfer is."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .models import Progress, ProgressCallback, check_progress

_REPORT_EVERY = 0.1


class ProgressReporter:
    """Tells a caller's callback how far the blocks are.

    The callback runs in one thread at a time, sees `done` only grow, and is called at most
    ten times a second besides the first and the last call. What it raises goes to the
    transfer, which stops.

    Args:
        callback: called with a `Progress`, or an object whose `update(n)` takes bytes.
        key: the object's key.
        total: bytes in all.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        callback: ProgressCallback | None,
        key: str,
        total: int,
        clock: Callable[[], float],
    ) -> None:
        check_progress(callback)
        self._callback = callback
        self._key = key
        self._total = total
        self._clock = clock
        self._lock = threading.Lock()
        self._reached: dict[int, int] = {}
        self._done = 0
        self._reported = 0
        self._resumed = 0
        self._began = self._last = clock()

    def start(self) -> None:
        """Make the first call, with nothing done."""
        with self._lock:
            self._call()

    def reach(self, block: int, offset: int, *, resumed: bool = False) -> None:
        """Take note that `offset` bytes of a block are confirmed; a lower offset is ignored.

        `resumed` says that this transfer did not carry them.
        """
        with self._lock:
            before = self._reached.get(block, 0)
            if offset <= before:
                return
            self._reached[block] = offset
            self._done += offset - before
            if resumed:
                self._resumed += offset - before
            if self._done == self._total or self._clock() - self._last >= _REPORT_EVERY:
                self._call()

    def _call(self) -> None:
        callback = self._callback
        if callback is None:
            return
        self._last = now = self._clock()
        if callable(callback):
            elapsed = now - self._began
            callback(Progress(self._done, self._total, self._key, elapsed, self._resumed))
        elif self._done > self._reported:
            callback.update(self._done - self._reported)
        self._reported = self._done
