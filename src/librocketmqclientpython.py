"""The functions and classes of librocketmqclientpython 1.2.0, on wirespeed.

Setters, starts and shutdowns return a status (0 is success) and do not raise; sends raise
`MQException`. `python -m wirespeed.dropin differences librocketmqclientpython` lists what differs
from the original.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from wirespeed import _native
from wirespeed.config import Credentials
from wirespeed.errors import WirespeedError
from wirespeed.rocketmq.client import Producer, PushConsumer
from wirespeed.rocketmq.discovery import fetch_name_servers
from wirespeed.rocketmq.models import ConsumeResult, Message, ReceivedMessage
from wirespeed.rocketmq.models import SendResult as _Acknowledgement

__all__ = [
    "CConsumeStatus",
    "CMessage",
    "CMessageExt",
    "CProducer",
    "CPushConsumer",
    "CSendStatus",
    "CStatus",
    "CreateMessage",
    "CreateProducer",
    "CreatePushConsumer",
    "DestroyMessage",
    "DestroyProducer",
    "DestroyPushConsumer",
    "GetMessageBody",
    "GetMessageId",
    "GetMessageKeys",
    "GetMessageProperty",
    "GetMessageTags",
    "GetMessageTopic",
    "GetVersion",
    "MQException",
    "RegisterMessageCallback",
    "SendMessageOneway",
    "SendMessageOrderly",
    "SendMessageSync",
    "SendResult",
    "SetByteMessageBody",
    "SetDelayTimeLevel",
    "SetMessageBody",
    "SetMessageKeys",
    "SetMessageProperty",
    "SetMessageTags",
    "SetMessageTopic",
    "SetProducerInstanceName",
    "SetProducerNameServerAddress",
    "SetProducerNameServerDomain",
    "SetProducerSessionCredentials",
    "SetPushConsumerInstanceName",
    "SetPushConsumerMessageBatchMaxSize",
    "SetPushConsumerNameServerAddress",
    "SetPushConsumerNameServerDomain",
    "SetPushConsumerSessionCredentials",
    "SetPushConsumerThreadCount",
    "ShutdownProducer",
    "ShutdownPushConsumer",
    "StartProducer",
    "StartPushConsumer",
    "Subscribe",
]

_log = logging.getLogger("wirespeed.rocketmq")

_OK = 0
_NULL_POINTER = 1
_START_PRODUCER = 10
_SEND_SYNC = 11
_SEND_ONEWAY = 12
_SEND_ORDERLY = 13
_START_CONSUMER = 20


class CStatus(IntEnum):
    """What setters, starts and shutdowns return."""

    OK = 0
    NULL_POINTER = 1


class CSendStatus(IntEnum):
    """How far the broker got with a message."""

    E_SEND_OK = 0
    E_SEND_FLUSH_DISK_TIMEOUT = 1
    E_SEND_FLUSH_SLAVE_TIMEOUT = 2
    E_SEND_SLAVE_NOT_AVAILABLE = 3


class CConsumeStatus(IntEnum):
    """What a callback returns."""

    E_CONSUME_SUCCESS = 0
    E_RECONSUME_LATER = 1


class MQException(Exception):
    """A send failed. `__cause__` is the wirespeed error.

    Attributes:
        error: the status code of the operation.
        line: 0; there is no C++ source line.
    """

    def __init__(self, message: str = "", error: int = -1) -> None:
        super().__init__(message)
        self.error = error
        self.line = 0
        self._message = message

    def GetFile(self) -> str:
        """Return "": there is no C++ source file."""
        return ""

    def GetMsg(self) -> str:
        """Return what happened."""
        return self._message

    def GetType(self) -> str:
        """Return the class of the wirespeed error, or the name of this one."""
        return type(self.__cause__ or self).__name__


class SendResult:
    """The broker's acknowledgement.

    Attributes:
        sendStatus: a `CSendStatus`.
        offset: the message's place in its queue.
    """

    __slots__ = ("_message_id", "offset", "sendStatus")

    def __init__(self, acknowledgement: _Acknowledgement) -> None:
        self.sendStatus = CSendStatus(acknowledgement.status)
        self.offset = acknowledgement.queue_offset
        self._message_id = acknowledgement.message_id

    def GetMsgId(self) -> str:
        """Return the message's unique id."""
        return self._message_id


CMessage = _native.MessageHandle
CMessageExt = ReceivedMessage

CreateMessage = _native.message_create
DestroyMessage = _native.message_destroy
SetMessageTopic = _native.message_set_topic
SetMessageTags = _native.message_set_tags
SetMessageKeys = _native.message_set_keys
SetMessageBody = _native.message_set_body
SetByteMessageBody = _native.message_set_body_length
SetMessageProperty = _native.message_set_property
SetDelayTimeLevel = _native.message_set_delay_level


def GetMessageTopic(message: CMessage | CMessageExt) -> str:
    """Return the topic; "" for a destroyed message."""
    if isinstance(message, CMessage):
        return _native.message_get_topic(message)
    return message.topic


def GetMessageTags(message: CMessage | CMessageExt) -> str:
    """Return the tag, or ""."""
    if isinstance(message, CMessage):
        return _native.message_get_tags(message)
    return message.tag or ""


def GetMessageKeys(message: CMessage | CMessageExt) -> str:
    """Return the keys, joined by a space, or ""."""
    if isinstance(message, CMessage):
        return _native.message_get_keys(message)
    return " ".join(message.keys)


def GetMessageBody(message: CMessage | CMessageExt) -> str:
    """Return the body as text.

    Bytes that are not UTF-8 come as lone surrogates, so that
    `body.encode("utf-8", "surrogateescape")` gives the bytes back.
    """
    if isinstance(message, CMessage):
        return _native.message_get_body(message).decode("utf-8", "surrogateescape")
    return message.body.decode("utf-8", "surrogateescape")


def GetMessageProperty(message: CMessage | CMessageExt, key: str) -> str:
    """Return a property's value, or ""."""
    if isinstance(message, CMessage):
        return _native.message_get_property(message, key)
    return message.native.property(key) or ""


def GetMessageId(message: CMessageExt) -> str:
    """Return the message's unique id."""
    return message.message_id


class _Client:
    """What producers and consumers have in common: settings until the start, then a client."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.address = ""
        self.domain = ""
        self.credentials: Credentials | None = None

    def name_servers(self) -> str | None:
        """Return the address, else what the domain names, else None for the environment's."""
        if self.address:
            return self.address
        return fetch_name_servers(self.domain) if self.domain else None


class CProducer(_Client):
    """A producer; made by `CreateProducer`."""

    def __init__(self, group: str) -> None:
        super().__init__(group)
        self.client: Producer | None = None


class CPushConsumer(_Client):
    """A push consumer; made by `CreatePushConsumer`."""

    def __init__(self, group: str) -> None:
        super().__init__(group)
        self.client: PushConsumer | None = None
        self.subscriptions: dict[str, str] = {}
        self.callback: Callable[[CMessageExt], Any] | None = None
        self.thread_count = 20
        self.batch_max_size = 32


def _set(client: _Client | None, name: str, value: Any) -> int:
    if client is None or value is None:
        return _NULL_POINTER
    setattr(client, name, value)
    return _OK


def _set_credentials(client: _Client | None, access_key: str, secret_key: str) -> int:
    if client is None or not access_key or not secret_key:
        return _NULL_POINTER
    client.credentials = Credentials(access_key, secret_key)
    return _OK


def _shutdown(client: CProducer | CPushConsumer | None) -> int:
    if client is None:
        return _NULL_POINTER
    running, client.client = client.client, None
    if running is not None:
        try:
            running.close()
        except WirespeedError as error:
            _log.warning("shutdown of %s: %s", client.group, error)
    return _OK


def CreateProducer(group: str) -> CProducer:
    """Return a new producer of `group`."""
    return CProducer(group)


def DestroyProducer(producer: CProducer | None) -> int:
    """Shut the producer down where that was not done. Twice is fine."""
    return _shutdown(producer)


def SetProducerNameServerAddress(producer: CProducer | None, namesrv: str | None) -> int:
    """Set the name servers, "host:port;host:port". They win over a domain."""
    return _set(producer, "address", namesrv)


def SetProducerNameServerDomain(producer: CProducer | None, domain: str | None) -> int:
    """Set the URL whose answer's first line names the name servers; it is asked at the start."""
    return _set(producer, "domain", domain)


def SetProducerInstanceName(producer: CProducer | None, name: str | None) -> int:
    """Take a name and ignore it: every client here has an identity of its own."""
    return _NULL_POINTER if producer is None or name is None else _OK


def SetProducerSessionCredentials(
    producer: CProducer | None, accessKey: str, secretKey: str, channel: str | None = None
) -> int:
    """Set the key pair to sign with; `channel` is ignored."""
    return _set_credentials(producer, accessKey, secretKey)


def StartProducer(producer: CProducer | None) -> int:
    """Connect. Returns 0, or 10 when that failed; the log tells why."""
    if producer is None:
        return _NULL_POINTER
    if producer.client is not None:
        return _OK
    try:
        client = Producer(producer.group, producer.name_servers(), credentials=producer.credentials)
        client.start()
    except WirespeedError as error:
        _log.error("StartProducer of %s: %s", producer.group, error)
        return _START_PRODUCER
    producer.client = client
    return _OK


def ShutdownProducer(producer: CProducer | None) -> int:
    """Disconnect. Twice is fine."""
    return _shutdown(producer)


def _outgoing(producer: CProducer, message: CMessage, code: int) -> tuple[Producer, Message]:
    if producer is None or producer.client is None:
        raise MQException("the producer is not started", code)
    if message is None or not _native.message_is_alive(message):
        raise MQException("the message is None or was destroyed", code)
    return producer.client, Message.from_parts(
        _native.message_get_topic(message),
        _native.message_get_body(message),
        _native.message_get_properties(message),
    )


def SendMessageSync(producer: CProducer, message: CMessage) -> SendResult:
    """Send and wait for the acknowledgement.

    Raises:
        MQException: it was not acknowledged.
    """
    client, outgoing = _outgoing(producer, message, _SEND_SYNC)
    try:
        return SendResult(client.send_message(outgoing))
    except WirespeedError as error:
        raise MQException(str(error), _SEND_SYNC) from error


def SendMessageOneway(producer: CProducer, message: CMessage) -> int:
    """Send without waiting. Returns 0, or 12 when it could not be written; the log tells why."""
    try:
        client, outgoing = _outgoing(producer, message, _SEND_ONEWAY)
        client.send_message_oneway(outgoing)
    except (MQException, WirespeedError) as error:
        _log.error("SendMessageOneway: %s", error)
        return _SEND_ONEWAY
    return _OK


def SendMessageOrderly(
    producer: CProducer,
    message: CMessage,
    autoRetryTimes: int,
    args: Any,
    queueSelectorCallback: Callable[[int, CMessage, Any], int],
) -> SendResult:
    """Send to the queue whose number `queueSelectorCallback(queues, message, args)` returns.

    A failed try is repeated up to `autoRetryTimes` times, on the same choice.

    Raises:
        MQException: it was not acknowledged, or the number is out of range.
    """
    client, outgoing = _outgoing(producer, message, _SEND_ORDERLY)

    def select(queues: Any) -> int:
        return queueSelectorCallback(len(queues), message, args)

    tries = max(0, int(autoRetryTimes)) + 1
    while True:
        tries -= 1
        try:
            return SendResult(client.send_selected(outgoing, select))
        except WirespeedError as error:
            if not tries or not error.retryable:
                raise MQException(str(error), _SEND_ORDERLY) from error


def CreatePushConsumer(group: str) -> CPushConsumer:
    """Return a new push consumer of `group`."""
    return CPushConsumer(group)


def DestroyPushConsumer(consumer: CPushConsumer | None) -> int:
    """Shut the consumer down where that was not done. Twice is fine."""
    return _shutdown(consumer)


def SetPushConsumerNameServerAddress(consumer: CPushConsumer | None, namesrv: str | None) -> int:
    """Set the name servers, "host:port;host:port". They win over a domain."""
    return _set(consumer, "address", namesrv)


def SetPushConsumerNameServerDomain(consumer: CPushConsumer | None, domain: str | None) -> int:
    """Set the URL whose answer's first line names the name servers; it is asked at the start."""
    return _set(consumer, "domain", domain)


def SetPushConsumerInstanceName(consumer: CPushConsumer | None, name: str | None) -> int:
    """Take a name and ignore it: every client here has an identity of its own."""
    return _NULL_POINTER if consumer is None or name is None else _OK


def SetPushConsumerSessionCredentials(
    consumer: CPushConsumer | None, accessKey: str, secretKey: str, channel: str | None = None
) -> int:
    """Set the key pair to sign with; `channel` is ignored."""
    return _set_credentials(consumer, accessKey, secretKey)


def SetPushConsumerThreadCount(consumer: CPushConsumer | None, count: int) -> int:
    """Set how many callbacks may run at once. Returns 1 unless `count` is above 0."""
    return _set(consumer, "thread_count", count if count > 0 else None)


def SetPushConsumerMessageBatchMaxSize(consumer: CPushConsumer | None, size: int) -> int:
    """Set how many messages a pull asks for, 32 at most. Returns 1 unless `size` is above 0."""
    return _set(consumer, "batch_max_size", min(size, 32) if size > 0 else None)


def Subscribe(consumer: CPushConsumer | None, topic: str, tagPattern: str) -> int:
    """Consume `topic`, those of its messages that `tagPattern` names: "*" or "a || b"."""
    if consumer is None or topic is None or tagPattern is None:
        return _NULL_POINTER
    consumer.subscriptions[topic] = tagPattern
    return _OK


_ABSENT: Any = object()


def RegisterMessageCallback(
    consumer: CPushConsumer | None, callback: Callable[..., Any] | None, args: Any = _ABSENT
) -> int:
    """Set what is called for each message: `callback(message, args)`, or without `args` given
    `callback(message)`. It returns 0 when the message is consumed; else it comes again later.
    """
    if consumer is None or callback is None:
        return _NULL_POINTER
    called = callback
    if args is _ABSENT:
        consumer.callback = called
    else:
        consumer.callback = lambda message: called(message, args)
    return _OK


def StartPushConsumer(consumer: CPushConsumer | None) -> int:
    """Join the group and begin to consume. Returns 0, or 20 when that failed; the log tells why."""
    if consumer is None:
        return _NULL_POINTER
    if consumer.client is not None:
        return _OK
    callback = consumer.callback
    if callback is None:
        _log.error("StartPushConsumer of %s: no callback is registered", consumer.group)
        return _START_CONSUMER

    def handle(message: CMessageExt) -> ConsumeResult:
        succeeded = callback(message) == CConsumeStatus.E_CONSUME_SUCCESS
        return ConsumeResult.SUCCESS if succeeded else ConsumeResult.RETRY

    try:
        client = PushConsumer(
            consumer.group,
            consumer.subscriptions,
            consumer.name_servers(),
            credentials=consumer.credentials,
            concurrency=consumer.thread_count,
            batch=consumer.batch_max_size,
        )
        client.start(handle)
    except WirespeedError as error:
        _log.error("StartPushConsumer of %s: %s", consumer.group, error)
        return _START_CONSUMER
    consumer.client = client
    return _OK


def ShutdownPushConsumer(consumer: CPushConsumer | None) -> int:
    """Let running callbacks finish, store the offsets, leave the group. Twice is fine."""
    return _shutdown(consumer)


def GetVersion() -> str:
    """Return the version text of the original."""
    return "PYTHON_CLIENT_VERSION: 1.2.0, BUILD DATE: 04-12-2018"
