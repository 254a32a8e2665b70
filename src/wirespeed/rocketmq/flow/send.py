"""Sending: which queue, which tries, what the outcome is."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ... import _native
from ...engine.effects import Exchange, Flow
from ...errors import (
    Busy,
    ConfigError,
    DeadlineExceeded,
    Outcome,
    ProtocolError,
    SendError,
    Throttled,
    TopicNotFound,
    TransportError,
    WirespeedError,
)
from ...remoting.connection import Command, Frame
from .. import codes, wire
from ..compression import CODECS, compress
from ..models import Body, Message, MessageQueue, SendResult, SendStatus
from .route import ClientState, fetch_route

_STATUS = {
    codes.SUCCESS: SendStatus.OK,
    codes.FLUSH_DISK_TIMEOUT: SendStatus.FLUSH_DISK_TIMEOUT,
    codes.FLUSH_SLAVE_TIMEOUT: SendStatus.FLUSH_SLAVE_TIMEOUT,
    codes.SLAVE_NOT_AVAILABLE: SendStatus.SLAVE_NOT_AVAILABLE,
}
_PART_OVERHEAD = 256


class SendPolicy:
    """A producer's settings that a send needs.

    Attributes:
        group: the producer group.
        attempts: tries of an acknowledged send, the first included.
        max_body: the largest body in bytes.
        compress_above: bodies of at least so many bytes are compressed where that saves any.
        compression: by which codec.
        avoid_slow: brokers that were slow or failed are left out for a while.
    """

    __slots__ = ("attempts", "avoid_slow", "compress_above", "compression", "group", "max_body")

    def __init__(
        self,
        group: str,
        attempts: int,
        max_body: int,
        compress_above: int = 4096,
        compression: str = "zlib",
        avoid_slow: bool = False,
    ) -> None:
        self.group = group
        self.attempts = attempts
        self.max_body = max_body
        self.compress_above = compress_above
        self.compression = compression
        self.avoid_slow = avoid_slow


_SLOW = ((0.55, 2.0), (1.8, 5.0), (3.0, 6.0), (5.0, 10.0), (15.0, 30.0))
"""After an exchange of so many seconds a broker is left out for so many."""
_FAILED = 10.0
"""A failure counts as so many seconds."""


def note_latency(client: ClientState, broker_name: str, seconds: float) -> None:
    """Leave a broker out for as long as its slowness asks for."""
    pause = max((pause for limit, pause in _SLOW if seconds >= limit), default=0.0)
    avoided = client.avoided
    if pause:
        client.avoided = {**avoided, broker_name: client.deadline(pause)}
    elif broker_name in avoided:
        client.avoided = {name: until for name, until in avoided.items() if name != broker_name}


def prepare(client: ClientState, policy: SendPolicy, message: Message) -> str:
    """Check `message`, give it its unique id, and return its encoded properties.

    Raises:
        ConfigError: the topic, the body or a property is refused.
    """
    wire.check_topic(message.topic)
    return _stored_form(client, policy, message).decode()


def _stored_form(client: ClientState, policy: SendPolicy, message: Message) -> bytes:
    """Check the body, and return the encoded properties with the unique id."""
    wire.check_body(message.body, policy.max_body)
    properties = message.properties
    if "UNIQ_KEY" not in properties:
        properties["UNIQ_KEY"] = client.settings.unique_id()
    properties["WAIT"] = "true"
    return wire.encode_properties(properties)


def pick_queue(
    client: ClientState, route: wire.TopicRoute, avoided_broker: str | None
) -> tuple[MessageQueue, str]:
    """Return the next queue in turn and its master, on another broker than the one that failed."""
    queues = route.write_queues
    if client.avoided:
        now = client.settings.clock.monotonic()
        avoided = {name for name, until in client.avoided.items() if until > now}
        well = tuple(each for each in queues if each[0].broker_name not in avoided)
        queues = well or queues
    turn = next(client.rotation)
    first = queues[turn % len(queues)]
    if avoided_broker is None or first[0].broker_name != avoided_broker:
        return first
    for step in range(1, len(queues)):
        other = queues[(turn + step) % len(queues)]
        if other[0].broker_name != avoided_broker:
            return other
    return first


def find_route(client: ClientState, topic: str, deadline: float) -> Flow[wire.TopicRoute]:
    """Return the known route to send `topic` by, or ask for it.

    Raises:
        TopicNotFound: no broker takes messages for the topic.
    """
    route = client.routes.get(topic)
    if route is None or not route.write_queues:
        route = yield from fetch_route(client, topic, deadline, creates=True)
        client.heartbeat_wake.set()
    if not route.write_queues:
        raise TopicNotFound(
            f"topic {topic!r} has no queue that may be written",
            service="rocketmq",
            retryable=True,
            outcome="not_sent",
        )
    return route


class Delivery(NamedTuple):
    """What a broker acknowledged: its reply, where it was sent, and how the sending went."""

    frame: Frame
    queue: MessageQueue
    attempts: int
    ambiguous: bool


def deliver(
    client: ClientState,
    policy: SendPolicy,
    topic: str,
    make_command: Callable[[MessageQueue], Command],
    deadline: float,
) -> Flow[Delivery]:
    """Send what `make_command(queue)` makes until a broker has stored it, or nothing may help.

    Raises:
        TopicNotFound: no broker takes the topic.
        DeadlineExceeded, SendError: not acknowledged; `outcome` tells what is known.
        ServiceError: the broker refused it.
    """
    failure: WirespeedError
    ambiguous = False
    broker: str | None = None
    attempt = 0
    while True:
        attempt += 1
        route = client.routes.get(topic)
        if route is None or not route.write_queues:
            route = yield from find_route(client, topic, deadline)
        queue, address = pick_queue(client, route, broker)
        broker = queue.broker_name
        began = client.settings.clock.monotonic() if policy.avoid_slow else 0.0
        try:
            frame: Frame = yield Exchange(address, client.signed(make_command(queue)), deadline)
        except TransportError as error:
            failure = error
            ambiguous = ambiguous or error.outcome == "unknown"
            if policy.avoid_slow:
                note_latency(client, broker, _FAILED)
        else:
            if policy.avoid_slow:
                note_latency(client, broker, client.settings.clock.monotonic() - began)
            if frame.code in _STATUS:
                return Delivery(frame, queue, attempt, ambiguous)
            failure = codes.error(frame.code, frame.remark, address)
            if frame.code not in codes.RETRIED_SEND_CODES:
                raise _final(failure, attempt, ambiguous)
        if attempt >= policy.attempts or client.settings.clock.monotonic() >= deadline:
            raise _final(failure, attempt, ambiguous)
        telemetry = client.telemetry
        telemetry.add("retries")
        telemetry.emit("retry", endpoint=address, attempt=attempt, error=failure, detail=topic)
        if isinstance(failure, (Busy, Throttled)):
            telemetry.add("throttled")
            telemetry.emit("throttle", endpoint=address, attempt=attempt, error=failure)
        yield from _refresh_route(client, topic, deadline)


def send(
    client: ClientState, policy: SendPolicy, message: Message, timeout: float
) -> Flow[SendResult]:
    """Send `message` and wait until it is stored, trying other brokers where that may help.

    A retry carries the same UNIQ_KEY, since an earlier try may have been stored.

    Raises:
        ConfigError: the message is refused before anything is sent.
        WirespeedError: as `deliver`.
    """
    deadline = client.deadline(timeout)
    properties = prepare(client, policy, message)
    body, sys_flag = compressed(policy, message)

    def make_command(queue: MessageQueue) -> Command:
        born = int(client.settings.clock.wall() * 1000)
        return wire.send_request(
            policy.group, message, properties, queue, sys_flag, born, body=body
        )

    delivery = yield from deliver(client, policy, message.topic, make_command, deadline)
    return result_of(delivery, message)


def compressed(policy: SendPolicy, message: Message) -> tuple[Body, int]:
    """Return the body to send and the flag bits that say how it is compressed."""
    if len(message.body) < policy.compress_above:
        return message.body, 0
    smaller = compress(message.body, policy.compression)
    if len(smaller) >= len(message.body):
        return message.body, 0
    return smaller, CODECS[policy.compression]


def _send_together(
    client: ClientState, policy: SendPolicy, messages: Sequence[Message], timeout: float
) -> Flow[list[SendResult]]:
    """Send messages that `_grouped` put together; they are stored in one queue, in order.

    Raises:
        ConfigError: a message is refused, or all pass `policy.max_body`; nothing was sent.
        WirespeedError: as `deliver`.
    """
    deadline = client.deadline(timeout)
    topic = messages[0].topic
    wire.check_topic(topic)
    body = wire.encode_batch(
        [
            (message.flag, message.body, _stored_form(client, policy, message))
            for message in messages
        ]
    )
    wire.check_body(body, policy.max_body, "the batch")

    def make_command(queue: MessageQueue) -> Command:
        born = int(client.settings.clock.wall() * 1000)
        return wire.send_batch_request(policy.group, topic, body, queue, born)

    delivery = yield from deliver(client, policy, topic, make_command, deadline)
    offset_ids = delivery.frame.ext_fields.get("msgId", "").split(",")
    queue, first = _place(delivery)
    offset_ids += [""] * (len(messages) - len(offset_ids))
    frame, _, attempts, ambiguous = delivery
    status = _STATUS[frame.code]
    return [
        SendResult(
            status, message.properties["UNIQ_KEY"], offset_id, queue, offset, attempts, ambiguous
        )
        for message, offset_id, offset in zip(
            messages, offset_ids, itertools.count(first), strict=False
        )
    ]


def send_many(
    client: ClientState, policy: SendPolicy, messages: Sequence[Message], timeout: float
) -> Flow[list[SendResult | WirespeedError]]:
    """Send messages in as few requests as their topics and sizes permit.

    Returns:
        For each message, in the order given, its result, or the error that its request met.
    """
    results: list[SendResult | WirespeedError | None] = [None] * len(messages)
    for group in _grouped(policy, messages):
        chosen = [messages[number] for number in group]
        outcome: Sequence[SendResult | WirespeedError]
        try:
            if len(chosen) == 1:
                outcome = [(yield from send(client, policy, chosen[0], timeout))]
            else:
                outcome = yield from _send_together(client, policy, chosen, timeout)
        except WirespeedError as error:
            outcome = [error] * len(chosen)
        for number, each in zip(group, outcome, strict=True):
            results[number] = each
    return [each for each in results if each is not None]


def _grouped(policy: SendPolicy, messages: Sequence[Message]) -> list[list[int]]:
    """Return the numbers of the messages that go together, each group within the size limit.

    The broker takes a delayed message alone, and one of a retry topic.
    """
    groups: list[list[int]] = []
    open_groups: dict[str, list[int]] = {}
    sizes: dict[str, int] = {}
    for number, message in enumerate(messages):
        topic, properties = message.topic, message.properties
        size = len(message.body) + _PART_OVERHEAD
        if properties:
            if not wire.DELAY_PROPERTIES.isdisjoint(properties):
                groups.append([number])
                continue
            for name, value in properties.items():
                size += (len(name) + len(value)) * 4
        filled = sizes.get(topic, policy.max_body) + size
        if filled > policy.max_body:
            open_groups[topic] = []
            groups.append(open_groups[topic])
            filled = policy.max_body if topic.startswith(wire.RETRY_PREFIX) else size
        open_groups[topic].append(number)
        sizes[topic] = filled
    return groups


def send_selected(
    client: ClientState,
    policy: SendPolicy,
    message: Message,
    select: Callable[[Sequence[MessageQueue]], int],
    timeout: float,
) -> Flow[SendResult]:
    """Send `message` once, to the queue whose index `select(queues)` returns.

    It is not retried, since a retry could break the order that a chosen queue is for.

    Raises:
        ConfigError: also when the index is out of range.
        TopicNotFound, DeadlineExceeded, SendError, ServiceError: as `send`.
    """
    deadline = client.deadline(timeout)
    properties = prepare(client, policy, message)
    route = yield from find_route(client, message.topic, deadline)
    queues = [queue for queue, _ in route.write_queues]
    index = select(queues)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(queues):
        raise ConfigError(f"the selected queue must be in 0..{len(queues) - 1}, not {index!r}")
    queue, address = route.write_queues[index]
    body, sys_flag = compressed(policy, message)
    born = int(client.settings.clock.wall() * 1000)
    command = wire.send_request(policy.group, message, properties, queue, sys_flag, born, body=body)
    try:
        frame: Frame = yield Exchange(address, client.signed(command), deadline)
    except TransportError as error:
        yield from _refresh_route(client, message.topic, deadline)
        raise _final(error, 1, error.outcome == "unknown") from error
    if frame.code not in _STATUS:
        raise _final(codes.error(frame.code, frame.remark, address), 1, False)
    return result_of(Delivery(frame, queue, 1, False), message)


def by_key(key: str) -> Callable[[Sequence[MessageQueue]], int]:
    """Return what selects a queue by a key, as the Java client's hash selector does."""

    def select(queues: Sequence[MessageQueue]) -> int:
        return abs(_native.tag_hash(key)) % len(queues)

    return select


def by_name(wanted: MessageQueue) -> Callable[[Sequence[MessageQueue]], int]:
    """Return what selects this queue."""

    def select(queues: Sequence[MessageQueue]) -> int:
        if wanted not in queues:
            raise ConfigError(f"{wanted} is not among the topic's {len(queues)} writable queues")
        return queues.index(wanted)

    return select


def recall(
    client: ClientState, policy: SendPolicy, topic: str, handle: str, timeout: float
) -> Flow[str]:
    """Take a delayed message back before it is delivered; return its id.

    Raises:
        ConfigError: the handle is none.
        WirespeedError: the broker did not answer, or said no.
    """
    deadline = client.deadline(timeout)
    broker_name = wire.broker_of_handle(handle)
    yield from find_route(client, topic, deadline)
    address = client.broker_address(broker_name)
    if address is None:
        raise ConfigError(f"recall_handle names broker {broker_name!r}, which is not known")
    command = wire.recall_request(policy.group, topic, handle, broker_name)
    frame: Frame = yield Exchange(address, client.signed(command), deadline)
    if frame.code != codes.SUCCESS:
        raise codes.error(frame.code, frame.remark, address)
    return frame.ext_fields.get("msgId", "")


def _refresh_route(client: ClientState, topic: str, deadline: float) -> Flow[None]:
    """Look for the topic's brokers again; where none is told of, the old route stays.

    A topic whose brokers are away is not made at others: that would break orders by key. Half of
    the time that is left is kept for another try.
    """
    now = client.settings.clock.monotonic()
    with contextlib.suppress(WirespeedError):
        yield from fetch_route(client, topic, now + (deadline - now) / 2)


def send_oneway(
    client: ClientState, policy: SendPolicy, message: Message, timeout: float
) -> Flow[None]:
    """Write `message` once and do not wait; a broker that refuses it is never heard.

    Raises:
        ConfigError, TopicNotFound: as `send`.
        TransportError: it could not be written.
    """
    deadline = client.deadline(timeout)
    properties = prepare(client, policy, message)
    route = yield from find_route(client, message.topic, deadline)
    queue, address = pick_queue(client, route, None)
    body, sys_flag = compressed(policy, message)
    born = int(client.settings.clock.wall() * 1000)
    command = wire.send_request(policy.group, message, properties, queue, sys_flag, born, body=body)
    try:
        yield Exchange(address, client.signed(command), deadline, True)
    except TransportError:
        yield from _refresh_route(client, message.topic, deadline)
        raise


def result_of(delivery: Delivery, message: Message) -> SendResult:
    """Return what a producer is told of a stored message."""
    frame, _, attempts, ambiguous = delivery
    fields = frame.ext_fields
    queue, offset = _place(delivery)
    return SendResult(
        _STATUS[frame.code],
        message.properties["UNIQ_KEY"],
        fields.get("msgId", ""),
        queue,
        offset,
        attempts,
        ambiguous,
        fields.get("recallHandle", ""),
    )


def _place(delivery: Delivery) -> tuple[MessageQueue, int]:
    """Return the queue and the offset that the broker tells.

    Raises:
        ProtocolError: it tells none, so that the outcome is unknown.
    """
    fields, asked = delivery.frame.ext_fields, delivery.queue
    try:
        number, offset = int(fields["queueId"]), int(fields["queueOffset"])
    except (KeyError, ValueError) as error:
        raise ProtocolError(
            "the reply does not tell where the message is stored",
            service="rocketmq",
            outcome="unknown",
        ) from error
    if number != asked.queue_id:
        asked = MessageQueue(asked.topic, asked.broker_name, number)
    return asked, offset


def _final(failure: WirespeedError, attempts: int, ambiguous: bool) -> WirespeedError:
    """Return what a send raises after its last try."""
    outcome: Outcome | None = "unknown" if ambiguous else failure.outcome
    if not isinstance(failure, TransportError) or isinstance(
        failure, (DeadlineExceeded, ConfigError)
    ):
        failure.attempts = attempts
        failure.outcome = outcome
        failure.service = "rocketmq"
        return failure
    final = SendError(
        f"not acknowledged after {attempts} tries: {failure.message}",
        service="rocketmq",
        endpoint=failure.endpoint,
        attempts=attempts,
        retryable=True,
        outcome=outcome,
        hint=failure.hint,
    )
    final.__cause__ = failure
    return final
