"""Queues and messages, as SQS keeps them. One event loop uses them, and time is given."""

from __future__ import annotations

import base64
import collections
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

from ..journal import Journal, Kept, Packed
from ..longpoll import Awaited
from .refusal import Refusal, bad_value, no_queue

ACCOUNT = "000000000000"
SENDER = "AIDALOCALUSER"
IN_FLIGHT_LIMIT = 120_000
DEDUPLICATION_SECONDS = 300.0
PURGE_SECONDS = 60.0
_HANDLES_KEPT = 100_000
_NUMBERS_AT_ONCE = 10_000
DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
}
FIFO_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoQueue": "true",
    "FifoThroughputLimit": "perQueue",
}
LONGEST_HIDDEN = 43_200
"""Seconds for which a message that was received may stay hidden in all."""

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


@dataclass(eq=False, slots=True)
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
    received: float = 0.0
    visible_at: float = 0.0
    handle: str = ""
    in_flight: bool = False
    gone: bool = False
    source_arn: str = ""
    """The queue it came from, of a message in a dead-letter queue."""
    queue: str = ""
    """The queue it is in."""

    def pack(self) -> Packed:
        """Return it as it is written down."""
        fields = {name: getattr(self, name) for name in _MESSAGE_FIELDS}
        return Packed("message", fields)


_MESSAGE_FIELDS = tuple(
    name for name in StoredMessage.__slots__ if name not in ("in_flight", "gone")
)


@dataclass(eq=False, slots=True)
class Deduplication:
    """A message that a FIFO queue takes no second time for five minutes."""

    queue: str
    scope: str
    identity: str
    sent: float
    message_id: str
    sequence: str

    def pack(self) -> Packed:
        """Return it as it is written down."""
        return Packed("deduplication", {name: getattr(self, name) for name in self.__slots__})


@dataclass(eq=False, slots=True)
class Move:
    """A redrive: `task` is what is told of it."""

    task: dict[str, Any]

    def pack(self) -> Packed:
        """Return it as it is written down."""
        return Packed("move", self.task)


class Queue(Awaited):
    """One queue.

    Args:
        name: its name.
        arn: its ARN.
        attributes: what its creator set.
        tags: its tags.
        now: the time, seconds since 1970.
        journal: where it says what it keeps.
    """

    def __init__(
        self,
        name: str,
        arn: str,
        attributes: Mapping[str, str],
        tags: Mapping[str, str],
        now: float,
        journal: Journal,
    ) -> None:
        super().__init__()
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
        self._gone_handles: collections.deque[str] = collections.deque()
        self._numbers = itertools.count(1)
        self._numbers_end = 0
        self._deduplicated: dict[tuple[str, str], Deduplication] = {}
        self._in_order = True
        """Whether no message is older than the one before it: those of other queues may be."""
        self._journal = journal

    def pack(self) -> Packed:
        """Return it as it is written down, but for its messages."""
        return Packed(
            "queue",
            {
                "name": self.name,
                "arn": self.arn,
                "given": self.given,
                "tags": self.tags,
                "created": self.created,
                "modified": self.modified,
                "purged": max(self.purged, 0.0),
                "permissions": self.permissions,
                "numbers": self._numbers_end,
            },
        )

    @classmethod
    def unpack(cls, fields: Mapping[str, Any], journal: Journal) -> Queue:
        """Return the queue that was written down."""
        made = cls(
            fields["name"],
            fields["arn"],
            fields["given"],
            fields["tags"],
            fields["created"],
            journal,
        )
        made.modified, made.purged = fields["modified"], fields["purged"]
        made.permissions = fields["permissions"]
        made._numbers_end = fields["numbers"]
        made._numbers = itertools.count(made._numbers_end + 1)
        return made

    def things(self) -> Iterator[Kept]:
        """Yield what it keeps."""
        yield self
        yield from self.messages.values()
        yield from self._deduplicated.values()

    def restore(self, message: StoredMessage) -> None:
        """Take a message back that was written down."""
        self.messages[message.number] = message
        message.in_flight = bool(message.handle)
        if message.handle:
            self._handles[message.handle] = message
        heapq.heappush(self._later, (message.visible_at, message.number))

    def restore_order(self) -> None:
        """Sort the messages that were taken back."""
        self.messages = dict(sorted(self.messages.items()))
        times = [message.sent for message in self.messages.values()]
        self._in_order = times == sorted(times)

    def restore_deduplication(self, each: Deduplication) -> None:
        """Take back what is sent no second time."""
        self._deduplicated[each.scope, each.identity] = each

    def drop(self) -> None:
        """Keep nothing any more."""
        for thing in list(self.things()):
            self._journal.drop(thing)
        self.wake()

    @property
    def is_fifo(self) -> bool:
        """Whether it keeps the order."""
        return self.name.endswith(".fifo")

    @property
    def defaults(self) -> dict[str, str]:
        """The attributes it has where its creator set none."""
        return {**DEFAULTS, **FIFO_DEFAULTS} if self.is_fifo else DEFAULTS

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

    def duplicate(self, group: str, deduplication_id: str, now: float) -> Deduplication | None:
        """Return the message of that id of the last five minutes."""
        # They are in the order of their time: the oldest go first.
        for key, each in list(itertools.islice(self._deduplicated.items(), 2)):
            if each.sent + DEDUPLICATION_SECONDS <= now:
                self._journal.drop(self._deduplicated.pop(key))
        found = self._deduplicated.get(self._scope(group, deduplication_id))
        if found is None or found.sent + DEDUPLICATION_SECONDS <= now:
            return None
        return found

    def _scope(self, group: str, deduplication_id: str) -> tuple[str, str]:
        scope = self.given.get("DeduplicationScope", "queue")
        return group if scope == "messageGroup" else "", deduplication_id

    def _next_number(self) -> int:
        number = next(self._numbers)
        if number > self._numbers_end:
            # Written down before they are used: numbers go up past a restart.
            self._numbers_end = number + _NUMBERS_AT_ONCE
            self._journal.save(self)
        return number

    def put(self, message: StoredMessage, now: float, delay: float = 0.0) -> str:
        """Store a message; return its sequence number, "" for a standard queue."""
        number = message.number = self._next_number()
        self.messages[number] = message
        message.queue = self.name
        self._in_order = self._in_order and message.sent >= now
        message.visible_at = now + delay
        message.gone, message.handle = False, ""
        sequence = ""
        if self.is_fifo:
            sequence = f"{18849496460467696127 + number}"
            message.system["SequenceNumber"] = sequence
            deduplication_id = message.system.get("MessageDeduplicationId", "")
            key = self._scope(message.group, deduplication_id)
            before = self._deduplicated.pop(key, None)
            if before is not None:
                self._journal.drop(before)
            made = Deduplication(self.name, *key, now, message.message_id, sequence)
            self._deduplicated[key] = made
            self._journal.save(made)
        if delay > 0:
            heapq.heappush(self._later, (message.visible_at, number))
        else:
            heapq.heappush(self._ready, number)
        self._journal.save(message)
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
        message.received = now
        message.visible_at = now + seconds
        message.handle = secrets.token_urlsafe(48)
        self._handles[message.handle] = message
        heapq.heappush(self._later, (message.visible_at, message.number))
        self._journal.save(message)
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
            raise Refusal("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
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
        if now + seconds > message.received + LONGEST_HIDDEN:
            raise bad_value(
                "VisibilityTimeout",
                f"Total VisibilityTimeout for the message is beyond the limit [{LONGEST_HIDDEN} "
                "seconds]",
                seconds,
            )
        message.visible_at = now + seconds
        self._journal.save(message)
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
        self._journal.drop(message)
        if message.handle:
            self._gone_handles.append(message.handle)
            if len(self._gone_handles) > _HANDLES_KEPT:
                self._handles.pop(self._gone_handles.popleft(), None)

    def purge(self, now: float) -> None:
        """Delete all messages."""
        if now < self.purged + PURGE_SECONDS:
            raise Refusal(
                "PurgeQueueInProgress",
                f"Only one PurgeQueue operation on {self.name} is allowed every 60 seconds.",
                403,
            )
        self.purged = now
        self._journal.save(self)
        self.clear()

    def clear(self) -> int:
        """Delete all messages; return how many."""
        held = list(self.messages.values())
        for message in held:
            self.remove(message)
        self._ready.clear()
        self._later.clear()
        return len(held)

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
        journal: where it says what it keeps; nowhere by default.

    Attributes:
        KINDS: what is taken back, the first before what refers to it.
    """

    KINDS = ("queue", "message", "deduplication", "move")

    def __init__(
        self, clock: Callable[[], float] = time.time, journal: Journal | None = None
    ) -> None:
        self.now = clock
        self.journal = journal or Journal()
        self.queues: dict[str, Queue] = {}
        self.moves: list[Move] = []

    def clear(self) -> None:
        """Forget all queues."""
        for queue in self.queues.values():
            queue.wake()
        self.queues.clear()
        self.moves.clear()
        self.journal.clear()

    def wake(self) -> None:
        """Let everybody who waits look again: the time was moved."""
        for queue in self.queues.values():
            queue.wake()

    def things(self) -> Iterator[Kept]:
        """Yield all that it keeps."""
        for queue in self.queues.values():
            yield from queue.things()
        yield from self.moves

    def load(self, packed: Packed) -> Kept | None:
        """Take back what was written down; return what it is now."""
        fields = packed.fields
        if packed.kind == "queue":
            queue = Queue.unpack(fields, self.journal)
            self.queues[queue.name] = queue
            return queue
        if packed.kind == "move":
            move = Move(fields)
            self.moves.insert(0, move)
            return move
        found = self.queues.get(fields["queue"])
        if found is None:
            return None
        if packed.kind == "deduplication":
            each = Deduplication(**fields)
            found.restore_deduplication(each)
            return each
        message = StoredMessage(**fields)
        found.restore(message)
        return message

    def loaded(self) -> None:
        """Go on with what was taken back."""
        for queue in self.queues.values():
            queue.restore_order()
        for move in self.moves:
            if move.task["Status"] == "RUNNING":
                move.task.update(Status="FAILED", FailureReason="The service was stopped.")
                move.task.pop("TaskHandle", None)
                self.journal.save(move)

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
