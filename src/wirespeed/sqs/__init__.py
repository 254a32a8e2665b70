"""Amazon SQS: queues over HTTP."""

from __future__ import annotations

from .. import _lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..config import Credentials as Credentials
    from ..config import Retry as Retry
    from .aio.client import AsyncClient as AsyncClient
    from .aio.consumer import AsyncConsumer as AsyncConsumer
    from .aio.producer import AsyncProducer as AsyncProducer
    from .aio.queue import AsyncQueue as AsyncQueue
    from .aio.queue import AsyncQueueListing as AsyncQueueListing
    from .client.client import Client as Client
    from .client.consumer import Consumer as Consumer
    from .client.producer import Producer as Producer
    from .client.queue import Queue as Queue
    from .client.queue import QueueListing as QueueListing
    from .credentials import find_credentials as find_credentials
    from .metadata import MetadataCredentials as MetadataCredentials
    from .models import Attribute as Attribute
    from .models import Message as Message
    from .models import MoveTask as MoveTask
    from .models import ReceivedMessage as ReceivedMessage
    from .models import SendResult as SendResult

_HOMES = {
    "AsyncClient": ".aio.client",
    "AsyncConsumer": ".aio.consumer",
    "AsyncProducer": ".aio.producer",
    "AsyncQueue": ".aio.queue",
    "AsyncQueueListing": ".aio.queue",
    "Attribute": ".models",
    "Client": ".client.client",
    "Consumer": ".client.consumer",
    "Credentials": "..config",
    "Message": ".models",
    "MetadataCredentials": ".metadata",
    "MoveTask": ".models",
    "Producer": ".client.producer",
    "Queue": ".client.queue",
    "QueueListing": ".client.queue",
    "ReceivedMessage": ".models",
    "Retry": "..config",
    "SendResult": ".models",
    "find_credentials": ".credentials",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    return _lazy.load(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
