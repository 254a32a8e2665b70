"""Consuming: membership, which queues are this consumer's, locks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from ...engine.effects import Exchange, Flow, Sleep
from ...errors import ConfigError, ProtocolError, TransportError, Unsupported, WirespeedError
from ...remoting.connection import Frame
from .. import codes, wire
from ..models import MessageQueue, Sql
from .group import ConsumerState, ProcessQueue
from .pull import FULL_PAUSE, master_of, persist, persist_all, pull, starting_offset
from .route import CONTROL_TIMEOUT, ClientState, fetch_route, heartbeat, unregister

_log = logging.getLogger("wirespeed.rocketmq")

REBALANCE_INTERVAL = 20.0
REBALANCE_PAUSE = 1.0
LOCK_INTERVAL = 20.0
LOCK_LIFE = 30.0


def subscriptions(
    group: str, wanted: Mapping[str, str | Sql], version: int, *, retries: bool = True
) -> dict[str, wire.Subscription]:
    """Return the parsed subscriptions, with the group's retry topic added if it has one.

    Raises:
        ConfigError: the group, a topic or an expression is bad.
    """
    wire.check_group(group)
    parsed = {
        topic: wire.Subscription.parse(topic, expression, version)
        for topic, expression in wanted.items()
    }
    if retries:
        retry = wire.RETRY_PREFIX + group
        parsed[retry] = wire.Subscription.parse(retry, "*", version)
    return parsed


def join(consumer: ConsumerState) -> Flow[None]:
    """Find the topics and become a member of the group.

    A topic that nobody made yet is waited for; it is looked for again every 2 s.

    Raises:
        TransportError: no name server answered.
    """
    for topic in consumer.subscriptions:
        try:
            yield from fetch_route(
                consumer.client, topic, consumer.client.deadline(CONTROL_TIMEOUT)
            )
        except TransportError:
            raise
        except WirespeedError as error:
            if not topic.startswith(wire.RETRY_PREFIX):
                _log.warning("waiting for topic %s: %s", topic, error)
    yield from check_conditions(consumer)
    yield from heartbeat(consumer.client, consumer.registration(), masters_only=False)


def check_conditions(consumer: ConsumerState) -> Flow[None]:
    """Have a broker of each topic read the conditions of SQL92.

    Raises:
        ConfigError: it cannot.
        Unsupported: the broker filters by tags alone.
    """
    client = consumer.client
    for topic, subscription in consumer.subscriptions.items():
        route = client.routes.get(topic)
        if subscription.kind == "TAG" or route is None:
            continue
        address = next(filter(None, map(route.address, route.brokers)), None)
        if address is None:
            continue
        command = wire.check_subscription_request(
            client.settings.client_id, consumer.policy.group, subscription
        )
        frame: Frame = yield Exchange(
            address, client.signed(command), client.deadline(CONTROL_TIMEOUT)
        )
        if frame.code == codes.SUBSCRIPTION_PARSE_FAILED:
            raise ConfigError(
                f"the broker cannot read {subscription.expression!r}: {frame.remark}",
                service="rocketmq",
                code=frame.code,
                endpoint=address,
            )
        if frame.code != codes.SUCCESS:
            raise Unsupported(
                f"{address} does not filter by SQL92: {frame.remark}",
                service="rocketmq",
                code=frame.code,
                endpoint=address,
                hint="set enablePropertyFilter=true at the broker",
            )


def keep_balanced(consumer: ConsumerState) -> Flow[None]:
    """Share the queues out for ever: every 20 s, and soon after a broker tells of a change."""
    while True:
        settled = True
        for topic in list(consumer.subscriptions):
            try:
                settled = (yield from rebalance(consumer, topic)) and settled
            except WirespeedError as error:
                settled = False
                _log.debug("queues of %s not balanced: %s", topic, error)
        interval = REBALANCE_INTERVAL if settled and consumer.queues else REBALANCE_PAUSE
        woken = yield Sleep(interval, consumer.rebalance_wake)
        if woken:
            yield Sleep(REBALANCE_PAUSE / 10)


def rebalance(consumer: ConsumerState, topic: str) -> Flow[bool]:
    """Take up the queues of `topic` that are now this consumer's and give up the others.

    Returns:
        Whether all of them could be taken up.
    """
    client, policy = consumer.client, consumer.policy
    route = client.routes.get(topic)
    if route is None:
        return False
    if policy.broadcasting:
        mine = set(route.read_queues)
    else:
        members = yield from group_members(client, policy.group, route)
        mine = set(policy.strategy(client.settings.client_id, members, route.read_queues))
    held = {queue for queue in list(consumer.queues) if queue.topic == topic}
    if mine != held:
        came, went = len(mine - held), len(held - mine)
        client.telemetry.emit("rebalance", detail=f"{topic}: {came} came, {went} went")
    for queue in [queue for queue in consumer.queues if queue.topic == topic and queue not in mine]:
        yield from give_up(consumer, queue)
    gained = sorted(mine - consumer.queues.keys())
    locked_until = client.deadline(LOCK_LIFE)
    if policy.ordered and gained:
        locked = yield from lock(consumer, gained)
        gained = [queue for queue in gained if queue in locked]
    for queue in gained:
        try:
            offset = yield from starting_offset(consumer, queue)
        except WirespeedError as error:
            _log.warning("queue %s of %s not taken up yet: %s", queue.queue_id, topic, error)
            continue
        process_queue = ProcessQueue(queue, offset, consumer.make_lock())
        process_queue.locked_until = locked_until
        process_queue.paused = topic in consumer.paused
        process_queue.held_at = offset if policy.pulls else None
        consumer.queues[queue] = process_queue
        process_queue.task = consumer.spawn(pull(consumer, process_queue))
    return mine <= consumer.queues.keys()


def lock(consumer: ConsumerState, queues: Iterable[MessageQueue]) -> Flow[set[MessageQueue]]:
    """Ask the brokers to lock `queues` for this consumer; return those that are."""
    client = consumer.client
    by_broker: dict[str, list[MessageQueue]] = {}
    for queue in queues:
        by_broker.setdefault(queue.broker_name, []).append(queue)
    locked: set[MessageQueue] = set()
    for asked in by_broker.values():
        consumer.locked.update(asked)
        command = wire.lock_request(
            consumer.policy.group, client.settings.client_id, asked, locks=True
        )
        try:
            frame: Frame = yield Exchange(
                master_of(client, asked[0]),
                client.signed(command),
                client.deadline(CONTROL_TIMEOUT),
            )
            if frame.code != codes.SUCCESS:
                raise codes.error(frame.code, frame.remark, asked[0].broker_name)
            locked.update(wire.parse_locked(frame))
        except WirespeedError as error:
            _log.warning("queues of %s not locked: %s", asked[0].topic, error)
    return locked


def keep_locks(consumer: ConsumerState) -> Flow[None]:
    """Renew the locks of an ordered consumer's queues every 20 s for ever."""
    while True:
        yield Sleep(LOCK_INTERVAL)
        locked_until = consumer.client.deadline(LOCK_LIFE)
        locked = yield from lock(consumer, list(consumer.queues))
        for queue, process_queue in list(consumer.queues.items()):
            if queue in locked:
                process_queue.locked_until = locked_until
                consumer.deliver(process_queue, [])


def group_members(client: ClientState, group: str, route: wire.TopicRoute) -> Flow[list[str]]:
    """Return the client ids in `group`, as any broker of the topic knows them."""
    failure: WirespeedError | None = None
    for broker_name in route.brokers:
        address = route.address(broker_name)
        if address is None:
            continue
        command = client.signed(wire.consumer_list_request(group))
        try:
            frame: Frame = yield Exchange(address, command, client.deadline(CONTROL_TIMEOUT))
        except TransportError as error:
            failure = error
            continue
        if frame.code == codes.SUCCESS:
            return wire.parse_consumer_list(frame)
        failure = codes.error(frame.code, frame.remark, address)
        client.heartbeat_wake.set()
    raise failure or ProtocolError("the route names no broker", service="rocketmq")


def give_up(consumer: ConsumerState, queue: MessageQueue) -> Flow[None]:
    """Stop pulling `queue` and store its offset for the member that gets it."""
    process_queue = consumer.queues.pop(queue)
    consumer.given_up.add(process_queue)
    process_queue.dropped = True
    if process_queue.task is not None:
        process_queue.task.cancel()
    patience = consumer.client.deadline(LOCK_INTERVAL)
    while process_queue.busy and consumer.client.settings.clock.monotonic() < patience:
        yield Sleep(FULL_PAUSE)
    try:
        yield from persist(consumer, process_queue, oneway=False)
        yield from unlock(consumer, [queue])
    except TransportError as error:
        _log.warning("offset of a queue given up not stored: %s", error)
    consumer.given_up.discard(process_queue)


def unlock(consumer: ConsumerState, queues: Iterable[MessageQueue]) -> Flow[None]:
    """Give the locks of `queues` back, where a broker may hold any for this consumer.

    Raises:
        TransportError: a broker could not be told; it forgets the lock after a minute.
    """
    client = consumer.client
    failure: TransportError | None = None
    for queue in consumer.locked.intersection(queues):
        command = wire.lock_request(
            consumer.policy.group, client.settings.client_id, [queue], locks=False
        )
        try:
            yield Exchange(
                master_of(client, queue), client.signed(command), client.deadline(CONTROL_TIMEOUT)
            )
        except TransportError as error:
            failure = error
        else:
            consumer.locked.discard(queue)
    if failure is not None:
        raise failure


def leave(consumer: ConsumerState) -> Flow[None]:
    """Store every offset, give the locks back, and leave the group."""
    yield from persist_all(consumer, oneway=False)
    try:
        yield from unlock(consumer, list(consumer.locked))
    except TransportError as error:
        _log.debug("queues were not unlocked: %s", error)
    command = wire.unregister_request(
        consumer.client.settings.client_id, consumer=consumer.policy.group
    )
    yield from unregister(consumer.client, command)
