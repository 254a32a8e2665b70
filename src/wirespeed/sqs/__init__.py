"""Amazon SQS: queues over HTTP."""

from __future__ import annotations

from .. import _lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..config import Credentials as Credentials
    from ..config import Retry as Retry
    from .aio import AsyncClient as AsyncClient
    from .aio import AsyncConsumer as AsyncConsumer
    from .aio import AsyncProducer as AsyncProducer
    from .aio import AsyncQueue as AsyncQueue
    from .aio import AsyncQueueListing as AsyncQueueListing
    from .client import Client as Client
    from .client import Consumer as Consumer
    from .client import Producer as Producer
    from .client import Queue as Queue
    from .client import QueueListing as QueueListing
    from .credentials import find_credentials as find_credentials
    from .metadata import MetadataCredentials as MetadataCredentials
    from .models import Attribute as Attribute
    from .models import Message as Message
    from .models import MoveTask as MoveTask
    from .models import ReceivedMessage as ReceivedMessage
    from .models import SendResult as SendResult

_HOMES = {
    "AsyncClient": ".aio",
    "AsyncConsumer": ".aio",
    "AsyncProducer": ".aio",
    "AsyncQueue": ".aio",
    "AsyncQueueListing": ".aio",
    "Attribute": ".models",
    "Client": ".client",
    "Consumer": ".client",
    "Credentials": "..config",
    "Message": ".models",
    "MetadataCredentials": ".metadata",
    "MoveTask": ".models",
    "Producer": ".client",
    "Queue": ".client",
    "QueueListing": ".client",
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
