"""The producer for asyncio."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from ...config import Credentials, instance, seconds, whole
from ...engine import aio as engine
from ...engine.effects import Flow, Wakeup
from ...errors import (
    ClosedError,
    ConfigError,
    TransportError,
    WirespeedError,
)
from ...remoting import aio as remoting
from ...remoting.connection import Command, Frame
from .. import codes, wire
from ..flow import route, transaction
from ..flow import send as sending
from ..identity import name_servers, new_settings
from ..models import (
    Body,
    Message,
    MessageQueue,
    ReceivedMessage,
    SendResult,
    TransactionStatus,
)

T = TypeVar("T")
_log = logging.getLogger("wirespeed.rocketmq")

_MOST = 1 << 30

Handler = Callable[[ReceivedMessage], Any]


class _Checks:
    """Answers brokers that ask about a transaction; refers to no producer, which may be dropped."""

    def __init__(
        self, state: route.ClientState, policy: sending.SendPolicy, checker: Handler | None
    ) -> None:
        self._state = state
        self._policy = policy
        self._checker = checker

    def begin(self, transport: remoting.Transport, background: engine.Background) -> None:
        self._transport = transport
        self._pool = background.worker_pool(self._answer, 1)

    def handle_request(self, frame: Frame) -> Command | None:
        if frame.code == codes.CHECK_TRANSACTION_STATE and self._checker is not None:
            self._pool.put([transaction.read_check(frame)])
            return Command(codes.SUCCESS)
        return None

    async def _answer(self, check: transaction.Check) -> None:
        assert self._checker is not None
        try:
            status = TransactionStatus(await engine.call_handler(self._checker, check.message))
        except (Exception, SystemExit):
            _log.exception("the checker failed for %r; the broker asks again", check.message)
            status = TransactionStatus.UNKNOWN
        flow = transaction.answer_check(self._state, self._policy, check, status)
        await engine.run(flow, self._transport)


class AsyncProducer:
    """Sends messages to Apache RocketMQ.

    It connects at `start`, at `async with`, or at the first send, and may be used by many callers
    at a time.

    Args:
        group: the producer group's name, at most 120 characters.
        namesrv: name servers, "host:port;host:port"; the environment's NAMESRV_ADDR if None.
        credentials: an access key pair where the broker asks for one.
        timeout: seconds for a whole send, its retries included.
        attempts: tries of an acknowledged send, the first included; at least 1.
        max_body: the largest body in bytes, 4 MiB by default; brokers refuse more than they
            are set to take.
        compress_above: bodies of at least so many bytes are sent compressed by zlib.
        checker: called with the half message when a broker asks what became of a transaction;
            returns a `TransactionStatus`.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self,
        group: str,
        namesrv: str | None = None,
        *,
        credentials: Credentials | None = None,
        timeout: float = 3.0,
        attempts: int = 3,
        max_body: int = wire.MAX_BODY,
        compress_above: int = 4096,
        checker: Handler | None = None,
    ) -> None:
        self._started = self._closed = False
        wire.check_group(group)
        instance(credentials, Credentials, "credentials")
        whole(attempts, "attempts", 1, _MOST)
        whole(max_body, "max_body", 1, _MOST)
        whole(compress_above, "compress_above", 0, _MOST)
        self._policy = sending.SendPolicy(group, attempts, max_body, compress_above)
        self._checker = checker
        self._name_servers = name_servers(namesrv)
        self._credentials = credentials
        self._timeout = seconds(timeout, "timeout")
        self._lock = engine.Lock()
        engine.track_forks(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._policy.group!r}, {';'.join(self._name_servers)!r})"

    async def start(self) -> None:
        """Connect to a name server. Twice is fine.

        Raises:
            ClosedError: the producer was closed.
            TransportError: no name server answered.
        """
        async with self._lock:
            if self._closed:
                raise ClosedError(f"{self!r} is closed", service="rocketmq", outcome="not_sent")
            if self._started:
                return
            state = route.ClientState(new_settings(self._name_servers, self._credentials))
            checks = _Checks(state, self._policy, self._checker)
            transport = remoting.Transport(checks.handle_request)
            try:
                command = wire.route_request(wire.AUTO_CREATE_TOPIC)
                deadline = state.deadline(self._timeout)
                await engine.run(route.ask_name_server(state, command, deadline), transport)
            except BaseException:
                transport.discard()
                raise
            background = engine.Background(transport, "wirespeed-producer")
            groups = (self._policy.group,)
            identity = state.settings.client_id
            background.start(
                route.keep_heartbeat(
                    state,
                    lambda: wire.heartbeat_request(identity, groups, ()),
                    masters_only=True,
                )
            )
            background.start(route.keep_routes(state, lambda: list(state.routes), Wakeup()))
            checks.begin(transport, background)
            self._state, self._transport, self._background = state, transport, background
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
        flow = sending.send(self._state, self._policy, message, limit)
        return await engine.run(flow, self._transport)

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
        if not self._started:
            await self.start()
        limit = self._timeout if timeout is None else seconds(timeout, "timeout")
        flow = sending.send_selected(self._state, self._policy, message, select, limit)
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
        flow = sending.send_oneway(self._state, self._policy, message, limit)
        await engine.run(flow, self._transport)

    async def _run(self, flow: Flow[T]) -> T:
        """Run a flow on the producer's connections."""
        if not self._started:
            await self.start()
        return await engine.run(flow, self._transport)

    async def close(self) -> None:
        """Leave the group and close the connections. Twice is fine."""
        async with self._lock:
            started, self._started, self._closed = self._started, False, True
            if not started:
                return
            try:
                command = wire.unregister_request(
                    self._state.settings.client_id, producer=self._policy.group
                )
                await engine.run(route.unregister(self._state, command), self._transport)
            finally:
                await self._background.close()
                await self._transport.close()

    async def __aenter__(self) -> AsyncProducer:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def after_fork(self) -> None:
        """In a forked child: let the next send make connections and an identity of its own."""
        self._lock = engine.Lock()
        if self._started:
            self._started = False
            self._transport.after_fork()

    def __del__(self) -> None:
        if self._started:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            self._background.discard()
            self._transport.discard()


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
        flow = transaction.send_half(
            producer._state, producer._policy, self._message, self._timeout
        )
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
