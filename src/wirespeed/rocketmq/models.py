"""Values of the RocketMQ client."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config import instance, whole
from ..errors import ConfigError
from .compression import COMPRESSED, decompress

if TYPE_CHECKING:
    from .._native import StoredMessage

Body = bytes | bytearray | memoryview

_MAX_DELAY_LEVEL = 18
_MAX_DELAY = 3 * 24 * 3600


class SendStatus(enum.IntEnum):
    """How far the broker got with a stored message; every one of them is stored on the master."""

    OK = 0
    FLUSH_DISK_TIMEOUT = 1
    FLUSH_SLAVE_TIMEOUT = 2
    SLAVE_NOT_AVAILABLE = 3


class ConsumeResult(enum.Enum):
    """What a handler may return; None means SUCCESS, an exception means RETRY."""

    SUCCESS = "success"
    RETRY = "retry"


class TransactionStatus(enum.IntEnum):
    """What became of a transaction's local part, as the protocol numbers it."""

    UNKNOWN = 0
    COMMIT = 8
    ROLLBACK = 12


class StartFrom(enum.Enum):
    """Where a group without a stored offset begins."""

    LAST = "CONSUME_FROM_LAST_OFFSET"
    FIRST = "CONSUME_FROM_FIRST_OFFSET"
    TIMESTAMP = "CONSUME_FROM_TIMESTAMP"


@dataclass(frozen=True, slots=True)
class Sql:
    """A condition of SQL92 on a message's properties, by which the broker filters.

    Args:
        condition: such as "price > 5 AND color = 'red'"; TAGS is a property too.

    Raises:
        ConfigError: it is blank. What else is wrong, the broker tells at the start.
    """

    condition: str

    def __post_init__(self) -> None:
        if not isinstance(self.condition, str) or not self.condition.strip():
            raise ConfigError("condition must be text that is not blank")


@dataclass(frozen=True, slots=True, order=True)
class MessageQueue:
    """One queue of a topic on one broker. Ordered as rebalancing needs it."""

    topic: str
    broker_name: str
    queue_id: int


@dataclass(frozen=True, slots=True)
class QueueStats:
    """What a broker has of one queue.

    Attributes:
        queue: the queue.
        first: its first message's offset.
        end: one past its last message.
        updated: when a message last came, in seconds since 1970; 0 for never.
    """

    queue: MessageQueue
    first: int
    end: int
    updated: float


@dataclass(frozen=True, slots=True)
class QueueProgress:
    """Where a group is in one queue.

    Attributes:
        queue: the queue.
        committed: everything before this offset is consumed.
        end: one past the last message.
        consumed: when the last consumed message was stored, in seconds since 1970; 0 for never.
    """

    queue: MessageQueue
    committed: int
    end: int
    consumed: float

    @property
    def lag(self) -> int:
        """Messages still to be consumed."""
        return max(0, self.end - self.committed)


@dataclass(frozen=True, slots=True)
class GroupProgress:
    """Where a group is.

    Attributes:
        queues: each queue that it has an offset of.
        rate: messages a second that it consumes now.
    """

    queues: tuple[QueueProgress, ...]
    rate: float

    @property
    def lag(self) -> int:
        """Messages still to be consumed, retries included."""
        return sum(each.lag for each in self.queues)


@dataclass(frozen=True, slots=True)
class ConsumerConnection:
    """A client that consumes for a group.

    Attributes:
        client_id: its id.
        address: its "ip:port".
        language: what it is written in.
        version: the protocol version that it declares.
        subscriptions: topic to expression.
    """

    client_id: str
    address: str
    language: str
    version: int
    subscriptions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BrokerInfo:
    """A broker and its replicas.

    Attributes:
        name: the broker's name.
        cluster: its cluster.
        addresses: broker id to "host:port"; id 0 is the master.
    """

    name: str
    cluster: str
    addresses: Mapping[int, str]


class Message:
    """A message to send.

    Args:
        topic: where to; at most 127 of the characters `%|a-zA-Z0-9_-`.
        body: the content, not empty; kept, not copied, but for text, which becomes UTF-8.
        tag: what consumers filter by, or None.
        keys: what the broker indexes the message by; a key holds no white space.
        properties: further text properties; reserved names are refused.
        delay_level: 0 for now, or 1 to 18 (1 s 5 s 10 s 30 s 1 to 10 min 20 min 30 min 1 h 2 h).
        delay: seconds until consumers get it; brokers from 5.0 on, up to 3 days.
        deliver_at: when consumers get it, in seconds since 1970; instead of a delay.
        flag: a free 32-bit number that consumers see.

    Raises:
        ConfigError: an argument is wrong.
    """

    __slots__ = ("body", "flag", "properties", "topic")

    def __init__(
        self,
        topic: str,
        body: Body | str,
        *,
        tag: str | None = None,
        keys: str | Iterable[str] = (),
        properties: Mapping[str, str] | None = None,
        delay_level: int = 0,
        delay: float | None = None,
        deliver_at: float | None = None,
        flag: int = 0,
    ) -> None:
        self.topic = topic
        self.body: Body = _as_bytes(body)
        self.flag = flag
        own: dict[str, str] = {}
        if properties:
            if type(properties) is not dict:
                instance(properties, Mapping, "properties")
            for name, value in properties.items():
                check_user_property(name, value)
                own[name] = value
        if tag is not None:
            own["TAGS"] = tag
        if keys:
            own["KEYS"] = keys if isinstance(keys, str) else _join(keys)
        if delay_level:
            whole(delay_level, "delay_level", 0, _MAX_DELAY_LEVEL)
            own["DELAY"] = str(delay_level)
        if delay is not None or deliver_at is not None:
            own.update(_timer(delay_level, delay, deliver_at))
        self.properties = own

    @classmethod
    def from_parts(cls, topic: str, body: Body, properties: dict[str, str]) -> Message:
        """Return a message with `properties` as they are, reserved names included."""
        message = cls.__new__(cls)
        message.topic = topic
        message.body = body
        message.properties = properties
        message.flag = 0
        return message

    def within(self, topic: str) -> Message:
        """Return a message to another topic that shares body and properties with this one."""
        message = Message.from_parts(topic, self.body, self.properties)
        message.flag = self.flag
        return message

    @property
    def tag(self) -> str | None:
        """The tag, or None."""
        return self.properties.get("TAGS")

    @property
    def keys(self) -> tuple[str, ...]:
        """The index keys."""
        return tuple(self.properties.get("KEYS", "").split())

    def __repr__(self) -> str:
        return f"Message(topic={self.topic!r}, {len(self.body)} bytes, tag={self.tag!r})"


def _as_bytes(body: Body | str) -> Body:
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, memoryview):
        if not body.c_contiguous:
            raise ConfigError("body must be contiguous in memory")
        return body.cast("B")
    return body


def _join(keys: Iterable[str]) -> str:
    instance(keys, Iterable, "keys")
    listed = list(keys)
    for key in listed:
        if not isinstance(key, str) or len(key.split()) != 1:
            raise ConfigError(f"keys: {key!r} must be a str that is not empty, without white space")
    return " ".join(listed)


def _timer(delay_level: int, delay: float | None, deliver_at: float | None) -> dict[str, str]:
    if bool(delay_level) + (delay is not None) + (deliver_at is not None) > 1:
        raise ConfigError("give one of delay_level, delay and deliver_at")
    if deliver_at is not None:
        if not isinstance(deliver_at, (int, float)) or not 0 < deliver_at < float("inf"):
            raise ConfigError(f"deliver_at must be seconds since 1970, not {deliver_at!r}")
        return {"TIMER_DELIVER_MS": str(int(deliver_at * 1000))}
    assert delay is not None
    if not isinstance(delay, (int, float)) or not 0 < delay <= _MAX_DELAY:
        raise ConfigError(f"delay must be above 0 and at most {_MAX_DELAY} seconds, not {delay!r}")
    return {"TIMER_DELAY_MS": str(int(delay * 1000))}


RESERVED_PROPERTIES = frozenset(
    [
        "KEYS",
        "TAGS",
        "WAIT",
        "DELAY",
        "RETRY_TOPIC",
        "REAL_TOPIC",
        "REAL_QID",
        "TRAN_MSG",
        "PGROUP",
        "MIN_OFFSET",
        "MAX_OFFSET",
        "BUYER_ID",
        "ORIGIN_MESSAGE_ID",
        "ORIGIN_GROUP",
        "TRANSFER_FLAG",
        "CORRECTION_FLAG",
        "MQ2_FLAG",
        "RECONSUME_TIME",
        "MSG_REGION",
        "TRACE_ON",
        "TRACE_CONTEXT",
        "UNIQ_KEY",
        "EXTEND_UNIQ_INFO",
        "MAX_RECONSUME_TIMES",
        "CONSUME_START_TIME",
        "INNER_NUM",
        "INNER_BASE",
        "DUP_INFO",
        "CHECK_IMMUNITY_TIME_IN_SECONDS",
        "TRAN_PREPARED_QUEUE_OFFSET",
        "TRANS_OFFSET",
        "__transactionId__",
        "TRANSACTION_CHECK_TIMES",
        "INSTANCE_ID",
        "CORRELATION_ID",
        "REPLY_TO_CLIENT",
        "TTL",
        "ARRIVE_TIME",
        "PUSH_REPLY_TIME",
        "CLUSTER",
        "MSG_TYPE",
        "POP_CK",
        "POP_CK_OFFSET",
        "1ST_POP_TIME",
        "__SHARDINGKEY",
        "TIMER_DELAY_SEC",
        "TIMER_DELIVER_MS",
        "TIMER_DELAY_MS",
        "TIMER_IN_MS",
        "TIMER_OUT_MS",
        "TIMER_ENQUEUE_MS",
        "TIMER_DEQUEUE_MS",
        "TIMER_ROLL_TIMES",
        "TIMER_ROLL_LABEL",
        "TIMER_DEL_UNIQKEY",
        "TIMER_DELAY_LEVEL",
        "DLQ_ORIGIN_TOPIC",
        "DLQ_ORIGIN_MESSAGE_ID",
        "__BORNHOST",
        "BORN_TIMESTAMP",
        "__CRC32#",
        "INNER_MULTI_DISPATCH",
        "INNER_MULTI_QUEUE_OFFSET",
        "_SYS_MSG_PRIORITY_",
        "__LITE_TOPIC",
        "PROPERTY_FORWARD_QUEUE_ID",
        "REDIRECT",
    ]
)


def check_user_property(name: str, value: str) -> None:
    """Refuse a property that a user may not set.

    Raises:
        ConfigError: the name is reserved, or one of the two is blank or no text.
    """
    if not isinstance(name, str) or not isinstance(value, str):
        raise ConfigError(f"property {name!r} must map a str to a str")
    if not name.strip() or not value.strip():
        raise ConfigError(f"property {name!r} must have a name and a value that are not blank")
    if name in RESERVED_PROPERTIES or name.startswith("__RMQ.TRANSIENT"):
        raise ConfigError(f"property name {name!r} is reserved by RocketMQ")


class SendResult:
    """The broker's acknowledgement.

    Attributes:
        status: how far the broker got.
        message_id: the client's unique id (UNIQ_KEY), the same at each retry.
        offset_message_id: the broker's id: where the message lies.
        queue: the queue that took it.
        queue_offset: its place in the queue.
        attempts: how many times it was sent.
        possible_duplicate: an earlier try may have been stored too.
        recall_handle: by which a delayed message can be taken back, or "".
    """

    __slots__ = (
        "attempts",
        "message_id",
        "offset_message_id",
        "possible_duplicate",
        "queue",
        "queue_offset",
        "recall_handle",
        "status",
    )

    def __init__(
        self,
        status: SendStatus,
        message_id: str,
        offset_message_id: str,
        queue: MessageQueue,
        queue_offset: int,
        attempts: int,
        possible_duplicate: bool,
        recall_handle: str = "",
    ) -> None:
        self.status = status
        self.message_id = message_id
        self.offset_message_id = offset_message_id
        self.queue = queue
        self.queue_offset = queue_offset
        self.attempts = attempts
        self.possible_duplicate = possible_duplicate
        self.recall_handle = recall_handle

    def __repr__(self) -> str:
        return (
            f"SendResult({self.status.name}, {self.message_id}, {self.queue.topic} "
            f"queue {self.queue.queue_id} offset {self.queue_offset})"
        )


class ReceivedMessage:
    """A message as a consumer gets it. Parts are decoded when they are first asked for.

    Attributes:
        topic: the topic it was sent to.
        broker_name: the broker it was read from.
        native: the stored form.
        attempts_here: how often an ordered consumer of this process consumed it in vain.
        receipt_handle: what a `SimpleConsumer` settles it by, or "".
    """

    __slots__ = (
        "_body",
        "_properties",
        "attempts_here",
        "broker_name",
        "native",
        "receipt_handle",
        "topic",
    )

    def __init__(self, native: StoredMessage, broker_name: str) -> None:
        self.native = native
        self.broker_name = broker_name
        self._properties: dict[str, str] | None = None
        self._body: bytes | None = None
        self.attempts_here = 0
        self.receipt_handle = ""
        topic = native.topic
        if topic.startswith("%RETRY%"):
            topic = native.property("RETRY_TOPIC") or topic
        self.topic = topic

    @property
    def body(self) -> bytes:
        """The content, decompressed.

        Raises:
            CorruptMessage: it cannot be decompressed.
            MissingCodec: it is lz4 or zstd, and the extra `compression` is not installed.
        """
        if self._body is None:
            native = self.native
            raw = native.body
            self._body = decompress(raw, native.sys_flag) if native.sys_flag & COMPRESSED else raw
        return self._body

    @property
    def properties(self) -> dict[str, str]:
        """All properties, those of RocketMQ included."""
        if self._properties is None:
            self._properties = self.native.properties
        return self._properties

    def copy(self, topic: str | None = None) -> Message:
        """Return a message of the same body, tag, keys, flag and user properties, to send anew.

        Args:
            topic: where it is to go; where it was first sent to if None, also for a dead letter.
        """
        kept = {
            name: value
            for name, value in self.properties.items()
            if name in ("TAGS", "KEYS") or name not in RESERVED_PROPERTIES
        }
        origin = self.native.property("RETRY_TOPIC") or self.topic
        message = Message.from_parts(topic or origin, self.body, kept)
        message.flag = self.native.flag
        return message

    @property
    def message_id(self) -> str:
        """The sender's unique id, or the broker's where the sender set none."""
        return self.native.property("UNIQ_KEY") or self.native.offset_message_id

    @property
    def offset_message_id(self) -> str:
        """The broker's id."""
        return self.native.offset_message_id

    @property
    def tag(self) -> str | None:
        """The tag, or None."""
        return self.native.property("TAGS")

    @property
    def keys(self) -> tuple[str, ...]:
        """The index keys."""
        return tuple((self.native.property("KEYS") or "").split())

    @property
    def queue(self) -> MessageQueue:
        """Where the message was read."""
        return MessageQueue(self.native.topic, self.broker_name, self.native.queue_id)

    @property
    def queue_id(self) -> int:
        """The queue's number on its broker."""
        return self.native.queue_id

    @property
    def queue_offset(self) -> int:
        """The place in the queue."""
        return self.native.queue_offset

    @property
    def flag(self) -> int:
        """The sender's free number."""
        return self.native.flag

    @property
    def reconsume_times(self) -> int:
        """How many times the message was consumed in vain."""
        return self.native.reconsume_times + self.attempts_here

    @property
    def born_timestamp(self) -> int:
        """When it was sent, in milliseconds since 1970, by the sender's clock."""
        return self.native.born_timestamp

    @property
    def store_timestamp(self) -> int:
        """When it was stored, in milliseconds since 1970, by the broker's clock."""
        return self.native.store_timestamp

    @property
    def born_host(self) -> str:
        """The sender's "ip:port"."""
        return self.native.born_host

    @property
    def store_host(self) -> str:
        """The broker's "ip:port"."""
        return self.native.store_host

    def __repr__(self) -> str:
        return (
            f"ReceivedMessage(topic={self.topic!r}, id={self.message_id}, "
            f"queue={self.queue_id}, offset={self.queue_offset})"
        )
