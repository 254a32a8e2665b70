# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""The SQS clients for asyncio, the source of those under `client`."""

from __future__ import annotations

from .client import Client as Client
from .consumer import Consumer as Consumer
from .producer import Producer as Producer
from .queue import Queue as Queue
from .queue import QueueListing as QueueListing

__all__ = ["Client", "Consumer", "Producer", "Queue", "QueueListing"]
