"""Queues, topics and messages, as CMQ keeps them. One event loop uses them, and time is given."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

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


class Queue:
    """One queue.

    Args:
        name: its name.
        attributes: what its creator set.
        now: the time, seconds since 1970.
    """

    def __init__(self, name: str, attributes: dict[str, int], now: float) -> None:
        self.name = name
        self.queue_id = new_id("queue")
        self.attributes = {**QUEUE_DEFAULTS, **attributes}
        self.created = self.modified = now
        self.messages: list[StoredMessage] = []
        self.dead_letters: DeadLetters | None = None
        self.gone = False
        self._handles: dict[str, StoredMessage] = {}
        self._waiting: set[asyncio.Future[None]] = set()

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
        self.messages.append(message)
        self.wake()
        return message.message_id

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
        self.wake()

    def forget(self, now: float) -> None:
        """Drop messages that are too old, and deleted ones that no rewind can bring back."""
        oldest = now - self.attributes["msgRetentionSeconds"]
        rewound = now - self.attributes["rewindSeconds"]
        self.messages = [
            message
            for message in self.messages
            if message.enqueued > oldest
            and (message.deleted_at is None or message.deleted_at > rewound)
        ]
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
                rule.target.messages.append(
                    StoredMessage(message.body, now, now, message.message_id)
                )
                rule.target.wake()
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

    def wake(self) -> None:
        """Let everybody who waits for a message look again."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    async def changed(self, seconds: float) -> None:
        """Return when a message may have come, or after some seconds."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await asyncio.wait([waiter], timeout=max(0.0, seconds))
        finally:
            self._waiting.discard(waiter)


@dataclass(eq=False)
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
    pending: int = 0
    """How many messages are not delivered yet."""

    def wants(self, tags: list[str], routing_key: str, *, by_tags: bool) -> bool:
        """Whether a message is for this subscription."""
        if by_tags:
            return not self.tags or bool(set(self.tags) & set(tags))
        return not self.keys or any(
            matches(key.split("."), routing_key.split(".")) for key in self.keys
        )


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

    def check(self, body: str) -> None:
        """Refuse a message that is too large."""
        if len(body.encode()) > self.max_size:
            raise Refusal(4400, "the message is too large for the topic")


class State:
    """All queues and topics.

    Args:
        clock: returns the time, seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.now = clock
        self.queues: dict[str, Queue] = {}
        self.topics: dict[str, Topic] = {}
        self.deliveries: set[asyncio.Task[None]] = set()

    def clear(self) -> None:
        """Forget everything, deliveries under way included."""
        for task in self.deliveries:
            task.cancel()
        for queue in self.queues.values():
            queue.gone = True
            queue.wake()
        self.queues.clear()
        self.topics.clear()

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
