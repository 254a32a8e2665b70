"""Topics, queues and messages in memory, in the form in which a broker stores them."""

from __future__ import annotations

import functools
import re
import struct
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from ... import _native
from ..clock import Clock
from ..journal import Journal, Packed
from . import codes
from .server import Refusal

PERM_READ_WRITE = 6
DEFAULT_TOPIC = "TBW102"
RETRY_PREFIX = "%RETRY%"
DLQ_PREFIX = "%DLQ%"
GROUP_LIMIT = 120
BODY_LIMIT = 4 * 1024 * 1024
PROPERTIES_LIMIT = 32767
_TOPIC_LIMIT = 127
_TOPIC = re.compile(r"[%|a-zA-Z0-9_-]+")
_OWN_TOPICS = frozenset(
    {
        "SCHEDULE_TOPIC_XXXX",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "TRANS_CHECK_MAX_TIME_TOPIC",
        "SELF_TEST_TOPIC",
        "OFFSET_MOVED_EVENT",
    }
)
_MAGIC = 0xDAA320A7
_BORN_HOST_V6 = 0x10
_STORE_HOST_V6 = 0x20
_FIXED = struct.Struct(">IIIiiqqiq")
_INT32 = struct.Struct(">i")
_INT64 = struct.Struct(">q")
_AFTER_HOSTS = struct.Struct(">iqi")
_INT16 = struct.Struct(">h")


@functools.lru_cache(maxsize=1024)
def _packed(address: str) -> bytes:
    return ip_address(address).packed


def check_topic(topic: str) -> None:
    """Refuse a name that no topic may have."""
    if not topic or len(topic) > _TOPIC_LIMIT or not _TOPIC.fullmatch(topic):
        raise Refusal(
            codes.INVALID_PARAMETER,
            f"The specified topic[{topic[:200]}] is illegal: it must have 1 to {_TOPIC_LIMIT} "
            "characters of ^[%|a-zA-Z0-9_-]+$",
        )


@dataclass(slots=True)
class Draft:
    """A message about to be stored.

    Attributes:
        topic, queue_id: where.
        body: as sent.
        properties: the message's properties.
        flag: the sender's own int.
        sys_flag: compression bits.
        born_timestamp: milliseconds since 1970, by the sender's clock.
        born_host: address and port of the sender.
        reconsume_times: how often it was consumed in vain.
    """

    topic: str
    queue_id: int
    body: bytes
    properties: dict[str, str]
    flag: int
    sys_flag: int
    born_timestamp: int
    born_host: tuple[str, int]
    reconsume_times: int = 0

    def pack(self) -> dict[str, Any]:
        """Return all but the body as it is written down."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "body"}

    @classmethod
    def unpack(cls, fields: dict[str, Any], body: bytes) -> Draft:
        """Return the message that was written down."""
        host, port = fields["born_host"]
        return cls(**{**fields, "born_host": (host, port)}, body=body)


@dataclass(eq=False, slots=True)
class Stored:
    """A message as stored.

    Attributes:
        record: all of it, as pull replies carry it.
        tag_hash: what filters compare; 0 without a tag.
        queue_offset: where in the queue.
        physical_offset: where among all messages.
        store_timestamp: milliseconds since 1970.
        offset_message_id: the broker's id of it.
        topic, queue_id: where it is.
    """

    record: bytes
    tag_hash: int
    queue_offset: int
    physical_offset: int
    store_timestamp: int
    offset_message_id: str
    topic: str = ""
    queue_id: int = 0

    def pack(self) -> Packed:
        """Return it as it is written down."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "record"}
        return Packed("message", fields, self.record)


@dataclass(eq=False, slots=True)
class Topic:
    """A topic and its queues.

    Attributes:
        name: the topic's name.
        queues: the messages of each queue, the oldest first.
        perm: 4 read, 2 write, 1 inherit.
        read_queues, write_queues: how many of them may be read and written, from the first;
            all where 0 is given.
        attributes: what administrators noted, such as message.type.
    """

    name: str
    queues: list[list[Stored]]
    perm: int = PERM_READ_WRITE
    read_queues: int = 0
    write_queues: int = 0
    attributes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.read_queues = self.read_queues or len(self.queues)
        self.write_queues = self.write_queues or len(self.queues)

    def pack(self) -> Packed:
        """Return it as it is written down, but for its messages."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return Packed("topic", {**fields, "queues": len(self.queues)})


@dataclass(slots=True)
class Store:
    """All topics and messages. One event loop uses it at a time.

    Attributes:
        store_host: address and port that messages are said to be stored at.
        memory_limit: bytes of messages; a send past it is refused with code 14. 1 GiB by default.
        topics: by name.
        used: bytes of messages held.
        clock: the time.
        journal: where it says what it keeps; nowhere by default.
    """

    store_host: tuple[str, int] = ("127.0.0.1", 0)
    memory_limit: int = 1 << 30
    topics: dict[str, Topic] = field(default_factory=dict)
    used: int = 0
    clock: Clock = field(default_factory=Clock)
    journal: Journal = field(default_factory=Journal)
    _by_offset: dict[int, Stored] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget every topic and message."""
        self.topics.clear()
        self._by_offset.clear()
        self.used = 0

    def create(self, name: str, queues: int, perm: int = PERM_READ_WRITE) -> Topic:
        """Return the topic, made with that many queues if it is new."""
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name, [[] for _ in range(queues)], perm)
            self.journal.save(topic)
        return topic

    def delete(self, name: str) -> None:
        """Forget a topic and its messages."""
        topic = self.topics.pop(name, None)
        if topic is None:
            return
        self.journal.drop(topic)
        for message in [message for queue in topic.queues for message in queue]:
            del self._by_offset[message.physical_offset]
            self.journal.drop(message)

    def restore_topic(self, fields: dict[str, Any]) -> Topic:
        """Take a topic back that was written down."""
        queues = fields["queues"]
        topic = self.create(fields["name"], queues)
        topic.queues += [[] for _ in range(queues - len(topic.queues))]
        for name in ("perm", "read_queues", "write_queues", "attributes"):
            setattr(topic, name, fields[name])
        return topic

    def restore(self, message: Stored) -> bool:
        """Take a message back that was written down, and tell whether its topic is there."""
        topic = self.topics.get(message.topic)
        if topic is None:
            return False
        topic.queues[message.queue_id].append(message)
        self._by_offset[message.physical_offset] = message
        self.used = max(self.used, message.physical_offset + len(message.record))
        return True

    def topic_for_send(self, name: str, default_topic: str, default_queues: int) -> Topic:
        """Return the topic to send to, made as a real broker makes it when it is new."""
        check_topic(name)
        if name in _OWN_TOPICS:
            raise Refusal(
                codes.NO_PERMISSION, f"the topic[{name}] is conflict with system reserved words."
            )
        topic = self.topics.get(name)
        if topic is not None:
            return topic
        if name.startswith(RETRY_PREFIX):
            return self.create_retry(name)
        if default_topic != DEFAULT_TOPIC or default_queues < 1:
            raise Refusal(
                codes.TOPIC_NOT_EXIST,
                f"topic[{name}] not exist, apply first please! See "
                "https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.",
            )
        return self.create(name, min(default_queues, 8))

    def create_retry(self, name: str) -> Topic:
        """Return a `%RETRY%` or `%DLQ%` topic, which has one queue."""
        group = name.removeprefix(RETRY_PREFIX).removeprefix(DLQ_PREFIX)
        if len(group) > GROUP_LIMIT:
            raise Refusal(
                codes.GROUP_NOT_EXIST,
                f"the group must have at most {GROUP_LIMIT} characters, not {len(group)}",
            )
        return self.create(name, 1)

    def append(self, draft: Draft) -> Stored:
        """Store a message at the end of its queue, which must exist."""
        queue = self.topics[draft.topic].queues[draft.queue_id]
        now = self.clock.milliseconds()
        record = _encode(draft, len(queue), self.used, now, self.store_host)
        if self.used + len(record) > self.memory_limit:
            raise Refusal(
                codes.SERVICE_NOT_AVAILABLE,
                f"service not available now: {self.memory_limit} bytes of messages are held",
            )
        tags = draft.properties.get("TAGS", "")
        address = _packed(self.store_host[0])
        stored = Stored(
            record,
            _native.tag_hash(tags) if tags else 0,
            len(queue),
            self.used,
            now,
            (address + _INT32.pack(self.store_host[1]) + _INT64.pack(self.used)).hex().upper(),
            draft.topic,
            draft.queue_id,
        )
        queue.append(stored)
        self.journal.save(stored)
        self._by_offset[self.used] = stored
        self.used += len(record)
        return stored

    def stored(self, draft: Draft, queue_offset: int, physical_offset: int) -> Stored:
        """Return a message as it would be stored there; it is not."""
        now = self.clock.milliseconds()
        address = _packed(self.store_host[0])
        place = address + _INT32.pack(self.store_host[1]) + _INT64.pack(physical_offset)
        record = _encode(draft, queue_offset, physical_offset, now, self.store_host)
        return Stored(record, 0, queue_offset, physical_offset, now, place.hex().upper())

    def at(self, physical_offset: int) -> Stored | None:
        """Return the message that begins there."""
        return self._by_offset.get(physical_offset)

    def queue(self, topic: str, queue_id: int) -> list[Stored]:
        """Return a queue's messages; none where there is no such topic or queue."""
        found = self.topics.get(topic)
        if found is None or not 0 <= queue_id < len(found.queues):
            return []
        return found.queues[queue_id]

    def search(self, topic: str, queue_id: int, timestamp: int, upper: bool) -> int:
        """Return the offset of the first message not before `timestamp`, or with `upper` of
        the last one not after it."""
        times = [stored.store_timestamp for stored in self.queue(topic, queue_id)]
        if upper:
            return max(bisect_right(times, timestamp) - 1, 0)
        return bisect_left(times, timestamp)

    def messages(self, topic: str) -> Iterator[Stored]:
        """Yield the topic's messages, the newest of each queue first."""
        found = self.topics.get(topic)
        for queue in found.queues if found else []:
            yield from reversed(queue)


def _encode(
    draft: Draft,
    queue_offset: int,
    physical_offset: int,
    store_timestamp: int,
    store_host: tuple[str, int],
) -> bytes:
    properties = _native.encode_properties(draft.properties)
    topic = draft.topic.encode()
    born_address = _packed(draft.born_host[0])
    store_address = _packed(store_host[0])
    sys_flag = draft.sys_flag & ~(_BORN_HOST_V6 | _STORE_HOST_V6)
    sys_flag |= _BORN_HOST_V6 if len(born_address) == 16 else 0
    sys_flag |= _STORE_HOST_V6 if len(store_address) == 16 else 0
    tail = b"".join(
        (
            born_address,
            _INT32.pack(draft.born_host[1]),
            _INT64.pack(store_timestamp),
            store_address,
            _INT32.pack(store_host[1]),
            _AFTER_HOSTS.pack(draft.reconsume_times, 0, len(draft.body)),
            draft.body,
            bytes((len(topic),)),
            topic,
            _INT16.pack(len(properties)),
            properties,
        )
    )
    return (
        _FIXED.pack(
            _FIXED.size + len(tail),
            _MAGIC,
            zlib.crc32(draft.body) & 0x7FFFFFFF,
            draft.queue_id,
            draft.flag,
            queue_offset,
            physical_offset,
            sys_flag,
            draft.born_timestamp,
        )
        + tail
    )
