"""The broker: takes messages, delays them, gives them out, remembers offsets."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Callable, Iterator

from ... import _native
from . import codes
from .administration import Administration
from .clients import Clients
from .namesrv import CLUSTER
from .pulls import Pulls
from .server import Connection, Refusal, Reply, Request, Server
from .store import (
    BODY_LIMIT,
    DLQ_PREFIX,
    PROPERTIES_LIMIT,
    RETRY_PREFIX,
    Draft,
    Store,
    Stored,
    Topic,
    milliseconds,
)
from .transactions import Transactions

REGION = "DefaultRegion"
DELAY_LEVELS = (1, 5, 10, 30, *(60 * minute for minute in range(1, 11)), 1200, 1800, 3600, 7200)
"""Seconds of delay level 1 and up."""

_MAX_RECONSUME_TIMES = 16
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
_PART_HEAD = struct.Struct(">iIIii")


class Broker:
    """One broker, master of all its queues.

    Args:
        store: where it keeps messages.
        delay_levels: seconds of each delay level; the real ones by default.

    Attributes:
        server: listens for clients.
    """

    def __init__(self, store: Store, delay_levels: tuple[float, ...] = DELAY_LEVELS) -> None:
        self.server = Server(self.handle, self._lost)
        self._store = store
        self._levels = delay_levels
        self._offsets: dict[tuple[str, str, int], int] = {}
        self._clients = Clients(store)
        self._pulls = Pulls(store, self._clients, self._offsets)
        self._transactions = Transactions(store, self._clients, self._pulls.arrived)
        self._delayed: set[asyncio.TimerHandle] = set()
        self._schedule_offsets: dict[int, int] = {}
        administration = Administration(store, self._clients, self._offsets)
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
            codes.HEART_BEAT: self._clients.heartbeat,
            codes.UNREGISTER_CLIENT: self._clients.unregister,
            codes.GET_CONSUMER_LIST: self._clients.members,
            codes.CONSUMER_SEND_BACK: self._send_back,
            codes.LOCK_QUEUES: self._clients.lock,
            codes.UNLOCK_QUEUES: self._clients.unlock,
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
        }

    def handle(self, request: Request) -> Reply | None:
        """Answer one command."""
        command = self._commands.get(request.code)
        if command is None:
            raise Refusal(codes.NOT_SUPPORTED, f" request type {request.code} not supported")
        return command(request)

    def reset(self) -> None:
        """Forget topics, messages, offsets and locks; clients stay connected."""
        self._store.clear()
        self._offsets.clear()
        self._clients.reset()
        self.drop_delayed()
        self._pulls.answer_all()

    def drop_delayed(self) -> None:
        """Forget the messages that wait for their time, or for a verdict."""
        self._transactions.clear()
        for timer in self._delayed:
            timer.cancel()
        self._delayed.clear()

    def _lost(self, connection: Connection) -> None:
        self._pulls.lost(connection)
        self._clients.lost(connection)

    # -- sending --

    def _send_v2(self, request: Request) -> Reply:
        request.fields = {
            _V2_FIELDS.get(name, name): value for name, value in request.fields.items()
        }
        return self._send(request)

    def _send(self, request: Request) -> Reply:
        topic = self._store.topic_for_send(
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
            most = request.integer("maxReconsumeTimes", _MAX_RECONSUME_TIMES)
            if draft.reconsume_times > most:
                self._move_to_dead_letters(draft, topic.name.removeprefix(RETRY_PREFIX))
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
            return secrets.randbelow(len(topic.queues))
        if queue_id >= len(topic.queues):
            raise Refusal(
                codes.INVALID_PARAMETER,
                f"request queueId[{queue_id}] is illegal, topic[{topic.name}] has "
                f"{len(topic.queues)} queues. Producer: {request.connection.peer[0]}",
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
        stored = [self._store.append(part) for part in parts]
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
            seconds = _timer_seconds(draft.properties)
        if seconds <= 0:
            stored = self._store.append(draft)
            self._pulls.arrived(draft.topic, draft.queue_id)
            return stored
        draft.properties.update(REAL_TOPIC=draft.topic, REAL_QID=str(draft.queue_id))
        offset = self._schedule_offsets.get(level, 0)
        self._schedule_offsets[level] = offset + 1
        loop = asyncio.get_running_loop()

        def deliver() -> None:
            self._delayed.discard(timer)
            if draft.topic in self._store.topics:
                self._store.append(draft)
                self._pulls.arrived(draft.topic, draft.queue_id)

        timer = loop.call_later(seconds, deliver)
        self._delayed.add(timer)
        return Stored(b"", 0, offset, 0, milliseconds(), f"{0:032X}")

    def _reply(self, request: Request) -> None:
        """Push a reply to the client that asked (324, 325), and tell whether it took it."""
        fields = {_V2_FIELDS.get(name, name): value for name, value in request.fields.items()}
        properties = _native.decode_properties(fields.get("properties", "").encode())
        client_id = properties.get("REPLY_TO_CLIENT", "")
        connection = self._clients.producer(client_id)
        if connection is None:
            raise Refusal(
                codes.SYSTEM_ERROR, f"push reply message fail, channel of <{client_id}> not found."
            )
        host = "{}:{}".format(*request.connection.peer)
        fields |= {"bornHost": host, "storeHost": host, "storeTimestamp": str(milliseconds())}

        def answered(code: int) -> None:
            place = {"msgId": "", "queueId": "0", "queueOffset": "0"}
            if code == codes.SUCCESS:
                request.connection.reply(request, Reply(fields=place))
            else:
                remark = f"push reply message to {client_id} fail, it answered {code}"
                request.connection.reply(request, Reply(codes.SYSTEM_ERROR, remark, place))

        connection.ask(codes.PUSH_REPLY, fields, request.body, answered)

    def _move_to_dead_letters(self, draft: Draft, group: str) -> None:
        draft.topic = self._store.create_retry(DLQ_PREFIX + group).name
        draft.queue_id = 0
        draft.properties.pop("DELAY", None)

    def _send_back(self, request: Request) -> Reply:
        group = request.text("group")
        offset, level = request.integer("offset"), request.integer("delayLevel")
        most = request.integer("maxReconsumeTimes", _MAX_RECONSUME_TIMES)
        retry_topic = self._store.create_retry(RETRY_PREFIX + group)
        self._clients.known.add(group)
        stored = self._store.at(offset)
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
        offset = self._offsets.get((group, topic, queue_id), -1)
        if offset < 0:
            if request.fields.get("setZeroIfNotFound") == "false" or not self._store.queue(
                topic, queue_id
            ):
                raise Refusal(codes.QUERY_NOT_FOUND, _NO_OFFSET)
            offset = 0
        return Reply(fields={"offset": str(offset)})

    def _update_offset(self, request: Request) -> Reply:
        group, topic, queue_id = _place(request)
        offset = request.integer("commitOffset")
        if topic not in self._store.topics:
            raise Refusal(codes.TOPIC_NOT_EXIST, f"Topic {topic} not exist!")
        if group not in self._clients.known:
            raise Refusal(codes.GROUP_NOT_EXIST, f"Group {group} not exist!")
        self._offsets[group, topic, queue_id] = offset
        return Reply()

    def _max_offset(self, request: Request) -> Reply:
        queue = self._store.queue(request.text("topic"), request.integer("queueId"))
        return Reply(fields={"offset": str(len(queue))})

    def _min_offset(self, request: Request) -> Reply:
        request.text("topic")
        request.integer("queueId")
        return Reply(fields={"offset": "0"})

    def _search_offset(self, request: Request) -> Reply:
        offset = self._store.search(
            request.text("topic"),
            request.integer("queueId"),
            request.integer("timestamp"),
            request.fields.get("boundaryType", "").upper() == "UPPER",
        )
        return Reply(fields={"offset": str(offset)})

    def _earliest_store_time(self, request: Request) -> Reply:
        queue = self._store.queue(request.text("topic"), request.integer("queueId"))
        return Reply(fields={"timestamp": str(queue[0].store_timestamp if queue else -1)})

    # -- looking messages up --

    def _view(self, request: Request) -> Reply:
        offset = request.integer("offset")
        stored = self._store.at(offset)
        if stored is None:
            raise Refusal(codes.SYSTEM_ERROR, f"can not find message by the offset, {offset}")
        return Reply(body=stored.record)

    def _query(self, request: Request) -> Reply:
        topic, key = request.text("topic"), request.text("key")
        most = request.integer("maxNum")
        begin, end = request.integer("beginTimestamp"), request.integer("endTimestamp")
        unique = request.fields.get("_UNIQUE_KEY_QUERY") == "true"
        found: list[Stored] = []
        for stored in self._store.messages(topic):
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


def _timer_seconds(properties: dict[str, str]) -> float:
    """Return how long a message waits for its time, 0 for one that has none."""
    try:
        if "TIMER_DELAY_SEC" in properties:
            seconds = float(int(properties["TIMER_DELAY_SEC"]))
        elif "TIMER_DELAY_MS" in properties:
            seconds = int(properties["TIMER_DELAY_MS"]) / 1000
        elif "TIMER_DELIVER_MS" in properties:
            seconds = (int(properties["TIMER_DELIVER_MS"]) - milliseconds()) / 1000
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
