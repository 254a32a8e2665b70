"""How a topic's messages reach queues and HTTP addresses."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import TYPE_CHECKING

from .refusal import Refusal

if TYPE_CHECKING:
    from .state import Delivery, State, Subscription

_ANSWER_SECONDS = 15.0
_BACKOFF = (10.0, 15.0, 20.0)
_DECAY = tuple(float(min(2**power, 512)) for power in range(176))


def deliver(state: State, delivery: Delivery) -> None:
    """Begin to deliver one message; it is tried again as the subscription's strategy says."""
    subscription = _subscription(state, delivery)
    if subscription is None:
        state.journal.drop(delivery)
        return
    state.journal.save(delivery)
    subscription.pending += 1
    task = asyncio.get_running_loop().create_task(_persist(state, delivery, subscription))
    state.deliveries[delivery] = task
    task.add_done_callback(lambda _: state.deliveries.pop(delivery, None))


def _subscription(state: State, delivery: Delivery) -> Subscription | None:
    topic = state.topics.get(delivery.topic)
    return None if topic is None else topic.subscriptions.get(delivery.subscription)


async def _persist(state: State, delivery: Delivery, subscription: Subscription) -> None:
    pauses = _DECAY if subscription.strategy == "EXPONENTIAL_DECAY_RETRY" else _BACKOFF
    try:
        while _subscription(state, delivery) is subscription:
            if await _once(state, delivery, subscription) or delivery.tries >= len(pauses):
                break
            delivery.tries += 1
            state.journal.save(delivery)
            await state.clock.sleep(pauses[delivery.tries - 1])
    finally:
        subscription.pending -= 1
    state.journal.drop(delivery)


async def _once(state: State, delivery: Delivery, subscription: Subscription) -> bool:
    """Deliver once and tell whether it was taken."""
    if subscription.protocol == "queue":
        try:
            state.queue(subscription.endpoint).put(delivery.body, state.now())
        except Refusal:
            return False
        return True
    content = delivery.body
    if subscription.content == "JSON":
        fields = {
            "TopicOwner": 0,
            "topicName": delivery.topic,
            "subscriptionName": subscription.name,
            "msgId": delivery.message_id,
            "msgBody": delivery.body,
            "publishTime": int(state.now()),
        }
        content = json.dumps(fields)
    headers = {
        "Content-Type": "text/plain",
        "x-cmq-request-id": delivery.message_id,
        "x-cmq-message-id": delivery.message_id,
        "x-cmq-message-tag": ",".join(delivery.tags).encode("ascii", "replace").decode(),
    }
    return await asyncio.to_thread(_post, subscription.endpoint, content.encode(), headers)


def _post(url: str, body: bytes, headers: dict[str, str]) -> bool:
    """Post, and tell whether the answer was 2xx; no proxy has a part in it."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with opener.open(request, timeout=_ANSWER_SECONDS) as answer:
            return 200 <= int(answer.status) < 300
    except (OSError, ValueError):
        return False
