"""The SQS consumer for asyncio."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ...config import seconds, whole
from ...engine import aio as engine
from ...errors import (
    ClosedError,
    ConfigError,
    ServiceError,
    Throttled,
    TransportError,
    WirespeedError,
)
from .. import flow, wire
from ..flow.leases import Lease, Leases
from ..models import BATCH_LIMIT, LONGEST_VISIBILITY, LONGEST_WAIT, Message, ReceivedMessage
from .gather import AsyncGatherer

if TYPE_CHECKING:
    from .client import AsyncClient

_log = logging.getLogger("wirespeed.sqs")

_LONGEST_PREFETCH = 10_000
_REST = 1.0
_SETTLING = 8
_TICK = 0.05

Handler = Callable[[ReceivedMessage], Any]


class AsyncConsumer:
    """Receives messages ahead and keeps them in hand; made by `AsyncClient.consumer`.

    A message in hand is kept from coming back: its visibility is extended when half of it is
    over, for `max_lease` seconds at most. Settle each one with `ack`, `nack` or `dead_letter`.
    A message whose visibility ended before that comes back, and the client's event "lease_lost"
    tells of it.

    Iterate over it, call `receive`, or give a handler to `run`. Close it, or use `async with`:
    what was received ahead and handed to nobody is given back at once.
    """

    def __init__(
        self,
        client: AsyncClient,
        queue: str,
        *,
        prefetch: int,
        visibility: int,
        extend_visibility: bool,
        max_lease: int,
        dead_letter_queue: str | None,
    ) -> None:
        self._client = client
        self._settings = client._settings
        self._state = flow.QueueState(wire.check_queue(queue))
        self._prefetch = whole(prefetch, "prefetch", 1, _LONGEST_PREFETCH)
        self._visibility = whole(visibility, "visibility", 2, LONGEST_VISIBILITY)
        self._most = whole(max_lease, "max_lease", 1, LONGEST_VISIBILITY)
        self._extends = extend_visibility
        self._dead = None
        if dead_letter_queue is not None:
            self._dead = flow.QueueState(wire.check_queue(dead_letter_queue))
        self._lock = engine.Lock()
        self._failure: WirespeedError | None = None
        self._closed = False
        self.after_fork()
        engine.track_forks(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._state.given!r}, {len(self)} in hand)"

    def __len__(self) -> int:
        return len(self._leases)

    def after_fork(self) -> None:
        """Begin anew: what is in hand stays with the parent."""
        self._leases = Leases(self._visibility, self._most, engine.make_state_lock())
        self._channel: engine.queues.Channel[ReceivedMessage] = engine.queues.Channel()
        self._ended: engine.queues.Channel[None] = engine.queues.Channel()
        self._handling = engine.queues.Room(_LONGEST_PREFETCH, 1)
        self._workers: list[engine.queues.Worker] = []
        self._transport = self._client._new_transport()
        self._acks = self._settler("DeleteMessageBatch")
        self._nacks = self._settler("ChangeMessageVisibilityBatch")

    def _settler(self, action: str) -> AsyncGatherer:
        async def carry_out(batch: list[wire.JsonObject], deadline: float) -> Sequence[Any]:
            return await self._client._run(
                flow.settle_many(self._settings, self._state, action, batch, deadline)
            )

        return AsyncGatherer(
            carry_out,
            linger=0.0,
            concurrency=_SETTLING,
            most=_LONGEST_PREFETCH,
            most_bytes=1 << 40,
            name="consumer",
        )

    # ---- receiving ----

    async def _start(self) -> None:
        if self._closed:
            raise ClosedError(f"{self!r} is closed", service="sqs")
        if self._workers:
            return
        async with self._lock:
            if not self._workers and not self._closed:
                self._workers.append(engine.queues.Worker(self._fetch, "wirespeed-sqs-fetch"))
                self._workers.append(engine.queues.Worker(self._keep, "wirespeed-sqs-keep"))

    async def _fetch(self) -> None:
        """Receive as long as there is room for more."""
        while await self._channel.below(self._prefetch, None) and not self._closed:
            count = min(BATCH_LIMIT, self._prefetch - len(self._channel))
            try:
                messages = await engine.run(
                    flow.receive(
                        self._settings,
                        self._state,
                        count,
                        LONGEST_WAIT,
                        self._visibility,
                        float("inf"),
                    ),
                    self._transport,
                )
            except WirespeedError as error:
                if self._channel.closed:
                    return
                if not isinstance(error, (TransportError, Throttled)) and not error.retryable:
                    self._failure = error
                    self._channel.close()
                    return
                _log.warning("%r cannot receive: %s", self, error)
                await self._ended.take(1, _REST)
                continue
            now = time.monotonic()
            for message in messages:
                self._leases.add(message, now)
            self._channel.put(messages)

    async def _keep(self) -> None:
        """Extend what is in hand before it comes back."""
        while not self._ended.closed:
            pause = self._leases.pause(time.monotonic(), self._visibility / 4)
            await self._ended.take(1, max(pause, _TICK))
            now = time.monotonic()
            due, lost = self._leases.due(now)
            for lease in lost:
                self._settings.telemetry.emit(
                    "lease_lost",
                    endpoint=str(self._settings.origin),
                    detail=lease.message.message_id,
                )
            if self._extends and due:
                await self._extend(due, now)
            else:
                for lease in due:
                    self._leases.extended(lease, lease.ends, 0)

    async def _extend(self, due: list[Lease], now: float) -> None:
        times = [self._leases.seconds(lease, now) for lease in due]
        entries: list[wire.JsonObject] = []
        asked: list[tuple[Lease, int]] = []
        for lease, time_left in zip(due, times, strict=True):
            if time_left <= 0:
                self._leases.extended(lease, lease.ends, 0)
                continue
            handle = lease.message.receipt_handle
            entries.append({"ReceiptHandle": handle, "VisibilityTimeout": time_left})
            asked.append((lease, time_left))
        if not entries:
            return
        action = "ChangeMessageVisibilityBatch"
        deadline = now + self._visibility / 2
        results: Sequence[WirespeedError | None]
        try:
            results = await self._client._run(
                flow.settle_many(self._settings, self._state, action, entries, deadline)
            )
        except WirespeedError as error:
            results = [error] * len(entries)
        for (lease, time_left), result in zip(asked, results, strict=True):
            if result is None:
                self._leases.extended(lease, now, time_left)
            else:
                gone = isinstance(result, ServiceError) and not result.retryable
                self._leases.failed(lease, time.monotonic(), gone)

    async def receive(
        self, count: int = BATCH_LIMIT, *, wait: float | None = LONGEST_WAIT
    ) -> list[ReceivedMessage]:
        """Return up to `count` messages: those there are, or the first to come.

        Args:
            count: how many at most, at least 1.
            wait: seconds to wait for the first; None waits without end.

        Returns:
            The messages, none where none came in time or the consumer was closed.

        Raises:
            ClosedError: the consumer was closed before.
            WirespeedError: receiving failed for good, as where there is no such queue.
        """
        whole(count, "count", 1, _LONGEST_PREFETCH)
        await self._start()
        messages = await self._channel.take(count, wait)
        if not messages and self._failure is not None:
            raise self._failure
        return messages

    async def __aiter__(self) -> AsyncIterator[ReceivedMessage]:
        """Iterate over messages until the consumer is closed. Settle each."""
        while not self._closed:
            for message in await self.receive(1, wait=None):
                yield message

    # ---- settling ----

    async def ack(self, message: ReceivedMessage, *, timeout: float | str | None = None) -> None:
        """A message has been worked off: delete it, with others where there are.

        Raises:
            ConfigError: it is not in hand: it was settled, or its lease was lost.
            WirespeedError: it was not deleted; it comes back.
        """
        await self._settle(self._acks, {}, message, timeout)

    async def nack(
        self, message: ReceivedMessage, *, delay: int = 0, timeout: float | str | None = None
    ) -> None:
        """Give a message back, to come again after `delay` seconds, 0 to 43200.

        Raises:
            ConfigError: it is not in hand: it was settled, or its lease was lost.
            WirespeedError: it was not given back; it comes back when its visibility ends.
        """
        fields = {"VisibilityTimeout": whole(delay, "delay", 0, LONGEST_VISIBILITY)}
        await self._settle(self._nacks, fields, message, timeout)

    async def dead_letter(
        self, message: ReceivedMessage, *, timeout: float | str | None = None
    ) -> None:
        """Move a message to the dead-letter queue at once.

        That is the one given, or the one of the queue's RedrivePolicy. It is stored there first:
        where the deletion that follows fails, it may be found in both.

        Raises:
            ConfigError: it is not in hand, or the queue has no dead-letter queue.
            WirespeedError: it was not moved.
        """
        if not isinstance(message, ReceivedMessage):
            raise ConfigError("message must be a ReceivedMessage")
        deadline = self._client._deadline(timeout)
        if self._dead is None:
            self._dead = flow.QueueState(await self._find_dead_letters(deadline))
        copy = Message(
            message.body,
            None,
            message.attributes,
            message.group_id if self._dead.is_fifo else None,
            message.message_id if self._dead.is_fifo else None,
        )
        await self._client._run(flow.send(self._settings, self._dead, copy, deadline))
        await self.ack(message, timeout=timeout)

    async def _find_dead_letters(self, deadline: float) -> str:
        reply = await self._client._run(
            flow.on_queue(
                self._settings,
                self._state,
                "GetQueueAttributes",
                {"AttributeNames": ["RedrivePolicy"]},
                deadline,
            )
        )
        try:
            policy = json.loads(reply["Attributes"]["RedrivePolicy"])
            return wire.check_queue(policy["deadLetterTargetArn"].rpartition(":")[2])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ConfigError(
                f"{self._state.given} has no dead-letter queue",
                hint="give dead_letter_queue, or set the queue's RedrivePolicy",
            ) from None

    async def _settle(
        self,
        gatherer: AsyncGatherer,
        fields: wire.JsonObject,
        message: ReceivedMessage,
        timeout: float | str | None,
    ) -> None:
        if not isinstance(message, ReceivedMessage):
            raise ConfigError("message must be a ReceivedMessage")
        if not self._leases.settle(message.receipt_handle):
            raise ConfigError(
                f"message {message.message_id} is not in hand: it was settled, or its lease lost"
            )
        entry = await gatherer.put(
            {"ReceiptHandle": message.receipt_handle, **fields},
            0,
            None,
            self._client._deadline(timeout),
            self._settings.timeout,
        )
        await gatherer.result(entry)

    # ---- handlers ----

    async def run(self, handler: Handler, *, concurrency: int = 10, retry_delay: int = 0) -> None:
        """Call a handler for each message until the consumer is closed.

        A message whose handler returns is acknowledged, one whose handler raises is given back.
        In a FIFO queue the messages of a group are handled one after the other, and those behind
        one that failed are given back with it.

        Args:
            handler: gets a `ReceivedMessage`.
            concurrency: handlers that may run at once, 1 to 1024.
            retry_delay: seconds until a message comes again whose handler raised.

        Raises:
            ConfigError: an argument is wrong.
            ClosedError: the consumer was closed before.
            WirespeedError: receiving failed for good, as where there is no such queue.
        """
        if not callable(handler):
            raise ConfigError(f"handler must be callable, not {type(handler).__name__}")
        whole(concurrency, "concurrency", 1, 1024)
        whole(retry_delay, "retry_delay", 0, LONGEST_VISIBILITY)
        await self._start()
        behind: dict[str, deque[ReceivedMessage]] = {}
        lock = engine.make_state_lock()
        ended: engine.queues.Channel[None] = engine.queues.Channel()

        async def serve() -> None:
            try:
                while messages := await self._channel.take(1, None):
                    await self._handle(handler, messages[0], behind, lock, retry_delay)
            finally:
                ended.put([None])

        workers = [engine.queues.Worker(serve, "wirespeed-sqs-handler") for _ in range(concurrency)]
        try:
            for _ in workers:
                await ended.take(1, None)
        except BaseException:
            self._channel.close()
            raise
        if self._failure is not None:
            raise self._failure

    async def _handle(
        self,
        handler: Handler,
        message: ReceivedMessage,
        behind: dict[str, deque[ReceivedMessage]],
        lock: Any,
        retry_delay: int,
    ) -> None:
        """Handle a message, and then those of its group that came meanwhile."""
        group = message.group_id if self._state.is_fifo else None
        if group is not None:
            with lock:
                if group in behind:
                    behind[group].append(message)
                    return
                behind[group] = deque()
        following: ReceivedMessage | None = message
        while following is not None:
            good = await self._handle_one(handler, following, retry_delay)
            following = None
            refused: list[ReceivedMessage] = []
            if group is not None:
                with lock:
                    if not good:
                        refused = list(behind.pop(group))
                    elif behind[group]:
                        following = behind[group].popleft()
                    else:
                        del behind[group]
            for each in refused:
                with contextlib.suppress(WirespeedError):
                    await self.nack(each, delay=retry_delay)

    async def _handle_one(
        self, handler: Handler, message: ReceivedMessage, retry_delay: int
    ) -> bool:
        await self._handling.enter(0, None)
        try:
            return await self._call_and_settle(handler, message, retry_delay)
        finally:
            self._handling.leave(1, 0)

    async def _call_and_settle(
        self, handler: Handler, message: ReceivedMessage, retry_delay: int
    ) -> bool:
        try:
            await engine.call_handler(handler, message)
        except Exception:
            _log.exception("the handler of %r failed for message %s", self, message.message_id)
            with contextlib.suppress(WirespeedError):
                await self.nack(message, delay=retry_delay)
            return False
        try:
            await self.ack(message)
        except WirespeedError as error:
            _log.warning("message %s may come again: %s", message.message_id, error)
        return True

    # ---- the end ----

    async def close(self, timeout: float | str = 30.0) -> int:
        """Receive no more, give back what nobody took, and wait for handlers. Twice is fine.

        Args:
            timeout: seconds to wait for what is being handled.

        Returns:
            How many messages are still in hand; they come back when their visibility ends.
        """
        limit = time.monotonic() + seconds(timeout, "timeout")
        async with self._lock:
            first = not self._closed
            self._closed = True
        left = self._channel.close()
        # Closed first, or the receive that is broken off would begin anew.
        await self._transport.close()
        self._transport.interrupt()
        for worker in self._workers[:1]:
            await worker.join(max(0.0, limit - time.monotonic()))
        if first:
            await self._give_back(left)
        await self._handling.drained(max(0.0, limit - time.monotonic()))
        self._ended.close()
        for worker in self._workers[1:]:
            await worker.join(max(0.0, limit - time.monotonic()))
        for gatherer in (self._acks, self._nacks):
            await gatherer.close(max(0.0, limit - time.monotonic()))
        return len(self._leases)

    async def _give_back(self, messages: list[ReceivedMessage]) -> None:
        handles = [
            message.receipt_handle
            for message in messages
            if self._leases.settle(message.receipt_handle)
        ]
        entries: list[wire.JsonObject] = [
            {"ReceiptHandle": handle, "VisibilityTimeout": 0} for handle in handles
        ]
        if entries:
            with contextlib.suppress(WirespeedError):
                await self._client._run(
                    flow.settle_many(
                        self._settings,
                        self._state,
                        "ChangeMessageVisibilityBatch",
                        entries,
                        self._client._deadline(5.0),
                    )
                )

    async def __aenter__(self) -> AsyncConsumer:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close(30.0 if kind is None else 1.0)
