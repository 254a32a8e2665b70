# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""A topic as a queue, for asyncio: what SQS and CMQ queues do, over RocketMQ."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from types import TracebackType

from ...config import Credentials, seconds, whole
from ...engine import threads as engine
from ...errors import ConfigError, Unsupported, WirespeedError
from ..flow import offsets, pull
from ..flow.group import ProcessQueue
from ..models import Body, Message, ReceivedMessage, SendResult, StartFrom
from .producer import Producer
from .push import PushConsumer

_DEAD_LETTERS = "%DLQ%"
_LEVELS = (1, 5, 10, 30, *range(60, 601, 60), 1200, 1800, 3600, 7200)
_MOST = 1024
_TIMEOUT = 10.0
_JOINING = 5.0
_GLANCE = 0.01

Held = tuple[ProcessQueue, ReceivedMessage]


class _Member(PushConsumer):
    """A member of the group that keeps what it pulled until somebody asks."""

    def hold(self, channel: engine.queues.Channel[Held]) -> None:
        """Have pulled messages put into a channel."""
        self._channel = channel

    def _direct_consumer(self) -> None:
        """Nobody is called with messages."""

    def _deliver(self, process_queue: ProcessQueue, messages: list[ReceivedMessage]) -> None:
        self._channel.put([(process_queue, message) for message in messages])

    def give_back(
        self, process_queue: ProcessQueue, message: ReceivedMessage, level: int
    ) -> None:
        """Have the broker deliver a message again."""
        flow = pull.send_back(self._consumer, process_queue, message, level)
        engine.run(flow, self._transport)


def _unused(_: ReceivedMessage) -> None:
    """Stand in for the handler of a consumer that is asked for its messages."""


class Queue:
    """One topic, as one group consumes it: the methods of `wirespeed.queue.Queue`.

    It connects with the first call. Messages are pulled ahead; the group's offset moves past what
    was acknowledged, in each queue as far as nothing before it is missing.

    Args:
        topic: the topic.
        group: the consumer group's name; also that of the producer.
        namesrv: name servers, "host:port;host:port"; the environment's NAMESRV_ADDR if None.
        credentials: an access key pair where the broker asks for one.
        tags: the tags to receive, joined by "||"; "*" for all.
        start_from: where the group begins when it has no stored offset.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self,
        topic: str,
        group: str,
        namesrv: str | None = None,
        *,
        credentials: Credentials | None = None,
        tags: str = "*",
        start_from: StartFrom = StartFrom.FIRST,
    ) -> None:
        self._topic = topic
        self._group = group
        self._namesrv = namesrv
        self._credentials = credentials
        self._producer = Producer(group, namesrv, credentials=credentials)
        self._member = _Member(
            group, {topic: tags}, namesrv, credentials=credentials, start_from=start_from
        )
        self._channel: engine.queues.Channel[Held] = engine.queues.Channel()
        self._member.hold(self._channel)
        self._in_hand: dict[str, Held] = {}
        self._lock = engine.Lock()
        self._receives = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._topic!r}, {self._group!r})"

    @property
    def name(self) -> str:
        """The topic."""
        return self._topic

    # ---- messages ----

    def send(self, body: Body | str, *, timeout: float | str | None = None) -> SendResult:
        """Send one message and wait until the broker has stored it; see `Producer.send`."""
        limit = None if timeout is None else seconds(timeout, "timeout")
        return self._producer.send(self._topic, body, timeout=limit)

    def send_many(
        self, messages: Iterable[Message | Body | str], *, timeout: float | str | None = None
    ) -> list[SendResult | WirespeedError]:
        """Send messages, or bodies alone, in as few requests as may be; what failed stands in its
        place."""
        limit = None if timeout is None else seconds(timeout, "timeout")
        made = [
            each if isinstance(each, Message) else Message(self._topic, each) for each in messages
        ]
        return self._producer.send_many(made, timeout=limit)

    def receive(
        self, count: int = 10, *, wait: float | None = 20, timeout: float | str | None = None
    ) -> list[ReceivedMessage]:
        """Receive up to `count` messages: those there are, or the first to come.

        Args:
            count: how many at most, 1 to 1024.
            wait: seconds to wait for the first; None waits without end.
            timeout: seconds to wait for queues at the first call, which joins the group; 5.

        Raises:
            ClosedError: the queue was closed.
            TransportError: no name server answered.
        """
        whole(count, "count", 1, _MOST)
        if not self._receives:
            with self._lock:
                if not self._receives:
                    self._join(_JOINING if timeout is None else seconds(timeout, "timeout"))
                    self._receives = True
        messages = []
        for process_queue, message in self._channel.take(count, wait):
            if process_queue.dropped:
                continue
            if not message.native.crc_ok:
                self._member.give_back(process_queue, message, 0)
                continue
            self._in_hand[message.offset_message_id] = process_queue, message
            messages.append(message)
        return messages

    def _join(self, patience: float) -> None:
        """Join the group and wait until it has given this member queues."""
        self._member.start(_unused)
        state = self._member._consumer
        limit = state.client.deadline(patience)
        while not any(queue.topic == self._topic for queue in list(state.queues)):
            if state.client.settings.clock.monotonic() >= limit:
                return
            engine.queues.pause(_GLANCE)

    def _let_go(self, message: ReceivedMessage) -> Held:
        if not isinstance(message, ReceivedMessage):
            raise ConfigError("message must be a ReceivedMessage")
        held = self._in_hand.pop(message.offset_message_id, None)
        if held is None:
            raise ConfigError(f"message {message.message_id} is not in hand: it was settled")
        return held

    def ack(self, message: ReceivedMessage, *, timeout: float | str | None = None) -> None:
        """A message has been worked off. The group's offset is stored every 5 s and at the end.

        Raises:
            ConfigError: it is not in hand.
        """
        process_queue, message = self._let_go(message)
        process_queue.done(message.queue_offset)

    def nack(
        self, message: ReceivedMessage, *, delay: int = 0, timeout: float | str | None = None
    ) -> None:
        """Give a message back, to come again after `delay` seconds or a little more.

        Brokers know 1, 5, 10 and 30 seconds, 1 to 10 minutes, 20 and 30 minutes, 1 and 2 hours.

        Raises:
            ConfigError: it is not in hand, or `delay` passes 7200.
        """
        whole(delay, "delay", 0, _LEVELS[-1])
        level = next(place for place, length in enumerate(_LEVELS, 1) if length >= delay)
        self._member.give_back(*self._let_go(message), level)

    def extend(
        self, message: ReceivedMessage, visibility: int, *, timeout: float | str | None = None
    ) -> None:
        """A message of RocketMQ stays with its consumer until it is settled.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(
            "RocketMQ has no visibility to extend", service="rocketmq", hint="nothing need be done"
        )

    # ---- the topic ----

    def count(self, *, timeout: float | str | None = None) -> int:
        """Return how many messages the group has not consumed yet."""
        found = self._positions(timeout)
        return sum(max(0, each.end - each.committed) for each in found)

    def _positions(self, timeout: float | str | None) -> list[offsets.Position]:
        producer = self._producer
        producer.start()
        limit = _TIMEOUT if timeout is None else seconds(timeout, "timeout")
        deadline = producer._state.deadline(limit)
        return producer._run(
            offsets.positions(producer._state, self._group, self._topic, deadline)
        )

    def purge(self, *, timeout: float | str | None = None) -> None:
        """RocketMQ keeps messages for other groups too.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(
            "RocketMQ cannot purge a topic: other groups read it too", service="rocketmq"
        )

    def dead_letter_queue(self, *, timeout: float | str | None = None) -> Queue:
        """Return the topic of the group's dead letters, read by a group of its own."""
        return Queue(
            f"{_DEAD_LETTERS}{self._group}",
            f"{self._group}_DLQ",
            self._namesrv,
            credentials=self._credentials,
        )

    def close(self) -> None:
        """Store the offset, leave the group and disconnect. Twice is fine.

        What was received and not settled is delivered again, to this group.
        """
        self._channel.close()
        with contextlib.suppress(WirespeedError):
            self._member.close(timeout=0.0)
        self._producer.close()

    def __enter__(self) -> Queue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
