"""What administrators ask name servers and brokers."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ...errors import ProtocolError
from ...remoting.connection import Command, Frame
from .. import codes, fastjson
from ..models import (
    BrokerInfo,
    ConsumerConnection,
    GroupProgress,
    MessageQueue,
    QueueProgress,
    QueueStats,
)
from . import AUTO_CREATE_TOPIC, to_json
from .pushed import parse_queue

_UNSIGNED_KEY_VERSION = 399
_ENDLESS = (1 << 63) - 1


T = TypeVar("T")


def _checked(read: Callable[[Frame], T]) -> Callable[[Frame], T]:
    """Have what reads a reply raise `ProtocolError` where it is not what a server sends."""

    @functools.wraps(read)
    def checked(frame: Frame) -> T:
        try:
            return read(frame)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProtocolError(f"bad reply: {error!r}", service="rocketmq") from error

    return checked


class QueryCommand(Command):
    """A query by key, which declares V4_9_3.

    That is the last version whose signed content leaves `_UNIQUE_KEY_QUERY` out on every broker.
    """

    __slots__ = ()
    version = _UNSIGNED_KEY_VERSION


def create_topic_request(
    topic: str, read_queues: int, write_queues: int, perm: int, message_type: str
) -> Command:
    """Code 17: make a topic at one broker, or change it."""
    fields = {
        "topic": topic,
        "defaultTopic": AUTO_CREATE_TOPIC,
        "readQueueNums": str(read_queues),
        "writeQueueNums": str(write_queues),
        "perm": str(perm),
        "topicFilterType": "SINGLE_TAG",
        "topicSysFlag": "0",
        "order": "false",
    }
    if message_type:
        fields["attributes"] = f"+message.type={message_type}"
    return Command(codes.UPDATE_AND_CREATE_TOPIC, fields)


def delete_topic_request(topic: str) -> Command:
    """Code 215: forget a topic at one broker."""
    return Command(codes.DELETE_TOPIC_IN_BROKER, {"topic": topic})


def forget_topic_request(topic: str) -> Command:
    """Code 216: forget a topic at a name server."""
    return Command(codes.DELETE_TOPIC_IN_NAMESRV, {"topic": topic})


def topics_request() -> Command:
    """Code 206: every topic that a name server knows."""
    return Command(codes.GET_ALL_TOPIC_LIST_FROM_NAMESERVER)


@_checked
def parse_topics(frame: Frame) -> list[str]:
    """Read a code 206 reply."""
    return sorted(str(topic) for topic in _body(frame)["topicList"])


def topic_stats_request(topic: str) -> Command:
    """Code 202: where a topic's queues at one broker begin and end."""
    return Command(codes.GET_TOPIC_STATS_INFO, {"topic": topic})


@_checked
def parse_topic_stats(frame: Frame) -> list[QueueStats]:
    """Read a code 202 reply."""
    return [
        QueueStats(queue, int(found["minOffset"]), int(found["maxOffset"]), _when(found))
        for queue, found in _table(frame, "offsetTable").items()
    ]


def create_group_request(
    group: str, *, max_attempts: int, retry_queues: int, broadcasting: bool, enabled: bool
) -> Command:
    """Code 200: make a consumer group at one broker, or change it."""
    body = {
        "groupName": group,
        "consumeEnable": enabled,
        "consumeFromMinEnable": True,
        "consumeBroadcastEnable": broadcasting,
        "retryQueueNums": retry_queues,
        "retryMaxTimes": max_attempts,
        "brokerId": 0,
        "whichBrokerWhenConsumeSlowly": 1,
        "notifyConsumerIdsChangedEnable": True,
    }
    return Command(codes.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body=to_json(body))


def delete_group_request(group: str, *, with_offsets: bool) -> Command:
    """Code 207: forget a consumer group at one broker."""
    fields = {"groupName": group, "cleanOffset": "true" if with_offsets else "false"}
    return Command(codes.DELETE_SUBSCRIPTIONGROUP, fields)


def progress_request(group: str, topic: str) -> Command:
    """Code 208: where a group is in its queues at one broker."""
    fields = {"consumerGroup": group}
    if topic:
        fields["topic"] = topic
    return Command(codes.GET_CONSUME_STATS, fields)


@_checked
def parse_progress(frame: Frame) -> GroupProgress:
    """Read a code 208 reply."""
    body = _body(frame)
    queues = tuple(
        QueueProgress(queue, int(found["consumerOffset"]), int(found["brokerOffset"]), _when(found))
        for queue, found in sorted(_read_table(body["offsetTable"]).items())
    )
    return GroupProgress(queues, float(body.get("consumeTps") or 0))


def connections_request(group: str) -> Command:
    """Code 203: which clients consume for a group at one broker."""
    return Command(codes.GET_CONSUMER_CONNECTION_LIST, {"consumerGroup": group})


@_checked
def parse_connections(frame: Frame) -> list[ConsumerConnection]:
    """Read a code 203 reply."""
    body = _body(frame)
    subscriptions = {
        str(topic): str(found.get("subString", "*"))
        for topic, found in (body.get("subscriptionTable") or {}).items()
    }
    return [
        ConsumerConnection(
            str(each["clientId"]),
            str(each.get("clientAddr", "")),
            str(each.get("language", "")),
            int(each.get("version") or 0),
            subscriptions,
        )
        for each in body.get("connectionSet") or []
    ]


def reset_request(group: str, topic: str, timestamp: int) -> Command:
    """Code 222: let a group go to a time, in milliseconds since 1970, in a topic at one broker."""
    fields = {
        "topic": topic,
        "group": group,
        "timestamp": str(timestamp),
        "isForce": "true",
        "queueId": "-1",
    }
    return Command(codes.INVOKE_BROKER_TO_RESET_OFFSET, fields)


@_checked
def parse_reset_answer(frame: Frame) -> dict[MessageQueue, int]:
    """Read a code 222 reply: the new offsets."""
    return {queue: int(offset) for queue, offset in _table(frame, "offsetTable").items()}


def view_request(offset: int) -> Command:
    """Code 33: the message that lies there on one broker."""
    return Command(codes.VIEW_MESSAGE_BY_ID, {"offset": str(offset)})


def query_request(
    topic: str, key: str, *, unique: bool, most: int, begin: int, end: int = _ENDLESS
) -> Command:
    """Code 12: messages by a key, or by their unique id, stored between two times (ms).

    Once it is signed, `mark_query` completes it.
    """
    return QueryCommand(
        codes.QUERY_MESSAGE,
        {
            "topic": topic,
            "key": key,
            "maxNum": str(most),
            "beginTimestamp": str(begin),
            "endTimestamp": str(end),
            "indexType": "U" if unique else "K",
        },
    )


def mark_query(command: Command, *, unique: bool) -> Command:
    """Add to a code 12 request the field that no signature covers, and return it."""
    assert command.ext_fields is not None
    command.ext_fields["_UNIQUE_KEY_QUERY"] = "true" if unique else "false"
    return command


def cluster_request() -> Command:
    """Code 106: the brokers that a name server knows."""
    return Command(codes.GET_BROKER_CLUSTER_INFO)


@_checked
def parse_cluster(frame: Frame) -> list[BrokerInfo]:
    """Read a code 106 reply."""
    found = []
    for name, broker in sorted(_body(frame)["brokerAddrTable"].items()):
        addresses = {int(number): str(each) for number, each in broker["brokerAddrs"].items()}
        found.append(BrokerInfo(str(name), str(broker.get("cluster", "")), addresses))
    return found


def broker_status_request() -> Command:
    """Code 28: a broker's figures."""
    return Command(codes.GET_BROKER_RUNTIME_INFO)


@_checked
def parse_broker_status(frame: Frame) -> dict[str, str]:
    """Read a code 28 reply."""
    return {str(name): str(value) for name, value in _body(frame)["table"].items()}


def _body(frame: Frame) -> dict[str, Any]:
    body = fastjson.loads(frame.body)
    if not isinstance(body, dict):
        raise TypeError("no JSON object")
    return body


def _table(frame: Frame, name: str) -> dict[MessageQueue, Any]:
    return _read_table(_body(frame).get(name) or {})


def _read_table(table: Mapping[str, Any]) -> dict[MessageQueue, Any]:
    return {parse_queue(json.loads(key)): value for key, value in table.items()}


def _when(found: Mapping[str, Any]) -> float:
    return int(found.get("lastUpdateTimestamp") or found.get("lastTimestamp") or 0) / 1000
