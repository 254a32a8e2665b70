"""The push consumer for asyncio."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...config import Credentials, seconds, whole
from ...engine import aio as engine
from ...errors import ConfigError, CorruptMessage
from ...remoting.connection import Command, Tls
from ..flow import pull
from ..flow.group import ConsumerPolicy, DirectConsumer, ProcessQueue
from ..flow.rebalance import Strategy, allocate_average
from ..flow.tracing import Tracer
from ..local_offsets import LocalOffsets
from ..models import ConsumeResult, ReceivedMessage, Sql, StartFrom
from ..wire import pushed, trace
from .member import AsyncMember, starting_point

if TYPE_CHECKING:
    import ssl

_log = logging.getLogger("wirespeed.rocketmq")

_ENDLESS = 1 << 30
_DIRECT = 4

Handler = Callable[[Any], Any]


class AsyncPushConsumer(AsyncMember):
    """Consumes topics as a member of a group and calls a handler for each message.

    Every message reaches some member of the group at least once. A message whose handler raises
    or returns `ConsumeResult.RETRY` is delivered again later, and after `max_attempts` moved to
    the group's dead-letter topic.

    Args:
        group: the consumer group's name, at most 120 characters.
        subscriptions: topic to what is wanted of it: "*", tags joined by "||", or an `Sql`.
        namesrv: name servers, "host:port;host:port", or the URL of an address server, which is
            asked again every two minutes; the environment's NAMESRV_ADDR if None.
        credentials: an access key pair where the broker asks for one.
        tls: True for connections verified by the system's authorities, an `ssl.SSLContext`, or a
            `Tls` where certificates have another name than the address.
        namespace: goes before the names of topics and groups.
        start_from: where the group begins when it has no stored offset.
        start_at: for `StartFrom.TIMESTAMP`, seconds since 1970.
        concurrency: handlers that may run at once.
        handler_batch: hand the handler a list of up to so many messages, 1 to 1024, which are
            consumed or delivered again together; None for one message at a time.
        batch: messages a pull asks for, 1 to 32.
        cache_messages: messages held of one queue before pulling pauses.
        cache_bytes: bytes held of one queue before pulling pauses.
        max_attempts: deliveries before the dead-letter topic; if None, 16, and without end for
            an ordered consumer.
        consume_timeout: seconds after which a message that its handler still has is sent back.
        ordered: consume each queue's messages one after the other, in order. A message that is
            not consumed holds its queue and is handed to the handler again after a second.
        broadcasting: every member gets every message. Offsets are kept in a file of this machine,
            and what fails is logged and not delivered again.
        instance: for broadcasting, tells members apart that run on one machine.
        offsets_path: for broadcasting, the file; one in WIRESPEED_STATE_DIR if None.
        strategy: which queues are a member's, the same in each: `allocate_average`,
            `allocate_circle`, `allocate_consistent_hash`, or what `allocate_configured` returns.
        tracing: tell RocketMQ's trace topic of each message consumed.
        consume_directly: let administrators have the handler consume a message that they choose
            (309), as `mqadmin queryMsgById -d` does. Whoever rules the broker can do so then.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self,
        group: str,
        subscriptions: Mapping[str, str | Sql],
        namesrv: str | None = None,
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | Tls | bool = False,
        namespace: str = "",
        start_from: StartFrom = StartFrom.LAST,
        start_at: float | None = None,
        concurrency: int = 20,
        handler_batch: int | None = None,
        batch: int = 32,
        cache_messages: int = 1000,
        cache_bytes: int = 100 * 1024 * 1024,
        max_attempts: int | None = None,
        consume_timeout: float | str = 900.0,
        ordered: bool = False,
        broadcasting: bool = False,
        instance: str = "DEFAULT",
        offsets_path: str | os.PathLike[str] | None = None,
        strategy: Strategy = allocate_average,
        tracing: bool = False,
        consume_directly: bool = False,
    ) -> None:
        if not subscriptions:
            raise ConfigError("subscriptions must name at least one topic")
        if ordered and broadcasting:
            raise ConfigError("ordered and broadcasting do not go together: nobody locks queues")
        if not callable(strategy):
            raise ConfigError(f"strategy must be callable, not {type(strategy).__name__}")
        for name, value, limit in (
            ("concurrency", concurrency, 1024),
            ("handler_batch", 1 if handler_batch is None else handler_batch, 1024),
            ("batch", batch, 32),
            ("cache_messages", cache_messages, 1 << 30),
            ("cache_bytes", cache_bytes, 1 << 40),
            ("max_attempts", 1 if max_attempts is None else max_attempts, _ENDLESS),
        ):
            whole(value, name, 1, limit)
        self._is_direct = consume_directly
        self._configure(namesrv, credentials, tls, namespace)
        self._policy = ConsumerPolicy(
            self._named(group),
            batch=batch,
            cache_messages=cache_messages,
            cache_bytes=cache_bytes,
            max_reconsume_times=max_attempts or (_ENDLESS if ordered else 16),
            ordered=ordered,
            broadcasting=broadcasting,
            consume_timeout=seconds(consume_timeout, "consume_timeout"),
            strategy=strategy,
            **starting_point(start_from, start_at),
        )
        self._subscribe(subscriptions)
        if broadcasting:
            self._offsets = LocalOffsets(offsets_path, self._policy.group, instance)
        self._concurrency = concurrency
        self._handler_batch = handler_batch
        self._tracer = Tracer(self._policy.group) if tracing else None
        self._stop = engine.Event()

    async def start(self, handler: Handler | None = None) -> None:
        """Join the group and begin to call `handler` for each message.

        Args:
            handler: gets a `ReceivedMessage`, or a list of them with `handler_batch`; None or
                `ConsumeResult.SUCCESS` as its result means consumed.

        Raises:
            ClosedError: the consumer was closed.
            ConfigError: it was started already, `handler` cannot be called, or the broker cannot
                read a condition.
            TransportError: no name server answered.
            Unsupported: the broker does not filter by SQL92.
        """
        if not callable(handler):
            raise ConfigError(f"handler must be callable, not {type(handler).__name__}")
        async with self._lock:
            self._check_startable()
            if self._started:
                raise ConfigError(f"{self!r} is started already")
            self._handler = handler
            await self._join()

    def _begin(self, background: engine.Background) -> None:
        work: Any
        if self._policy.ordered:
            work = self._consume_in_order
        else:
            work = self._consume if self._handler_batch is None else self._consume_batch
            background.start(pull.take_back_stuck(self._consumer))
        if self._tracer is not None:
            background.start(self._tracer.keep_sending(self._state))
        self._pool = background.worker_pool(work, self._concurrency)
        self._direct_pool = background.worker_pool(self._consume_directly, _DIRECT)
        self._now = self._state.settings.clock.monotonic

    def _direct_consumer(self) -> DirectConsumer | None:
        return self._take_directly if self._is_direct else None

    def _take_directly(self, message: ReceivedMessage, answer: Callable[[Command], None]) -> None:
        if not self._started:
            answer(pushed.no_group_answer(self._policy.group))
            return
        self._direct_pool.put([(message, answer)])

    async def _consume_directly(
        self, item: tuple[ReceivedMessage, Callable[[Command], None]]
    ) -> None:
        """Answer an administrator with what the handler does to a message; no offset moves."""
        message, answer = item
        self._shorten([message])
        began = self._now()
        given = message if self._handler_batch is None else [message]
        result = await self._handle(given, message)
        remark = None
        if isinstance(result, ConsumeResult):
            verdict = "CR_SUCCESS" if result is ConsumeResult.SUCCESS else "CR_LATER"
        else:
            verdict, remark = "CR_THROW_EXCEPTION", f"{type(result).__name__}: {result}"
        took = self._now() - began
        answer(pushed.consumed_answer(verdict, remark, took, ordered=self._policy.ordered))

    def _shorten(self, messages: list[ReceivedMessage]) -> None:
        """Take the namespace off the messages' topics."""
        if self._namespace:
            for message in messages:
                message.topic = message.topic.removeprefix(f"{self._namespace}%")

    def _deliver(self, process_queue: ProcessQueue, messages: list[ReceivedMessage]) -> None:
        self._shorten(messages)
        if self._policy.ordered:
            if process_queue.queue_up(messages):
                self._pool.put([process_queue])
            return
        size = self._handler_batch
        if size is None:
            self._pool.put([(process_queue, message) for message in messages])
            return
        self._pool.put(
            (process_queue, messages[start : start + size])
            for start in range(0, len(messages), size)
        )

    async def _consume(self, item: tuple[ProcessQueue, ReceivedMessage]) -> None:
        process_queue, message = item
        if process_queue.dropped:
            return
        offset = message.native.queue_offset
        process_queue.handed[offset] = (self._now(), message)
        consumed = await self._consumed(message, message)
        if process_queue.handed.pop(offset, None) is None:
            return
        if consumed:
            process_queue.done(offset)
        else:
            self._background.start(pull.send_back(self._consumer, process_queue, message))

    async def _consume_batch(self, item: tuple[ProcessQueue, list[ReceivedMessage]]) -> None:
        process_queue, messages = item
        if process_queue.dropped:
            return
        began = self._now()
        for message in messages:
            process_queue.handed[message.native.queue_offset] = (began, message)
        consumed = await self._consumed(messages, *messages)
        for message in messages:
            if process_queue.handed.pop(message.native.queue_offset, None) is None:
                continue
            if consumed:
                process_queue.done(message.native.queue_offset)
            else:
                self._background.start(pull.send_back(self._consumer, process_queue, message))

    async def _consume_in_order(self, process_queue: ProcessQueue) -> None:
        size = self._handler_batch
        while messages := process_queue.first(self._now(), size or 1):
            given = messages[0] if size is None else messages
            if await self._consumed(given, *messages):
                process_queue.first_done(messages)
                continue
            for message in messages:
                message.attempts_here += 1
            spent = [
                message
                for message in messages
                if message.reconsume_times >= self._policy.max_reconsume_times
            ]
            if spent and spent == messages and await self._bury(process_queue, messages):
                continue
            self._background.start(pull.deliver_later(self._consumer, process_queue))
            return

    async def _bury(self, process_queue: ProcessQueue, messages: list[ReceivedMessage]) -> bool:
        """Move an ordered queue's first messages to the dead letters; whether all went."""
        for message in messages:
            flow = pull.bury(self._consumer, process_queue, message)
            if not await engine.run(flow, self._transport):
                return False
            process_queue.first_done([message])
        return True

    async def _consumed(self, given: object, *messages: ReceivedMessage) -> bool:
        """Call the handler, and let trace records be sent; whether the messages are consumed."""
        tracer = self._tracer
        if tracer is None:
            return await self._handle(given, *messages) is ConsumeResult.SUCCESS
        began, start, request_id = time.time(), time.monotonic(), secrets.token_hex(16).upper()
        for message in messages:
            tracer.add(trace.consuming(tracer.group, message, request_id, began))
        success = await self._handle(given, *messages) is ConsumeResult.SUCCESS
        cost = time.monotonic() - start
        for message in messages:
            record = trace.consumed(tracer.group, message, request_id, began + cost, cost, success)
            tracer.add(record)
        return success

    async def _handle(
        self, given: object, *messages: ReceivedMessage
    ) -> ConsumeResult | BaseException:
        """Call the handler; return what it says of the messages, or what it raised."""
        try:
            for message in messages:
                if not message.native.crc_ok:
                    raise CorruptMessage(
                        f"the checksum of {message!r} is wrong", service="rocketmq"
                    )
            result = await engine.call_handler(self._handler, given)
        except (Exception, SystemExit) as error:
            _log.exception("the handler failed for %r, which counts as not consumed", given)
            return error
        if result is None or result is ConsumeResult.SUCCESS:
            return ConsumeResult.SUCCESS
        if result is not ConsumeResult.RETRY:
            _log.error(
                "the handler returned %r for %r instead of a ConsumeResult: it is not consumed",
                result,
                given,
            )
        return ConsumeResult.RETRY

    async def run(self, handler: Handler) -> None:
        """Start, and consume until `close` is called or the caller is interrupted; then close."""
        await self.start(handler)
        try:
            await self._stop.wait()
        finally:
            await self.close()

    async def close(self, *, timeout: float = 30.0) -> None:
        """Stop pulling, let handlers finish what was pulled, store offsets, leave, disconnect.

        Twice is fine.

        Args:
            timeout: seconds to let the handlers finish; what is left is delivered to another
                member or at the next start.
        """
        async with self._lock:
            started, self._started, self._closed = self._started, False, True
            self._stop.set()
            if not started:
                return
            limit = time.monotonic() + timeout
            try:
                await self._stop_pulling()
                left = await self._pool.close(timeout)
                await self._direct_pool.close(max(0.0, limit - time.monotonic()))
                if left:
                    _log.warning("%r closed with %d messages not consumed", self, left)
                if self._tracer is not None:
                    await engine.run(self._tracer.send_waiting(self._state), self._transport)
            finally:
                await self._leave()

    async def __aenter__(self) -> AsyncPushConsumer:
        return self
