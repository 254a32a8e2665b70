"""What producers and consumers that gather or hold messages are made of."""

from __future__ import annotations

import concurrent.futures
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Future = concurrent.futures.Future
InvalidStateError = concurrent.futures.InvalidStateError
_SLICE = 0.1 if sys.platform == "win32" else None


def wait_for(future: Future[T], seconds: float | None) -> T:
    """Return a future's result, or raise what it raises.

    Raises:
        TimeoutError: it has none after `seconds`.
    """
    if future.done():
        return future.result()
    limit = None if seconds is None else time.monotonic() + seconds
    while True:
        left = _SLICE if limit is None else max(0.0, limit - time.monotonic())
        if _SLICE is not None and left is not None:
            left = min(left, _SLICE)
        try:
            return future.result(left)
        except concurrent.futures.TimeoutError:
            if future.done():
                return future.result()
            if limit is not None and time.monotonic() >= limit:
                raise TimeoutError from None


def _wait(changed: threading.Condition, limit: float | None) -> bool:
    """Wait for a change; False when the time `limit` has come."""
    left = None if limit is None else limit - time.monotonic()
    if left is not None and left <= 0:
        return False
    if _SLICE is not None:
        left = _SLICE if left is None else min(left, _SLICE)
    changed.wait(left)
    return True


pause = time.sleep


def new_future() -> Future[Any]:
    """Return a future that another thread will complete."""
    return Future()


class Room:
    """Counts what is pending, and lets no more in than there is room for.

    Args:
        most: items at a time.
        most_bytes: bytes at a time; a single larger item is let in alone.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._waiting = 0
        self.count = 0
        self._bytes = 0

    def enter(self, size: int, seconds: float | None) -> bool:
        """Let an item in; False where no room came free within `seconds`."""
        with self._changed:
            if not self._fits(size):
                limit = None if seconds is None else time.monotonic() + seconds
                self._waiting += 1
                try:
                    while not self._fits(size):
                        if not _wait(self._changed, limit):
                            return False
                finally:
                    self._waiting -= 1
            self.count += 1
            self._bytes += size
            return True

    def _fits(self, size: int) -> bool:
        return self.count == 0 or (
            self.count < self._most and self._bytes + size <= self._most_bytes
        )

    def leave(self, count: int, size: int) -> None:
        """Items of `size` bytes together are no longer pending."""
        with self._changed:
            self.count -= count
            self._bytes -= size
            if self._waiting:
                self._changed.notify_all()

    def drained(self, seconds: float | None) -> bool:
        """Wait until nothing is pending; False after `seconds`."""
        limit = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            self._waiting += 1
            try:
                while self.count:
                    if not _wait(self._changed, limit):
                        return False
            finally:
                self._waiting -= 1
        return True


class Crew:
    """Up to `limit` threads that work as long as there is something to do, then rest.

    Args:
        work: does one piece of work; False where there was none.
        limit: threads at a time.
        name: the threads' name.
    """

    def __init__(self, work: Callable[[], bool], limit: int, name: str) -> None:
        self._work = work
        self._limit = limit
        self._name = name
        self._changed = threading.Condition()
        self._busy = 0
        self._resting = 0
        self._wakes = 0
        self._calls = 0
        self._closing = False

    def call(self) -> None:
        """There is something to do. Never blocks."""
        with self._changed:
            self._calls += 1
            if self._busy >= self._limit or self._closing:
                return
            self._busy += 1
            if self._resting:
                self._resting -= 1
                self._wakes += 1
                self._changed.notify()
                return
        threading.Thread(target=self._loop, name=self._name, daemon=True).start()

    def lend(self, future: Future[Any]) -> None:
        """Let the calling thread work, where there is a place, until `future` is done."""
        with self._changed:
            self._calls += 1
            if self._busy >= self._limit or self._closing:
                return
            self._busy += 1
        self._work_off(future)

    def _work_off(self, future: Future[Any] | None) -> None:
        """Work until there is nothing left, then give the place up."""
        try:
            while True:
                calls = self._calls
                while (more := self._work()) and (future is None or not future.done()):
                    pass
                if more:
                    break
                with self._changed:
                    if self._calls == calls:
                        self._busy -= 1
                        return
        except BaseException:
            self._hand_over()
            raise
        self._hand_over()

    def _hand_over(self) -> None:
        with self._changed:
            self._busy -= 1
        self.call()

    def _loop(self) -> None:
        while True:
            self._work_off(None)
            with self._changed:
                if self._closing:
                    return
                self._resting += 1
                while not self._wakes and not self._closing:
                    self._changed.wait()
                if not self._wakes:
                    return
                self._wakes -= 1

    def close(self) -> None:
        """Let the resting threads end; those that work end when there is nothing left."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()


class Channel(Generic[T]):
    """Items that some threads put and others take."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self.closed = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, items: Iterable[T]) -> None:
        """Add items. Never blocks."""
        with self._changed:
            self._items.extend(items)
            self._changed.notify_all()

    def take(self, count: int, seconds: float | None) -> list[T]:
        """Return up to `count` items: those there are, or the first to come within `seconds`.

        None waits without end. Nothing is returned once the channel is closed and empty.
        """
        limit = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while not self._items and not self.closed:
                if not _wait(self._changed, limit):
                    return []
            taken = [self._items.popleft() for _ in range(min(count, len(self._items)))]
            self._changed.notify_all()
            return taken

    def below(self, count: int, seconds: float | None) -> bool:
        """Wait until fewer than `count` items are left, or the channel is closed."""
        limit = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while len(self._items) >= count and not self.closed:
                if not _wait(self._changed, limit):
                    return False
            return True

    def close(self) -> list[T]:
        """End every wait; return what nobody took."""
        with self._changed:
            self.closed = True
            left = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            return left


class Worker:
    """A thread that runs one function."""

    def __init__(self, function: Callable[[], None], name: str) -> None:
        self._thread = threading.Thread(target=function, name=name, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for its end; False after `seconds`. The function itself must know when to end."""
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)
        return not self._thread.is_alive()
