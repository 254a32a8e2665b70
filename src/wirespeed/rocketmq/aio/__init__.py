"""RocketMQ clients for asyncio. `client` is generated from this folder."""

from .admin import AsyncAdmin as AsyncAdmin
from .lite import AsyncLitePullConsumer as AsyncLitePullConsumer
from .producer import AsyncProducer as AsyncProducer
from .producer import AsyncTransaction as AsyncTransaction
from .push import AsyncPushConsumer as AsyncPushConsumer
from .queue import AsyncQueue as AsyncQueue
from .simple import AsyncSimpleConsumer as AsyncSimpleConsumer
