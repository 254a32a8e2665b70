"""Long polls: who waits for a message, and whose client may leave."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")
CLIENT_LEFT = 499
"""The status that nobody reads."""


async def while_there(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns, and break it off when the client leaves.

    A message must not be given to a client that is gone.

    Raises:
        ClientDisconnect: it left.
    """
    task = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait([task, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not task.done():
            task.cancel()
    if task.cancelled() or not task.done():
        raise ClientDisconnect
    return task.result()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Awaited:
    """Something that may change while others wait for it."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    async def changed(self, seconds: float) -> None:
        """Return when something may have changed, or after some seconds."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await asyncio.wait([waiter], timeout=max(0.0, seconds))
        finally:
            self._waiting.discard(waiter)
