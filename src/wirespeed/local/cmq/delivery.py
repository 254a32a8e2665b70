"""How a topic's messages reach queues and HTTP addresses."""

from __future__ import annotations

import asyncio
import json
import urllib.request

from .refusal import Refusal
from .state import State, Subscription, Topic

_ANSWER_SECONDS = 15.0
_BACKOFF = (10.0, 15.0, 20.0)
_DECAY = tuple(float(min(2**power, 512)) for power in range(176))


def deliver(
    state: State, topic: Topic, subscription: Subscription, message_id: str, body: str,
    tags: list[str],
) -> None:  # fmt: skip
    """Begin to deliver one message; it is tried again as the subscription's strategy says."""
    subscription.pending += 1
    task = asyncio.get_running_loop().create_task(
        _persist(state, topic, subscription, message_id, body, tags)
    )
    state.deliveries.add(task)
    task.add_done_callback(state.deliveries.discard)


async def _persist(
    state: State, topic: Topic, subscription: Subscription, message_id: str, body: str,
    tags: list[str],
) -> None:  # fmt: skip
    pauses = _DECAY if subscription.strategy == "EXPONENTIAL_DECAY_RETRY" else _BACKOFF
    try:
        for pause in (*pauses, None):
            if topic.subscriptions.get(subscription.name) is not subscription:
                return
            if await _once(state, topic, subscription, message_id, body, tags) or pause is None:
                return
            await asyncio.sleep(pause)
    finally:
        subscription.pending -= 1


async def _once(
    state: State, topic: Topic, subscription: Subscription, message_id: str, body: str,
    tags: list[str],
) -> bool:  # fmt: skip
    """Deliver once and tell whether it was taken."""
    if subscription.protocol == "queue":
        try:
            state.queue(subscription.endpoint).put(body, state.now())
        except Refusal:
            return False
        return True
    content = body
    if subscription.content == "JSON":
        fields = {
            "TopicOwner": 0,
            "topicName": topic.name,
            "subscriptionName": subscription.name,
            "msgId": message_id,
            "msgBody": body,
            "publishTime": int(state.now()),
        }
        content = json.dumps(fields)
    headers = {
        "Content-Type": "text/plain",
        "x-cmq-request-id": message_id,
        "x-cmq-message-id": message_id,
        "x-cmq-message-tag": ",".join(tags).encode("ascii", "replace").decode(),
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
