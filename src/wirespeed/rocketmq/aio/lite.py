"""The consumer that asks for its messages, for asyncio."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING

from ...config import Credentials, whole
from ...engine import aio as engine
from ...errors import ClosedError, ConfigError
from ...remoting.connection import Tls
from ..flow import offsets, pull
from ..flow.group import ConsumerPolicy, ProcessQueue
from ..flow.rebalance import Strategy, allocate_average
from ..flow.route import CONTROL_TIMEOUT
from ..models import MessageQueue, ReceivedMessage, Sql, StartFrom
from .member import AsyncMember, starting_point

if TYPE_CHECKING:
    import ssl

_MOST = 1024


class AsyncLitePullConsumer(AsyncMember):
    """Pulls ahead as a member of a group, or from given queues, and waits to be asked.

    What `poll` returned counts as consumed at the next `poll`, or with `auto_commit=False` at
    `commit`. It connects with the first call.

    Args:
        group: the consumer group's name, at most 120 characters.
        subscriptions: topic to what is wanted of it: "*", tags joined by "||", or an `Sql`; empty
            where `assign` names queues.
        namesrv: name servers, or the URL of an address server, as for `AsyncProducer`.
        credentials: an access key pair where the broker asks for one.
        tls: as for `AsyncProducer`.
        namespace: goes before the names of topics and groups.
        start_from: where the group begins when it has no stored offset.
        start_at: for `StartFrom.TIMESTAMP`, seconds since 1970.
        auto_commit: store every 5 seconds how far the program came.
        batch: messages a pull asks for, 1 to 32.
        cache_messages: messages held of one queue before pulling pauses.
        cache_bytes: bytes held of one queue before pulling pauses.
        strategy: which queues are a member's, as for `AsyncPushConsumer`.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self,
        group: str,
        subscriptions: Mapping[str, str | Sql] | None = None,
        namesrv: str | None = None,
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | Tls | bool = False,
        namespace: str = "",
        start_from: StartFrom = StartFrom.LAST,
        start_at: float | None = None,
        auto_commit: bool = True,
        batch: int = 32,
        cache_messages: int = 1000,
        cache_bytes: int = 100 * 1024 * 1024,
        strategy: Strategy = allocate_average,
    ) -> None:
        if not callable(strategy):
            raise ConfigError(f"strategy must be callable, not {type(strategy).__name__}")
        whole(batch, "batch", 1, 32)
        whole(cache_messages, "cache_messages", 1, 1 << 30)
        whole(cache_bytes, "cache_bytes", 1, 1 << 40)
        self._assigned: frozenset[MessageQueue] | None = None
        self._chosen_strategy = strategy
        self._configure(namesrv, credentials, tls, namespace)
        self._policy = ConsumerPolicy(
            self._named(group),
            batch=batch,
            cache_messages=cache_messages,
            cache_bytes=cache_bytes,
            strategy=self._allocate,
            kind="ACTIVELY",
            **starting_point(start_from, start_at),
        )
        self._subscribe(subscriptions or {})
        self._auto_commit = bool(auto_commit)
        self._channel: engine.queues.Channel[tuple[ProcessQueue, ReceivedMessage]] = (
            engine.queues.Channel()
        )

    def _allocate(
        self, client_id: str, client_ids: Iterable[str], queues: Iterable[MessageQueue]
    ) -> list[MessageQueue]:
        if self._assigned is not None:
            return sorted(self._assigned.intersection(queues))
        return self._chosen_strategy(client_id, list(client_ids), list(queues))

    async def start(self) -> None:
        """Join the group. Twice is fine.

        Raises:
            ClosedError: the consumer was closed.
            ConfigError: nothing is subscribed or assigned.
            TransportError: no name server answered.
        """
        async with self._lock:
            self._check_startable()
            if self._started:
                return
            if not self._wanted:
                raise ConfigError("subscribe topics, or assign queues, before the first poll")
            await self._join()

    async def subscribe(self, topic: str, expression: str | Sql = "*") -> None:
        """Consume a topic too; before the start.

        Raises:
            ConfigError: the consumer is started, has queues assigned, or an argument is wrong.
        """
        if self._started or self._assigned is not None:
            raise ConfigError("subscribe before the start, and not beside assign")
        self._subscribe({**self._wanted, topic: expression})

    async def assign(self, queues: Iterable[MessageQueue]) -> None:
        """Consume these queues, whatever other members of the group do; again to change them.

        After the start their topics must be among the first ones.

        Raises:
            ConfigError: topics are subscribed, or a queue is none or of another topic.
        """
        chosen = frozenset(queues)
        if not all(isinstance(queue, MessageQueue) for queue in chosen):
            raise ConfigError("queues must be MessageQueues")
        if self._assigned is None and self._wanted:
            raise ConfigError("assign does not go beside subscriptions")
        topics = {queue.topic for queue in chosen}
        if self._started:
            strange = topics - self._wanted.keys()
            if strange:
                raise ConfigError(f"topic {sorted(strange)[0]!r} was not assigned at the start")
        else:
            self._wanted = {}
            self._subscribe(dict.fromkeys(topics, "*"))
        self._assigned = chosen
        if self._started:
            self._consumer.rebalance_wake.set()

    def _deliver(self, process_queue: ProcessQueue, messages: list[ReceivedMessage]) -> None:
        self._channel.put([(process_queue, message) for message in messages])

    async def poll(self, count: int = 32, *, timeout: float | None = 5.0) -> list[ReceivedMessage]:
        """Return up to `count` messages: those there are, or the first to come.

        With `auto_commit` the messages before these now count as consumed.

        Args:
            count: how many at most, 1 to 1024.
            timeout: seconds to wait for the first, 0 and up; None waits without end.

        Raises:
            ConfigError: an argument is wrong, or nothing is subscribed.
            ClosedError: the consumer was closed.
            TransportError: no name server answered.
        """
        whole(count, "count", 1, _MOST)
        if not self._started:
            await self.start()
        if self._auto_commit:
            self._hold()
        ends = None if timeout is None else time.monotonic() + timeout
        messages: list[ReceivedMessage] = []
        while not messages:
            left = None if ends is None else max(0.0, ends - time.monotonic())
            taken = await self._channel.take(count, left)
            for process_queue, message in taken:
                # Since it was pulled the queue may have gone, or the program to another offset.
                if process_queue.dropped:
                    continue
                process_queue.done(message.native.queue_offset)
                if self._namespace:
                    message.topic = message.topic.removeprefix(f"{self._namespace}%")
                messages.append(message)
            if not taken:
                break
        return messages

    def _hold(self) -> None:
        """Let what was polled so far count as consumed."""
        for process_queue in list(self._consumer.queues.values()):
            process_queue.held_at = process_queue.position

    async def commit(self) -> None:
        """Let what was polled so far count as consumed, and store that now.

        Raises:
            ConfigError: the consumer is not started.
        """
        consumer = self._running()
        self._hold()
        await self._run(pull.persist_all(consumer, oneway=False))

    def position(self, queue: MessageQueue) -> int:
        """Return the offset of the next message that `poll` returns of a queue.

        Raises:
            ConfigError: the queue is not this consumer's now.
        """
        held = self._running().queues.get(queue)
        if held is None:
            raise ConfigError(f"{queue} is not this consumer's now")
        return held.position

    async def committed(self, queue: MessageQueue) -> int | None:
        """Return the offset that is stored for the group; None where there is none."""
        if not self._started:
            await self.start()
        return await self._run(
            offsets.committed(
                self._state, self._policy.group, queue, self._state.deadline(CONTROL_TIMEOUT)
            )
        )

    async def offset_at(self, queue: MessageQueue, timestamp: float) -> int:
        """Return the offset of the first message stored at a time, in seconds since 1970, or later.

        Raises:
            WirespeedError: the broker did not answer, or said no.
        """
        if not self._started:
            await self.start()
        return await self._run(
            offsets.at_time(
                self._state, queue, int(timestamp * 1000), self._state.deadline(CONTROL_TIMEOUT)
            )
        )

    async def seek_to_begin(self, queue: MessageQueue) -> None:
        """Go on with a queue's first message; as `seek`."""
        bounds = await self._bounds(queue)
        await self.seek(queue, bounds[0])

    async def seek_to_end(self, queue: MessageQueue) -> None:
        """Go on after a queue's last message; as `seek`."""
        bounds = await self._bounds(queue)
        await self.seek(queue, bounds[1])

    async def _bounds(self, queue: MessageQueue) -> tuple[int, int]:
        self._running()
        return await self._run(
            offsets.bounds(self._state, queue, self._state.deadline(CONTROL_TIMEOUT))
        )

    async def __aiter__(self) -> AsyncIterator[ReceivedMessage]:
        """Poll for ever, a message at a time, until the consumer is closed."""
        while not self._closed:
            try:
                messages = await self.poll(timeout=None)
            except ClosedError:
                return
            for message in messages:
                yield message

    async def close(self) -> None:
        """Store the offsets, leave the group and disconnect. Twice is fine.

        With `auto_commit` what was polled counts as consumed.
        """
        self._channel.close()
        async with self._lock:
            started, self._started, self._closed = self._started, False, True
            if not started:
                return
            if self._auto_commit:
                self._hold()
            try:
                await self._stop_pulling()
            finally:
                await self._leave()

    async def __aenter__(self) -> AsyncLitePullConsumer:
        await self.start()
        return self
