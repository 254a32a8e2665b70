"""Where a group stands in each queue of a topic."""

from __future__ import annotations

from dataclasses import dataclass

from ...engine.effects import Exchange, Flow
from ...errors import TransportError
from ...remoting.connection import Command, Frame
from .. import codes, wire
from ..models import MessageQueue
from .route import CONTROL_TIMEOUT, ClientState, fetch_route


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
