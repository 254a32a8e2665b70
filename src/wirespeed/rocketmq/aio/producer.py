"""The producer for asyncio."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ...config import Credentials, seconds, whole
from ...engine import aio as engine
from ...engine import unclosed
from ...engine.effects import Wakeup
from ...errors import (
    ConfigError,
    DeadlineExceeded,
    TransportError,
    WirespeedError,
)
from ...remoting import aio as remoting
from ...remoting.connection import Command, Frame, Tls
from .. import codes, wire
from ..compression import check_codec
from ..flow import request, route, transaction
from ..flow import send as sending
from ..flow.tracing import Tracer
from ..models import (
    Body,
    Message,
    MessageQueue,
    ReceivedMessage,
    SendResult,
    TransactionStatus,
)
from ..wire import replies, trace
from .base import AsyncRemotingClient
from .submit import AsyncSubmitter

if TYPE_CHECKING:
    import ssl

_log = logging.getLogger("wirespeed.rocketmq")

_MOST = 1 << 30

Handler = Callable[[ReceivedMessage], Any]


class _Answers:
    """Answers brokers that ask about a transaction, and takes replies to requests.

    It refers to no producer, which may be dropped.
    """

    def __init__(
        self, state: route.ClientState, policy: sending.SendPolicy, checker: Handler | None
    ) -> None:
        self._state = state
        self._policy = policy
        self._checker = checker
        self.asked: dict[str, Any] = {}

    def begin(self, transport: remoting.Transport, background: engine.Background) -> None:
        self._transport = transport
        self._pool = background.worker_pool(self._answer, 1)

    def handle_request(self, frame: Frame) -> Command | None:
        if frame.code == codes.CHECK_TRANSACTION_STATE and self._checker is not None:
            self._pool.put([transaction.read_check(frame)])
            return Command(codes.SUCCESS)
        if frame.code == codes.PUSH_REPLY_MESSAGE_TO_CLIENT:
            return self._take_reply(frame)
        return None

    def _take_reply(self, frame: Frame) -> Command:
        try:
            reply = replies.parse_pushed_reply(frame)
        except WirespeedError as error:
            return Command(codes.SYSTEM_ERROR, remark=error.message)
        future = self.asked.pop(reply.properties.get(replies.CORRELATION, ""), None)
        if future is None:
            return Command(codes.SYSTEM_ERROR, remark="nobody waits for this reply")
        if not future.done():
            future.set_result(reply)
        return Command(codes.SUCCESS)

    async def _answer(self, check: transaction.Check) -> None:
        assert self._checker is not None
        try:
            status = TransactionStatus(await engine.call_handler(self._checker, check.message))
        except (Exception, SystemExit):
            _log.exception("the checker failed for %r; the broker asks again", check.message)
            status = TransactionStatus.UNKNOWN
        flow = transaction.answer_check(self._state, self._policy, check, status)
        await engine.run(flow, self._transport)


class AsyncProducer(AsyncRemotingClient):
    """Sends messages to Apache RocketMQ.

    It connects at `start`, at `async with`, or at the first send, and may be used by many callers
    at a time.

    Args:
        group: the producer group's name, at most 120 characters.
        namesrv: name servers, "host:port;host:port", or the URL of an address server, which is
            asked again every two minutes; the environment's NAMESRV_ADDR if None.
        credentials: an access key pair where the broker asks for one.
        tls: True for connections verified by the system's authorities, an `ssl.SSLContext`, or a
            `Tls` where certificates have another name than the address.
        namespace: goes before the names of topics and of the group.
        timeout: seconds for a whole send, its retries included.
        attempts: tries of an acknowledged send, the first included; at least 1.
        max_body: the largest body in bytes, 4 MiB by default; brokers refuse more than they
            are set to take.
        compress_above: bodies of at least so many bytes are sent compressed.
        compression: how: "zlib", or "lz4" or "zstd" where wirespeed[compression] is installed.
        checker: called with the half message when a broker asks what became of a transaction;
            returns a `TransactionStatus`.
        avoid_slow: leave brokers out for a while that were slow or failed.
        tracing: tell RocketMQ's trace topic of each message sent.
        max_pending: messages submitted and not yet stored, at most.
        max_pending_bytes: their bytes.
        when_full: what `submit` does where there is no room: "block", for as long as its timeout
            says, or "raise".

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self,
        group: str,
        namesrv: str | None = None,
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | Tls | bool = False,
        namespace: str = "",
        timeout: float = 3.0,
        attempts: int = 3,
        max_body: int = wire.MAX_BODY,
        compress_above: int = 4096,
        compression: str = "zlib",
        checker: Handler | None = None,
        avoid_slow: bool = False,
        tracing: bool = False,
        max_pending: int = 10_000,
        max_pending_bytes: int = 64 * 1024 * 1024,
        when_full: str = "block",
    ) -> None:
        wire.check_group(group)
        whole(attempts, "attempts", 1, _MOST)
        whole(max_body, "max_body", 1, _MOST)
        whole(compress_above, "compress_above", 0, _MOST)
        whole(max_pending, "max_pending", 1, 10_000_000)
        whole(max_pending_bytes, "max_pending_bytes", 1, 1 << 40)
        if when_full not in ("block", "raise"):
            raise ConfigError(f'when_full must be "block" or "raise", not {when_full!r}')
        check_codec(compression)
        self._configure(namesrv, credentials, tls, namespace)
        self._policy = sending.SendPolicy(
            self._named(group), attempts, max_body, compress_above, compression, bool(avoid_slow)
        )
        self._checker = checker
        self._timeout = seconds(timeout, "timeout")
        self._tracer = Tracer(self._policy.group) if tracing else None
        self._room = (max_pending, max_pending_bytes)
        self._blocks = when_full == "block"
        self._submitter: AsyncSubmitter | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._policy.group!r}, {self._servers_text()!r})"

    async def start(self) -> None:
        """Connect to a name server. Twice is fine.

        Raises:
            ClosedError: the producer was closed.
            TransportError: no name server answered.
        """
        async with self._lock:
            self._check_startable()
            if self._started:
                return
            state = await self._new_state()
            answers = _Answers(state, self._policy, self._checker)
            transport = self._new_transport(answers.handle_request)
            try:
                command = wire.route_request(wire.AUTO_CREATE_TOPIC)
                deadline = state.deadline(self._timeout)
                await engine.run(route.ask_name_server(state, command, deadline), transport)
            except BaseException:
                transport.discard()
                raise
            background = engine.Background(transport, "wirespeed-producer")
            group, identity = self._policy.group, state.settings.client_id
            background.start(
                route.keep_heartbeat(
                    state,
                    lambda: wire.heartbeat_request(identity, (group,), ()),
                    masters_only=True,
                )
            )
            background.start(route.keep_routes(state, lambda: list(state.routes), Wakeup()))
            if self._tracer is not None:
                background.start(self._tracer.keep_sending(state))
            answers.begin(transport, background)
            self._answers = answers
            self._state, self._transport, self._background = state, transport, background
            self._follow_address_server()
            self._started = True

    async def send(
        self,
        topic: str,
        body: Body | str,
        *,
        tag: str | None = None,
        keys: str | Iterable[str] = (),
        properties: Mapping[str, str] | None = None,
        delay_level: int = 0,
        delay: float | None = None,
        deliver_at: float | None = None,
        timeout: float | None = None,
    ) -> SendResult:
        """Send a message and wait until the broker has stored it.

        Args:
            topic: where to.
            body: the content, 1 byte to `max_body`; text is encoded as UTF-8.
            tag: what consumers filter by.
            keys: what the broker indexes the message by.
            properties: further text properties.
            delay_level: 0 for now, or 1 to 18 (1 s to 2 h).
            delay: seconds until consumers get it, up to 3 days; brokers from 5.0 on.
            deliver_at: when consumers get it, in seconds since 1970; instead of a delay.
            timeout: seconds for the whole send; the producer's if None.

        Returns:
            The broker's acknowledgement.

        Raises:
            ConfigError: an argument is wrong; nothing was sent.
            TopicNotFound: no broker takes the topic.
            DeadlineExceeded, SendError: not acknowledged; `outcome` tells whether the message
                may be stored all the same.
            ServiceError: the broker refused the message.
        """
        message = Message(
            topic,
            body,
            tag=tag,
            keys=keys,
            properties=properties,
            delay_level=delay_level,
            delay=delay,
            deliver_at=deliver_at,
        )
        return await self.send_message(message, timeout=timeout)

    async def send_message(self, message: Message, *, timeout: float | None = None) -> SendResult:
        """Send a message made before, as `send` does. Sent again, it keeps its unique id."""
        _check_messages(message)
        if not self._started:
            await self.start()
        limit = self._timeout if timeout is None else seconds(timeout, "timeout")
        if self._namespace:
            message = message.within(self._named(message.topic))
        flow = sending.send(self._state, self._policy, message, limit)
        if self._tracer is not None:
            return await self._traced(message, flow)
        return await engine.run(flow, self._transport)

    async def _traced(self, message: Message, flow: Any) -> SendResult:
        """Run a flow that sends a message, and let its trace record be sent."""
        assert self._tracer is not None
        began, start = time.time(), time.monotonic()
        result: SendResult | None = None
        try:
            sent: SendResult = await engine.run(flow, self._transport)
            result = sent
            return sent
        finally:
            host = "" if result is None else self._state.broker_address(result.queue.broker_name)
            self._tracer.add(
                trace.published(
                    self._policy.group,
                    message,
                    result,
                    host or "",
                    began,
                    time.monotonic() - start,
                )
            )

    async def submit(
        self, message: Message, *, timeout: float | None = None
    ) -> engine.queues.Future[SendResult]:
        """Give a message to be sent in the background, and return a future of its result or error.

        While little is pending it goes at once; what waits meanwhile goes in batches, to any
        queue and in any order. Where `max_pending` or `max_pending_bytes` is reached this waits
        for room up to `timeout` seconds, without end if None, or raises, as `when_full` says. A
        future that is cancelled takes nothing back.

        Raises:
            ConfigError: the message is refused; nothing was sent.
            ClosedError: the producer was closed.
            DeadlineExceeded: there was no room.
        """
        _check_messages(message)
        wire.check_topic(message.topic)
        wire.check_body(message.body, self._policy.max_body)
        if not self._started:
            await self.start()
        if self._submitter is None:
            async with self._lock:
                if self._submitter is None:
                    self._submitter = AsyncSubmitter(self.send_many, *self._room)
                    unclosed.watch(self)
        patience = None if timeout is None else seconds(timeout, "timeout")
        future: engine.queues.Future[SendResult] = await self._submitter.put(
            message, patience if self._blocks else 0.0
        )
        return future

    async def flush(self, timeout: float | str | None = None) -> int:
        """Wait until nothing that was submitted is pending; return how many messages are left."""
        if self._submitter is None:
            return 0
        limit = None if timeout is None else seconds(timeout, "timeout")
        await self._submitter.room.drained(limit)
        return self._submitter.room.count

    async def send_sharded(
        self, message: Message, key: str, *, timeout: float | None = None
    ) -> SendResult:
        """Send `message` once, to the queue that its key has: those of one key keep their order.

        Raises:
            ConfigError: also where the key is blank or no str.
            WirespeedError: as `send_selected`.
        """
        if not isinstance(key, str) or not key.strip():
            raise ConfigError("key must be a str that is not blank")
        message.properties["__SHARDINGKEY"] = key
        return await self.send_selected(message, sending.by_key(key), timeout=timeout)

    async def send_to(
        self, message: Message, queue: MessageQueue, *, timeout: float | None = None
    ) -> SendResult:
        """Send `message` once, to a queue of its topic.

        Raises:
            ConfigError: also where the topic has no such queue to write to.
            WirespeedError: as `send_selected`.
        """
        if not isinstance(queue, MessageQueue):
            raise ConfigError(f"queue must be a MessageQueue, not {type(queue).__name__}")
        return await self.send_selected(message, sending.by_name(queue), timeout=timeout)

    async def recall(self, topic: str, recall_handle: str, *, timeout: float | None = None) -> str:
        """Take a delayed message back, before it is delivered; return its id.

        Args:
            topic: where it was sent to.
            recall_handle: from the send's result.
            timeout: seconds; the producer's if None.

        Raises:
            ConfigError: the handle is none, or the message was delivered.
            WirespeedError: the broker did not answer, or does not recall.
        """
        limit = self._timeout if timeout is None else seconds(timeout, "timeout")
        if not self._started:
            await self.start()
        flow = sending.recall(self._state, self._policy, self._named(topic), recall_handle, limit)
        return await engine.run(flow, self._transport)

    async def request(self, message: Message, *, timeout: float | None = None) -> Message:
        """Send a request and wait for the reply that a consumer of its topic sends.

        Args:
            message: the request.
            timeout: seconds for all; the producer's if None.

        Raises:
            DeadlineExceeded: no reply in time; `outcome` is "unknown".
            WirespeedError: as `send`.
        """
        _check_messages(message)
        if not self._started:
            await self.start()
        limit = self._timeout if timeout is None else seconds(timeout, "timeout")
        ends = time.monotonic() + limit
        if self._namespace:
            message = message.within(self._named(message.topic))
        correlation = secrets.token_hex(16)
        future: engine.queues.Future[Message] = engine.queues.new_future()
        self._answers.asked[correlation] = future
        state = self._state
        registration = wire.heartbeat_request(state.settings.client_id, (self._policy.group,), ())
        try:
            flow = request.ask(state, self._policy, message, correlation, registration, limit)
            await engine.run(flow, self._transport)
            self._transport.attend()
            return await engine.queues.wait_for(future, max(0.0, ends - time.monotonic()))
        except TimeoutError as error:
            if isinstance(error, WirespeedError):
                raise
            raise DeadlineExceeded(
                f"no reply within {limit:g} seconds",
                service="rocketmq",
                outcome="unknown",
                hint="does a consumer of the topic reply?",
            ) from None
        finally:
            self._answers.asked.pop(correlation, None)

    async def reply(
        self,
        received: ReceivedMessage,
        body: Body | str,
        *,
        properties: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> None:
        """Reply to a request that a consumer got.

        Raises:
            ConfigError: it is no request, or an argument is wrong.
            SendError: who asked is gone.
            TransportError: the broker did not answer.
        """
        if not isinstance(received, ReceivedMessage):
            raise ConfigError(f"received must be a ReceivedMessage, not {received!r}")
        limit = self._timeout if timeout is None else seconds(timeout, "timeout")
        given = Message(received.topic, body, properties=properties)
        made = replies.make_reply(received, bytes(given.body), given.properties)
        if not self._started:
            await self.start()
        flow = request.reply(self._state, self._policy, received, made, limit)
        await engine.run(flow, self._transport)

    async def send_many(
        self, messages: Sequence[Message], *, timeout: float | None = None
    ) -> list[SendResult | WirespeedError]:
        """Send messages in as few requests as their topics and sizes permit.

        Those of one topic go together, in order, to one queue; a delayed one goes alone. Each
        request has `timeout` seconds, the producer's if None.

        Returns:
            For each message, in the order given, its result, or the error that its request met.
        """
        _check_messages(*messages)
        if not self._started:
            await self.start()
        limit = self._timeout if timeout is None else seconds(timeout, "timeout")
        if self._namespace:
            messages = [message.within(self._named(message.topic)) for message in messages]
        flow = sending.send_many(self._state, self._policy, messages, limit)
        return await engine.run(flow, self._transport)

    def transaction(self, message: Message, *, timeout: float | None = None) -> AsyncTransaction:
        """Return a context manager in which to do the local part of a transaction.

        On entry the message is stored out of the consumers' sight. Leaving the block commits
        it, leaving by an exception rolls it back. Where neither reaches the broker, it asks
        `checker`. The message cannot be delayed: a delay is dropped.

        Raises:
            ConfigError: the producer has no `checker`.
        """
        if self._checker is None:
            raise ConfigError("transactions need a producer with a checker")
        limit = self._timeout if timeout is None else seconds(timeout, "timeout")
        return AsyncTransaction(self, message, limit)

    async def send_selected(
        self,
        message: Message,
        select: Callable[[Sequence[MessageQueue]], int],
        *,
        timeout: float | None = None,
    ) -> SendResult:
        """Send `message` once, to the queue whose index `select(queues)` returns.

        Args and errors are those of `send`; an index out of range is a ConfigError.
        """
        _check_messages(message)
        if not self._started:
            await self.start()
        limit = self._timeout if timeout is None else seconds(timeout, "timeout")
        if self._namespace:
            message = message.within(self._named(message.topic))
        flow = sending.send_selected(self._state, self._policy, message, select, limit)
        if self._tracer is not None:
            return await self._traced(message, flow)
        return await engine.run(flow, self._transport)

    async def send_oneway(
        self,
        topic: str,
        body: Body | str,
        *,
        tag: str | None = None,
        keys: str | Iterable[str] = (),
        properties: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> None:
        """Send a message without waiting for the broker, which may drop it unheard.

        Args and errors are those of `send`; only what fails before or while writing is raised.
        """
        message = Message(topic, body, tag=tag, keys=keys, properties=properties)
        await self.send_message_oneway(message, timeout=timeout)

    async def send_message_oneway(self, message: Message, *, timeout: float | None = None) -> None:
        """Send a message made before, as `send_oneway` does."""
        if not self._started:
            await self.start()
        limit = self._timeout if timeout is None else seconds(timeout, "timeout")
        if self._namespace:
            message = message.within(self._named(message.topic))
        flow = sending.send_oneway(self._state, self._policy, message, limit)
        await engine.run(flow, self._transport)

    async def close(self, *, timeout: float = 30.0) -> None:
        """Send what was submitted, leave the group and close the connections. Twice is fine.

        Args:
            timeout: seconds to wait for what was submitted.
        """
        submitter = self._submitter
        self._closed = True
        if submitter is not None and self._started:
            left = await submitter.close(timeout)
            if left:
                _log.warning("%r closed with %d messages pending", self, left)
        async with self._lock:
            started, self._started = self._started, False
            if not started:
                return
            try:
                if self._tracer is not None:
                    await engine.run(self._tracer.send_waiting(self._state), self._transport)
                command = wire.unregister_request(
                    self._state.settings.client_id, producer=self._policy.group
                )
                await engine.run(route.unregister(self._state, command), self._transport)
            finally:
                await self._disconnect()

    async def __aenter__(self) -> AsyncProducer:
        await self.start()
        return self

    def after_fork(self) -> None:
        """In a forked child: let the next send make connections and an identity of its own."""
        self._submitter = None
        super().after_fork()

    def __del__(self) -> None:
        if self._started:
            self.warn_unclosed()
            self._drop()


def _check_messages(*messages: Message) -> None:
    for message in messages:
        if type(message) is not Message:
            raise ConfigError(f"message must be a Message, not {type(message).__name__}")


class AsyncTransaction:
    """A transaction under way; made by `AsyncProducer.transaction`.

    Attributes:
        result: the acknowledgement of the half message, from entry on.
    """

    def __init__(self, producer: AsyncProducer, message: Message, timeout: float) -> None:
        self._producer = producer
        self._message = message
        self._timeout = timeout
        self._status = TransactionStatus.COMMIT
        self.result: SendResult | None = None

    def leave_unknown(self) -> None:
        """Have the block end without a verdict: the broker asks the checker later."""
        self._status = TransactionStatus.UNKNOWN

    def roll_back(self) -> None:
        """Have the block end in a roll-back without an exception."""
        self._status = TransactionStatus.ROLLBACK

    async def __aenter__(self) -> AsyncTransaction:
        producer = self._producer
        await producer.start()
        message = self._message
        if producer._namespace:
            message = message.within(producer._named(message.topic))
        flow = transaction.send_half(producer._state, producer._policy, message, self._timeout)
        self._half = await engine.run(flow, producer._transport)
        self.result = self._half.result
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        producer = self._producer
        status = self._status if error is None else TransactionStatus.ROLLBACK
        flow = transaction.end(producer._state, producer._policy, self._half, status)
        try:
            await engine.run(flow, producer._transport)
        except TransportError as failure:
            _log.warning("the end of a transaction was not sent; the broker asks: %s", failure)
