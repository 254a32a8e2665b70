"""Runs flows on an asyncio event loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar

from ..effects import Compute, Effect, Exchange, Flow, Gather, Sleep
from ..forks import track_forks as track_forks
from . import queues as queues

T = TypeVar("T")
_log = logging.getLogger("wirespeed.engine")
MAY_BLOCK = False
"""Blocking calls may not be made where an answer comes in."""
_TURN = 64
_AGAIN = 0.1
_STOPPING = 1.0


class Transport(Protocol):
    """Carries one exchange out."""

    async def exchange(self, effect: Exchange) -> Any:
        """Return the reply, or raise a `TransportError` or `ProtocolError`."""


async def run(flow: Flow[T], transport: Transport) -> T:
    """Run `flow` to its end and return its result, or raise what it raises.

    A cancellation is thrown into the flow, so its `finally` blocks run.
    """
    outcome: Any = None
    error: BaseException | None = None
    try:
        while True:
            if error is None:
                effect = flow.send(outcome)
            else:
                failure, error = error, None
                effect = flow.throw(failure)
            try:
                if type(effect) is Exchange:
                    outcome = await transport.exchange(effect)
                else:
                    outcome = await _perform(effect, transport)
            except BaseException as caught:
                error = caught
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


async def _perform(effect: Effect, transport: Transport) -> Any:
    if type(effect) is Sleep:
        return await _sleep(effect)
    if type(effect) is Compute:
        return await asyncio.to_thread(effect.function, *effect.args)
    if type(effect) is Gather:
        return await _gather(effect, transport)
    raise TypeError(f"a flow yielded {effect!r}, which is no effect")


async def _sleep(effect: Sleep) -> bool:
    wake = effect.wake
    if wake is None:
        await asyncio.sleep(effect.seconds)
        return False
    loop = asyncio.get_running_loop()
    event = asyncio.Event()

    def notify() -> None:
        loop.call_soon_threadsafe(event.set)

    wake.notify = notify
    try:
        if not wake.is_set:
            timer = loop.call_later(effect.seconds, event.set)
            try:
                await event.wait()
            finally:
                timer.cancel()
        woken, wake.is_set = wake.is_set, False
        return woken
    finally:
        wake.notify = None


async def _gather(effect: Gather, transport: Transport) -> list[Any]:
    slots = asyncio.Semaphore(max(1, effect.limit))

    async def one(flow: Flow[Any]) -> Any:
        async with slots:
            return await run(flow, transport)

    tasks = [asyncio.ensure_future(one(flow)) for flow in effect.flows]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def background_transport(transport: Transport) -> Transport:
    """Return what a `Background` runs the exchanges of a few flows on: the transport itself."""
    return transport


async def stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel flows and wait until they begin nothing more, for at most a second."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_STOPPING)


class Background:
    """Runs flows as tasks of the loop that starts them."""

    def __init__(self, transport: Transport, name: str) -> None:
        self.transport = transport
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def worker_pool(self, work: Callable[[Any], Awaitable[None]], concurrency: int) -> WorkerPool:
        """Return a pool that awaits `work` for each item put into it."""
        return WorkerPool(work, concurrency, f"{self._name}-worker")

    def start(self, flow: Flow[Any]) -> asyncio.Task[None]:
        """Begin `flow` and return its task."""
        task = asyncio.get_running_loop().create_task(self._run(flow), name=self._name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, flow: Flow[Any]) -> None:
        try:
            await run(flow, self.transport)
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("a background flow ended")

    async def close(self) -> None:
        """Cancel every flow and wait for it. Twice is fine."""
        tasks = set(self._tasks)
        while tasks:
            for task in tasks:
                task.cancel()
            # Before Python 3.12 `asyncio.wait_for` may swallow one.
            _, tasks = await asyncio.wait(tasks, timeout=_AGAIN)

    def discard(self) -> None:
        """Cancel every flow without waiting; for a client that nobody closed."""
        for task in list(self._tasks):
            if not task.get_loop().is_closed():
                task.cancel()


class WorkerPool:
    """Awaits `work(item)` for each item in up to `concurrency` tasks.

    One task takes all items as long as `work` does not suspend; further ones start when it does.
    """

    def __init__(self, work: Callable[[Any], Awaitable[None]], concurrency: int, name: str) -> None:
        self._work = work
        self._concurrency = concurrency
        self._name = name
        self._items: deque[Any] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def put(self, items: Iterable[Any]) -> None:
        """Queue items. Never blocks."""
        self._items.extend(items)
        if not self._closing:
            self._engage()

    def _engage(self) -> None:
        if self._items and len(self._tasks) < self._concurrency:
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._loop(), name=self._name)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            loop.call_soon(self._engage)

    async def _loop(self) -> None:
        turn = 0
        while self._items:
            item = self._items.popleft()
            try:
                await self._work(item)
            except Exception:
                _log.exception("a handler of %s failed", self._name)
            turn += 1
            if turn % _TURN == 0:
                await asyncio.sleep(0)

    async def close(self, timeout: float) -> int:
        """Let the tasks finish what is queued for up to `timeout` seconds, then cancel them.

        Returns:
            How many items were dropped.
        """
        self._closing = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        dropped = len(self._items)
        self._items.clear()
        return dropped


Event = asyncio.Event
Lock = asyncio.Lock


def make_state_lock() -> contextlib.nullcontext[None]:
    """Return a stand-in for a lock: state on one event loop needs none."""
    return contextlib.nullcontext()


async def call_handler(handler: Callable[[Any], Any], argument: Any) -> Any:
    """Call a user's handler, a plain function or a coroutine function, and return its result."""
    result = handler(argument)
    return await result if inspect.isawaitable(result) else result
