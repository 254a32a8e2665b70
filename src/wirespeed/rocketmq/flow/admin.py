"""What administrators do: the same at each broker, or at the one that knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ...engine.effects import Exchange, Flow
from ...errors import NotFound, TransportError, WirespeedError
from ...remoting.connection import Command, Frame
from .. import codes, wire
from ..models import (
    BrokerInfo,
    ConsumerConnection,
    GroupProgress,
    MessageQueue,
    QueueProgress,
    ReceivedMessage,
)
from ..wire import admin
from .route import CONTROL_TIMEOUT, ClientState, ask_name_server, fetch_route

T = TypeVar("T")
_THREE_DAYS = 3 * 24 * 3600 * 1000


def name_server(client: ClientState, command: Command, read: Callable[[Frame], T]) -> Flow[T]:
    """Ask a name server and read its reply.

    Raises:
        TransportError: none answered.
        WirespeedError: it said no.
    """
    frame = yield from ask_name_server(client, command, client.deadline(CONTROL_TIMEOUT))
    if frame.code != codes.SUCCESS:
        raise codes.error(frame.code, frame.remark, client.name_server)
    return read(frame)


def broker(client: ClientState, address: str, command: Command) -> Flow[Frame]:
    """Ask a broker.

    Raises:
        TransportError: it did not answer.
        WirespeedError: it said no.
    """
    frame: Frame = yield Exchange(address, client.signed(command), client.deadline(CONTROL_TIMEOUT))
    if frame.code != codes.SUCCESS:
        raise codes.error(frame.code, frame.remark, address)
    return frame


def brokers(client: ClientState) -> Flow[list[BrokerInfo]]:
    """Return the brokers that a name server knows."""
    found = yield from name_server(client, admin.cluster_request(), admin.parse_cluster)
    return found


def masters(client: ClientState) -> Flow[list[str]]:
    """Return the address of each master.

    Raises:
        NotFound: there is none.
    """
    found = yield from brokers(client)
    addresses = [each.addresses[wire.MASTER] for each in found if wire.MASTER in each.addresses]
    if not addresses:
        raise NotFound("the name server knows no broker", service="rocketmq")
    return addresses


def at_masters(client: ClientState, make: Callable[[], Command]) -> Flow[list[Frame]]:
    """Ask every master the same; return their replies.

    Raises:
        WirespeedError: one did not answer, or said no; the others may have done it.
    """
    replies = []
    for address in (yield from masters(client)):
        replies.append((yield from broker(client, address, make())))
    return replies


def masters_of(client: ClientState, topic: str) -> Flow[list[str]]:
    """Return the address of each broker that has a topic.

    Raises:
        TopicNotFound: there is no such topic.
    """
    route = yield from fetch_route(client, topic, client.deadline(CONTROL_TIMEOUT))
    return [address for address in map(route.address, route.brokers) if address]


def delete_topic(client: ClientState, topic: str) -> Flow[None]:
    """Have every broker and every name server forget a topic."""
    yield from at_masters(client, lambda: admin.delete_topic_request(topic))
    for server in client.name_servers:
        yield from broker(client, server, admin.forget_topic_request(topic))
    client.routes = {name: route for name, route in client.routes.items() if name != topic}


def progress(client: ClientState, group: str, topic: str) -> Flow[GroupProgress]:
    """Return where a group is at all brokers together."""
    place = topic or wire.RETRY_PREFIX + group
    queues: list[QueueProgress] = []
    rate = 0.0
    for address in (yield from masters_of(client, place)):
        frame = yield from broker(client, address, admin.progress_request(group, topic))
        part = admin.parse_progress(frame)
        queues += part.queues
        rate += part.rate
    return GroupProgress(tuple(sorted(queues, key=lambda each: each.queue)), rate)


def connections(client: ClientState, group: str) -> Flow[list[ConsumerConnection]]:
    """Return the clients that consume for a group; none where nobody does."""
    found: dict[str, ConsumerConnection] = {}
    for address in (yield from masters(client)):
        frame: Frame = yield Exchange(
            address,
            client.signed(admin.connections_request(group)),
            client.deadline(CONTROL_TIMEOUT),
        )
        if frame.code == codes.CONSUMER_NOT_ONLINE:
            continue
        if frame.code != codes.SUCCESS:
            raise codes.error(frame.code, frame.remark, address)
        for each in admin.parse_connections(frame):
            found[each.client_id] = each
    return sorted(found.values(), key=lambda each: each.client_id)


def reset(
    client: ClientState, group: str, topic: str, timestamp: int
) -> Flow[dict[MessageQueue, int]]:
    """Let a group go to a time in a topic; return the new offsets."""
    found: dict[MessageQueue, int] = {}
    for address in (yield from masters_of(client, topic)):
        frame = yield from broker(client, address, admin.reset_request(group, topic, timestamp))
        found.update(admin.parse_reset_answer(frame))
    return found


def set_offset(client: ClientState, group: str, queue: MessageQueue, offset: int) -> Flow[None]:
    """Store a group's offset of a queue."""
    yield from fetch_route(client, queue.topic, client.deadline(CONTROL_TIMEOUT))
    address = client.broker_address(queue.broker_name)
    if address is None:
        raise NotFound(f"there is no broker {queue.broker_name!r}", service="rocketmq")
    yield from broker(client, address, wire.update_offset_request(group, queue, offset))


def view(client: ClientState, address: str, offset: int) -> Flow[ReceivedMessage]:
    """Return the message that lies there on a broker.

    Raises:
        NotFound: there is none.
    """
    try:
        frame = yield from broker(client, address, admin.view_request(offset))
        messages = wire.parse_messages(frame, _name_of(client, address), frozenset())
    except TransportError:
        raise
    except WirespeedError as error:
        raise NotFound(
            f"{address} has no message there: {error.message}", service="rocketmq", code=error.code
        ) from error
    if len(messages) != 1:
        raise NotFound(f"{address} has no message there", service="rocketmq")
    return messages[0]


def find(
    client: ClientState, topic: str, key: str, *, unique: bool, most: int
) -> Flow[list[ReceivedMessage]]:
    """Return the messages of a topic that have a key, or a unique id; the oldest first."""
    found: dict[str, ReceivedMessage] = {}
    now = int(client.settings.clock.wall() * 1000)
    for address in (yield from masters_of(client, topic)):
        command = admin.query_request(
            topic, key, unique=unique, most=most, begin=now - _THREE_DAYS if unique else 0
        )
        admin.mark_query(client.signed(command), unique=unique)
        frame: Frame = yield Exchange(address, command, client.deadline(CONTROL_TIMEOUT))
        if frame.code == codes.QUERY_NOT_FOUND:
            continue
        if frame.code != codes.SUCCESS:
            raise codes.error(frame.code, frame.remark, address)
        for message in wire.parse_messages(frame, _name_of(client, address), frozenset()):
            # The broker's index holds hashes.
            if message.message_id == key if unique else key in message.keys:
                found[message.offset_message_id] = message
    return sorted(found.values(), key=lambda each: each.store_timestamp)[:most]


def _name_of(client: ClientState, address: str) -> str:
    for route in client.routes.values():
        for name, addresses in route.brokers.items():
            if address in addresses.values():
                return name
    return ""
