"""Apache RocketMQ over its remoting protocol."""

from __future__ import annotations

from .. import _lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..config import Credentials as Credentials
    from .aio import AsyncProducer as AsyncProducer
    from .aio import AsyncPushConsumer as AsyncPushConsumer
    from .aio import AsyncQueue as AsyncQueue
    from .client import Producer as Producer
    from .client import PushConsumer as PushConsumer
    from .client import Queue as Queue
    from .models import ConsumeResult as ConsumeResult
    from .models import Message as Message
    from .models import MessageQueue as MessageQueue
    from .models import ReceivedMessage as ReceivedMessage
    from .models import SendResult as SendResult
    from .models import SendStatus as SendStatus
    from .models import StartFrom as StartFrom
    from .models import TransactionStatus as TransactionStatus

_HOMES = {
    "AsyncProducer": ".aio.producer",
    "AsyncPushConsumer": ".aio.push",
    "AsyncQueue": ".aio.queue",
    "ConsumeResult": ".models",
    "Credentials": "..config",
    "Message": ".models",
    "MessageQueue": ".models",
    "Producer": ".client.producer",
    "PushConsumer": ".client.push",
    "Queue": ".client.queue",
    "ReceivedMessage": ".models",
    "SendResult": ".models",
    "SendStatus": ".models",
    "StartFrom": ".models",
    "TransactionStatus": ".models",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    return _lazy.load(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
