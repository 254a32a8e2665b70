"""Where a group stands in each queue of a topic."""

from __future__ import annotations

from dataclasses import dataclass

from ...engine.effects import Exchange, Flow
from ...errors import TransportError
from ...remoting.connection import Command, Frame
from .. import codes, wire
from ..models import MessageQueue, ReceivedMessage, Sql
from .route import CONTROL_TIMEOUT, ClientState, fetch_route

_READER = "TOOLS_CONSUMER"
_READ_TIMEOUT = 10.0
_READ = frozenset(
    {
        codes.SUCCESS,
        codes.PULL_NOT_FOUND,
        codes.PULL_RETRY_IMMEDIATELY,
        codes.PULL_OFFSET_MOVED,
    }
)


@dataclass(frozen=True, slots=True)
class Position:
    """A group's place in one queue.

    Attributes:
        queue: the queue.
        committed: everything before this offset is consumed; the first message's where the group
            has stored none.
        end: one past the last message.
    """

    queue: MessageQueue
    committed: int
    end: int


def positions(client: ClientState, group: str, topic: str, deadline: float) -> Flow[list[Position]]:
    """Return the group's place in every readable queue of a topic.

    Raises:
        TopicNotFound: there is no such topic.
        WirespeedError: a broker did not answer, or said no.
    """
    route = yield from fetch_route(client, topic, deadline)
    found = []
    for queue in route.read_queues:
        end = yield from _offset(client, queue, wire.max_offset_request(queue), deadline)
        command = wire.query_offset_request(group, queue)
        committed = yield from _offset(client, queue, command, deadline, missing_is_none=True)
        if committed is None:
            committed = yield from _offset(client, queue, wire.min_offset_request(queue), deadline)
        assert end is not None and committed is not None
        found.append(Position(queue, committed, end))
    return found


def committed(
    client: ClientState, group: str, queue: MessageQueue, deadline: float
) -> Flow[int | None]:
    """Return the offset stored for a group; None where there is none."""
    command = wire.query_offset_request(group, queue)
    found = yield from _offset(client, queue, command, deadline, missing_is_none=True)
    return found


def at_time(client: ClientState, queue: MessageQueue, timestamp: int, deadline: float) -> Flow[int]:
    """Return the offset of the first message stored at `timestamp` (ms since 1970) or later."""
    command = wire.search_offset_request(queue, timestamp)
    found = yield from _offset(client, queue, command, deadline)
    assert found is not None
    return found


def bounds(client: ClientState, queue: MessageQueue, deadline: float) -> Flow[tuple[int, int]]:
    """Return the offset of a queue's first message, and one past its last."""
    first = yield from _offset(client, queue, wire.min_offset_request(queue), deadline)
    end = yield from _offset(client, queue, wire.max_offset_request(queue), deadline)
    assert first is not None and end is not None
    return first, end


def read(
    client: ClientState,
    queue: MessageQueue,
    offset: int,
    count: int,
    expression: str | Sql = "*",
) -> Flow[tuple[list[ReceivedMessage], int]]:
    """Return some messages of a queue, for no group, and where to go on: at its end, `offset`.

    Raises:
        WirespeedError: the broker did not answer, or said no.
    """
    address = client.broker_address(queue.broker_name)
    if address is None:
        raise TransportError(f"broker {queue.broker_name} is in no known route", service="rocketmq")
    subscription = wire.Subscription.parse(queue.topic, expression, 0)
    command = wire.pull_request(
        _READER,
        queue,
        offset,
        None,
        subscription,
        batch=count,
        batch_bytes=wire.MAX_BODY,
        suspend=0.0,
        carries_subscription=True,
    )
    frame: Frame = yield Exchange(address, client.signed(command), client.deadline(_READ_TIMEOUT))
    if frame.code not in _READ:
        raise codes.error(frame.code, frame.remark, address)
    following = wire.integer(frame, "nextBeginOffset")
    if frame.code == codes.SUCCESS:
        return wire.parse_messages(frame, queue.broker_name, subscription.tags), following
    if frame.code == codes.PULL_NOT_FOUND:
        return [], offset
    return [], following


def _offset(
    client: ClientState,
    queue: MessageQueue,
    command: Command,
    deadline: float,
    *,
    missing_is_none: bool = False,
) -> Flow[int | None]:
    address = client.broker_address(queue.broker_name)
    if address is None:
        raise TransportError(f"broker {queue.broker_name} is in no known route", service="rocketmq")
    limit = min(deadline, client.deadline(CONTROL_TIMEOUT))
    frame: Frame = yield Exchange(address, client.signed(command), limit)
    if frame.code == codes.QUERY_NOT_FOUND and missing_is_none:
        return None
    if frame.code != codes.SUCCESS:
        raise codes.error(frame.code, frame.remark, address)
    return wire.integer(frame, "offset")
