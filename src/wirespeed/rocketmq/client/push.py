# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""The push consumer."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from ...config import Credentials, instance, whole
from ...engine import threads as engine
from ...engine import unclosed
from ...errors import (
    ClosedError,
    ConfigError,
    CorruptMessage,
)
from ...remoting import threads as remoting
from ..flow import consume, route
from ..identity import name_servers, new_settings
from ..models import (
    ConsumeResult,
    ReceivedMessage,
    StartFrom,
)

_log = logging.getLogger("wirespeed.rocketmq")

_ENDLESS = 1 << 30

Handler = Callable[[ReceivedMessage], Any]


class PushConsumer:
    """Consumes topics as a member of a group and calls a handler for each message.

    Every message reaches some member of the group at least once. A message whose handler raises
    or returns `ConsumeResult.RETRY` is delivered again later, and after `max_attempts` moved to
    the group's dead-letter topic.

    Args:
        group: the consumer group's name, at most 120 characters.
        subscriptions: topic to tag expression: "*", or tags joined by "||".
        namesrv: name servers, "host:port;host:port"; the environment's NAMESRV_ADDR if None.
        credentials: an access key pair where the broker asks for one.
        start_from: where the group begins when it has no stored offset.
        concurrency: handlers that may run at once.
        batch: messages a pull asks for, 1 to 32.
        cache_messages: messages held of one queue before pulling pauses.
        cache_bytes: bytes held of one queue before pulling pauses.
        max_attempts: deliveries before the dead-letter topic; if None, 16, and without end for
            an ordered consumer.
        ordered: consume each queue's messages one after the other, in order. A message that is
            not consumed holds its queue and is handed to the handler again after a second.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self,
        group: str,
        subscriptions: Mapping[str, str],
        namesrv: str | None = None,
        *,
        credentials: Credentials | None = None,
        start_from: StartFrom = StartFrom.LAST,
        concurrency: int = 20,
        batch: int = 32,
        cache_messages: int = 1000,
        cache_bytes: int = 100 * 1024 * 1024,
        max_attempts: int | None = None,
        ordered: bool = False,
    ) -> None:
        self._started = self._closed = False
        if not subscriptions:
            raise ConfigError("subscriptions must name at least one topic")
        instance(subscriptions, Mapping, "subscriptions")
        instance(credentials, Credentials, "credentials")
        instance(start_from, StartFrom, "start_from")
        for name, value, limit in (
            ("concurrency", concurrency, 1024),
            ("batch", batch, 32),
            ("cache_messages", cache_messages, 1 << 30),
            ("cache_bytes", cache_bytes, 1 << 40),
            ("max_attempts", 1 if max_attempts is None else max_attempts, _ENDLESS),
        ):
            whole(value, name, 1, limit)
        consume.subscriptions(group, subscriptions, 0)
        self._wanted = dict(subscriptions)
        self._policy = consume.ConsumerPolicy(
            group,
            start_from=start_from,
            batch=batch,
            cache_messages=cache_messages,
            cache_bytes=cache_bytes,
            max_reconsume_times=max_attempts or (_ENDLESS if ordered else 16),
            ordered=ordered,
        )
        self._name_servers = name_servers(namesrv)
        self._credentials = credentials
        self._concurrency = concurrency
        self._lock = engine.Lock()
        self._stop = engine.Event()
        engine.track_forks(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._policy.group!r}, {';'.join(self._name_servers)!r})"

    def start(self, handler: Handler) -> None:
        """Join the group and begin to call `handler` for each message.

        Args:
            handler: gets a `ReceivedMessage`; None or `ConsumeResult.SUCCESS` as its result
                means consumed.

        Raises:
            ClosedError: the consumer was closed.
            ConfigError: it was started already, or `handler` cannot be called.
            TransportError: no name server answered.
        """
        if not callable(handler):
            raise ConfigError(f"handler must be callable, not {type(handler).__name__}")
        with self._lock:
            if self._closed:
                raise ClosedError(f"{self!r} is closed", service="rocketmq")
            if self._started:
                raise ConfigError(f"{self!r} is started already")
            settings = new_settings(self._name_servers, self._credentials)
            client = route.ClientState(settings)
            version = int(settings.clock.wall() * 1000)
            state = consume.ConsumerState(
                client,
                self._policy,
                consume.subscriptions(self._policy.group, self._wanted, version),
                deliver=self._deliver,
                spawn=self._spawn,
                make_lock=engine.make_state_lock,
            )
            transport = remoting.Transport(state.handle_request)
            try:
                engine.run(consume.join(state), transport)
            except BaseException:
                transport.discard()
                raise
            background = engine.Background(transport, "wirespeed-consumer")
            self._handler = handler
            self._state, self._transport, self._background = state, transport, background
            work = self._consume_in_order if self._policy.ordered else self._consume
            self._pool = background.worker_pool(work, self._concurrency)
            self._started = True
            topics = list(state.subscriptions)
            background.start(route.keep_heartbeat(client, state.registration, masters_only=False))
            background.start(route.keep_routes(client, lambda: topics, state.rebalance_wake))
            background.start(consume.keep_offsets(state))
            self._taking_up = [background.start(consume.keep_balanced(state))]
            if self._policy.ordered:
                self._taking_up.append(background.start(consume.keep_locks(state)))
            unclosed.watch(self)

    def _spawn(self, flow: Any) -> consume.Task:
        return self._background.start(flow)

    def _deliver(
        self, process_queue: consume.ProcessQueue, messages: list[ReceivedMessage]
    ) -> None:
        if not self._policy.ordered:
            self._pool.put([(process_queue, message) for message in messages])
        elif process_queue.queue_up(messages):
            self._pool.put([process_queue])

    def _consume(self, item: tuple[consume.ProcessQueue, ReceivedMessage]) -> None:
        process_queue, message = item
        if process_queue.dropped:
            return
        if self._handle(message):
            process_queue.done(message.native.queue_offset)
        else:
            self._background.start(consume.send_back(self._state, process_queue, message))

    def _consume_in_order(self, process_queue: consume.ProcessQueue) -> None:
        now = self._state.client.settings.clock.monotonic
        while (message := process_queue.first(now())) is not None:
            if self._handle(message):
                process_queue.first_done(message)
                continue
            message.attempts_here += 1
            if message.reconsume_times >= self._policy.max_reconsume_times:
                flow = consume.bury(self._state, process_queue, message)
                if engine.run(flow, self._transport):
                    process_queue.first_done(message)
                    continue
            self._background.start(consume.deliver_later(self._state, process_queue))
            return

    def _handle(self, message: ReceivedMessage) -> bool:
        """Call the handler; whether the message is consumed."""
        try:
            if not message.native.crc_ok:
                raise CorruptMessage(f"the checksum of {message!r} is wrong", service="rocketmq")
            result = engine.call_handler(self._handler, message)
        except (Exception, SystemExit):
            _log.exception("the handler failed for %r; it is delivered again later", message)
            return False
        if result is None or result is ConsumeResult.SUCCESS:
            return True
        if result is not ConsumeResult.RETRY:
            _log.error(
                "the handler returned %r for %r instead of a ConsumeResult; it is delivered again",
                result,
                message,
            )
        return False

    def run(self, handler: Handler) -> None:
        """Start, and consume until `close` is called or the caller is interrupted; then close."""
        self.start(handler)
        try:
            self._stop.wait()
        finally:
            self.close()

    def close(self, *, timeout: float = 30.0) -> None:
        """Stop pulling, let handlers finish what was pulled, store offsets, leave, disconnect.

        Twice is fine.

        Args:
            timeout: seconds to let the handlers finish; what is left is delivered to another
                member or at the next start.
        """
        with self._lock:
            started, self._started, self._closed = self._started, False, True
            self._stop.set()
            if not started:
                return
            for task in self._taking_up:
                task.cancel()
            for process_queue in list(self._state.queues.values()):
                if process_queue.task is not None:
                    process_queue.task.cancel()
            try:
                left = self._pool.close(timeout)
                if left:
                    _log.warning("%r closed with %d messages not consumed", self, left)
                engine.run(consume.leave(self._state), self._transport)
            finally:
                self._background.close()
                self._transport.close()

    def __enter__(self) -> PushConsumer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def after_fork(self) -> None:
        """In a forked child: the messages stay with the parent, and this object is closed."""
        self._lock = engine.Lock()
        if self._started:
            self._started = False
            self._closed = True
            self._transport.after_fork()

    def warn_unclosed(self) -> None:
        """Warn where nobody closed this consumer: it runs on until the interpreter ends."""
        if self._started:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
