"""One way to call the sync and the asyncio WCS client, so that each test runs on both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from wirespeed import wcs
from wirespeed.config import Retry

FAST = Retry(attempts=3, base=0.001, cap=0.002)


class Side:
    """A client of either kind.

    Args:
        kind: "sync" or "asyncio".
        url: where both hosts of the service are.
        options: further arguments of the client.
    """

    def __init__(self, kind: str, url: str, **options: Any) -> None:
        settings = {
            "access_key": "local",
            "secret_key": "local-secret",
            "upload_url": url,
            "manage_url": url,
            "retry": FAST,
            **options,
        }
        self.client: Any = (wcs.AsyncClient if kind == "asyncio" else wcs.Client)(**settings)
        self.loop = asyncio.new_event_loop() if kind == "asyncio" else None

    def finish(self, value: Any) -> Any:
        """Return a value, of a coroutine its result, of an asynchronous iterator a list."""
        if self.loop is None:
            return value
        if inspect.isawaitable(value):
            return self.loop.run_until_complete(value)
        if hasattr(value, "__aiter__"):
            return self.loop.run_until_complete(_collect(value))
        return value

    def call(self, function: Callable[[Any], Any], bucket: str = "b") -> Any:
        """Call `function` with a bucket and return what comes of it."""
        return self.finish(function(self.client.bucket(bucket)))

    def close(self) -> None:
        """Close the client, twice."""
        for _ in range(2):
            self.finish(self.client.close())
        if self.loop is not None:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()


async def _collect(items: Any) -> list[Any]:
    return [item async for item in items]
