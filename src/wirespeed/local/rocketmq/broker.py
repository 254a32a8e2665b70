"""The broker: takes messages, delays them, gives them out, remembers offsets."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ... import _native
from ..clock import Timer
from ..journal import Kept, Packed
from . import codes
from .access import Access
from .administration import Administration
from .clients import Clients
from .namesrv import CLUSTER
from .offsets import Offset, Offsets
from .pulls import Pulls
from .server import Connection, Refusal, Reply, Request, Server
from .store import (
    BODY_LIMIT,
    DEFAULT_TOPIC,
    DLQ_PREFIX,
    PROPERTIES_LIMIT,
    RETRY_PREFIX,
    Draft,
    Store,
    Stored,
    Topic,
)
from .tls import Tls
from .transactions import Transactions

REGION = "DefaultRegion"
DELAY_LEVELS = (1, 5, 10, 30, *(60 * minute for minute in range(1, 11)), 1200, 1800, 3600, 7200)
"""Seconds of delay level 1 and up."""

_LONGEST_TIMER = 3 * 24 * 3600
_NO_OFFSET = "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"
_V2_FIELDS = {
    "a": "producerGroup",
    "b": "topic",
    "c": "defaultTopic",
    "d": "defaultTopicQueueNums",
    "e": "queueId",
    "f": "sysFlag",
    "g": "bornTimestamp",
    "h": "flag",
    "i": "properties",
    "j": "reconsumeTimes",
    "k": "unitMode",
    "l": "maxReconsumeTimes",
    "m": "batch",
    "n": "brokerName",
}
_OF_DEAD_LETTERS = frozenset(
    {
        "CLUSTER",
        "DELAY",
        "MSG_REGION",
        "ORIGIN_MESSAGE_ID",
        "REAL_QID",
        "REAL_TOPIC",
        "TRACE_ON",
        "UNIQ_KEY",
    }
)  # fmt: skip
"""Properties that a message got on its way to the dead letters, or gets anew."""

_PART_HEAD = struct.Struct(">iIIii")


@dataclass(eq=False, slots=True)
class Delayed:
    """A message that waits for its time.

    Attributes:
        draft: the message.
        timer: stores it.
    """

    draft: Draft
    timer: Timer

    def pack(self) -> Packed:
        """Return it as it is written down."""
        fields = {"draft": self.draft.pack(), "due": self.timer.due}
        return Packed("delayed", fields, self.draft.body)


class Broker:
    """One broker, master of all its queues.

    Args:
        store: where it keeps messages.
        delay_levels: seconds of each delay level; the real ones by default.
        users: secret by access key of those who may ask; all may where there are none.
        tls: what clients that speak TLS are shown; without it they are turned away.

    Attributes:
        KINDS: what is taken back, the first before what refers to it.
        server: listens for clients.
        store: where it keeps messages.
        clients: who is connected.
        offsets: where groups are.
    """

    KINDS = ("topic", "message", "group", "offset", "delayed", "half")

    def __init__(
        self,
        store: Store,
        delay_levels: tuple[float, ...] = DELAY_LEVELS,
        users: Mapping[str, str] | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.server = Server(self.handle, self._lost, tls)
        self._access = Access(users or {})
        self.store = store
        self._levels = delay_levels
        self.offsets = Offsets(store.journal)
        self.clients = Clients(store)
        self._pulls = Pulls(store, self.clients, self.offsets)
        self._transactions = Transactions(store, self.clients, self._pulls.arrived)
        self._delayed: set[Delayed] = set()
        self._schedule_offsets: dict[int, int] = {}
        administration = Administration(store, self.clients, self.offsets)
        self._commands: dict[int, Callable[[Request], Reply | None]] = {
            codes.SEND_MESSAGE: self._send,
            codes.SEND_MESSAGE_V2: self._send_v2,
            codes.SEND_BATCH: self._send_v2,
            codes.PULL_MESSAGE: self._pulls.pull,
            codes.LITE_PULL_MESSAGE: self._pulls.pull,
            codes.QUERY_CONSUMER_OFFSET: self._query_offset,
            codes.UPDATE_CONSUMER_OFFSET: self._update_offset,
            codes.GET_MAX_OFFSET: self._max_offset,
            codes.GET_MIN_OFFSET: self._min_offset,
            codes.SEARCH_OFFSET_BY_TIMESTAMP: self._search_offset,
            codes.GET_EARLIEST_STORE_TIME: self._earliest_store_time,
            codes.VIEW_MESSAGE: self._view,
            codes.QUERY_MESSAGE: self._query,
            codes.HEART_BEAT: self.clients.heartbeat,
            codes.UNREGISTER_CLIENT: self.clients.unregister,
            codes.GET_CONSUMER_LIST: self.clients.members,
            codes.CONSUMER_SEND_BACK: self._send_back,
            codes.LOCK_QUEUES: self.clients.lock,
            codes.UNLOCK_QUEUES: self.clients.unlock,
            codes.END_TRANSACTION: self._transactions.end,
            codes.SEND_REPLY: self._reply,
            codes.SEND_REPLY_V2: self._reply,
            codes.CREATE_TOPIC: administration.create_topic,
            codes.DELETE_TOPIC: administration.delete_topic,
            codes.GET_TOPIC_STATS: administration.topic_stats,
            codes.CREATE_GROUP: administration.create_group,
            codes.DELETE_GROUP: administration.delete_group,
            codes.GET_PROGRESS: administration.progress,
            codes.GET_CONNECTIONS: administration.connections,
            codes.RESET_GROUP: administration.reset,
            codes.GET_BROKER_STATUS: administration.status,
            codes.GET_TOPIC: administration.topic,
            codes.GET_GROUP: administration.group,
            codes.GET_GROUPS: administration.groups,
            codes.GET_PRODUCERS: administration.producers,
            codes.GET_GROUPS_OF_TOPIC: administration.groups_of_topic,
            codes.GET_TOPICS_OF_GROUP: administration.topics_of_group,
            codes.GET_RUNNING_INFO: administration.running_info,
            codes.CONSUME_DIRECTLY: administration.consume_directly,
        }

    def handle(self, request: Request) -> Reply | None:
        """Answer one command."""
        self._access.check(request)
        command = self._commands.get(request.code)
        if command is None:
            raise Refusal(codes.NOT_SUPPORTED, f" request type {request.code} not supported")
        return command(request)

    def clear(self) -> None:
        """Forget topics, messages, offsets and locks; clients stay connected."""
        self.store.clear()
        self.offsets.clear()
        self.drop_delayed()
        self.store.journal.clear()
        self.clients.reset()
        self._pulls.answer_all()

    def wake(self) -> None:
        """Nobody waits here but for the clock."""

    def things(self) -> Iterator[Kept]:
        """Yield all that it keeps."""
        for topic in self.store.topics.values():
            yield topic
            for queue in topic.queues:
                yield from queue
        yield from self.clients.things()
        yield from self.offsets.things()
        yield from self._delayed
        yield from self._transactions.things()

    def load(self, packed: Packed) -> Kept | None:
        """Take back what was written down; return what it is now."""
        fields, blob = packed.fields, packed.blob or b""
        if packed.kind == "topic":
            topic = self.store.restore_topic(fields)
            if topic.name.startswith(RETRY_PREFIX):
                self.clients.known.add(topic.name.removeprefix(RETRY_PREFIX))
            return topic
        if packed.kind == "message":
            message = Stored(record=blob, **fields)
            return message if self.store.restore(message) else None
        if packed.kind == "group":
            return self.clients.restore(fields["name"], fields["settings"])
        if packed.kind == "offset":
            offset = Offset(**fields)
            self.offsets.restore(offset)
            self.clients.known.add(offset.group)
            return offset
        if packed.kind == "delayed":
            return self._delay(Draft.unpack(fields["draft"], blob), fields["due"])
        return self._transactions.restore(fields, blob)

    def loaded(self) -> None:
        """Answer those who wait with what is there now."""
        self._pulls.answer_all()

    def drop_delayed(self) -> None:
        """Forget the messages that wait for their time, or for a verdict."""
        self._transactions.clear()
        for delayed in self._delayed:
            delayed.timer.cancel()
        self._delayed.clear()

    def _lost(self, connection: Connection) -> None:
        self._pulls.lost(connection)
        self.clients.lost(connection)

    def waiting(self) -> int:
        """Return how many messages wait for their time, or for a verdict."""
        return len(self._delayed) + sum(1 for _ in self._transactions.things())

    def publish(self, topic: str, body: bytes, properties: dict[str, str], flag: int = 0) -> str:
        """Store a message of the broker's own in any queue of a topic; return its id.

        Raises:
            Refusal: the topic or the message is illegal.
        """
        found = self.store.topic_for_send(topic, DEFAULT_TOPIC, 8)
        now, host = self.store.clock.milliseconds(), self.store.store_host
        queue_id = secrets.randbelow(len(found.queues))
        unique_key = secrets.token_hex(16).upper()
        whole = {**properties, "UNIQ_KEY": unique_key}
        draft = Draft(topic, queue_id, body, whole, flag, 0, now, host)
        self._check_size(draft)
        self.store.append(draft)
        self._pulls.arrived(topic, queue_id)
        return unique_key

    def redrive(self, dead_letters: str) -> int:
        """Send each message of a dead-letter topic to where it came from, and forget them there;
        return how many."""
        moved = list(self.store.messages(dead_letters))
        self.store.delete(dead_letters)
        for place in [place for place in self.offsets if place[1] == dead_letters]:
            del self.offsets[place]
        for stored in reversed(moved):
            (message,) = _native.decode_messages(stored.record)
            properties = dict(message.properties)
            topic = properties.pop("RETRY_TOPIC", "") or message.topic
            kept = {name: properties[name] for name in properties.keys() - _OF_DEAD_LETTERS}
            self.publish(topic, message.body, kept, message.flag)
        return len(moved)

    # -- sending --

    def _send_v2(self, request: Request) -> Reply:
        request.fields = {
            _V2_FIELDS.get(name, name): value for name, value in request.fields.items()
        }
        return self._send(request)

    def _send(self, request: Request) -> Reply:
        topic = self.store.topic_for_send(
            request.text("topic"),
            request.text("defaultTopic"),
            request.integer("defaultTopicQueueNums"),
        )
        queue_id = self._choose_queue(request, topic)
        properties_text = request.fields.get("properties", "")
        if not request.body:
            raise Refusal(codes.SYSTEM_ERROR, "java.lang.NullPointerException: the body is empty")
        if len(request.body) > BODY_LIMIT or len(properties_text.encode()) > PROPERTIES_LIMIT:
            raise Refusal(
                codes.MESSAGE_ILLEGAL,
                "the message is illegal, maybe msg body or properties length not matched. "
                f"msg body length limit {BODY_LIMIT}B, msg properties length limit 32KB.",
            )
        draft = Draft(
            topic.name,
            queue_id,
            request.body,
            _native.decode_properties(properties_text.encode()),
            request.integer("flag"),
            request.integer("sysFlag"),
            request.integer("bornTimestamp"),
            request.connection.peer,
            request.integer("reconsumeTimes", 0),
        )
        if request.code == codes.SEND_BATCH or request.fields.get("batch") == "true":
            return self._send_batch(draft)
        if topic.name.startswith(RETRY_PREFIX):
            group = topic.name.removeprefix(RETRY_PREFIX)
            if draft.reconsume_times > self._most_reconsume_times(request, group):
                self._move_to_dead_letters(draft, group)
        draft.properties.update(MSG_REGION=REGION, TRACE_ON="true", CLUSTER=CLUSTER)
        unique_key = draft.properties.setdefault("UNIQ_KEY", secrets.token_hex(16).upper())
        self._check_size(draft)
        if draft.properties.get("TRAN_MSG") == "true":
            stored = self._transactions.prepare(draft)
        else:
            stored = self._store_or_delay(draft)
        return _sent(stored.offset_message_id, queue_id, stored.queue_offset, unique_key)

    @staticmethod
    def _choose_queue(request: Request, topic: Topic) -> int:
        queue_id = request.integer("queueId")
        if queue_id < 0:
            return secrets.randbelow(topic.write_queues)
        queues = max(topic.read_queues, topic.write_queues)
        if queue_id >= queues:
            raise Refusal(
                codes.INVALID_PARAMETER,
                f"request queueId[{queue_id}] is illegal, topic[{topic.name}] has "
                f"{queues} queues. Producer: {request.connection.peer[0]}",
            )
        return queue_id

    @staticmethod
    def _check_size(draft: Draft) -> None:
        try:
            _native.encode_properties(draft.properties)
        except ValueError as error:
            raise Refusal(codes.MESSAGE_ILLEGAL, f"the message is illegal: {error}") from None

    def _send_batch(self, draft: Draft) -> Reply:
        if draft.topic.startswith(RETRY_PREFIX):
            raise Refusal(codes.MESSAGE_ILLEGAL, "batch request does not support retry group")
        parts = list(_batch_parts(draft))
        stored = [self.store.append(part) for part in parts]
        self._pulls.arrived(draft.topic, draft.queue_id)
        ids = ",".join(message.offset_message_id for message in stored)
        return _sent(ids, draft.queue_id, stored[0].queue_offset, "")

    def _store_or_delay(self, draft: Draft) -> Stored:
        try:
            level = int(draft.properties.get("DELAY", "0"))
        except ValueError:
            raise Refusal(
                codes.SYSTEM_ERROR,
                f'java.lang.NumberFormatException: For input string: "{draft.properties["DELAY"]}"',
            ) from None
        if level > 0:
            level = min(level, len(self._levels))
            seconds = self._levels[level - 1]
        else:
            seconds = _timer_seconds(draft.properties, self.store.clock.milliseconds())
        if seconds <= 0:
            stored = self.store.append(draft)
            self._pulls.arrived(draft.topic, draft.queue_id)
            return stored
        draft.properties.update(REAL_TOPIC=draft.topic, REAL_QID=str(draft.queue_id))
        offset = self._schedule_offsets.get(level, 0)
        self._schedule_offsets[level] = offset + 1
        delayed = self._delay(draft, self.store.clock.now() + seconds)
        self.store.journal.save(delayed)
        return Stored(b"", 0, offset, 0, self.store.clock.milliseconds(), f"{0:032X}")

    def _delay(self, draft: Draft, due: float) -> Delayed:
        def deliver() -> None:
            self._delayed.discard(delayed)
            self.store.journal.drop(delayed)
            if draft.topic in self.store.topics:
                self.store.append(draft)
                self._pulls.arrived(draft.topic, draft.queue_id)

        delayed = Delayed(draft, self.store.clock.at(due, deliver))
        self._delayed.add(delayed)
        return delayed

    def _reply(self, request: Request) -> None:
        """Push a reply to the client that asked (324, 325), and tell whether it took it."""
        fields = {_V2_FIELDS.get(name, name): value for name, value in request.fields.items()}
        properties = _native.decode_properties(fields.get("properties", "").encode())
        client_id = properties.get("REPLY_TO_CLIENT", "")
        connection = self.clients.producer(client_id)
        if connection is None:
            raise Refusal(
                codes.SYSTEM_ERROR, f"push reply message fail, channel of <{client_id}> not found."
            )
        host = "{}:{}".format(*request.connection.peer)
        fields |= {
            "bornHost": host,
            "storeHost": host,
            "storeTimestamp": str(self.store.clock.milliseconds()),
        }

        def answered(answer: Reply) -> None:
            place = {"msgId": "", "queueId": "0", "queueOffset": "0"}
            if answer.code == codes.SUCCESS:
                request.connection.reply(request, Reply(fields=place))
            else:
                remark = f"push reply message to {client_id} fail, it answered {answer.code}"
                request.connection.reply(request, Reply(codes.SYSTEM_ERROR, remark, place))

        connection.ask(codes.PUSH_REPLY, fields, request.body, answered)

    def _move_to_dead_letters(self, draft: Draft, group: str) -> None:
        draft.topic = self.store.create_retry(DLQ_PREFIX + group).name
        draft.queue_id = 0
        draft.properties.pop("DELAY", None)

    def _most_reconsume_times(self, request: Request, group: str) -> int:
        settings = self.clients.settings_of(group)
        return request.integer("maxReconsumeTimes", int(settings["retryMaxTimes"]))

    def _send_back(self, request: Request) -> Reply:
        group = request.text("group")
        offset, level = request.integer("offset"), request.integer("delayLevel")
        most = self._most_reconsume_times(request, group)
        retry_topic = self.store.create_retry(RETRY_PREFIX + group)
        self.clients.known.add(group)
        stored = self.store.at(offset)
        if stored is None:
            raise Refusal(codes.SYSTEM_ERROR, f"look message by offset failed, {offset}")
        (message,) = _native.decode_messages(stored.record)
        properties = dict(message.properties)
        properties.setdefault("RETRY_TOPIC", message.topic)
        properties.setdefault("ORIGIN_MESSAGE_ID", message.offset_message_id)
        properties["WAIT"] = "false"
        address, _, port = message.born_host.rpartition(":")
        draft = Draft(
            retry_topic.name,
            0,
            message.body,
            properties,
            message.flag,
            message.sys_flag,
            message.born_timestamp,
            (address.strip("[]"), int(port)),
            message.reconsume_times + 1,
        )
        if level < 0 or message.reconsume_times >= most:
            self._move_to_dead_letters(draft, group)
        else:
            properties["DELAY"] = str(level or 3 + message.reconsume_times)
        self._check_size(draft)
        self._store_or_delay(draft)
        return Reply()

    # -- offsets --

    def _query_offset(self, request: Request) -> Reply:
        group, topic, queue_id = _place(request)
        offset = self.offsets.get((group, topic, queue_id), -1)
        if offset < 0:
            if request.fields.get("setZeroIfNotFound") == "false" or not self.store.queue(
                topic, queue_id
            ):
                raise Refusal(codes.QUERY_NOT_FOUND, _NO_OFFSET)
            offset = 0
        return Reply(fields={"offset": str(offset)})

    def _update_offset(self, request: Request) -> Reply:
        group, topic, queue_id = _place(request)
        offset = request.integer("commitOffset")
        if topic not in self.store.topics:
            raise Refusal(codes.TOPIC_NOT_EXIST, f"Topic {topic} not exist!")
        if group not in self.clients.known:
            raise Refusal(codes.GROUP_NOT_EXIST, f"Group {group} not exist!")
        self.offsets[group, topic, queue_id] = offset
        return Reply()

    def _max_offset(self, request: Request) -> Reply:
        queue = self.store.queue(request.text("topic"), request.integer("queueId"))
        return Reply(fields={"offset": str(len(queue))})

    def _min_offset(self, request: Request) -> Reply:
        request.text("topic")
        request.integer("queueId")
        return Reply(fields={"offset": "0"})

    def _search_offset(self, request: Request) -> Reply:
        offset = self.store.search(
            request.text("topic"),
            request.integer("queueId"),
            request.integer("timestamp"),
            request.fields.get("boundaryType", "").upper() == "UPPER",
        )
        return Reply(fields={"offset": str(offset)})

    def _earliest_store_time(self, request: Request) -> Reply:
        queue = self.store.queue(request.text("topic"), request.integer("queueId"))
        return Reply(fields={"timestamp": str(queue[0].store_timestamp if queue else -1)})

    # -- looking messages up --

    def _view(self, request: Request) -> Reply:
        offset = request.integer("offset")
        stored = self.store.at(offset)
        if stored is None:
            raise Refusal(codes.SYSTEM_ERROR, f"can not find message by the offset, {offset}")
        return Reply(body=stored.record)

    def _query(self, request: Request) -> Reply:
        topic, key = request.text("topic"), request.text("key")
        most = request.integer("maxNum")
        begin, end = request.integer("beginTimestamp"), request.integer("endTimestamp")
        unique = request.fields.get("_UNIQUE_KEY_QUERY") == "true"
        found: list[Stored] = []
        for stored in self.store.messages(topic):
            if len(found) < most and begin <= stored.store_timestamp <= end:
                (message,) = _native.decode_messages(stored.record)
                held = message.property("UNIQ_KEY" if unique else "KEYS") or ""
                if key == held or (not unique and key in held.split()):
                    found.append(stored)
        if not found:
            raise Refusal(
                codes.QUERY_NOT_FOUND, "can not find message, maybe time range not correct"
            )
        fields = {
            "indexLastUpdateTimestamp": str(found[0].store_timestamp),
            "indexLastUpdatePhyoffset": str(found[0].physical_offset),
        }
        return Reply(fields=fields, body=b"".join(stored.record for stored in found))


def _timer_seconds(properties: dict[str, str], now: int) -> float:
    """Return how long a message waits for its time, 0 for one that has none.

    Args:
        properties: the message's.
        now: milliseconds since 1970.
    """
    try:
        if "TIMER_DELAY_SEC" in properties:
            seconds = float(int(properties["TIMER_DELAY_SEC"]))
        elif "TIMER_DELAY_MS" in properties:
            seconds = int(properties["TIMER_DELAY_MS"]) / 1000
        elif "TIMER_DELIVER_MS" in properties:
            seconds = (int(properties["TIMER_DELIVER_MS"]) - now) / 1000
        else:
            return 0.0
    except ValueError as error:
        raise Refusal(codes.MESSAGE_ILLEGAL, f"the timer is illegal: {error}") from None
    if seconds > _LONGEST_TIMER:
        raise Refusal(codes.MESSAGE_ILLEGAL, "timer message illegal, the delay time is too long")
    return seconds


def _place(request: Request) -> tuple[str, str, int]:
    return request.text("consumerGroup"), request.text("topic"), request.integer("queueId")


def _sent(message_id: str, queue_id: int, queue_offset: int, unique_key: str) -> Reply:
    fields = {
        "msgId": message_id,
        "queueId": str(queue_id),
        "queueOffset": str(queue_offset),
        "MSG_REGION": REGION,
        "TRACE_ON": "true",
    }
    if unique_key:
        fields["transactionId"] = unique_key
    return Reply(fields=fields)


def _batch_parts(draft: Draft) -> Iterator[Draft]:
    """Yield each message of a batch body; anything broken is refused before the first is stored."""
    body = draft.body
    position = 0
    try:
        while position < len(body):
            total, _magic, _crc, flag, length = _PART_HEAD.unpack_from(body, position)
            start = position + _PART_HEAD.size
            (properties_length,) = struct.unpack_from(">H", body, start + length)
            end = start + length + 2 + properties_length
            if length < 0 or end > len(body) or total != end - position:
                raise ValueError("a length is broken")
            yield Draft(
                draft.topic,
                draft.queue_id,
                body[start : start + length],
                _native.decode_properties(body[end - properties_length : end]),
                flag,
                draft.sys_flag,
                draft.born_timestamp,
                draft.born_host,
            )
            position = end
    except (struct.error, ValueError) as error:
        raise Refusal(codes.MESSAGE_ILLEGAL, f"the batch is illegal: {error}") from None
