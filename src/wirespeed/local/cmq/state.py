"""Queues, topics and messages, as CMQ keeps them. One event loop uses them, and time is given."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..clock import Clock
from ..journal import Journal, Kept, Packed
from ..longpoll import Awaited
from .delivery import deliver
from .refusal import Refusal

QUEUE_DEFAULTS = {
    "maxMsgHeapNum": 10_000_000,
    "maxMsgSize": 65_536,
    "msgRetentionSeconds": 345_600,
    "pollingWaitSeconds": 0,
    "rewindSeconds": 0,
    "visibilityTimeout": 30,
}
_ids = itertools.count(secrets.randbits(48))


def new_id(kind: str) -> str:
    """Return an id as CMQ spells them, such as "queue-1f2e3d4c"."""
    return f"{kind}-{secrets.token_hex(4)}"


def new_message_id() -> str:
    """Return a message's id: a number in decimal."""
    return str(next(_ids))


@dataclass(eq=False, slots=True)
class StoredMessage:
    """One message of a queue."""

    body: str
    enqueued: float
    visible_at: float
    message_id: str = field(default_factory=new_message_id)
    handle: str = ""
    first_received: float = 0.0
    receives: int = 0
    deleted_at: float | None = None
    queue: str = ""
    """The queue it is in."""

    def pack(self) -> Packed:
        """Return it as it is written down."""
        return Packed("message", {name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Which messages of a queue go where.

    Args:
        target: the dead-letter queue.
        most_receives: after that many receives; 0 for no such rule.
        oldest: seconds after they were stored; 0 for no such rule.
    """

    target: Queue
    most_receives: int = 0
    oldest: int = 0

    def describe(self) -> str:
        """Return it as deadLetterPolicy, which names the queue by its id."""
        rule = {"maxTimeToLive": self.oldest} if self.oldest else {}
        if not self.oldest:
            rule = {"maxReceiveCount": self.most_receives}
        policy = int(bool(self.oldest))
        return json.dumps({"deadLetterQueue": self.target.queue_id, "policy": policy, **rule})


class Queue(Awaited):
    """One queue.

    Args:
        name: its name.
        attributes: what its creator set.
        now: the time, seconds since 1970.
        journal: where it says what it keeps.
    """

    def __init__(self, name: str, attributes: dict[str, int], now: float, journal: Journal) -> None:
        super().__init__()
        self.name = name
        self.queue_id = new_id("queue")
        self.attributes = {**QUEUE_DEFAULTS, **attributes}
        self.created = self.modified = now
        self.messages: list[StoredMessage] = []
        self.dead_letters: DeadLetters | None = None
        self.gone = False
        self._handles: dict[str, StoredMessage] = {}
        self._journal = journal

    def pack(self) -> Packed:
        """Return it as it is written down, but for its messages."""
        rule = self.dead_letters
        return Packed(
            "queue",
            {
                "name": self.name,
                "queue_id": self.queue_id,
                "attributes": self.attributes,
                "created": self.created,
                "modified": self.modified,
                "dead_letters": rule and [rule.target.name, rule.most_receives, rule.oldest],
            },
        )

    def restore(self, message: StoredMessage) -> None:
        """Take a message back that was written down."""
        self.messages.append(message)
        if message.handle:
            self._handles[message.handle] = message

    def drop(self) -> None:
        """Keep nothing any more, and tell those who wait."""
        self._journal.drop(self)
        for message in self.messages:
            self._journal.drop(message)
        self.gone = True
        self.wake()

    def clear(self) -> int:
        """Drop all messages; return how many."""
        count = len(self.messages)
        for message in self.messages:
            self._journal.drop(message)
        self.messages.clear()
        self._handles.clear()
        return count

    def put(self, body: str, now: float, delay: float = 0.0) -> str:
        """Store a message; return its id."""
        size = len(body.encode())
        if size > self.attributes["maxMsgSize"]:
            raise Refusal(4400, f"the message has {size} bytes: too large for the queue")
        self.forget(now)
        living = sum(message.deleted_at is None for message in self.messages)
        if living >= self.attributes["maxMsgHeapNum"]:
            raise Refusal(4410, "the queue is full of messages that were not received")
        message = StoredMessage(body, now, now + delay)
        self.append(message)
        return message.message_id

    def append(self, message: StoredMessage) -> None:
        """Take a message."""
        message.queue = self.name
        self.messages.append(message)
        self._journal.save(message)
        self.wake()

    def take(self, count: int, now: float) -> list[StoredMessage]:
        """Hand out up to `count` messages that may be received now."""
        self.forget(now)
        taken = []
        for message in self.messages:
            if message.deleted_at is None and message.visible_at <= now:
                self._handles.pop(message.handle, None)
                message.handle = f"{message.message_id}-{secrets.token_hex(16)}"
                message.visible_at = now + self.attributes["visibilityTimeout"]
                message.first_received = message.first_received or now
                message.receives += 1
                self._handles[message.handle] = message
                self._journal.save(message)
                taken.append(message)
                if len(taken) == count:
                    break
        return taken

    def delete(self, handle: str, now: float) -> None:
        """Delete a message that is received at present."""
        message = self._handles.get(handle)
        if message is None or message.visible_at <= now or message.deleted_at is not None:
            raise Refusal(4430, "the receipt handle is invalid, or of an older receive")
        message.deleted_at = now
        self._journal.save(message)
        del self._handles[handle]
        self.forget(now)

    def rewind(self, to: float, now: float) -> None:
        """Let messages that were deleted and sent since `to` be received again."""
        if not self.attributes["rewindSeconds"]:
            raise Refusal(6050, "the queue's rewindSeconds is 0: it keeps no deleted messages")
        for message in self.messages:
            if message.deleted_at is not None and message.enqueued >= to:
                message.deleted_at = None
                message.visible_at = now
                self._journal.save(message)
        self.wake()

    def forget(self, now: float) -> None:
        """Drop messages that are too old, and deleted ones that no rewind can bring back."""
        oldest = now - self.attributes["msgRetentionSeconds"]
        rewound = now - self.attributes["rewindSeconds"]
        kept = []
        for message in self.messages:
            if message.enqueued > oldest and (
                message.deleted_at is None or message.deleted_at > rewound
            ):
                kept.append(message)
            else:
                self._journal.drop(message)
                self._handles.pop(message.handle, None)
        self.messages = kept
        self._bury(now)

    def _bury(self, now: float) -> None:
        """Move the dead letters, of which none is received at present."""
        rule = self.dead_letters
        if rule is None:
            return
        kept = []
        for message in self.messages:
            tired = rule.most_receives and message.receives >= rule.most_receives
            old = rule.oldest and message.enqueued + rule.oldest <= now
            free = message.deleted_at is None and message.visible_at <= now
            if free and (tired or old):
                self._handles.pop(message.handle, None)
                self._journal.drop(message)
                rule.target.append(StoredMessage(message.body, now, now, message.message_id))
            else:
                kept.append(message)
        self.messages = kept

    def describe(self, now: float) -> dict[str, object]:
        """Return its attributes as GetQueueAttributes gives them."""
        self.forget(now)
        living = [message for message in self.messages if message.deleted_at is None]
        active = [message for message in living if message.visible_at <= now]
        delayed = [message for message in living if message.visible_at > now and not message.handle]
        return {
            **self.attributes,
            "queueName": self.name,
            "queueId": self.queue_id,
            "createTime": int(self.created),
            "lastModifyTime": int(self.modified),
            "activeMsgNum": len(active),
            "inactiveMsgNum": len(living) - len(active) - len(delayed),
            "delayMsgNum": len(delayed),
            "rewindmsgNum": len(self.messages) - len(living),
            "minMsgTime": int(min((message.enqueued for message in living), default=0)),
            **({"deadLetterPolicy": self.dead_letters.describe()} if self.dead_letters else {}),
        }

    def next_change(self, now: float) -> float:
        """Return when a message becomes visible by itself, or infinity."""
        times = [each.visible_at for each in self.messages if each.deleted_at is None]
        return min((when for when in times if when > now), default=float("inf"))


@dataclass(eq=False, slots=True)
class Subscription:
    """One subscription of a topic."""

    name: str
    protocol: str
    endpoint: str
    strategy: str
    content: str
    tags: list[str]
    keys: list[str]
    created: float
    modified: float
    subscription_id: str = field(default_factory=lambda: new_id("subsc"))
    topic: str = ""
    """The topic it is of."""
    pending: int = 0
    """How many messages are not delivered yet."""

    def pack(self) -> Packed:
        """Return it as it is written down."""
        fields = {name: getattr(self, name) for name in _SUBSCRIPTION_FIELDS}
        return Packed("subscription", fields)

    def wants(self, tags: list[str], routing_key: str, *, by_tags: bool) -> bool:
        """Whether a message is for this subscription."""
        if by_tags:
            return not self.tags or bool(set(self.tags) & set(tags))
        return not self.keys or any(
            matches(key.split("."), routing_key.split(".")) for key in self.keys
        )


_SUBSCRIPTION_FIELDS = tuple(name for name in Subscription.__slots__ if name != "pending")


@dataclass(eq=False, slots=True)
class Delivery:
    """A message on its way to a subscription."""

    topic: str
    subscription: str
    message_id: str
    body: str
    tags: list[str]
    tries: int = 0

    def pack(self) -> Packed:
        """Return it as it is written down."""
        return Packed("delivery", {name: getattr(self, name) for name in self.__slots__})


def matches(pattern: list[str], words: list[str]) -> bool:
    """Whether a binding key matches a routing key: * is one word, # any number."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(matches(pattern[1:], words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and matches(pattern[1:], words[1:])


@dataclass(eq=False)
class Topic:
    """One topic."""

    name: str
    by_tags: bool
    max_size: int
    created: float
    modified: float
    topic_id: str = field(default_factory=lambda: new_id("topic"))
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    def pack(self) -> Packed:
        """Return it as it is written down, but for its subscriptions."""
        return Packed(
            "topic",
            {
                "name": self.name,
                "by_tags": self.by_tags,
                "max_size": self.max_size,
                "created": self.created,
                "modified": self.modified,
                "topic_id": self.topic_id,
            },
        )

    def check(self, body: str) -> None:
        """Refuse a message that is too large."""
        if len(body.encode()) > self.max_size:
            raise Refusal(4400, "the message is too large for the topic")


class State:
    """All queues and topics.

    Args:
        clock: the time.
        journal: where it says what it keeps; nowhere by default.

    Attributes:
        KINDS: what is taken back, the first before what refers to it.
        deleted: when queues and topics were deleted, by kind and name.
        deliveries: what is on its way, and who brings it.
    """

    KINDS = ("queue", "message", "topic", "subscription", "delivery")

    def __init__(self, clock: Clock | None = None, journal: Journal | None = None) -> None:
        self.clock = clock or Clock()
        self.now = self.clock.now
        self.journal = journal or Journal()
        self.queues: dict[str, Queue] = {}
        self.topics: dict[str, Topic] = {}
        self.deleted: dict[str, float] = {}
        self.deliveries: dict[Delivery, asyncio.Task[None]] = {}
        self._undelivered: list[Delivery] = []
        self._rules: dict[str, list[Any]] = {}

    def clear(self) -> None:
        """Forget everything, deliveries under way included."""
        for task in self.deliveries.values():
            task.cancel()
        for queue in self.queues.values():
            queue.gone = True
            queue.wake()
        self.queues.clear()
        self.topics.clear()
        self.deleted.clear()
        self.journal.clear()

    def wake(self) -> None:
        """Let everybody who waits look again: the time was moved."""
        for queue in self.queues.values():
            queue.wake()

    def things(self) -> Iterator[Kept]:
        """Yield all that it keeps."""
        for queue in self.queues.values():
            yield queue
            yield from queue.messages
        for topic in self.topics.values():
            yield topic
            yield from topic.subscriptions.values()
        yield from self.deliveries

    def load(self, packed: Packed) -> Kept | None:
        """Take back what was written down; return what it is now."""
        fields = packed.fields
        if packed.kind == "queue":
            queue = Queue(fields["name"], fields["attributes"], fields["created"], self.journal)
            queue.queue_id, queue.modified = fields["queue_id"], fields["modified"]
            if fields["dead_letters"]:
                self._rules[queue.name] = fields["dead_letters"]
            self.queues[queue.name] = queue
            return queue
        if packed.kind == "topic":
            topic = self.topics[fields["name"]] = Topic(**fields)
            return topic
        if packed.kind == "message":
            found = self.queues.get(fields["queue"])
            if found is None:
                return None
            message = StoredMessage(**fields)
            found.restore(message)
            return message
        of = self.topics.get(fields["topic"])
        if of is None:
            return None
        if packed.kind == "subscription":
            made = of.subscriptions[fields["name"]] = Subscription(**fields)
            return made
        delivery = Delivery(**fields)
        self._undelivered.append(delivery)
        return delivery

    def loaded(self) -> None:
        """Go on with what was taken back."""
        for name, (target, most_receives, oldest) in self._rules.items():
            if target in self.queues:
                queue = self.queues[name]
                queue.dead_letters = DeadLetters(self.queues[target], most_receives, oldest)
        self._rules.clear()
        undelivered, self._undelivered = self._undelivered, []
        for delivery in undelivered:
            deliver(self, delivery)

    def queue(self, name: str) -> Queue:
        """Return a queue, or refuse."""
        found = self.queues.get(name)
        if found is None:
            raise Refusal(4440, f"the queue {name} does not exist")
        return found

    def topic(self, name: str) -> Topic:
        """Return a topic, or refuse."""
        found = self.topics.get(name)
        if found is None:
            raise Refusal(4440, f"the topic {name} does not exist")
        return found
