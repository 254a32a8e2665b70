"""Tencent CMQ: queues and topics over HTTP."""

from __future__ import annotations

from .. import _lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..config import Credentials as Credentials
    from ..config import Retry as Retry
    from .aio import AsyncClient as AsyncClient
    from .aio import AsyncQueue as AsyncQueue
    from .aio import AsyncSubscription as AsyncSubscription
    from .aio import AsyncTopic as AsyncTopic
    from .client import Client as Client
    from .client import Queue as Queue
    from .client import Subscription as Subscription
    from .client import Topic as Topic
    from .models import DeadLetterPolicy as DeadLetterPolicy
    from .models import ReceivedMessage as ReceivedMessage
    from .models import SendResult as SendResult

_HOMES = {
    "AsyncClient": ".aio",
    "AsyncQueue": ".aio",
    "AsyncSubscription": ".aio",
    "AsyncTopic": ".aio",
    "Client": ".client",
    "Credentials": "..config",
    "DeadLetterPolicy": ".models",
    "Queue": ".client",
    "ReceivedMessage": ".models",
    "Retry": "..config",
    "SendResult": ".models",
    "Subscription": ".client",
    "Topic": ".client",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    return _lazy.load(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
