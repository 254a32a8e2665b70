"""RocketMQ clients of both kinds, called the same way; asyncio runs on a thread of its own."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable
from typing import Any

from wirespeed import rocketmq

KINDS = ("threads", "asyncio")


class Side:
    """Clients of one kind.

    Args:
        kind: "threads" or "asyncio".
        namesrv: the name server that they are given.
    """

    def __init__(self, kind: str, namesrv: str) -> None:
        self.kind = kind
        self.namesrv = namesrv
        self.loop = asyncio.new_event_loop() if kind == "asyncio" else None
        self.made: list[Any] = []
        self.thread = threading.Thread(target=self._run_loop, daemon=True)
        if self.loop is not None:
            self.thread.start()

    def _run_loop(self) -> None:
        assert self.loop is not None
        self.loop.run_forever()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def make(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Return a client, such as "Producer", of this kind."""
        options.setdefault("namesrv", self.namesrv)

        async def build() -> Any:
            return getattr(rocketmq, f"Async{name}")(*arguments, **options)

        made = (
            getattr(rocketmq, name)(*arguments, **options)
            if self.loop is None
            else asyncio.run_coroutine_threadsafe(build(), self.loop).result(10)
        )
        self.made.append(made)
        return made

    def do(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call a client's method and return what comes of it."""
        if self.loop is None:
            return method(*arguments, **options)

        async def call() -> Any:
            result = method(*arguments, **options)
            return await result if inspect.isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(90)

    def result(self, future: Any) -> Any:
        """Return a submitted message's result."""
        if self.loop is None:
            return future.result(30)

        async def wait() -> Any:
            return await future

        return asyncio.run_coroutine_threadsafe(wait(), self.loop).result(30)

    def take(self, iterable: Any, count: int) -> list[Any]:
        """Return the first items of a client that is iterated over."""
        found: list[Any] = []
        if self.loop is None:
            for item in iterable:
                found.append(item)
                if len(found) == count:
                    break
            return found

        async def collect() -> None:
            async for item in iterable:
                found.append(item)
                if len(found) == count:
                    break

        asyncio.run_coroutine_threadsafe(collect(), self.loop).result(60)
        return found

    def close(self) -> None:
        """Close every client, twice."""
        for client in [*reversed(self.made), *self.made]:
            self.do(client.close)
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(10)


class Inbox:
    """A handler that keeps what it gets."""

    def __init__(self, verdict: Callable[[Any], Any] = lambda _: None) -> None:
        self.got: list[Any] = []
        self._verdict = verdict

    def __call__(self, given: Any) -> Any:
        self.got.append(given)
        return self._verdict(given)

    def bodies(self) -> list[bytes]:
        """Return the bodies, in the order in which they came."""
        return [message.body for message in self.got]


def until(condition: Callable[[], Any], seconds: float = 40.0) -> Any:
    """Wait until something holds, and return it."""
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "it did not come true in time"
        time.sleep(0.05)
    return found
