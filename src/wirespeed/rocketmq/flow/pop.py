"""POP: receiving and settling."""

from __future__ import annotations

import contextlib

from ...engine.effects import Exchange, Flow
from ...errors import ConfigError, TransportError, WirespeedError
from ...remoting.connection import Command, Frame
from .. import codes
from ..models import ReceivedMessage
from ..wire import pop
from .group import ConsumerState
from .route import CONTROL_TIMEOUT, fetch_route

_SLACK = 10.0
_SLICE = 2.0
_NOTHING = frozenset({codes.POLLING_TIMEOUT, codes.POLLING_FULL, codes.PULL_NOT_FOUND})


def receive(
    consumer: ConsumerState, count: int, wait: float, invisible: float
) -> Flow[list[ReceivedMessage]]:
    """Receive up to `count` messages: those there are, or the first to come within `wait` seconds.

    Brokers and topics take turns; where there are several, each is waited on for a while.

    Raises:
        TransportError: no broker answered.
        WirespeedError: a broker said no.
    """
    client = consumer.client
    now = client.settings.clock.monotonic
    ends = now() + wait
    for topic in consumer.subscriptions:
        if topic not in client.routes:
            yield from fetch_route(client, topic, client.deadline(CONTROL_TIMEOUT))
    waits = False
    while True:
        places = _places(consumer)
        turn = next(client.rotation)
        failure: TransportError | None = None
        for step in range(len(places)):
            topic, broker_name, address = places[(turn + step) % len(places)]
            left = max(0.0, ends - now()) if waits else 0.0
            if len(places) > 1:
                left = min(left, _SLICE)
            try:
                found = yield from _receive(
                    consumer, topic, broker_name, address, count, left, invisible
                )
            except TransportError as error:
                failure = error
                continue
            if found:
                return found
            failure = None
            if waits:
                break
        if failure is not None:
            raise failure
        if now() >= ends:
            return []
        waits = True


def _places(consumer: ConsumerState) -> list[tuple[str, str, str]]:
    """Return topic, broker and address of each place to receive from.

    Raises:
        ConfigError: there is none.
    """
    places = []
    for topic in consumer.subscriptions:
        route = consumer.client.routes.get(topic)
        if route is None:
            continue
        for broker_name in sorted({queue.broker_name for queue in route.read_queues}):
            address = route.address(broker_name)
            if address is not None:
                places.append((topic, broker_name, address))
    if not places:
        raise ConfigError("no broker has a topic that this consumer subscribes")
    return places


def _receive(
    consumer: ConsumerState,
    topic: str,
    broker_name: str,
    address: str,
    count: int,
    wait: float,
    invisible: float,
) -> Flow[list[ReceivedMessage]]:
    client, policy = consumer.client, consumer.policy
    subscription = consumer.subscriptions[topic]
    command = pop.receive_request(
        policy.group,
        subscription,
        broker_name,
        policy.start_from,
        count=count,
        invisible=invisible,
        wait=wait,
        now=int(client.settings.clock.wall() * 1000),
    )
    frame: Frame = yield Exchange(address, client.signed(command), client.deadline(wait + _SLACK))
    if frame.code in _NOTHING:
        return []
    if frame.code != codes.SUCCESS:
        raise codes.error(frame.code, frame.remark, address)
    wanted = []
    for message in pop.parse_received(frame, broker_name):
        if not subscription.tags or message.tag in subscription.tags:
            wanted.append(message)
            continue
        # Its tag has the hash of a wanted one. Where it cannot be acked it comes again.
        with contextlib.suppress(WirespeedError):
            yield from ack(consumer, message)
    return wanted


def ack(consumer: ConsumerState, message: ReceivedMessage) -> Flow[None]:
    """A message was consumed.

    Raises:
        NotFound: the broker no longer has it out.
        WirespeedError: it did not answer, or said no.
    """
    handle, address = _handle(consumer, message)
    command = pop.ack_request(consumer.policy.group, message.topic, handle)
    yield from _told(consumer, address, command)


def change(consumer: ConsumerState, message: ReceivedMessage, invisible: float) -> Flow[None]:
    """Keep a message for `invisible` seconds from now.

    Raises:
        NotFound: the broker no longer has it out.
        WirespeedError: it did not answer, or said no.
    """
    handle, address = _handle(consumer, message)
    command = pop.change_request(consumer.policy.group, message.topic, handle, invisible)
    frame = yield from _told(consumer, address, command)
    message.receipt_handle = str(pop.parse_changed(frame, handle))


def _handle(consumer: ConsumerState, message: ReceivedMessage) -> tuple[pop.Handle, str]:
    handle = pop.Handle.parse(message.receipt_handle)
    address = consumer.client.broker_address(handle.broker_name)
    if address is None:
        raise TransportError(
            f"broker {handle.broker_name} is in no known route",
            service="rocketmq",
            outcome="not_sent",
            retryable=True,
        )
    return handle, address


def _told(consumer: ConsumerState, address: str, command: Command) -> Flow[Frame]:
    client = consumer.client
    frame: Frame = yield Exchange(address, client.signed(command), client.deadline(CONTROL_TIMEOUT))
    if frame.code != codes.SUCCESS:
        failure: WirespeedError = codes.error(frame.code, frame.remark, address)
        raise failure
    return frame
