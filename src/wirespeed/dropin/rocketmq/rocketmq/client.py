"""Producers, consumers and messages by the names of rocketmq-client-python 2.0.

`python -m wirespeed.dropin differences rocketmq` lists what differs from the original.
"""

from __future__ import annotations

import logging
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from enum import IntEnum
from types import TracebackType
from typing import Any, TypeVar

from wirespeed import _native
from wirespeed import rocketmq as ours
from wirespeed.config import Credentials
from wirespeed.errors import ConfigError, WirespeedError
from wirespeed.rocketmq.client import Admin as _OurAdmin
from wirespeed.rocketmq.client import Producer as _OurProducer
from wirespeed.rocketmq.client import PushConsumer as _OurPushConsumer
from wirespeed.rocketmq.discovery import fetch_name_servers

from .consts import MessageProperty
from .exceptions import (
    NullPointerException,
    ProducerSendAsyncFailed,
    ProducerSendOnewayFailed,
    ProducerSendOrderlyFailed,
    ProducerSendSyncFailed,
    ProducerStartFailed,
    PullConsumerFetchMessageFailed,
    PullConsumerFetchMQFailed,
    PullConsumerStartFailed,
    PushConsumerStartFailed,
)
from .ffi import MessageModel, TraceModel

__all__ = [
    "ConsumeStatus",
    "Message",
    "MessageModel",
    "Producer",
    "PullConsumer",
    "PushConsumer",
    "ReceivedMessage",
    "RecvMessage",
    "SendResult",
    "SendStatus",
    "TraceModel",
    "TransactionMQProducer",
    "TransactionStatus",
]

_log = logging.getLogger("rocketmq")

SendResult = namedtuple("SendResult", ["status", "msg_id", "offset"])

_create = _native.message_create
_set_keys = _native.message_set_keys
_set_tags = _native.message_set_tags
_set_body = _native.message_set_body
_set_property = _native.message_set_property
_set_delay_level = _native.message_set_delay_level
_get_keys = _native.message_get_keys
_get_tags = _native.message_get_tags
_get_body = _native.message_get_body
_get_property = _native.message_get_property
_Handle = _native.MessageHandle


class SendStatus(IntEnum):
    """How far the broker got with a message."""

    OK = 0
    FLUSH_DISK_TIMEOUT = 1
    FLUSH_SLAVE_TIMEOUT = 2
    SLAVE_NOT_AVAILABLE = 3


class TransactionStatus(IntEnum):
    """What a transaction's local part came to."""

    COMMIT = 0
    ROLLBACK = 1
    UNKNOWN = 2


class ConsumeStatus(IntEnum):
    """What a consumer's callback returns."""

    CONSUME_SUCCESS = 0
    RECONSUME_LATER = 1


_VERDICTS = {
    TransactionStatus.COMMIT: ours.TransactionStatus.COMMIT,
    TransactionStatus.ROLLBACK: ours.TransactionStatus.ROLLBACK,
    TransactionStatus.UNKNOWN: ours.TransactionStatus.UNKNOWN,
}


def _text(value: Any) -> str:
    """Return text or UTF-8 bytes as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return value.decode()
    if value is None:
        raise NullPointerException("a text is None")
    return str(value)


class Message:
    """A message to send.

    Args:
        topic: where to, text or UTF-8 bytes.
    """

    def __init__(self, topic: str | bytes) -> None:
        self._handle = _create(topic if type(topic) is str else _text(topic))

    @property
    def _as_parameter_(self) -> Any:
        return self._handle

    def set_keys(self, keys: str | bytes) -> None:
        """Set the keys that the broker indexes it by, separated by spaces."""
        _set_keys(self._handle, keys if type(keys) is str else _text(keys))

    def set_tags(self, tags: str | bytes) -> None:
        """Set the tag that consumers filter by."""
        _set_tags(self._handle, tags if type(tags) is str else _text(tags))

    def set_body(self, body: str | bytes) -> None:
        """Set the content; text becomes UTF-8."""
        if body is None:
            raise NullPointerException("the body is None")
        _set_body(self._handle, body)

    def set_property(self, key: str | bytes, value: str | bytes) -> None:
        """Set a property."""
        _set_property(
            self._handle,
            key if type(key) is str else _text(key),
            value if type(value) is str else _text(value),
        )

    def set_delay_time_level(self, delay_time_level: int) -> None:
        """Set the delay level, 1 to 18; 0 is none."""
        _set_delay_level(self._handle, int(delay_time_level))


class ReceivedMessage:
    """A message as a consumer gets it. Texts are `str` where said so, else bytes."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def _read(self, name: str) -> str:
        handle = self._handle
        if type(handle) is _Handle:
            return _get_property(handle, name)
        found: str | None = handle.native.property(name)
        return found or ""

    @property
    def topic(self) -> str:
        """The topic, as text."""
        handle = self._handle
        if isinstance(handle, _Handle):
            return _native.message_get_topic(handle)
        return str(handle.topic)

    @property
    def tags(self) -> bytes:
        """The tag."""
        handle = self._handle
        if type(handle) is _Handle:
            return _get_tags(handle).encode()
        return (handle.native.property("TAGS") or "").encode()

    @property
    def keys(self) -> bytes:
        """The keys, separated by spaces."""
        handle = self._handle
        if type(handle) is _Handle:
            return _get_keys(handle).encode()
        return (handle.native.property("KEYS") or "").encode()

    @property
    def body(self) -> bytes:
        """The content."""
        handle = self._handle
        return _get_body(handle) if type(handle) is _Handle else handle.body

    @property
    def id(self) -> str:
        """The sender's unique id, as text; "" before it was sent."""
        handle = self._handle
        return "" if isinstance(handle, _Handle) else str(handle.message_id)

    @property
    def delay_time_level(self) -> int:
        """The delay level it was sent with; 0 is none."""
        level = self._read("DELAY")
        return int(level) if level.isdigit() else 0

    @property
    def queue_id(self) -> int:
        """The number of its queue."""
        return int(self._handle.queue_id)

    @property
    def reconsume_times(self) -> int:
        """How many times it was consumed in vain."""
        return int(self._handle.reconsume_times)

    @property
    def store_size(self) -> int:
        """Bytes that the broker stores of it."""
        return int(self._handle.native.store_size)

    @property
    def born_timestamp(self) -> int:
        """When it was sent, milliseconds since 1970."""
        return int(self._handle.born_timestamp)

    @property
    def store_timestamp(self) -> int:
        """When it was stored, milliseconds since 1970."""
        return int(self._handle.store_timestamp)

    @property
    def queue_offset(self) -> int:
        """Its place in its queue."""
        return int(self._handle.queue_offset)

    @property
    def commit_log_offset(self) -> int:
        """Its place in the broker's log."""
        return int(self._handle.native.physical_offset)

    @property
    def prepared_transaction_offset(self) -> int:
        """Where its half message is, 0 outside of transactions."""
        return int(self._handle.native.prepared_transaction_offset)

    def get_property(self, prop: str | bytes | MessageProperty) -> bytes:
        """Return a property, b"" where there is none."""
        if type(prop) is not str:
            prop = prop.value if isinstance(prop, MessageProperty) else _text(prop)
        return self._read(prop).encode()

    def __getitem__(self, key: str | bytes | MessageProperty) -> bytes:
        return self.get_property(key)

    def __bytes__(self) -> bytes:
        return self.body

    def __str__(self) -> str:
        return self.body.decode("utf-8", "replace")

    def __repr__(self) -> str:
        return f"<ReceivedMessage topic={self.topic} id={self.id} body={self.body!r}>"


RecvMessage = ReceivedMessage


def hashing_queue_selector(mq_size: int, msg: ReceivedMessage, arg: int) -> int:
    """Return the queue that a number chooses."""
    return int(arg) % mq_size


C = TypeVar("C", bound="_Client")


class _Client:
    """Settings that hold from the next start on, and what runs since."""

    _client: Any = None

    def __init__(self, group_id: str | bytes) -> None:
        self._group_id = _text(group_id)
        self._instance = "DEFAULT"
        self._traces = False
        self._is_older = False
        self._address = ""
        self._domain = ""
        self._credentials: Credentials | None = None

    def set_group(self, group_id: str | bytes) -> None:
        """Set the group."""
        self._group_id = _text(group_id)

    def set_instance_name(self, name: str | bytes) -> None:
        """Set what tells broadcasting consumers of one machine apart."""
        self._instance = _text(name)

    def set_name_server_address(self, addr: str | bytes) -> None:
        """Set the name servers, "host:port;host:port"."""
        self._address = _text(addr)

    def set_namesrv_addr(self, addr: str | bytes) -> None:
        """Set the name servers, as the programs of rocketmq 0.4.4 do."""
        self._is_older = True
        self.set_name_server_address(addr)

    def set_name_server_domain(self, domain: str | bytes) -> None:
        """Set the URL whose answer names the name servers; it is asked at the start."""
        self._domain = _text(domain)

    def set_namesrv_domain(self, domain: str | bytes) -> None:
        """Set the URL that names the name servers, as the programs of rocketmq 0.4.4 do."""
        self._is_older = True
        self.set_name_server_domain(domain)

    def set_session_credentials(
        self, access_key: str | bytes, access_secret: str | bytes, channel: str | bytes = ""
    ) -> None:
        """Set the key pair to sign with; the channel is ignored."""
        self._credentials = Credentials(_text(access_key), _text(access_secret))

    def set_message_trace(self, message_trace: bool) -> None:
        """Tell RocketMQ's trace topic of each message, or do not."""
        self._traces = bool(message_trace)

    def start(self) -> None:
        """Connect."""
        raise NotImplementedError

    def shutdown(self) -> None:
        """Let what runs finish, store offsets, leave, disconnect. Twice is fine."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def __enter__(self: C) -> C:
        self.start()
        return self

    def __exit__(
        self,
        exec_type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def __del__(self) -> None:
        if self._client is not None and not sys.is_finalizing():
            self.shutdown()

    def _name_servers(self) -> str | None:
        if self._address:
            return self._address
        return fetch_name_servers(self._domain) if self._domain else None


class Producer(_Client):
    """Sends messages.

    Args:
        group_id: the producer group.
        orderly: taken and ignored; every producer can send in order.
        timeout: milliseconds that a send may take, its retries included; 3000.
        compress_level: taken and ignored.
        max_message_size: bytes of a body at most; 4 MiB.
    """

    def __init__(
        self,
        group_id: str | bytes,
        orderly: bool = False,
        timeout: int | None = None,
        compress_level: int | None = None,
        max_message_size: int | None = None,
    ) -> None:
        super().__init__(group_id)
        self._options: dict[str, Any] = {}
        self._client: _OurProducer | None = None
        if timeout is not None:
            self.set_timeout(timeout)
        if max_message_size is not None:
            self.set_max_message_size(max_message_size)

    def set_timeout(self, timeout: int) -> None:
        """Set how many milliseconds a send may take."""
        self._options["timeout"] = timeout / 1000

    def set_compress_level(self, compress_level: int) -> None:
        """Take a level and ignore it: large bodies are compressed with zlib's own."""

    def set_max_message_size(self, max_size: int) -> None:
        """Set how many bytes a body may have."""
        self._options["max_body"] = max_size

    def start(self) -> None:
        """Connect.

        Raises:
            ProducerStartFailed: that failed.
        """
        if self._client is not None:
            return
        try:
            client = _OurProducer(
                self._group_id,
                self._name_servers(),
                credentials=self._credentials,
                tracing=self._traces,
                **self._options,
            )
            client.start()
        except WirespeedError as error:
            raise ProducerStartFailed(str(error)) from error
        self._client = client

    def send_sync(self, msg: Message) -> SendResult:
        """Send and wait for the acknowledgement.

        Raises:
            ProducerSendSyncFailed: there was none.
        """
        try:
            return _result(self._running().send_message(_outgoing(msg)))
        except WirespeedError as error:
            raise ProducerSendSyncFailed(str(error)) from error

    def send_oneway(self, msg: Message) -> None:
        """Send without waiting.

        Raises:
            ProducerSendOnewayFailed: it could not be written.
        """
        try:
            self._running().send_message_oneway(_outgoing(msg))
        except WirespeedError as error:
            raise ProducerSendOnewayFailed(str(error)) from error

    def send_orderly_with_sharding_key(self, msg: Message, sharding_key: str | bytes) -> SendResult:
        """Send to the queue that all messages of a key go to.

        Raises:
            ProducerSendOrderlyFailed: it was not acknowledged.
        """
        key = _text(sharding_key)
        outgoing = _outgoing(msg)
        outgoing.properties["__SHARDINGKEY"] = key
        number = _native.tag_hash(key) & 0x7FFFFFFF

        def select(queues: Sequence[Any]) -> int:
            return number % len(queues)

        try:
            return _result(self._running().send_selected(outgoing, select))
        except WirespeedError as error:
            raise ProducerSendOrderlyFailed(str(error)) from error

    def send_batch(self, msgs: Sequence[Message]) -> SendResult:
        """Send messages of one topic in one request; the result is the first message's.

        Raises:
            ProducerSendSyncFailed: they were not acknowledged.
        """
        assert len(msgs) > 0, "a batch has at least one message"
        assert all(isinstance(msg, Message) for msg in msgs), "a batch is of Messages"
        outgoing = [_outgoing(msg) for msg in msgs]
        try:
            results = self._running().send_many(outgoing)
            for result in results:
                if isinstance(result, WirespeedError):
                    raise result
        except WirespeedError as error:
            raise ProducerSendSyncFailed(str(error)) from error
        assert not isinstance(results[0], WirespeedError)
        return _result(results[0])

    def send_async(
        self,
        msg: Message,
        success_callback: Callable[[SendResult], Any] | None,
        exception_callback: Callable[[ProducerSendAsyncFailed], Any] | None,
    ) -> None:
        """Send in the background and call back with the `SendResult`, or with the exception.

        Raises:
            ProducerStartFailed: the producer is not started.
            ProducerSendSyncFailed: the message is refused.
        """
        try:
            future = self._running().submit(_outgoing(msg))
        except WirespeedError as error:
            raise ProducerSendSyncFailed(str(error)) from error

        def done(completed: Any) -> None:
            error = completed.exception()
            if error is None:
                if success_callback is not None:
                    success_callback(_result(completed.result()))
            elif exception_callback is not None:
                code = getattr(error, "code", None)
                number = code if isinstance(code, int) else -1
                kind = type(error).__name__
                exception_callback(ProducerSendAsyncFailed(str(error), number, "", 0, kind))
            else:
                _log.error("a message was not sent: %s", error)

        future.add_done_callback(done)

    def send_orderly(
        self,
        msg: Message,
        arg: Any,
        retry_times: int = 3,
        queue_selector: Callable[[int, ReceivedMessage, Any], int] = hashing_queue_selector,
    ) -> SendResult:
        """Send to the queue whose number `queue_selector(queues, message, arg)` returns.

        A failed try is repeated up to `retry_times` times.

        Raises:
            ProducerSendOrderlyFailed: it was not acknowledged.
        """
        outgoing = _outgoing(msg)

        def select(queues: Sequence[Any]) -> int:
            return queue_selector(len(queues), ReceivedMessage(msg._handle), arg)

        for attempt in range(max(1, retry_times + 1)):
            try:
                return _result(self._running().send_selected(outgoing, select))
            except WirespeedError as error:
                if isinstance(error, ConfigError) or attempt >= retry_times:
                    raise ProducerSendOrderlyFailed(str(error)) from error
        raise AssertionError("unreachable")

    def send_oneway_orderly(
        self,
        msg: Message,
        arg: Any,
        queue_selector: Callable[[int, ReceivedMessage, Any], int] = hashing_queue_selector,
    ) -> None:
        """Send as `send_orderly` does, and tell of no failure.

        Raises:
            ProducerStartFailed: the producer is not started.
        """
        self._running()
        try:
            self.send_orderly(msg, arg, 0, queue_selector)
        except ProducerSendOrderlyFailed as error:
            _log.warning("a message was not sent: %s", error)

    def _running(self) -> _OurProducer:
        if self._client is None:
            raise ProducerStartFailed("the producer is not started")
        return self._client


class TransactionMQProducer(Producer):
    """Sends messages that consumers see once a local transaction is committed.

    Args:
        group_id: the producer group.
        checker_callback: called with a `ReceivedMessage` when the broker asks what became of its
            transaction; returns a `TransactionStatus`.
        user_args: kept as `user_args`.
        timeout, compress_level, max_message_size: as for a `Producer`.
    """

    def __init__(
        self,
        group_id: str | bytes,
        checker_callback: Callable[[ReceivedMessage], TransactionStatus],
        user_args: Any = None,
        timeout: int | None = None,
        compress_level: int | None = None,
        max_message_size: int | None = None,
    ) -> None:
        super().__init__(group_id, False, timeout, compress_level, max_message_size)
        self.user_args = user_args

        def check(message: ours.ReceivedMessage) -> ours.TransactionStatus:
            return _VERDICTS[TransactionStatus(checker_callback(ReceivedMessage(message)))]

        self._options["checker"] = check

    def send_message_in_transaction(
        self,
        message: Message,
        local_execute: Callable[[ReceivedMessage, Any], TransactionStatus],
        user_args: Any = None,
    ) -> SendResult:
        """Store the message out of sight, call `local_execute(message, user_args)`, do as it says.

        What it raises rolls the transaction back and is raised here.

        Raises:
            ProducerSendSyncFailed: the message was not stored.
        """
        with ExitStack() as stack:
            try:
                opened = stack.enter_context(self._running().transaction(_outgoing(message)))
            except WirespeedError as error:
                raise ProducerSendSyncFailed(str(error)) from error
            verdict = TransactionStatus(local_execute(ReceivedMessage(message._handle), user_args))
            if verdict is TransactionStatus.ROLLBACK:
                opened.roll_back()
            elif verdict is TransactionStatus.UNKNOWN:
                opened.leave_unknown()
        assert opened.result is not None
        return _result(opened.result)


class PushConsumer(_Client):
    """Calls back for each message of its topics.

    Args:
        group_id: the consumer group.
        orderly: whether the messages of a queue come one after the other.
        message_model: CLUSTERING, or BROADCASTING for every message to every member.
    """

    def __init__(
        self,
        group_id: str | bytes,
        orderly: bool = False,
        message_model: MessageModel = MessageModel.CLUSTERING,
    ) -> None:
        super().__init__(group_id)
        self._orderly = orderly
        self._model = message_model
        self._subscriptions: dict[str, str] = {}
        self._callback: Callable[[ReceivedMessage], Any] | None = None
        self._options: dict[str, Any] = {}
        self._client: _OurPushConsumer | None = None

    # Programs delete it from this class.
    __del__ = _Client.__del__

    def set_message_model(self, message_model: MessageModel) -> None:
        """Set how the group shares messages."""
        self._model = MessageModel(message_model)

    def set_thread_count(self, thread_count: int) -> None:
        """Set how many callbacks may run at once."""
        self._options["concurrency"] = thread_count

    def set_message_batch_max_size(self, max_size: int) -> None:
        """Set how many messages a pull asks for, 32 at most."""
        self._options["batch"] = min(max_size, 32)

    def subscribe(
        self,
        topic: str | bytes,
        callback: Callable[[ReceivedMessage], Any],
        expression: str | bytes = "*",
    ) -> None:
        """Consume a topic, those of its messages that the expression names: "*" or "a || b".

        The last callback serves all topics. It returns a `ConsumeStatus`; anything else, or an
        exception, has the message come again. Where the name servers were set by a method of
        rocketmq 0.4.4, whose callbacks return nothing, None means success.
        """
        self._subscriptions[_text(topic)] = _text(expression)
        self._callback = callback

    def start(self) -> None:
        """Join the group and begin to consume.

        Raises:
            PushConsumerStartFailed: that failed, or nothing is subscribed.
        """
        if self._client is not None:
            return
        callback = self._callback
        if callback is None:
            raise PushConsumerStartFailed("nothing is subscribed")
        is_older = self._is_older

        def handle(message: ours.ReceivedMessage) -> ours.ConsumeResult:
            status = callback(ReceivedMessage(message))
            if status == ConsumeStatus.CONSUME_SUCCESS or (status is None and is_older):
                return ours.ConsumeResult.SUCCESS
            return ours.ConsumeResult.RETRY

        try:
            client = _OurPushConsumer(
                self._group_id,
                self._subscriptions,
                self._name_servers(),
                credentials=self._credentials,
                ordered=self._orderly,
                broadcasting=self._model == MessageModel.BROADCASTING,
                instance=self._instance,
                tracing=self._traces,
                **self._options,
            )
            client.start(handle)
        except WirespeedError as error:
            raise PushConsumerStartFailed(str(error)) from error
        self._client = client

    def _register_callback(self, callback: Callable[[ReceivedMessage], Any]) -> None:
        self._callback = callback

    def _unregister_callback(self) -> None:
        self._callback = None


MessageQueue = namedtuple("MessageQueue", ["topic", "brokerName", "queueId"])


class PullConsumer(_Client):
    """Reads topics from offsets that it keeps in memory, as that of rocketmq 0.4.4.

    Args:
        group_id: the consumer group.
    """

    def __init__(self, group_id: str | bytes) -> None:
        super().__init__(group_id)
        self.offset_table: dict[str, int] = {}
        self._client: _OurAdmin | None = None

    def start(self) -> None:
        """Connect.

        Raises:
            PullConsumerStartFailed: that failed.
        """
        if self._client is not None:
            return
        try:
            client = _OurAdmin(self._name_servers(), credentials=self._credentials)
            client.start()
        except WirespeedError as error:
            raise PullConsumerStartFailed(str(error)) from error
        self._client = client

    def _get_mq_key(self, mq: Any) -> str:
        return f"{_text(mq.topic)}@{mq.queueId}"

    def get_message_queue_offset(self, mq: Any) -> int:
        """Return where the next pull of a queue begins; 0 at first."""
        return self.offset_table.get(self._get_mq_key(mq), 0)

    def set_message_queue_offset(self, mq: Any, offset: int) -> None:
        """Let the next pull of a queue begin there."""
        self.offset_table[self._get_mq_key(mq)] = offset

    def pull(
        self, topic: str | bytes, expression: str | bytes = "*", max_num: int = 32
    ) -> Iterator[ReceivedMessage]:
        """Yield what there is in every queue of a topic, from where the last pull ended.

        Raises:
            PullConsumerStartFailed: the consumer is not started.
            PullConsumerFetchMQFailed: the topic is not known.
            PullConsumerFetchMessageFailed: a broker did not answer, or said no.
        """
        client = self._client
        if client is None:
            raise PullConsumerStartFailed("the consumer is not started")
        try:
            route = client.route(_text(topic))
        except WirespeedError as error:
            raise PullConsumerFetchMQFailed(str(error)) from error
        for queue in route.read_queues:
            mq = MessageQueue(queue.topic, queue.broker_name, queue.queue_id)
            while True:
                offset = self.get_message_queue_offset(mq)
                try:
                    messages, following = client.read(
                        queue, offset, min(max_num, 32), _text(expression)
                    )
                except WirespeedError as error:
                    raise PullConsumerFetchMessageFailed(str(error)) from error
                self.set_message_queue_offset(mq, following)
                yield from map(ReceivedMessage, messages)
                if following == offset:
                    break


def _outgoing(msg: Message) -> ours.Message:
    if msg is None:
        raise NullPointerException("the message is None")
    handle = msg._handle
    return ours.Message.from_parts(
        _native.message_get_topic(handle),
        _native.message_get_body(handle),
        _native.message_get_properties(handle),
    )


def _result(acknowledgement: ours.SendResult) -> SendResult:
    return SendResult(
        SendStatus(acknowledgement.status),
        acknowledgement.message_id,
        acknowledgement.queue_offset,
    )
