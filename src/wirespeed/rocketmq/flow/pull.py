"""Pulling: where a queue begins, what is pulled of it, what is stored, what goes back."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ...engine.effects import Compute, Exchange, Flow, Sleep
from ...errors import ConfigError, TransportError, WirespeedError
from ...remoting.connection import Frame
from .. import codes, wire
from ..models import MessageQueue, ReceivedMessage, StartFrom
from .group import ConsumerState, ProcessQueue
from .route import CONTROL_TIMEOUT, ClientState

_log = logging.getLogger("wirespeed.rocketmq")

PERSIST_INTERVAL = 5.0
PULL_SUSPEND = 15.0
PULL_TIMEOUT = 30.0
SEND_BACK_TIMEOUT = 5.0
ORDERED_PAUSE = 1.0
FULL_PAUSE = 0.05
_ERROR_PAUSE = 1.0
_THROTTLED_PAUSE = 0.02
_STUCK_LEVEL = 3
_IDLE_PAUSE = 1.0
_LONG_PAUSE = 3600.0


def starting_offset(consumer: ConsumerState, queue: MessageQueue) -> Flow[int]:
    """Return where to begin: the stored offset, or what `start_from` says where there is none.

    Raises:
        WirespeedError: the broker could not tell; the queue is then not begun.
    """
    client, policy = consumer.client, consumer.policy
    address = address_of(client, queue)
    if policy.broadcasting:
        if queue in consumer.kept_offsets:
            return consumer.kept_offsets[queue]
    else:
        command = client.signed(wire.query_offset_request(policy.group, queue))
        frame: Frame = yield Exchange(address, command, client.deadline(CONTROL_TIMEOUT))
        if frame.code == codes.SUCCESS:
            return wire.integer(frame, "offset")
        if frame.code != codes.QUERY_NOT_FOUND:
            raise codes.error(frame.code, frame.remark, address)
    retries = queue.topic.startswith(wire.RETRY_PREFIX)
    if policy.start_from is StartFrom.FIRST or (retries and policy.start_from is StartFrom.LAST):
        return 0
    if policy.start_from is StartFrom.TIMESTAMP and not retries:
        command = client.signed(wire.search_offset_request(queue, policy.start_at))
    else:
        command = client.signed(wire.max_offset_request(queue))
    frame = yield Exchange(address, command, client.deadline(CONTROL_TIMEOUT))
    if frame.code != codes.SUCCESS:
        raise codes.error(frame.code, frame.remark, address)
    return wire.integer(frame, "offset")


def address_of(client: ClientState, queue: MessageQueue, broker_id: int = wire.MASTER) -> str:
    """Return where a queue's broker is: that replica of it, or where it is gone another one.

    Raises:
        TransportError: no known route has it.
    """
    address = client.broker_address(queue.broker_name, broker_id)
    if address is None:
        raise unknown_broker(queue.broker_name)
    return address


def master_of(client: ClientState, queue: MessageQueue) -> str:
    """Return where the master of a queue is.

    Raises:
        TransportError: no known route has it.
    """
    address = client.master_address(queue.broker_name)
    if address is None:
        raise unknown_broker(f"{queue.broker_name}'s master")
    return address


def unknown_broker(what: str) -> TransportError:
    """Return the error that says that a broker is nowhere."""
    return TransportError(
        f"broker {what} is in no known route",
        service="rocketmq",
        outcome="not_sent",
        retryable=True,
    )


def pull(consumer: ConsumerState, process_queue: ProcessQueue) -> Flow[None]:
    """Pull one queue until it is given up.

    It is pulled from the master, or from the slave that the master suggests or leaves behind.
    """
    client, policy = consumer.client, consumer.policy
    queue = process_queue.queue
    while not process_queue.dropped:
        if process_queue.paused or process_queue.is_full(policy):
            pause = _IDLE_PAUSE if process_queue.paused else FULL_PAUSE
            yield Sleep(pause, process_queue.wake)
            continue
        subscription = consumer.subscriptions[queue.topic]
        try:
            address = address_of(client, queue, process_queue.replica)
            at_master = address == client.master_address(queue.broker_name)
            # Beside `commit` and `close`, which the program waits for, it could go backwards.
            stores = at_master and not policy.broadcasting and not policy.pulls
            command = wire.pull_request(
                policy.group,
                queue,
                process_queue.next_offset,
                process_queue.commit_offset if stores else None,
                subscription,
                batch=policy.batch,
                batch_bytes=policy.batch_bytes,
                suspend=PULL_SUSPEND,
                carries_subscription=policy.pulls,
            )
            frame: Frame = yield Exchange(
                address, client.signed(command), client.deadline(PULL_TIMEOUT)
            )
            pause = _take_in(consumer, process_queue, frame, subscription)
        except TransportError as error:
            _log.debug("pull of %s queue %s failed: %s", queue.topic, queue.queue_id, error)
            client.route_wake.set()
            pause = _ERROR_PAUSE
        except WirespeedError as error:
            _log.debug("pull of %s queue %s failed: %s", queue.topic, queue.queue_id, error)
            pause = _ERROR_PAUSE
        if pause:
            yield Sleep(pause, process_queue.wake)


def _take_in(
    consumer: ConsumerState,
    process_queue: ProcessQueue,
    frame: Frame,
    subscription: wire.Subscription,
) -> float:
    """Act on a pull's reply; return the seconds to pause before the next one."""
    if process_queue.dropped:
        return 0.0
    code = frame.code
    process_queue.pulled_at = int(consumer.client.settings.clock.wall() * 1000)
    end = frame.ext_fields.get("maxOffset", "")
    if end.isdecimal():
        process_queue.end = int(end)
    suggested = frame.ext_fields.get("suggestWhichBrokerId", "")
    if suggested.isdecimal():
        process_queue.replica = int(suggested)
    if code == codes.SUCCESS:
        messages = wire.parse_messages(frame, process_queue.queue.broker_name, subscription.tags)
        process_queue.add(messages, wire.integer(frame, "nextBeginOffset"))
        if messages:
            consumer.deliver(process_queue, messages)
        return 0.0
    if code in (codes.PULL_NOT_FOUND, codes.PULL_RETRY_IMMEDIATELY):
        asked = process_queue.next_offset
        process_queue.add((), wire.integer(frame, "nextBeginOffset"))
        # A slave that does not have the queue so far yet answers at once.
        idle = code == codes.PULL_RETRY_IMMEDIATELY and process_queue.next_offset == asked
        return FULL_PAUSE if idle else 0.0
    if code == codes.PULL_OFFSET_MOVED:
        process_queue.reset(wire.integer(frame, "nextBeginOffset"))
        return 0.0
    if code in (codes.SUBSCRIPTION_NOT_EXIST, codes.SUBSCRIPTION_NOT_LATEST):
        consumer.client.heartbeat_wake.set()
        return _ERROR_PAUSE / 10
    if code == codes.FLOW_CONTROL:
        consumer.client.telemetry.add("throttled")
        consumer.client.telemetry.emit("throttle", delay=_THROTTLED_PAUSE)
        return _THROTTLED_PAUSE
    address = consumer.client.broker_address(process_queue.queue.broker_name) or ""
    _log.warning("%s", codes.error(code, frame.remark, address))
    return _ERROR_PAUSE


def persist(consumer: ConsumerState, process_queue: ProcessQueue, *, oneway: bool) -> Flow[None]:
    """Store a queue's offset at the broker where it changed since the last time.

    A slave keeps it only until its master is back, which is then told too.
    """
    offset = process_queue.commit_offset
    if offset == process_queue.persisted:
        return
    client = consumer.client
    if consumer.policy.broadcasting:
        consumer.kept_offsets[process_queue.queue] = process_queue.persisted = offset
        return
    command = wire.update_offset_request(consumer.policy.group, process_queue.queue, offset)
    address = address_of(client, process_queue.queue)
    yield Exchange(address, client.signed(command), client.deadline(CONTROL_TIMEOUT), oneway)
    if address == client.master_address(process_queue.queue.broker_name):
        process_queue.persisted = offset


def persist_all(consumer: ConsumerState, *, oneway: bool) -> Flow[None]:
    """Store the offsets of all queues; a broker that cannot be reached is asked the next time."""
    for process_queue in [*consumer.queues.values(), *consumer.given_up]:
        try:
            yield from persist(consumer, process_queue, oneway=oneway)
        except TransportError as error:
            _log.debug("offset not stored: %s", error)
    if consumer.offsets is not None:
        try:
            yield Compute(consumer.offsets.save, dict(consumer.kept_offsets))
        except OSError as problem:
            _log.warning("offsets not kept: %s", problem)


def keep_offsets(consumer: ConsumerState) -> Flow[None]:
    """Store the offsets every 5 s for ever."""
    while True:
        yield Sleep(PERSIST_INTERVAL)
        yield from persist_all(consumer, oneway=True)


def send_back(
    consumer: ConsumerState,
    process_queue: ProcessQueue,
    message: ReceivedMessage,
    delay_level: int = 0,
) -> Flow[None]:
    """Give a message that was not consumed back to the broker, which delivers it again later.

    When, the broker decides at level 0, by how often it came.

    Where the broker cannot take it, it is handed to the handler again after 5 s, so that it
    is never lost.
    """
    client, policy = consumer.client, consumer.policy
    if policy.broadcasting:
        _log.warning("message %s is not delivered again: the group broadcasts", message.message_id)
        process_queue.done(message.queue_offset)
        return
    command = client.signed(
        wire.send_back_request(policy.group, message, delay_level, policy.max_reconsume_times)
    )
    try:
        address = address_of(client, process_queue.queue)
        frame: Frame = yield Exchange(address, command, client.deadline(SEND_BACK_TIMEOUT))
        if frame.code != codes.SUCCESS:
            raise codes.error(frame.code, frame.remark, address)
    except WirespeedError as error:
        _log.warning("message %s not taken back: %s", message.message_id, error)
        yield Sleep(SEND_BACK_TIMEOUT)
        if process_queue.holds(message.queue_offset):
            consumer.deliver(process_queue, [message])
        return
    process_queue.done(message.queue_offset)


def bury(
    consumer: ConsumerState, process_queue: ProcessQueue, message: ReceivedMessage
) -> Flow[bool]:
    """Move an ordered consumer's message to the dead-letter topic; whether the broker took it."""
    client, policy = consumer.client, consumer.policy
    command = wire.bury_request(
        policy.group,
        message,
        policy.max_reconsume_times,
        int(client.settings.clock.wall() * 1000),
    )
    try:
        address = address_of(client, process_queue.queue)
        frame: Frame = yield Exchange(
            address, client.signed(command), client.deadline(SEND_BACK_TIMEOUT)
        )
        if frame.code != codes.SUCCESS:
            raise codes.error(frame.code, frame.remark, address)
    except WirespeedError as error:
        _log.warning("message %s not moved to the dead letters: %s", message.message_id, error)
        return False
    return True


def deliver_later(consumer: ConsumerState, process_queue: ProcessQueue) -> Flow[None]:
    """Have an ordered queue consumed again after a pause."""
    yield Sleep(ORDERED_PAUSE)
    process_queue.busy = False
    consumer.deliver(process_queue, [])


def take_back_stuck(consumer: ConsumerState) -> Flow[None]:
    """Send messages back, for ever, that a handler has held longer than it may."""
    limit = consumer.policy.consume_timeout
    while True:
        yield Sleep(limit / 4)
        now = consumer.client.settings.clock.monotonic()
        for process_queue in list(consumer.queues.values()):
            for began, message in list(process_queue.handed.values()):
                if now - began < limit or not process_queue.holds(message.queue_offset):
                    continue
                _log.warning("%r is in its handler for %g seconds: sent back", message, now - began)
                process_queue.handed.pop(message.queue_offset, None)
                yield from send_back(consumer, process_queue, message, _STUCK_LEVEL)


def seek(consumer: ConsumerState, queue: MessageQueue, offset: int) -> Flow[None]:
    """Let a queue of this consumer's go on at an offset, and store that.

    What was pulled and is not yet in a handler's hand is dropped.

    Raises:
        ConfigError: the queue is not this consumer's.
    """
    before = consumer.queues.get(queue)
    if before is None:
        raise ConfigError(f"{queue} is not this consumer's now")
    before.dropped = True
    if before.task is not None:
        before.task.cancel()
    after = ProcessQueue(queue, offset, consumer.make_lock())
    after.paused, after.locked_until = before.paused, before.locked_until
    after.held_at = offset if consumer.policy.pulls else None
    consumer.queues[queue] = after
    yield from persist(consumer, after, oneway=False)
    after.task = consumer.spawn(pull(consumer, after))


def follow_resets(consumer: ConsumerState) -> Flow[None]:
    """Go, for ever, to the offsets that brokers tell of."""
    while True:
        yield Sleep(_LONG_PAUSE, consumer.reset_wake)
        wanted, consumer.resets = consumer.resets, {}
        for queue, offset in wanted.items():
            if queue not in consumer.queues:
                continue
            try:
                yield from seek(consumer, queue, offset)
            except WirespeedError as error:
                _log.warning("%s not reset to %d: %s", queue, offset, error)


def lag(consumer: ConsumerState) -> Flow[dict[MessageQueue, int]]:
    """Return how many messages of each queue are still to be consumed.

    Raises:
        WirespeedError: a broker did not answer, or said no.
    """
    found = {}
    for queue, process_queue in list(consumer.queues.items()):
        address = address_of(consumer.client, queue)
        command = consumer.client.signed(wire.max_offset_request(queue))
        frame: Frame = yield Exchange(address, command, consumer.client.deadline(CONTROL_TIMEOUT))
        if frame.code != codes.SUCCESS:
            raise codes.error(frame.code, frame.remark, address)
        found[queue] = max(0, wire.integer(frame, "offset") - process_queue.commit_offset)
    return found


def pause(consumer: ConsumerState, queues: Sequence[MessageQueue], paused: bool) -> None:
    """Stop or go on pulling; without queues all, those of later rebalances included."""
    chosen = queues or list(consumer.queues)
    if not queues:
        consumer.paused = set(consumer.subscriptions) if paused else set()
    for queue in chosen:
        process_queue = consumer.queues.get(queue)
        if process_queue is not None:
            process_queue.paused = paused
            process_queue.wake.set()
