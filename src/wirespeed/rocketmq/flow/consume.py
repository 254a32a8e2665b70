"""Consuming: membership, queues, pulls, offsets, messages that come back."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ...engine.effects import Exchange, Flow, Sleep, Wakeup
from ...errors import ProtocolError, TransportError, WirespeedError
from ...remoting.connection import Command, Frame
from .. import codes, wire
from ..models import MessageQueue, ReceivedMessage, StartFrom
from .rebalance import allocate_average
from .route import CONTROL_TIMEOUT, ClientState, fetch_route, heartbeat, unregister

_log = logging.getLogger("wirespeed.rocketmq")

REBALANCE_INTERVAL = 20.0
REBALANCE_PAUSE = 1.0
PERSIST_INTERVAL = 5.0
PULL_SUSPEND = 15.0
PULL_TIMEOUT = 30.0
SEND_BACK_TIMEOUT = 5.0
LOCK_INTERVAL = 20.0
LOCK_LIFE = 30.0
ORDERED_PAUSE = 1.0
_FULL_PAUSE = 0.05
_ERROR_PAUSE = 1.0
_THROTTLED_PAUSE = 0.02
_NO_OFFSET = -1


class Task(Protocol):
    """A flow that runs by itself."""

    def cancel(self) -> object:
        """End it."""


class ConsumerPolicy:
    """A consumer's settings.

    Attributes:
        group: the consumer group.
        start_from: where a group without an offset begins.
        batch: messages a pull asks for, 1 to 32.
        batch_bytes: bytes a pull asks for.
        cache_messages, cache_bytes: what one queue may hold undelivered.
        max_reconsume_times: deliveries after which a message goes to the dead-letter topic.
        ordered: whether a queue's messages are consumed one after the other.
    """

    __slots__ = (
        "batch",
        "batch_bytes",
        "cache_bytes",
        "cache_messages",
        "group",
        "max_reconsume_times",
        "ordered",
        "start_from",
    )

    def __init__(
        self,
        group: str,
        *,
        start_from: StartFrom = StartFrom.LAST,
        batch: int = 32,
        batch_bytes: int = 256 * 1024,
        cache_messages: int = 1000,
        cache_bytes: int = 100 * 1024 * 1024,
        max_reconsume_times: int = 16,
        ordered: bool = False,
    ) -> None:
        self.group = group
        self.start_from = start_from
        self.batch = batch
        self.batch_bytes = batch_bytes
        self.cache_messages = cache_messages
        self.cache_bytes = cache_bytes
        self.max_reconsume_times = max_reconsume_times
        self.ordered = ordered


class ProcessQueue:
    """One queue that is this consumer's: what was pulled and is not yet consumed.

    Attributes:
        next_offset: where the next pull begins.
        persisted: the offset last stored at the broker.
        dropped: the queue was given up; nothing more of it is consumed.
        locked_until: for an ordered consumer, when the broker's lock is taken as lost.
        busy: for an ordered consumer, some worker consumes the queue or will soon.
    """

    __slots__ = (
        "_backlog",
        "_bytes",
        "_in_flight",
        "_lock",
        "busy",
        "dropped",
        "locked_until",
        "next_offset",
        "persisted",
        "queue",
        "task",
        "wake",
    )

    def __init__(
        self, queue: MessageQueue, next_offset: int, lock: AbstractContextManager[Any]
    ) -> None:
        self.queue = queue
        self.next_offset = next_offset
        self.persisted = _NO_OFFSET
        self.dropped = False
        self.wake = Wakeup()
        self.task: Task | None = None
        self._lock = lock
        self._in_flight: OrderedDict[int, int] = OrderedDict()
        self._bytes = 0
        self._backlog: deque[ReceivedMessage] = deque()
        self.busy = False
        self.locked_until = 0.0

    def queue_up(self, messages: Iterable[ReceivedMessage]) -> bool:
        """Take in an ordered queue's messages; whether a worker must be set to consume them."""
        with self._lock:
            self._backlog.extend(messages)
            idle, self.busy = not self.busy, True
            return idle

    def first(self, now: float) -> ReceivedMessage | None:
        """Return an ordered queue's next message, or None and let the worker go.

        Without the broker's lock there is none.
        """
        with self._lock:
            if self._backlog and not self.dropped and now < self.locked_until:
                return self._backlog[0]
            self.busy = False
            return None

    def first_done(self, message: ReceivedMessage) -> None:
        """An ordered queue's first message was consumed."""
        with self._lock:
            if self._backlog and self._backlog[0] is message:
                self._backlog.popleft()
        self.done(message.native.queue_offset)

    def add(self, messages: Iterable[ReceivedMessage], next_offset: int) -> None:
        """Take in pulled messages; the next pull begins at `next_offset`."""
        with self._lock:
            for message in messages:
                size = message.native.store_size
                self._in_flight[message.native.queue_offset] = size
                self._bytes += size
            self.next_offset = next_offset

    def done(self, offset: int) -> None:
        """A message was consumed, or is back at the broker."""
        with self._lock:
            self._bytes -= self._in_flight.pop(offset, 0)
            drained = not self._in_flight
        if drained and self.wake.notify is not None:
            self.wake.set()

    def reset(self, next_offset: int) -> None:
        """Forget what is in flight and go on at `next_offset`."""
        with self._lock:
            self._in_flight.clear()
            self._backlog.clear()
            self._bytes = 0
            self.next_offset = next_offset

    def holds(self, offset: int) -> bool:
        """Whether the message there is still to be consumed by this consumer."""
        return not self.dropped and offset in self._in_flight

    @property
    def commit_offset(self) -> int:
        """Everything before this offset is consumed."""
        with self._lock:
            return next(iter(self._in_flight), self.next_offset)

    def is_full(self, policy: ConsumerPolicy) -> bool:
        """Whether pulling must pause."""
        return len(self._in_flight) >= policy.cache_messages or self._bytes >= policy.cache_bytes


class ConsumerState:
    """What a push consumer's flows share.

    Args:
        client: routes and name servers.
        policy: settings.
        subscriptions: topic to subscription, the retry topic included.
        deliver: takes pulled messages, to be handed to the handler; must not block.
        spawn: starts a flow that runs by itself.
        make_lock: makes the lock of a queue.

    Attributes:
        queues: what is this consumer's.
        given_up: queues given up whose offset is not stored yet.
        locked: queues that a broker may hold locked for this consumer.
    """

    def __init__(
        self,
        client: ClientState,
        policy: ConsumerPolicy,
        subscriptions: Mapping[str, wire.Subscription],
        *,
        deliver: Callable[[ProcessQueue, list[ReceivedMessage]], None],
        spawn: Callable[[Flow[Any]], Task],
        make_lock: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self.client = client
        self.policy = policy
        self.subscriptions = dict(subscriptions)
        self.deliver = deliver
        self.spawn = spawn
        self.make_lock = make_lock
        self.queues: dict[MessageQueue, ProcessQueue] = {}
        self.given_up: set[ProcessQueue] = set()
        self.locked: set[MessageQueue] = set()
        self.rebalance_wake = Wakeup()

    def registration(self) -> Command:
        """Return this consumer's heartbeat."""
        consumer = wire.ConsumerRegistration(
            self.policy.group, self.policy.start_from.value, list(self.subscriptions.values())
        )
        return wire.heartbeat_request(self.client.settings.client_id, (), (consumer,))

    def handle_request(self, frame: Frame) -> Command | None:
        """Answer what a broker asks by itself."""
        if frame.code == codes.NOTIFY_CONSUMER_IDS_CHANGED:
            self.rebalance_wake.set()
            return Command(codes.SUCCESS)
        return None


def subscriptions(
    group: str, wanted: Mapping[str, str], version: int
) -> dict[str, wire.Subscription]:
    """Return the parsed subscriptions, with the group's retry topic added.

    Raises:
        ConfigError: the group, a topic or an expression is bad.
    """
    wire.check_group(group)
    parsed = {
        topic: wire.Subscription.parse(topic, expression, version)
        for topic, expression in wanted.items()
    }
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
    yield from heartbeat(consumer.client, consumer.registration(), masters_only=False)


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
    members = yield from group_members(client, policy.group, route)
    mine = set(allocate_average(client.settings.client_id, members, route.read_queues))
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
                _address(client, asked[0]),
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
        yield Sleep(_FULL_PAUSE)
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
    for queue in consumer.locked.intersection(queues):
        command = wire.lock_request(
            consumer.policy.group, client.settings.client_id, [queue], locks=False
        )
        yield Exchange(
            _address(client, queue), client.signed(command), client.deadline(CONTROL_TIMEOUT)
        )
        consumer.locked.discard(queue)


def starting_offset(consumer: ConsumerState, queue: MessageQueue) -> Flow[int]:
    """Return where to begin: the stored offset, or what `start_from` says where there is none.

    Raises:
        WirespeedError: the broker could not tell; the queue is then not begun.
    """
    client = consumer.client
    address = _address(client, queue)
    command = client.signed(wire.query_offset_request(consumer.policy.group, queue))
    frame: Frame = yield Exchange(address, command, client.deadline(CONTROL_TIMEOUT))
    if frame.code == codes.SUCCESS:
        return wire.integer(frame, "offset")
    if frame.code != codes.QUERY_NOT_FOUND:
        raise codes.error(frame.code, frame.remark, address)
    from_first = consumer.policy.start_from is StartFrom.FIRST
    if from_first or queue.topic.startswith(wire.RETRY_PREFIX):
        return 0
    command = client.signed(wire.max_offset_request(queue))
    frame = yield Exchange(address, command, client.deadline(CONTROL_TIMEOUT))
    if frame.code != codes.SUCCESS:
        raise codes.error(frame.code, frame.remark, address)
    return wire.integer(frame, "offset")


def _address(client: ClientState, queue: MessageQueue) -> str:
    address = client.broker_address(queue.broker_name)
    if address is None:
        raise TransportError(
            f"broker {queue.broker_name} is in no known route",
            service="rocketmq",
            outcome="not_sent",
            retryable=True,
        )
    return address


def pull(consumer: ConsumerState, process_queue: ProcessQueue) -> Flow[None]:
    """Pull one queue until it is given up."""
    client, policy = consumer.client, consumer.policy
    queue = process_queue.queue
    while not process_queue.dropped:
        if process_queue.is_full(policy):
            yield Sleep(_FULL_PAUSE, process_queue.wake)
            continue
        subscription = consumer.subscriptions[queue.topic]
        command = wire.pull_request(
            policy.group,
            queue,
            process_queue.next_offset,
            process_queue.commit_offset,
            subscription.version,
            batch=policy.batch,
            batch_bytes=policy.batch_bytes,
            suspend=PULL_SUSPEND,
        )
        try:
            frame: Frame = yield Exchange(
                _address(client, queue), client.signed(command), client.deadline(PULL_TIMEOUT)
            )
            pause = _take_in(consumer, process_queue, frame, subscription)
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
    if code == codes.SUCCESS:
        messages = wire.parse_messages(frame, process_queue.queue.broker_name, subscription.tags)
        process_queue.add(messages, wire.integer(frame, "nextBeginOffset"))
        if messages:
            consumer.deliver(process_queue, messages)
        return 0.0
    if code in (codes.PULL_NOT_FOUND, codes.PULL_RETRY_IMMEDIATELY):
        process_queue.add((), wire.integer(frame, "nextBeginOffset"))
        return 0.0
    if code == codes.PULL_OFFSET_MOVED:
        process_queue.reset(wire.integer(frame, "nextBeginOffset"))
        return 0.0
    if code in (codes.SUBSCRIPTION_NOT_EXIST, codes.SUBSCRIPTION_NOT_LATEST):
        consumer.client.heartbeat_wake.set()
        return _ERROR_PAUSE / 10
    if code == codes.FLOW_CONTROL:
        return _THROTTLED_PAUSE
    address = consumer.client.broker_address(process_queue.queue.broker_name) or ""
    _log.warning("%s", codes.error(code, frame.remark, address))
    return _ERROR_PAUSE


def persist(consumer: ConsumerState, process_queue: ProcessQueue, *, oneway: bool) -> Flow[None]:
    """Store a queue's offset at the broker where it changed since the last time."""
    offset = process_queue.commit_offset
    if offset == process_queue.persisted:
        return
    client = consumer.client
    command = wire.update_offset_request(consumer.policy.group, process_queue.queue, offset)
    yield Exchange(
        _address(client, process_queue.queue),
        client.signed(command),
        client.deadline(CONTROL_TIMEOUT),
        oneway,
    )
    process_queue.persisted = offset


def persist_all(consumer: ConsumerState, *, oneway: bool) -> Flow[None]:
    """Store the offsets of all queues; a broker that cannot be reached is asked the next time."""
    for process_queue in [*consumer.queues.values(), *consumer.given_up]:
        try:
            yield from persist(consumer, process_queue, oneway=oneway)
        except TransportError as error:
            _log.debug("offset not stored: %s", error)


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
    command = client.signed(
        wire.send_back_request(policy.group, message, delay_level, policy.max_reconsume_times)
    )
    try:
        address = _address(client, process_queue.queue)
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
        address = _address(client, process_queue.queue)
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
