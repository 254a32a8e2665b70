"""Queues and messages, as SQS keeps them. One event loop uses them, and time is given."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import heapq
import itertools
import json
import secrets
import struct
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .refusal import Refusal, no_queue

ACCOUNT = "000000000000"
SENDER = "AIDALOCALUSER"
IN_FLIGHT_LIMIT = 120_000
DEDUPLICATION_SECONDS = 300.0
PURGE_SECONDS = 60.0
DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
}

Attributes = Mapping[str, Mapping[str, str]]


def body_digest(body: str) -> str:
    """Return a body's MD5 in hexadecimal."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def attributes_digest(attributes: Attributes) -> str:
    """Return the MD5 of message attributes: length and bytes of each part, by sorted names."""
    parts = []
    for name, attribute in sorted(attributes.items(), key=lambda item: item[0].encode()):
        if "BinaryValue" in attribute:
            value, mark = base64.b64decode(attribute["BinaryValue"]), b"\x02"
        else:
            value, mark = attribute["StringValue"].encode(), b"\x01"
        for text in (name.encode(), attribute["DataType"].encode()):
            parts += [struct.pack("!I", len(text)), text]
        parts += [mark, struct.pack("!I", len(value)), value]
    return hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()


@dataclass(eq=False)
class StoredMessage:
    """One message of a queue."""

    body: str
    attributes: Attributes
    system: dict[str, str]
    sent: float
    size: int
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    number: int = 0
    group: str = ""
    receives: int = 0
    first_received: float = 0.0
    visible_at: float = 0.0
    handle: str = ""
    in_flight: bool = False
    gone: bool = False
    source_arn: str = ""
    """The queue it came from, of a message in a dead-letter queue."""


class Queue:
    """One queue.

    Args:
        name: its name.
        arn: its ARN.
        attributes: what its creator set.
        tags: its tags.
        now: the time, seconds since 1970.
    """

    def __init__(
        self,
        name: str,
        arn: str,
        attributes: Mapping[str, str],
        tags: Mapping[str, str],
        now: float,
    ) -> None:
        self.name = name
        self.arn = arn
        self.given = dict(attributes)
        self.tags = dict(tags)
        self.created = self.modified = now
        self.purged = float("-inf")
        self.permissions: dict[str, dict[str, Any]] = {}
        self.messages: dict[int, StoredMessage] = {}
        self._handles: dict[str, StoredMessage] = {}
        self._ready: list[int] = []
        self._later: list[tuple[float, int]] = []
        self._numbers = itertools.count(1)
        self._deduplicated: dict[tuple[str, str], tuple[float, StoredMessage, str]] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self._in_order = True
        """Whether no message is older than the one before it: those of other queues may be."""

    @property
    def is_fifo(self) -> bool:
        """Whether it keeps the order."""
        return self.name.endswith(".fifo")

    def number(self, name: str) -> int:
        """Return an attribute that is a number."""
        return int(self.given.get(name, DEFAULTS[name]))

    @property
    def redrive(self) -> tuple[str, int] | None:
        """The dead-letter queue's ARN and after how many receives a message goes there."""
        policy = json.loads(self.given.get("RedrivePolicy") or "{}")
        if not policy:
            return None
        return str(policy["deadLetterTargetArn"]), int(policy["maxReceiveCount"])

    # ---- sending ----

    def duplicate(
        self, group: str, deduplication_id: str, now: float
    ) -> tuple[StoredMessage, str] | None:
        """Return the message of that id of the last five minutes, and its sequence number."""
        scope = self.given.get("DeduplicationScope", "queue")
        key = (group if scope == "messageGroup" else "", deduplication_id)
        found = self._deduplicated.get(key)
        if found is None or found[0] + DEDUPLICATION_SECONDS <= now:
            return None
        return found[1], found[2]

    def put(self, message: StoredMessage, now: float, delay: float = 0.0) -> str:
        """Store a message; return its sequence number, "" for a standard queue."""
        number = message.number = next(self._numbers)
        self.messages[number] = message
        self._in_order = self._in_order and message.sent >= now
        message.visible_at = now + delay
        message.gone, message.handle = False, ""
        sequence = ""
        if self.is_fifo:
            sequence = f"{18849496460467696127 + number}"
            message.system["SequenceNumber"] = sequence
            deduplication_id = message.system.get("MessageDeduplicationId", "")
            scope = self.given.get("DeduplicationScope", "queue")
            key = (message.group if scope == "messageGroup" else "", deduplication_id)
            self._deduplicated[key] = (now, message, sequence)
        if delay > 0:
            heapq.heappush(self._later, (message.visible_at, number))
        else:
            heapq.heappush(self._ready, number)
        self.wake()
        return sequence

    # ---- receiving ----

    def take(self, now: float) -> Iterator[StoredMessage]:
        """Yield messages that may be received now; each is to be hidden before the next."""
        self.expire(now)
        self._show(now)
        if self.is_fifo:
            blocked = {each.group for each in self.messages.values() if each.in_flight}
            for message in list(self.messages.values()):
                if message.gone or message.in_flight or message.group in blocked:
                    continue
                if message.visible_at > now:
                    blocked.add(message.group)
                    continue
                yield message
            return
        while self._ready:
            ready = self.messages.get(heapq.heappop(self._ready))
            if ready is not None and not ready.in_flight and ready.visible_at <= now:
                yield ready

    def hide(self, message: StoredMessage, now: float, seconds: float) -> str:
        """Hand a message out for some seconds; return its new receipt handle."""
        message.in_flight = True
        message.receives += 1
        message.first_received = message.first_received or now
        message.visible_at = now + seconds
        message.handle = secrets.token_urlsafe(48)
        self._handles[message.handle] = message
        heapq.heappush(self._later, (message.visible_at, message.number))
        return message.handle

    def _show(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            when, number = heapq.heappop(self._later)
            message = self.messages.get(number)
            if message is not None and message.visible_at == when:
                message.in_flight = False
                heapq.heappush(self._ready, number)

    def expire(self, now: float) -> None:
        """Forget messages that are older than the queue keeps them."""
        oldest = now - self.number("MessageRetentionPeriod")
        if not self._in_order:
            for message in [each for each in self.messages.values() if each.sent <= oldest]:
                self.remove(message)
            return
        while self.messages:
            first = next(iter(self.messages.values()))
            if first.sent > oldest:
                break
            self.remove(first)

    def next_change(self) -> float:
        """Return when a message becomes visible by itself, or infinity."""
        return self._later[0][0] if self._later else float("inf")

    # ---- receipts ----

    def _held(self, handle: str) -> StoredMessage:
        found = self._handles.get(handle)
        if found is None:
            raise Refusal(
                "ReceiptHandleIsInvalid", "The input receipt handle is not a valid receipt handle."
            )
        return found

    def delete(self, handle: str, now: float) -> None:
        """Delete a message; an older handle than its last deletes nothing."""
        message = self._held(handle)
        if message.gone:
            return
        if self.is_fifo and message.visible_at <= now:
            raise Refusal("InvalidParameterValue", "The receipt handle has expired.")
        if message.handle == handle:
            self.remove(message)
            self.wake()

    def change_visibility(self, handle: str, now: float, seconds: int) -> None:
        """Let a message that is in flight come back after other seconds."""
        message = self._held(handle)
        if message.gone or message.handle != handle or message.visible_at <= now:
            raise Refusal("MessageNotInflight", "The message referred to is not in flight.")
        message.visible_at = now + seconds
        if seconds == 0:
            message.in_flight = False
            heapq.heappush(self._ready, message.number)
            self.wake()
        else:
            heapq.heappush(self._later, (message.visible_at, message.number))

    def remove(self, message: StoredMessage) -> None:
        """Take a message out of the queue."""
        message.gone = True
        message.in_flight = False
        del self.messages[message.number]

    def purge(self, now: float) -> None:
        """Delete all messages."""
        if now < self.purged + PURGE_SECONDS:
            raise Refusal(
                "PurgeQueueInProgress",
                f"Only one PurgeQueue operation on {self.name} is allowed every 60 seconds.",
                403,
            )
        self.purged = now
        for message in list(self.messages.values()):
            self.remove(message)
        self._ready.clear()
        self._later.clear()

    # ---- waiting ----

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

    def counts(self, now: float) -> dict[str, str]:
        """Return how many messages can be received, are in flight and are delayed."""
        self.expire(now)
        self._show(now)
        flying = sum(each.in_flight for each in self.messages.values())
        delayed = sum(
            not each.in_flight and each.visible_at > now for each in self.messages.values()
        )
        return {
            "ApproximateNumberOfMessages": str(len(self.messages) - flying - delayed),
            "ApproximateNumberOfMessagesNotVisible": str(flying),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
        }


class State:
    """All queues of the only account.

    Args:
        clock: the time, seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.now = clock
        self.queues: dict[str, Queue] = {}
        self.move_tasks: list[dict[str, Any]] = []

    def clear(self) -> None:
        """Forget all queues."""
        for queue in self.queues.values():
            queue.wake()
        self.queues.clear()
        self.move_tasks.clear()

    def find(self, name: str) -> Queue:
        """Return the queue of a name.

        Raises:
            Refusal: there is none.
        """
        queue = self.queues.get(name)
        if queue is None:
            raise no_queue()
        return queue

    def by_arn(self, arn: str) -> Queue | None:
        """Return the queue of an ARN, if there is one."""
        return next((queue for queue in self.queues.values() if queue.arn == arn), None)
