"""CMQ clients for asyncio. `client` is generated from this folder."""

from .client import AsyncClient as AsyncClient
from .queue import AsyncQueue as AsyncQueue
from .topic import AsyncSubscription as AsyncSubscription
from .topic import AsyncTopic as AsyncTopic
