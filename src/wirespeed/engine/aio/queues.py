"""What producers and consumers that gather or hold messages are made of."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Future = asyncio.Future
InvalidStateError = asyncio.InvalidStateError


async def wait_for(future: Future[T], seconds: float | None) -> T:
    """Return a future's result, or raise what it raises; a cancellation leaves it alone.

    Raises:
        TimeoutError: it has none after `seconds`.
    """
    if future.done():
        return future.result()
    if seconds is None:
        return await asyncio.shield(future)
    try:
        return await asyncio.wait_for(asyncio.shield(future), seconds)
    except asyncio.TimeoutError:
        if future.done():
            return future.result()
        raise TimeoutError from None


pause = asyncio.sleep


def new_future() -> Future[Any]:
    """Return a future of the running loop."""
    return asyncio.get_running_loop().create_future()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class _Changes:
    """Wakes every task that waits for a change."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        for waiter in self._waiters:
            _wake(waiter)

    async def wait(self, limit: float | None) -> bool:
        """Wait for a change; False when the time `limit` has come."""
        left = None if limit is None else limit - time.monotonic()
        if left is not None and left <= 0:
            return False
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.add(waiter)
        timer = None
        if left is not None:
            timer = loop.call_later(left, _wake, waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if timer is not None:
                timer.cancel()
        return True


class Room:
    """Counts what is pending, and lets no more in than there is room for.

    Args:
        most: items at a time.
        most_bytes: bytes at a time; a single larger item is let in alone.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._changes = _Changes()
        self.count = 0
        self._bytes = 0

    async def enter(self, size: int, seconds: float | None) -> bool:
        """Let an item in; False where no room came free within `seconds`."""
        limit = None if seconds is None else time.monotonic() + seconds
        while not self._fits(size):
            if not await self._changes.wait(limit):
                return False
        self.count += 1
        self._bytes += size
        return True

    def _fits(self, size: int) -> bool:
        return self.count == 0 or (
            self.count < self._most and self._bytes + size <= self._most_bytes
        )

    def leave(self, count: int, size: int) -> None:
        """Items of `size` bytes together are no longer pending."""
        self.count -= count
        self._bytes -= size
        self._changes.notify()

    async def drained(self, seconds: float | None) -> bool:
        """Wait until nothing is pending; False after `seconds`."""
        limit = None if seconds is None else time.monotonic() + seconds
        while self.count:
            if not await self._changes.wait(limit):
                return False
        return True


class Crew:
    """Up to `limit` tasks that work as long as there is something to do.

    Args:
        work: does one piece of work; False where there was none.
        limit: tasks at a time.
        name: the tasks' name.
    """

    def __init__(self, work: Callable[[], Awaitable[bool]], limit: int, name: str) -> None:
        self._work = work
        self._limit = limit
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self) -> None:
        """There is something to do. Never blocks."""
        if len(self._tasks) < self._limit:
            task = asyncio.get_running_loop().create_task(self._loop(), name=self._name)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def lend(self, future: Future[Any]) -> None:
        """There is something to do; a task of the caller's, which may be cancelled, does none."""
        self.call()

    async def _loop(self) -> None:
        while await self._work():
            pass

    def close(self) -> None:
        """Nothing rests here: tasks end when there is nothing left."""


class Channel(Generic[T]):
    """Items that some tasks put and others take."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._changes = _Changes()
        self.closed = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, items: Iterable[T]) -> None:
        """Add items. Never blocks."""
        self._items.extend(items)
        self._changes.notify()

    async def take(self, count: int, seconds: float | None) -> list[T]:
        """Return up to `count` items: those there are, or the first to come within `seconds`.

        None waits without end. Nothing is returned once the channel is closed and empty.
        """
        limit = None if seconds is None else time.monotonic() + seconds
        while not self._items and not self.closed:
            if not await self._changes.wait(limit):
                return []
        taken = [self._items.popleft() for _ in range(min(count, len(self._items)))]
        self._changes.notify()
        return taken

    async def below(self, count: int, seconds: float | None) -> bool:
        """Wait until fewer than `count` items are left, or the channel is closed."""
        limit = None if seconds is None else time.monotonic() + seconds
        while len(self._items) >= count and not self.closed:
            if not await self._changes.wait(limit):
                return False
        return True

    def close(self) -> list[T]:
        """End every wait; return what nobody took."""
        self.closed = True
        left = list(self._items)
        self._items.clear()
        self._changes.notify()
        return left


class Worker:
    """A task that runs one function."""

    def __init__(self, function: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._task = asyncio.get_running_loop().create_task(function(), name=name)

    async def join(self, seconds: float) -> bool:
        """Cancel it, and wait for its end; False after `seconds`."""
        if asyncio.current_task() is self._task:
            return True
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([self._task], timeout=seconds)
        return self._task.done()
