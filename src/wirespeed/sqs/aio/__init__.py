"""The SQS clients for asyncio, the source of those under `client`."""

from __future__ import annotations

from .client import AsyncClient as AsyncClient
from .consumer import AsyncConsumer as AsyncConsumer
from .producer import AsyncProducer as AsyncProducer
from .queue import AsyncQueue as AsyncQueue
from .queue import AsyncQueueListing as AsyncQueueListing

__all__ = ["AsyncClient", "AsyncConsumer", "AsyncProducer", "AsyncQueue", "AsyncQueueListing"]
