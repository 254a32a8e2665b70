"""RocketMQ clients for asyncio. `client` is generated from this folder."""

from .producer import AsyncProducer as AsyncProducer
from .producer import AsyncTransaction as AsyncTransaction
from .push import AsyncPushConsumer as AsyncPushConsumer
from .queue import AsyncQueue as AsyncQueue
