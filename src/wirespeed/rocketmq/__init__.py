"""Apache RocketMQ over its remoting protocol."""

from __future__ import annotations

from .. import _lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..config import Credentials as Credentials
    from ..remoting.connection import Tls as Tls
    from .aio import AsyncAdmin as AsyncAdmin
    from .aio import AsyncLitePullConsumer as AsyncLitePullConsumer
    from .aio import AsyncProducer as AsyncProducer
    from .aio import AsyncPushConsumer as AsyncPushConsumer
    from .aio import AsyncQueue as AsyncQueue
    from .aio import AsyncSimpleConsumer as AsyncSimpleConsumer
    from .client import Admin as Admin
    from .client import LitePullConsumer as LitePullConsumer
    from .client import Producer as Producer
    from .client import PushConsumer as PushConsumer
    from .client import Queue as Queue
    from .client import SimpleConsumer as SimpleConsumer
    from .flow.rebalance import allocate_average as allocate_average
    from .flow.rebalance import allocate_circle as allocate_circle
    from .flow.rebalance import allocate_configured as allocate_configured
    from .flow.rebalance import allocate_consistent_hash as allocate_consistent_hash
    from .models import BrokerInfo as BrokerInfo
    from .models import ConsumerConnection as ConsumerConnection
    from .models import ConsumeResult as ConsumeResult
    from .models import GroupProgress as GroupProgress
    from .models import Message as Message
    from .models import MessageQueue as MessageQueue
    from .models import QueueProgress as QueueProgress
    from .models import QueueStats as QueueStats
    from .models import ReceivedMessage as ReceivedMessage
    from .models import SendResult as SendResult
    from .models import SendStatus as SendStatus
    from .models import Sql as Sql
    from .models import StartFrom as StartFrom
    from .models import TransactionStatus as TransactionStatus

_HOMES = {
    "Admin": ".client.admin",
    "AsyncAdmin": ".aio.admin",
    "AsyncLitePullConsumer": ".aio.lite",
    "AsyncProducer": ".aio.producer",
    "AsyncPushConsumer": ".aio.push",
    "AsyncQueue": ".aio.queue",
    "AsyncSimpleConsumer": ".aio.simple",
    "BrokerInfo": ".models",
    "ConsumeResult": ".models",
    "ConsumerConnection": ".models",
    "Credentials": "..config",
    "GroupProgress": ".models",
    "LitePullConsumer": ".client.lite",
    "Message": ".models",
    "MessageQueue": ".models",
    "Producer": ".client.producer",
    "PushConsumer": ".client.push",
    "Queue": ".client.queue",
    "QueueProgress": ".models",
    "QueueStats": ".models",
    "ReceivedMessage": ".models",
    "SendResult": ".models",
    "SendStatus": ".models",
    "SimpleConsumer": ".client.simple",
    "Sql": ".models",
    "StartFrom": ".models",
    "Tls": "..remoting.connection",
    "TransactionStatus": ".models",
    "allocate_average": ".flow.rebalance",
    "allocate_circle": ".flow.rebalance",
    "allocate_configured": ".flow.rebalance",
    "allocate_consistent_hash": ".flow.rebalance",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    return _lazy.load(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
