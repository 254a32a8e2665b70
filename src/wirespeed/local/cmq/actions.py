"""What each action of CMQ does."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from .delivery import deliver
from .refusal import Refusal, bad_parameter
from .state import (
    DeadLetters,
    Delivery,
    Queue,
    State,
    StoredMessage,
    Subscription,
    Topic,
    new_message_id,
)

Fields = dict[str, str]
Reply = dict[str, Any]

BATCH_LIMIT = 16
BATCH_BYTES = 1024 * 1024
RECREATE_SECONDS = 30.0
MOST_SOURCES = 6
_NAME = re.compile(r"[a-zA-Z][A-Za-z0-9_-]{0,63}")
_QUEUE_NUMBERS = {
    "maxMsgHeapNum": (1, 1_000_000_000),
    "maxMsgSize": (1024, 1_048_576),
    "msgRetentionSeconds": (60, 1_296_000),
    "pollingWaitSeconds": (0, 30),
    "rewindSeconds": (0, 43_200),
    "visibilityTimeout": (1, 43_200),
}


class Actions:
    """Every action, by its name; `run` finds it.

    Args:
        state: the queues and topics.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._actions: dict[str, Callable[[Fields], Reply | Awaitable[Reply]]] = {
            "BatchDeleteMessage": self._delete_messages,
            "BatchPublishMessage": self._publish_many,
            "BatchReceiveMessage": self._receive_many,
            "BatchSendMessage": self._send_many,
            "ClearSubscriptionFilterTags": self._clear_tags,
            "CreateQueue": self._create_queue,
            "CreateTopic": self._create_topic,
            "DeleteMessage": self._delete_message,
            "DeleteQueue": self._delete_queue,
            "DeleteTopic": self._delete_topic,
            "GetQueueAttributes": self._get_queue,
            "GetSubscriptionAttributes": self._get_subscription,
            "GetTopicAttributes": self._get_topic,
            "ListDeadLetterSourceQueues": self._list_sources,
            "ListQueue": self._list_queues,
            "ListSubscriptionByTopic": self._list_subscriptions,
            "ListTopic": self._list_topics,
            "PublishMessage": self._publish,
            "ReceiveMessage": self._receive,
            "RewindQueue": self._rewind,
            "SendMessage": self._send,
            "SetQueueAttributes": self._set_queue,
            "SetSubscriptionAttributes": self._set_subscription,
            "SetTopicAttributes": self._set_topic,
            "Subscribe": self._subscribe,
            "UnbindDeadLetterQueue": self._unbind,
            "Unsubscribe": self._unsubscribe,
        }

    async def run(self, fields: Fields) -> Reply:
        """Carry out an action.

        Raises:
            Refusal: the service says no.
        """
        handler = self._actions.get(fields["Action"])
        if handler is None:
            raise bad_parameter("Action", "one that there is")
        result = handler(fields)
        return result if isinstance(result, dict) else await result

    # ---- queues ----

    def _queue(self, fields: Fields) -> Queue:
        queue = self._state.queue(name_of(fields, "queueName"))
        for name in self._sources(queue):
            # Its dead letters come when they are due, though nobody asks for the queue itself.
            self._state.queues[name].forget(self._state.now())
        return queue

    def _create_queue(self, fields: Fields) -> Reply:
        name = name_of(fields, "queueName")
        attributes = queue_numbers(fields)
        self._check_new(name, "queue", self._state.queues)
        queue = Queue(name, attributes, self._state.now(), self._state.journal)
        queue.dead_letters = self._dead_letters(queue, fields)
        self._state.queues[name] = queue
        self._state.journal.save(queue)
        return {"queueId": queue.queue_id}

    def _check_new(self, name: str, kind: str, there: object) -> None:
        assert isinstance(there, dict)
        if name in there:
            raise Refusal(4460, f"the {kind} {name} exists already")
        if self._state.now() < self._state.deleted.get(f"{kind} {name}", 0) + RECREATE_SECONDS:
            raise Refusal(6040, f"the {kind} {name} was deleted less than 30 seconds ago")

    def _delete_queue(self, fields: Fields) -> Reply:
        queue = self._queue(fields)
        if self._sources(queue):
            raise Refusal(4000, "(10750)a dead letter queue in use is not allowed to be deleted")
        del self._state.queues[queue.name]
        self._state.deleted[f"queue {queue.name}"] = self._state.now()
        queue.drop()
        return {}

    def _get_queue(self, fields: Fields) -> Reply:
        return self._queue(fields).describe(self._state.now())

    def _set_queue(self, fields: Fields) -> Reply:
        queue = self._queue(fields)
        dead_letters = self._dead_letters(queue, fields)
        queue.attributes.update(queue_numbers(fields))
        queue.dead_letters = dead_letters or queue.dead_letters
        queue.modified = self._state.now()
        self._state.journal.save(queue)
        queue.wake()
        return {}

    def _list_queues(self, fields: Fields) -> Reply:
        items = [
            {"queueId": queue.queue_id, "queueName": name}
            for name, queue in sorted(self._state.queues.items())
        ]
        return page(fields, items, "queueName", "queueList")

    def _dead_letters(self, queue: Queue, fields: Fields) -> DeadLetters | None:
        """Return the policy that the parameters give, checked."""
        if "deadLetterPolicy" not in fields:
            return None
        try:
            policy = json.loads(fields["deadLetterPolicy"])
        except ValueError:
            policy = None
        if not isinstance(policy, dict):
            raise Refusal(4000, "(10710)deadLetterPolicy must be a json string")
        name = policy.get("deadLetterQueue")
        if not isinstance(name, str):
            raise Refusal(4000, "(10760)the deadLetterPolicy must have deadLetterQueue, a string")
        kind = policy.get("policy")
        if kind not in (0, 1) or isinstance(kind, bool):
            raise Refusal(4000, "(10770)the deadLetterPolicy must have policy, 0 or 1")
        limit = policy.get("maxTimeToLive" if kind else "maxReceiveCount")
        low, high = (300, 43_200) if kind else (1, 1000)
        if not isinstance(limit, int) or not low <= limit <= high:
            raise Refusal(4000, "(10720)deadLetterPolicy params error")
        target = self._state.queues.get(name)
        if target is None:
            raise Refusal(4000, "(10730)deadLetter queue not exist")
        if target is queue or target.dead_letters or self._sources(queue):
            raise Refusal(4000, "(10740)deadLetter queue is not allowed to nest")
        if len({*self._sources(target), queue.name}) > MOST_SOURCES:
            raise Refusal(4000, "(10780)the deadLetter queue is bound too many times")
        return DeadLetters(target, 0, limit) if kind else DeadLetters(target, limit, 0)

    def _sources(self, target: Queue) -> list[str]:
        """Return the names of the queues whose dead letters come to one."""
        return sorted(
            queue.name
            for queue in self._state.queues.values()
            if queue.dead_letters is not None and queue.dead_letters.target is target
        )

    def _list_sources(self, fields: Fields) -> Reply:
        target = self._state.queue(name_of(fields, "deadLetterQueueName"))
        items = [
            {"queueId": self._state.queues[name].queue_id, "queueName": name}
            for name in self._sources(target)
        ]
        return page(fields, items, "queueName", "queueList")

    def _unbind(self, fields: Fields) -> Reply:
        queue = self._queue(fields)
        if queue.dead_letters is None:
            raise Refusal(4000, "(10730)deadLetter queue not exist")
        queue.dead_letters = None
        self._state.journal.save(queue)
        return {}

    def _rewind(self, fields: Fields) -> Reply:
        queue = self._queue(fields)
        queue.rewind(number(fields, "startConsumeTime", 1, 2**53), self._state.now())
        return {}

    # ---- messages ----

    def _send(self, fields: Fields) -> Reply:
        queue = self._queue(fields)
        body = text(fields, "msgBody")
        return {"msgId": queue.put(body, self._state.now(), delay_of(fields))}

    def _send_many(self, fields: Fields) -> Reply:
        queue = self._queue(fields)
        bodies = batch(fields, "msgBody")
        delay = delay_of(fields)
        if any(len(body.encode()) > queue.attributes["maxMsgSize"] for body in bodies):
            raise Refusal(4400, "a message is too large for the queue")
        now = self._state.now()
        return {"msgList": [{"msgId": queue.put(body, now, delay)} for body in bodies]}

    async def _receive(self, fields: Fields) -> Reply:
        return shown((await self._wait(fields, 1))[0])

    async def _receive_many(self, fields: Fields) -> Reply:
        count = number(fields, "numOfMsg", 1, BATCH_LIMIT)
        return {"msgInfoList": [shown(each) for each in await self._wait(fields, count)]}

    async def _wait(self, fields: Fields, count: int) -> list[StoredMessage]:
        """Hand out messages, waiting for the first as long as the request or the queue says."""
        queue = self._queue(fields)
        wait = queue.attributes["pollingWaitSeconds"]
        if "pollingWaitSeconds" in fields:
            wait = number(fields, "pollingWaitSeconds", 0, 30)
        end = self._state.now() + wait
        while not queue.gone:
            now = self._state.now()
            taken = queue.take(count, now)
            if taken:
                return taken
            if now >= end:
                raise Refusal(7000, "(10200)no message")
            await queue.changed(min(end, queue.next_change(now)) - now)
        raise Refusal(4440, f"the queue {queue.name} does not exist")

    def _delete_message(self, fields: Fields) -> Reply:
        queue = self._queue(fields)
        queue.delete(text(fields, "receiptHandle"), self._state.now())
        return {}

    def _delete_messages(self, fields: Fields) -> Reply:
        queue = self._queue(fields)
        handles = batch(fields, "receiptHandle")
        failed = []
        for handle in handles:
            try:
                queue.delete(handle, self._state.now())
            except Refusal as refusal:
                failed.append(
                    {"code": refusal.code, "message": refusal.message, "receiptHandle": handle}
                )
        if not failed:
            return {}
        code = 6020 if len(failed) == len(handles) else 6010
        raise Refusal(code, "messages could not be deleted", errorList=failed)

    # ---- topics ----

    def _topic(self, fields: Fields) -> Topic:
        return self._state.topic(name_of(fields, "topicName"))

    def _create_topic(self, fields: Fields) -> Reply:
        name = name_of(fields, "topicName")
        size = number(fields, "maxMsgSize", 1024, BATCH_BYTES, 65_536)
        kind = number(fields, "filterType", 1, 2, 1)
        self._check_new(name, "topic", self._state.topics)
        now = self._state.now()
        topic = self._state.topics[name] = Topic(name, kind == 1, size, now, now)
        self._state.journal.save(topic)
        return {"topicId": topic.topic_id}

    def _delete_topic(self, fields: Fields) -> Reply:
        topic = self._topic(fields)
        self._state.journal.drop(topic)
        for each in topic.subscriptions.values():
            self._state.journal.drop(each)
        topic.subscriptions.clear()
        del self._state.topics[topic.name]
        self._state.deleted[f"topic {topic.name}"] = self._state.now()
        return {}

    def _get_topic(self, fields: Fields) -> Reply:
        topic = self._topic(fields)
        return {
            "topicName": topic.name,
            "topicId": topic.topic_id,
            "msgCount": sum(each.pending for each in topic.subscriptions.values()),
            "maxMsgSize": topic.max_size,
            "msgRetentionSeconds": 86_400,
            "createTime": int(topic.created),
            "lastModifyTime": int(topic.modified),
            "filterType": 1 if topic.by_tags else 2,
        }

    def _set_topic(self, fields: Fields) -> Reply:
        topic = self._topic(fields)
        topic.max_size = number(fields, "maxMsgSize", 1024, BATCH_BYTES, topic.max_size)
        topic.modified = self._state.now()
        self._state.journal.save(topic)
        return {}

    def _list_topics(self, fields: Fields) -> Reply:
        items = [
            {"topicId": topic.topic_id, "topicName": name}
            for name, topic in sorted(self._state.topics.items())
        ]
        return page(fields, items, "topicName", "topicList")

    def _publish(self, fields: Fields) -> Reply:
        return {"msgId": self._put(self._topic(fields), fields, [text(fields, "msgBody")])[0]}

    def _publish_many(self, fields: Fields) -> Reply:
        ids = self._put(self._topic(fields), fields, batch(fields, "msgBody"))
        return {"msgList": [{"msgId": message_id} for message_id in ids]}

    def _put(self, topic: Topic, fields: Fields, bodies: Sequence[str]) -> list[str]:
        tags = tags_of(fields, "msgTag")
        key = key_of(fields.get("routingKey", ""), "routingKey")
        if not topic.subscriptions:
            raise Refusal(6030, f"the topic {topic.name} has no subscription")
        for body in bodies:
            topic.check(body)
        ids = []
        for body in bodies:
            message_id = new_message_id()
            ids.append(message_id)
            for each in topic.subscriptions.values():
                if each.wants(tags, key, by_tags=topic.by_tags):
                    deliver(self._state, Delivery(topic.name, each.name, message_id, body, tags))
        return ids

    # ---- subscriptions ----

    def _subscription(self, fields: Fields) -> Subscription:
        topic = self._topic(fields)
        found = topic.subscriptions.get(name_of(fields, "subscriptionName"))
        if found is None:
            raise Refusal(4440, f"the subscription {fields['subscriptionName']} does not exist")
        return found

    def _subscribe(self, fields: Fields) -> Reply:
        topic = self._topic(fields)
        name = name_of(fields, "subscriptionName")
        protocol = choice(fields, "protocol", ("http", "queue"))
        endpoint = text(fields, "endpoint")
        content = choice(fields, "notifyContentFormat", ("JSON", "SIMPLIFIED"), "JSON")
        if protocol == "queue" and content != "SIMPLIFIED":
            raise bad_parameter("notifyContentFormat", "SIMPLIFIED for a queue")
        if protocol == "http" and not endpoint.startswith("http://"):
            raise bad_parameter("endpoint", "a URL that begins with http://")
        strategies = ("BACKOFF_RETRY", "EXPONENTIAL_DECAY_RETRY")
        strategy = choice(fields, "notifyStrategy", strategies, strategies[1])
        tags, keys = tags_of(fields, "filterTag"), keys_of(fields)
        if name in topic.subscriptions:
            raise Refusal(4490, f"the subscription {name} exists already")
        now = self._state.now()
        made = topic.subscriptions[name] = Subscription(
            name, protocol, endpoint, strategy, content, tags, keys, now, now, topic=topic.name
        )
        self._state.journal.save(made)
        return {"subscriptionId": made.subscription_id}

    def _unsubscribe(self, fields: Fields) -> Reply:
        found = self._subscription(fields)
        del self._topic(fields).subscriptions[found.name]
        self._state.journal.drop(found)
        return {}

    def _get_subscription(self, fields: Fields) -> Reply:
        found = self._subscription(fields)
        return {
            "topicOwner": "0",
            "endpoint": found.endpoint,
            "protocol": found.protocol,
            "notifyStrategy": found.strategy,
            "notifyContentFormat": found.content,
            "createTime": int(found.created),
            "lastModifyTime": int(found.modified),
            "msgCount": found.pending,
            "filterTags": found.tags,
            "bindingKey": found.keys,
        }

    def _set_subscription(self, fields: Fields) -> Reply:
        found = self._subscription(fields)
        strategies = ("BACKOFF_RETRY", "EXPONENTIAL_DECAY_RETRY")
        found.strategy = choice(fields, "notifyStrategy", strategies, found.strategy)
        formats = ("JSON", "SIMPLIFIED")
        content = choice(fields, "notifyContentFormat", formats, found.content)
        if found.protocol == "queue" and content != "SIMPLIFIED":
            raise bad_parameter("notifyContentFormat", "SIMPLIFIED for a queue")
        found.content = content
        found.tags = tags_of(fields, "filterTag") or found.tags
        found.keys = keys_of(fields) or found.keys
        found.modified = self._state.now()
        self._state.journal.save(found)
        return {}

    def _clear_tags(self, fields: Fields) -> Reply:
        found = self._subscription(fields)
        found.tags = []
        self._state.journal.save(found)
        return {}

    def _list_subscriptions(self, fields: Fields) -> Reply:
        items = [
            {
                "subscriptionId": each.subscription_id,
                "subscriptionName": name,
                "protocol": each.protocol,
                "endpoint": each.endpoint,
            }
            for name, each in sorted(self._topic(fields).subscriptions.items())
        ]
        return page(fields, items, "subscriptionName", "subscriptionList")


# ---- parameters ----


def text(fields: Fields, name: str) -> str:
    """Return a parameter that must be given."""
    value = fields.get(name)
    if not value:
        raise bad_parameter(name, "given")
    return value


def name_of(fields: Fields, name: str) -> str:
    """Return the name of a queue, topic or subscription."""
    value = text(fields, name)
    if not _NAME.fullmatch(value):
        raise bad_parameter(name, "a letter and up to 63 letters, digits, - and _")
    return value


def number(fields: Fields, name: str, low: int, high: int, default: int | None = None) -> int:
    """Return a number; it must be given where there is no default."""
    given = fields.get(name, "" if default is None else str(default))
    if not re.fullmatch(r"-?[0-9]{1,17}", given) or not low <= int(given) <= high:
        raise bad_parameter(name, f"from {low} to {high}")
    return int(given)


def choice(fields: Fields, name: str, known: Sequence[str], default: str = "") -> str:
    """Return one of some words."""
    value = fields.get(name, default)
    if value not in known:
        raise bad_parameter(name, " or ".join(known))
    return value


def queue_numbers(fields: Fields) -> dict[str, int]:
    """Return the attributes of a queue that are given."""
    return {
        name: number(fields, name, low, high)
        for name, (low, high) in _QUEUE_NUMBERS.items()
        if name in fields
    }


def delay_of(fields: Fields) -> int:
    """Return a message's delay, in seconds."""
    return number(fields, "delaySeconds", 0, 70 * 24 * 3600, 0)


def numbered(fields: Fields, name: str) -> list[str]:
    """Return the values of `name.0` or `name.1` and so on, without a gap."""
    places = sorted(
        int(key[len(name) + 1 :])
        for key in fields
        if key.startswith(f"{name}.") and key[len(name) + 1 :].isdigit()
    )
    if places and places != list(range(places[0], places[0] + len(places))):
        raise bad_parameter(name, "numbered without a gap")
    if places and places[0] > 1:
        raise bad_parameter(name, "numbered from 0 or 1")
    return [fields[f"{name}.{place}"] for place in places]


def batch(fields: Fields, name: str) -> list[str]:
    """Return the entries of a batch."""
    values = numbered(fields, name)
    if not 1 <= len(values) <= BATCH_LIMIT or not all(values):
        raise bad_parameter(name, f"1 to {BATCH_LIMIT} of at least one character each")
    if sum(len(value.encode()) for value in values) > BATCH_BYTES:
        raise Refusal(4470, f"the batch passes {BATCH_BYTES} bytes")
    return values


def tags_of(fields: Fields, name: str) -> list[str]:
    """Return tags."""
    tags = numbered(fields, name)
    if len(tags) > 5 or not all(0 < len(tag) <= 16 for tag in tags):
        raise bad_parameter(name, "up to 5 of 1 to 16 characters")
    return tags


def key_of(key: str, name: str) -> str:
    """Return a routing or binding key."""
    if len(key.encode()) > 64 or key.count(".") > 15:
        raise bad_parameter(name, "up to 64 bytes and 15 dots")
    return key


def keys_of(fields: Fields) -> list[str]:
    """Return the binding keys of a subscription."""
    keys = [key_of(key, "bindingKey") for key in numbered(fields, "bindingKey")]
    if len(keys) > 5:
        raise bad_parameter("bindingKey", "up to 5")
    return keys


def page(fields: Fields, items: list[dict[str, str]], name: str, listed: str) -> Reply:
    """Return the part of a listing that is asked for."""
    word = fields.get("searchWord", "")
    found = [item for item in items if word in item[name]]
    offset = number(fields, "offset", 0, 2**31, 0)
    limit = number(fields, "limit", 1, 100, 20)
    return {"totalCount": len(found), listed: found[offset : offset + limit]}


def shown(message: StoredMessage) -> Reply:
    """Return a message as a receive gives it."""
    return {
        "msgId": message.message_id,
        "msgBody": message.body,
        "receiptHandle": message.handle,
        "enqueueTime": int(message.enqueued),
        "firstDequeueTime": int(message.first_received),
        "nextVisibleTime": int(message.visible_at),
        "dequeueCount": message.receives,
    }
