"""RocketMQ requests and replies as values; no I/O."""

from __future__ import annotations

import functools
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ... import _native
from ...errors import ConfigError, ProtocolError
from ...remoting.connection import JOINED_BODY, LANGUAGE_PYTHON, VERSION, Command, Frame
from .. import codes, fastjson
from ..compression import COMPRESSION_FLAGS
from ..models import Body, Message, MessageQueue, ReceivedMessage, Sql

MASTER = 0
PERM_READ = 4
PERM_WRITE = 2
AUTO_CREATE_TOPIC = "TBW102"
DEFAULT_QUEUES = 4
MAX_BODY = 4 * 1024 * 1024
RETRY_PREFIX = "%RETRY%"
INNER_PRODUCER_GROUP = "CLIENT_INNER_PRODUCER"
_MAX_TOPIC = 127
_MAX_GROUP = 120

_NAME = re.compile(r"[%|a-zA-Z0-9_-]+")
_UNSENDABLE = frozenset(
    {
        "SCHEDULE_TOPIC_XXXX",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "TRANS_CHECK_MAX_TIME_TOPIC",
        "SELF_TEST_TOPIC",
        "OFFSET_MOVED_EVENT",
    }
)
DELAY_PROPERTIES = frozenset({"DELAY", "TIMER_DELAY_SEC", "TIMER_DELAY_MS", "TIMER_DELIVER_MS"})
_BATCH_PROPERTIES = "WAIT\x01true\x02"
_PULL_COMMIT = 0x1
_PULL_SUSPEND = 0x2
_PULL_SUBSCRIPTION = 0x4


def check_topic(topic: str) -> None:
    """Raise `ConfigError` unless `topic` may be sent to."""
    if type(topic) is str:
        _check_topic(topic)
    else:
        _check_name("topic", topic, _MAX_TOPIC)


@functools.lru_cache(maxsize=1024)
def _check_topic(topic: str) -> None:
    _check_name("topic", topic, _MAX_TOPIC)
    if topic in _UNSENDABLE:
        raise ConfigError(f"topic {topic!r} belongs to the broker")


def check_group(group: str) -> None:
    """Raise `ConfigError` unless `group` may name producers or consumers."""
    _check_name("group", group, _MAX_GROUP)
    if group in ("DEFAULT_PRODUCER", "DEFAULT_CONSUMER"):
        raise ConfigError(f"group {group!r} is reserved: choose a name of your own")


def _check_name(what: str, name: str, limit: int) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"{what} must be a str that is not blank")
    if len(name) > limit:
        raise ConfigError(f"{what} must have at most {limit} characters, not {len(name)}")
    if _NAME.fullmatch(name) is None:
        raise ConfigError(f"{what} {name!r} has a character other than % | a-z A-Z 0-9 _ -")


def check_body(body: Body, limit: int, name: str = "body") -> None:
    """Raise `ConfigError` unless `body` is a buffer of 1 to `limit` bytes."""
    if isinstance(body, (bytes, bytearray)):
        size = len(body)
    elif isinstance(body, memoryview):
        size = body.nbytes
    else:
        raise ConfigError(
            f"{name} must be bytes, bytearray or memoryview, not {type(body).__name__}"
        )
    if not 1 <= size <= limit:
        raise ConfigError(f"{name} must have 1 to {limit} bytes, not {size}")


@dataclass(frozen=True, slots=True)
class TopicRoute:
    """Where a topic's queues are.

    Attributes:
        brokers: broker name to {broker id: "host:port"}; id 0 is the master.
        write_queues: queues to send to, in the order of the route, each with its master.
        read_queues: queues to consume.
    """

    brokers: Mapping[str, Mapping[int, str]]
    write_queues: tuple[tuple[MessageQueue, str], ...]
    read_queues: tuple[MessageQueue, ...]

    def address(self, broker_name: str, broker_id: int = MASTER) -> str | None:
        """Return where that replica of a broker is, or where it is gone another one, or None."""
        addresses = self.brokers.get(broker_name)
        if not addresses:
            return None
        return addresses.get(broker_id) or addresses.get(MASTER) or next(iter(addresses.values()))

    def master(self, broker_name: str) -> str | None:
        """Return where the broker's master is, or None."""
        return self.brokers.get(broker_name, {}).get(MASTER)


def route_request(topic: str) -> Command:
    """Code 105: where is this topic."""
    return Command(codes.GET_ROUTEINFO_BY_TOPIC, {"topic": topic, "acceptStandardJsonOnly": "true"})


def parse_route(topic: str, frame: Frame, *, queue_limit: int | None = None) -> TopicRoute:
    """Read a route reply; `queue_limit` caps the write queues (routes of `TBW102`).

    Raises:
        ProtocolError: the body is not what a name server sends.
    """
    try:
        data = fastjson.loads(frame.body)
        brokers = {
            broker["brokerName"]: {int(key): value for key, value in broker["brokerAddrs"].items()}
            for broker in data["brokerDatas"]
        }
        write: list[tuple[MessageQueue, str]] = []
        read: list[MessageQueue] = []
        for queue in data["queueDatas"]:
            name, perm = queue["brokerName"], queue["perm"]
            master = brokers.get(name, {}).get(MASTER)
            if perm & PERM_WRITE and master:
                count = queue["writeQueueNums"]
                if queue_limit is not None:
                    count = min(queue_limit, queue["readQueueNums"])
                write += ((MessageQueue(topic, name, number), master) for number in range(count))
            if perm & PERM_READ:
                read += (MessageQueue(topic, name, n) for n in range(queue["readQueueNums"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(
            f"the name server's route of {topic} cannot be read: {error!r}", service="rocketmq"
        ) from error
    return TopicRoute(brokers, tuple(write), tuple(read))


def encode_properties(properties: dict[str, str]) -> bytes:
    """Return properties in their stored form.

    Raises:
        ConfigError: a name or value holds U+0001 or U+0002, or all pass 32,767 bytes.
    """
    try:
        return _native.encode_properties(properties)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{_culprit(properties)}: {error}") from error


def _culprit(properties: dict[str, str]) -> str:
    """Return the argument that holds a separator or no text, or "properties"."""
    for name, value in properties.items():
        for text in (name, value):
            if not isinstance(text, str) or "\1" in text or "\2" in text:
                return {"TAGS": "tag", "KEYS": "keys"}.get(name, f"property {name!r}")
    return "properties"


class SendCommand(Command):
    """A request to store a message or a batch, encoded in one call.

    Its fields are made when they are asked for, as they are to be signed; from then on they count.
    """

    __slots__ = ("_fields", "_parts")

    def __init__(
        self,
        parts: tuple[str, str, str, str, int, int, int, int, int, int | None, bool],
        body: Body,
    ) -> None:
        self.code = codes.SEND_BATCH_MESSAGE if parts[-1] else codes.SEND_MESSAGE_V2
        self.body = body
        self.remark = None
        self._parts = parts
        self._fields: dict[str, str] | None = None

    @property
    def ext_fields(self) -> dict[str, str] | None:
        """The header's fields."""
        fields = self._fields
        if fields is None:
            group, topic, properties, broker, queue, sys_flag, born, flag, times, most, batch = (
                self._parts
            )
            fields = self._fields = {
                "a": group,
                "b": topic,
                "c": AUTO_CREATE_TOPIC,
                "d": str(DEFAULT_QUEUES),
                "e": str(queue),
                "f": str(sys_flag),
                "g": str(born),
                "h": str(flag),
                "i": properties,
                "j": str(times),
                "k": "false",
                "m": "true" if batch else "false",
                "n": broker,
            }
            if most is not None:
                fields["l"] = str(most)
        return fields

    @ext_fields.setter
    def ext_fields(self, fields: dict[str, str] | None) -> None:
        self._fields = fields

    def pack(self, opaque: int, flag: int, *, binary: bool) -> list[Body]:
        """As `Command.pack`."""
        if self._fields is not None:
            return super().pack(opaque, flag, binary=binary)
        head = _native.encode_send(
            self._parts, self.body, opaque, flag, binary, LANGUAGE_PYTHON, VERSION, JOINED_BODY
        )
        return [head] if len(self.body) <= JOINED_BODY else [head, self.body]


def send_request(
    group: str,
    message: Message,
    properties: str,
    queue: MessageQueue,
    sys_flag: int,
    born_timestamp: int,
    *,
    body: Body | None = None,
    reconsume_times: int = 0,
    max_reconsume_times: int | None = None,
    batch: bool = False,
) -> Command:
    """Code 310: store one message in `queue`, or code 320 for a batch.

    `body` is the message's own unless given.
    """
    return SendCommand(
        (
            group,
            message.topic,
            properties,
            queue.broker_name,
            queue.queue_id,
            sys_flag,
            born_timestamp,
            message.flag,
            reconsume_times,
            max_reconsume_times,
            batch,
        ),
        message.body if body is None else body,
    )


def encode_batch(parts: Sequence[tuple[int, Body, bytes]]) -> bytes:
    """Return a batch's body: each part is (flag, body, encoded properties).

    Raises:
        ConfigError: a flag is no int32, or the batch passes a frame.
    """
    try:
        return _native.encode_batch(parts)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"the batch: {error}") from error


def send_batch_request(
    group: str, topic: str, body: bytes, queue: MessageQueue, born_timestamp: int
) -> Command:
    """Code 320: store the messages of a batch in `queue`."""
    batch = Message.from_parts(topic, body, {})
    return send_request(group, batch, _BATCH_PROPERTIES, queue, 0, born_timestamp, batch=True)


def commit_log_offset(offset_message_id: str) -> int:
    """Return where a message lies on its broker: the last 16 digits of the broker's id of it.

    Raises:
        ProtocolError: the id is not 32 or 56 hex digits.
    """
    try:
        if len(offset_message_id) not in (32, 56):
            raise ValueError
        return int(offset_message_id[-16:], 16)
    except ValueError:
        raise ProtocolError(
            f"{offset_message_id!r} is no message id of a broker", service="rocketmq"
        ) from None


def place_of(offset_message_id: str) -> tuple[str, int]:
    """Return the broker's "host:port" and where on it a message lies.

    Raises:
        ConfigError: that is no broker's id of a message.
    """
    try:
        data = bytes.fromhex(offset_message_id)
    except (ValueError, TypeError):
        data = b""
    if len(data) not in (16, 28):
        raise ConfigError(f"offset_message_id {offset_message_id!r} is none: 32 or 56 hex digits")
    address = ipaddress.ip_address(data[:-12])
    port = int.from_bytes(data[-12:-8], "big")
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"{host}:{port}", int.from_bytes(data[-8:], "big")


def end_transaction_request(
    group: str,
    topic: str,
    broker_name: str,
    *,
    state_table_offset: int,
    commit_log_offset: int,
    status: int,
    message_id: str,
    transaction_id: str,
    from_check: bool,
) -> Command:
    """Code 37: end a transaction."""
    fields = {
        "topic": topic,
        "producerGroup": group,
        "tranStateTableOffset": str(state_table_offset),
        "commitLogOffset": str(commit_log_offset),
        "commitOrRollback": str(int(status)),
        "fromTransactionCheck": "true" if from_check else "false",
        "msgId": message_id,
    }
    if transaction_id:
        fields["transactionId"] = transaction_id
    if broker_name:
        fields["bname"] = broker_name
    return Command(codes.END_TRANSACTION, fields)


def recall_request(group: str, topic: str, handle: str, broker_name: str) -> Command:
    """Code 370: take a delayed message back."""
    fields = {"producerGroup": group, "topic": topic, "recallHandle": handle, "bname": broker_name}
    return Command(codes.RECALL_MESSAGE, fields)


def broker_of_handle(handle: str) -> str:
    """Return the broker that a recall handle names.

    Raises:
        ConfigError: it is no handle.
    """
    try:
        parts = _native.base64url_decode(handle.encode()).decode().split(" ")
        if parts[0] != "v1" or len(parts) != 5:
            raise ValueError
        return parts[2]
    except (ValueError, AttributeError):
        raise ConfigError(f"recall_handle {handle!r} is none: only delayed messages get one") from (
            None
        )


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a group wants of a topic.

    Attributes:
        topic: the topic.
        expression: "*", tags joined by "||", or a condition of SQL92.
        tags: the tags; empty for all.
        version: milliseconds; grows when the subscription changes.
        kind: "TAG" or "SQL92".
    """

    topic: str
    expression: str
    tags: frozenset[str]
    version: int
    kind: str = "TAG"

    @classmethod
    def parse(cls, topic: str, expression: str | Sql, version: int) -> Subscription:
        """Read a tag expression such as "a || b" ("*" and "" mean all), or a condition.

        Raises:
            ConfigError: the topic's name is bad, or no tag is left.
        """
        if not topic.startswith(RETRY_PREFIX):
            check_topic(topic)
        if isinstance(expression, Sql):
            return cls(topic, expression.condition, frozenset(), version, "SQL92")
        if not isinstance(expression, str):
            raise ConfigError(f"the expression for {topic} must be a str")
        text = expression.strip()
        if text in ("", "*"):
            return cls(topic, "*", frozenset(), version)
        tags = frozenset(part.strip() for part in text.split("||") if part.strip())
        if not tags:
            raise ConfigError(f"the expression {expression!r} for {topic} names no tag")
        return cls(topic, text, tags, version)

    def as_json(self) -> dict[str, Any]:
        """Return the form that heartbeats carry."""
        return {
            "classFilterMode": False,
            "topic": self.topic,
            "subString": self.expression,
            "tagsSet": sorted(self.tags),
            "codeSet": sorted(_native.tag_hash(tag) for tag in self.tags),
            "subVersion": self.version,
            "expressionType": self.kind,
        }


@dataclass(slots=True)
class ConsumerRegistration:
    """The consumer half of a heartbeat.

    Attributes:
        group: the consumer group.
        start_from: where it begins, as the protocol names it.
        subscriptions: what it wants.
        broadcasting: every member gets every message.
        kind: "PASSIVELY" for one that is pushed to, "ACTIVELY" for one that pulls, or "POP".
    """

    group: str
    start_from: str
    subscriptions: list[Subscription] = field(default_factory=list)
    broadcasting: bool = False
    kind: str = "PASSIVELY"


def heartbeat_request(
    client_id: str, producer_groups: Iterable[str], consumers: Iterable[ConsumerRegistration]
) -> Command:
    """Code 34: who this client is and what it subscribes."""
    body = {
        "clientID": client_id,
        "producerDataSet": [{"groupName": group} for group in producer_groups],
        "consumerDataSet": [
            {
                "groupName": consumer.group,
                "consumeType": f"CONSUME_{consumer.kind}",
                "messageModel": "BROADCASTING" if consumer.broadcasting else "CLUSTERING",
                "consumeFromWhere": consumer.start_from,
                "subscriptionDataSet": [item.as_json() for item in consumer.subscriptions],
                "unitMode": False,
            }
            for consumer in consumers
        ],
        "heartbeatFingerprint": 0,
        "withoutSub": False,
    }
    return Command(codes.HEART_BEAT, body=to_json(body))


def unregister_request(client_id: str, *, producer: str = "", consumer: str = "") -> Command:
    """Code 35: a group of this client leaves."""
    fields = {"clientID": client_id}
    if producer:
        fields["producerGroup"] = producer
    if consumer:
        fields["consumerGroup"] = consumer
    return Command(codes.UNREGISTER_CLIENT, fields)


def consumer_list_request(group: str) -> Command:
    """Code 38: which clients consume for `group`."""
    return Command(codes.GET_CONSUMER_LIST_BY_GROUP, {"consumerGroup": group})


def parse_consumer_list(frame: Frame) -> list[str]:
    """Return the client ids of a code 38 reply."""
    try:
        return [str(client_id) for client_id in fastjson.loads(frame.body)["consumerIdList"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ProtocolError(f"bad consumer list: {error!r}", service="rocketmq") from error


def query_offset_request(group: str, queue: MessageQueue) -> Command:
    """Code 14: the group's stored offset."""
    return Command(
        codes.QUERY_CONSUMER_OFFSET,
        {"consumerGroup": group, **_place(queue)},
    )


def update_offset_request(group: str, queue: MessageQueue, offset: int) -> Command:
    """Code 15: store the group's offset."""
    return Command(
        codes.UPDATE_CONSUMER_OFFSET,
        {"consumerGroup": group, **_place(queue), "commitOffset": str(offset)},
    )


def max_offset_request(queue: MessageQueue) -> Command:
    """Code 30: one past the queue's last message."""
    return Command(codes.GET_MAX_OFFSET, {**_place(queue), "committed": "true"})


def min_offset_request(queue: MessageQueue) -> Command:
    """Code 31: the queue's first message."""
    return Command(codes.GET_MIN_OFFSET, _place(queue))


def search_offset_request(queue: MessageQueue, timestamp: int) -> Command:
    """Code 29: the first message stored at `timestamp`, in milliseconds since 1970, or later."""
    fields = {**_place(queue), "timestamp": str(timestamp), "boundaryType": "LOWER"}
    return Command(codes.SEARCH_OFFSET_BY_TIMESTAMP, fields)


def check_subscription_request(client_id: str, group: str, subscription: Subscription) -> Command:
    """Code 46: whether the broker can filter so."""
    body = {
        "clientId": client_id,
        "group": group,
        "subscriptionData": subscription.as_json(),
        "namespace": "",
    }
    return Command(codes.CHECK_CLIENT_CONFIG, body=to_json(body))


def to_json(value: object) -> bytes:
    """Return a request's body."""
    return json.dumps(value, separators=(",", ":")).encode()


def _place(queue: MessageQueue) -> dict[str, str]:
    return {
        "topic": queue.topic,
        "queueId": str(queue.queue_id),
        "bname": queue.broker_name,
    }


def integer(frame: Frame, name: str) -> int:
    """Return a numeric field of a reply.

    Raises:
        ProtocolError: it is absent or no number.
    """
    try:
        return int(frame.ext_fields[name])
    except (KeyError, ValueError) as error:
        raise ProtocolError(f"the reply has no number {name!r}", service="rocketmq") from error


def pull_request(
    group: str,
    queue: MessageQueue,
    offset: int,
    commit_offset: int | None,
    subscription: Subscription,
    *,
    batch: int,
    batch_bytes: int,
    suspend: float,
    carries_subscription: bool = False,
) -> Command:
    """Code 11: read up to `batch` messages, waiting up to `suspend` seconds for the first.

    The broker filters as the group's heartbeat said, or as this request does where it
    `carries_subscription`.
    """
    commits = commit_offset is not None and commit_offset > 0
    flags = (_PULL_SUSPEND if suspend else 0) | (_PULL_COMMIT if commits else 0)
    fields = {
        "consumerGroup": group,
        **_place(queue),
        "queueOffset": str(offset),
        "maxMsgNums": str(batch),
        "maxMsgBytes": str(batch_bytes),
        "sysFlag": str(flags),
        "commitOffset": str(commit_offset if commits else 0),
        "suspendTimeoutMillis": str(int(suspend * 1000)),
        "subVersion": str(subscription.version),
        "expressionType": subscription.kind,
    }
    if carries_subscription:
        fields["sysFlag"] = str(flags | _PULL_SUBSCRIPTION)
        fields["subscription"] = subscription.expression
    return Command(codes.PULL_MESSAGE, fields)


def parse_messages(frame: Frame, broker_name: str, tags: frozenset[str]) -> list[ReceivedMessage]:
    """Decode a pull reply and drop what the exact tags exclude (brokers compare hashes).

    Raises:
        ProtocolError: a length in the stored messages is broken.
    """
    try:
        stored = _native.decode_messages(frame.body)
    except ValueError as error:
        raise ProtocolError(f"bad stored message: {error}", service="rocketmq") from error
    if tags:
        stored = [message for message in stored if message.property("TAGS") in tags]
    return [ReceivedMessage(message, broker_name) for message in stored]


def lock_request(
    group: str, client_id: str, queues: Iterable[MessageQueue], *, locks: bool
) -> Command:
    """Code 41, or 42 unless `locks`: lock queues of one broker for a client, or unlock them."""
    body = {
        "consumerGroup": group,
        "clientId": client_id,
        "onlyThisBroker": False,
        "mqSet": [
            {"topic": queue.topic, "brokerName": queue.broker_name, "queueId": queue.queue_id}
            for queue in queues
        ],
    }
    code = codes.LOCK_BATCH_MQ if locks else codes.UNLOCK_BATCH_MQ
    return Command(code, body=to_json(body))


def parse_locked(frame: Frame) -> list[MessageQueue]:
    """Return the queues that a code 41 reply says are locked.

    Raises:
        ProtocolError: the body is not what a broker sends.
    """
    try:
        return [
            MessageQueue(queue["topic"], queue["brokerName"], int(queue["queueId"]))
            for queue in fastjson.loads(frame.body)["lockOKMQSet"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ProtocolError(f"bad list of locked queues: {error!r}", service="rocketmq") from error


def bury_request(
    group: str, message: ReceivedMessage, max_reconsume_times: int, born_timestamp: int
) -> Command:
    """Code 310 to the group's retry topic, past the last delivery: a dead letter to the broker."""
    times = max_reconsume_times + 1
    properties = {
        **message.properties,
        "RETRY_TOPIC": message.topic,
        "ORIGIN_MESSAGE_ID": message.properties.get("ORIGIN_MESSAGE_ID", message.message_id),
        "RECONSUME_TIME": str(times),
        "MAX_RECONSUME_TIMES": str(max_reconsume_times),
    }
    outgoing = Message.from_parts(RETRY_PREFIX + group, message.native.body, properties)
    outgoing.flag = message.flag
    return send_request(
        INNER_PRODUCER_GROUP,
        outgoing,
        encode_properties(properties).decode(),
        MessageQueue(outgoing.topic, message.broker_name, 0),
        message.native.sys_flag & COMPRESSION_FLAGS,
        born_timestamp,
        reconsume_times=times,
        max_reconsume_times=max_reconsume_times,
    )


def send_back_request(
    group: str, message: ReceivedMessage, delay_level: int, max_reconsume_times: int
) -> Command:
    """Code 36: deliver this message to the group again later."""
    return Command(
        codes.CONSUMER_SEND_MSG_BACK,
        {
            "offset": str(message.native.physical_offset),
            "group": group,
            "delayLevel": str(delay_level),
            "originMsgId": message.message_id,
            "originTopic": message.topic,
            "unitMode": "false",
            "maxReconsumeTimes": str(max_reconsume_times),
            "bname": message.broker_name,
        },
    )
