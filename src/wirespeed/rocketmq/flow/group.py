"""What a consumer's flows share: its settings, its queues, what it holds of each."""

from __future__ import annotations

import functools
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ...engine.effects import Flow, Wakeup
from ...errors import ProtocolError
from ...remoting.connection import Command, Frame, Later
from .. import codes, wire
from ..models import MessageQueue, ReceivedMessage, StartFrom
from ..wire import pushed
from .rebalance import Strategy, allocate_average
from .route import ClientState

NO_OFFSET = -1

DirectConsumer = Callable[[ReceivedMessage, Callable[[Command], None]], None]


class Task(Protocol):
    """A flow that runs by itself."""

    def cancel(self) -> object:
        """End it."""


class Offsets(Protocol):
    """Where a broadcasting consumer keeps its offsets."""

    def load(self) -> Mapping[MessageQueue, int]:
        """Return what was kept."""

    def save(self, offsets: Mapping[MessageQueue, int]) -> None:
        """Keep these."""


@dataclass(frozen=True, slots=True)
class ConsumerPolicy:
    """A consumer's settings.

    Attributes:
        group: the consumer group.
        start_from: where a group without an offset begins.
        start_at: for StartFrom.TIMESTAMP, milliseconds since 1970.
        batch: messages a pull asks for, 1 to 32.
        batch_bytes: bytes a pull asks for.
        cache_messages, cache_bytes: what one queue may hold undelivered.
        max_reconsume_times: deliveries after which a message goes to the dead-letter topic.
        ordered: whether a queue's messages are consumed one after the other.
        broadcasting: whether every member gets every message, and keeps its offsets itself.
        consume_timeout: seconds after which a message in a handler's hand is sent back.
        strategy: which of a topic's queues are a member's.
        kind: how heartbeats call it: "PASSIVELY", "ACTIVELY" or "POP".
    """

    group: str
    start_from: StartFrom = StartFrom.LAST
    start_at: int = 0
    batch: int = 32
    batch_bytes: int = 256 * 1024
    cache_messages: int = 1000
    cache_bytes: int = 100 * 1024 * 1024
    max_reconsume_times: int = 16
    ordered: bool = False
    broadcasting: bool = False
    consume_timeout: float = 900.0
    strategy: Strategy = allocate_average
    kind: str = "PASSIVELY"

    @property
    def pulls(self) -> bool:
        """Whether the program asks for messages, rather than being called with them."""
        return self.kind == "ACTIVELY"


class ProcessQueue:
    """One queue that is this consumer's: what was pulled and is not yet consumed.

    Attributes:
        next_offset: where the next pull begins.
        persisted: the offset last stored at the master.
        replica: the id of the broker to pull from, as the last reply suggested.
        dropped: the queue was given up; nothing more of it is consumed.
        paused: it is not pulled from for now.
        locked_until: for an ordered consumer, when the broker's lock is taken as lost.
        busy: for an ordered consumer, some worker consumes the queue or will soon.
        handed: when messages were handed to the handler that has not returned, by offset.
        pulled_at, consumed_at: when that last happened, in milliseconds since 1970.
        end: one past the last message, as the last pull told.
        held_at: where the program asks for its messages, the offset to store.
    """

    __slots__ = (
        "_backlog",
        "_bytes",
        "_in_flight",
        "_lock",
        "busy",
        "consumed_at",
        "dropped",
        "end",
        "handed",
        "held_at",
        "locked_until",
        "next_offset",
        "paused",
        "persisted",
        "pulled_at",
        "queue",
        "replica",
        "task",
        "wake",
    )

    def __init__(
        self, queue: MessageQueue, next_offset: int, lock: AbstractContextManager[Any]
    ) -> None:
        self.queue = queue
        self.next_offset = next_offset
        self.persisted = NO_OFFSET
        self.replica = wire.MASTER
        self.dropped = False
        self.paused = False
        self.wake = Wakeup()
        self.task: Task | None = None
        self._lock = lock
        self._in_flight: OrderedDict[int, int] = OrderedDict()
        self._bytes = 0
        self._backlog: deque[ReceivedMessage] = deque()
        self.busy = False
        self.locked_until = 0.0
        self.handed: dict[int, tuple[float, ReceivedMessage]] = {}
        self.pulled_at = self.consumed_at = 0
        self.end = NO_OFFSET
        self.held_at: int | None = None

    def queue_up(self, messages: Iterable[ReceivedMessage]) -> bool:
        """Take in an ordered queue's messages; whether a worker must be set to consume them."""
        with self._lock:
            self._backlog.extend(messages)
            idle, self.busy = not self.busy, True
            return idle

    def first(self, now: float, count: int = 1) -> list[ReceivedMessage]:
        """Return an ordered queue's next messages, or none and let the worker go.

        Without the broker's lock there are none.
        """
        with self._lock:
            if self._backlog and not self.dropped and now < self.locked_until:
                return [self._backlog[place] for place in range(min(count, len(self._backlog)))]
            self.busy = False
            return []

    def first_done(self, messages: Sequence[ReceivedMessage]) -> None:
        """An ordered queue's first messages were consumed."""
        with self._lock:
            for message in messages:
                if self._backlog and self._backlog[0] is message:
                    self._backlog.popleft()
        for message in messages:
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
        if self.held_at is not None:
            self.held_at = next_offset

    def holds(self, offset: int) -> bool:
        """Whether the message there is still to be consumed by this consumer."""
        return not self.dropped and offset in self._in_flight

    @property
    def position(self) -> int:
        """Everything before this offset was taken."""
        with self._lock:
            return next(iter(self._in_flight), self.next_offset)

    @property
    def commit_offset(self) -> int:
        """Everything before this offset is consumed."""
        held = self.held_at
        return self.position if held is None else held

    def is_full(self, policy: ConsumerPolicy) -> bool:
        """Whether pulling must pause."""
        return len(self._in_flight) >= policy.cache_messages or self._bytes >= policy.cache_bytes

    def describe(self, now: float) -> dict[str, object]:
        """Return what a broker's question for running info is answered with."""
        with self._lock:
            offsets = list(self._in_flight)
            size = self._bytes
        return {
            "commitOffset": self.commit_offset,
            "cachedMsgMinOffset": min(offsets, default=0),
            "cachedMsgMaxOffset": max(offsets, default=0),
            "cachedMsgCount": len(offsets),
            "cachedMsgSizeInMiB": size // (1024 * 1024),
            "transactionMsgMinOffset": 0,
            "transactionMsgMaxOffset": 0,
            "transactionMsgCount": 0,
            "locked": now < self.locked_until,
            "tryUnlockTimes": 0,
            "lastLockTimestamp": 0,
            "droped": self.dropped,
            "lastPullTimestamp": self.pulled_at,
            "lastConsumeTimestamp": self.consumed_at,
        }


class ConsumerState:
    """What a consumer's flows share.

    Args:
        client: routes and name servers.
        policy: settings.
        subscriptions: topic to subscription, the retry topic included.
        deliver: takes pulled messages, to be handed to the program; must not block.
        spawn: starts a flow that runs by itself.
        make_lock: makes the lock of a queue.
        offsets: where a broadcasting consumer keeps its offsets.
        consume_directly: has a handler consume a message that an administrator chose, and gives
            the answer to its second argument; None where there is no handler. Must not block.

    Attributes:
        queues: what is this consumer's.
        given_up: queues given up whose offset is not stored yet.
        locked: queues that a broker may hold locked for this consumer.
        resets: offsets that a broker told to go to.
        paused: topics that are not pulled from for now.
        started_at: milliseconds since 1970.
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
        offsets: Offsets | None = None,
        consume_directly: DirectConsumer | None = None,
    ) -> None:
        self.client = client
        self.policy = policy
        self.subscriptions = dict(subscriptions)
        self.deliver = deliver
        self.spawn = spawn
        self.make_lock = make_lock
        self.offsets = offsets
        self.consume_directly = consume_directly
        self.kept_offsets = dict(offsets.load()) if offsets is not None else {}
        self.queues: dict[MessageQueue, ProcessQueue] = {}
        self.given_up: set[ProcessQueue] = set()
        self.locked: set[MessageQueue] = set()
        self.paused: set[str] = set()
        self.resets: dict[MessageQueue, int] = {}
        self.rebalance_wake = Wakeup()
        self.reset_wake = Wakeup()
        self.started_at = int(client.settings.clock.wall() * 1000)

    def registration(self) -> Command:
        """Return this consumer's heartbeat."""
        policy = self.policy
        consumer = wire.ConsumerRegistration(
            policy.group,
            policy.start_from.value,
            list(self.subscriptions.values()),
            policy.broadcasting,
            policy.kind,
        )
        return wire.heartbeat_request(self.client.settings.client_id, (), (consumer,))

    def handle_request(self, frame: Frame) -> Command | Later | None:
        """Answer what a broker asks by itself."""
        code = frame.code
        if code == codes.NOTIFY_CONSUMER_IDS_CHANGED:
            self.rebalance_wake.set()
            return Command(codes.SUCCESS)
        if code == codes.RESET_CONSUMER_CLIENT_OFFSET:
            if frame.ext_fields.get("group") == self.policy.group:
                self.resets = {**self.resets, **pushed.parse_reset(frame)}
                self.reset_wake.set()
            return Command(codes.SUCCESS)
        if code == codes.GET_CONSUMER_STATUS_FROM_CLIENT:
            topic = frame.ext_fields.get("topic", "")
            found = {
                queue: held.commit_offset
                for queue, held in list(self.queues.items())
                if queue.topic == topic
            }
            return pushed.offsets_answer(found)
        if code == codes.GET_CONSUMER_RUNNING_INFO:
            return self._running_info()
        if code == codes.CONSUME_MESSAGE_DIRECTLY:
            return self._consume_directly(frame)
        return None

    def _consume_directly(self, frame: Frame) -> Command | Later:
        group = frame.ext_fields.get("consumerGroup", "")
        if group != self.policy.group:
            return pushed.no_group_answer(group)
        if self.consume_directly is None:
            return Command(codes.SYSTEM_ERROR, remark=f"<{group}> consumes nothing directly")
        try:
            broker = frame.ext_fields.get("brokerName", "")
            (message,) = wire.parse_messages(frame, broker, frozenset())
        except (ProtocolError, ValueError) as error:
            return Command(codes.SYSTEM_ERROR, remark=f"the body is not one message: {error}")
        return Later(functools.partial(self.consume_directly, message))

    def _running_info(self) -> Command:
        now = self.client.settings.clock.monotonic()
        policy = self.policy
        properties = {
            "PROP_NAMESERVER_ADDR": ";".join(self.client.name_servers),
            "PROP_CONSUME_TYPE": f"CONSUME_{policy.kind}",
            "PROP_CONSUMER_START_TIMESTAMP": str(self.started_at),
            "PROP_CONSUMEORDERLY": str(policy.ordered).lower(),
            "PROP_THREADPOOL_CORE_SIZE": "-1",
            "PROP_CLIENT_VERSION": "V5_5_0",
        }
        queues = {queue: held.describe(now) for queue, held in list(self.queues.items())}
        subscriptions = [each.as_json() for each in self.subscriptions.values()]
        return pushed.running_info_answer(properties, subscriptions, queues)
