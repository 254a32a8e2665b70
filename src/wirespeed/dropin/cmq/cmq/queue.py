"""Queues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .cmq_client import CMQClient
from .shared import copy_known, decode, encode, moment, numbered, shown

_RECEIVED = (
    "msgId",
    "receiptHandle",
    "enqueueTime",
    "nextVisibleTime",
    "dequeueCount",
    "firstDequeueTime",
)


class Queue:
    """One queue."""

    def __init__(self, queue_name: str, cmq_client: CMQClient, debug: bool = False) -> None:
        self.queue_name = queue_name
        self.cmq_client = cmq_client
        self.set_encoding(False)
        self.debug = debug

    def set_debug(self, debug: bool) -> None:
        """Switch `debuginfo` on or off."""
        self.debug = debug

    def set_encoding(self, encoding: bool) -> None:
        """Send bodies in base64, and decode those received, or not."""
        self.encoding = encoding

    def create(self, queue_meta: QueueMeta) -> None:
        """Create the queue."""
        self.cmq_client.create_queue(self._params(queue_meta))

    def rewindQueue(self, backTrackingTime: int) -> None:
        """Let deleted messages that were sent since a time (epoch seconds) be received again."""
        self.cmq_client.rewindQueue(
            {"queueName": self.queue_name, "startConsumeTime": backTrackingTime}
        )

    def get_attributes(self) -> QueueMeta:
        """Return the queue's attributes."""
        reply = self.cmq_client.get_queue_attributes({"queueName": self.queue_name})
        queue_meta = QueueMeta()
        queue_meta.queueName = self.queue_name
        copy_known(queue_meta, reply, vars(queue_meta))
        return queue_meta

    def set_attributes(self, queue_meta: QueueMeta) -> None:
        """Change the queue's attributes."""
        self.cmq_client.set_queue_attributes(self._params(queue_meta))

    def delete(self) -> None:
        """Delete the queue."""
        self.cmq_client.delete_queue({"queueName": self.queue_name})

    def send_message(self, message: Message, delayTime: int = 0) -> Message:
        """Send a message; the one returned has the id alone."""
        msgId = self.cmq_client.send_message(
            {
                "queueName": self.queue_name,
                "msgBody": encode(message.msgBody, self.encoding),
                "delaySeconds": delayTime,
            }
        )
        return _of_id(msgId)

    def batch_send_message(self, messages: Iterable[Message], delayTime: int = 0) -> list[Message]:
        """Send up to 16 messages; those returned have the ids alone."""
        bodies = [encode(message.msgBody, self.encoding) for message in messages]
        params = {"queueName": self.queue_name, "delaySeconds": delayTime}
        found = self.cmq_client.batch_send_message({**params, **numbered("msgBody", bodies)})
        return [_of_id(item["msgId"]) for item in found]

    def receive_message(self, polling_wait_seconds: int | None = None) -> Message:
        """Receive one message; where there is none, CMQServerException has the code 7000."""
        params = {"queueName": self.queue_name, **_polling(polling_wait_seconds)}
        return self._received(self.cmq_client.receive_message(params))

    def batch_receive_message(
        self, num_of_msg: int, polling_wait_seconds: int | None = None
    ) -> list[Message]:
        """Receive up to 16 messages."""
        params = {
            "queueName": self.queue_name,
            "numOfMsg": num_of_msg,
            **_polling(polling_wait_seconds),
        }
        return [self._received(item) for item in self.cmq_client.batch_receive_message(params)]

    def delete_message(self, receipt_handle: str) -> None:
        """Delete a message that was received."""
        self.cmq_client.delete_message(
            {"queueName": self.queue_name, "receiptHandle": receipt_handle}
        )

    def batch_delete_message(self, receipt_handle_list: Iterable[str]) -> None:
        """Delete up to 16 messages; `data["errorList"]` of the exception tells which stayed."""
        self.cmq_client.batch_delete_message(
            {"queueName": self.queue_name, **numbered("receiptHandle", receipt_handle_list)}
        )

    def _params(self, queue_meta: QueueMeta) -> dict[str, Any]:
        params = {
            "queueName": self.queue_name,
            "pollingWaitSeconds": queue_meta.pollingWaitSeconds,
            "visibilityTimeout": queue_meta.visibilityTimeout,
            "maxMsgSize": queue_meta.maxMsgSize,
            "msgRetentionSeconds": queue_meta.msgRetentionSeconds,
            "rewindSeconds": queue_meta.rewindSeconds,
        }
        if queue_meta.maxMsgHeapNum > 0:
            params["maxMsgHeapNum"] = queue_meta.maxMsgHeapNum
        return params

    def _received(self, item: Mapping[str, Any]) -> Message:
        message = Message(decode(item["msgBody"], self.encoding))
        for name in _RECEIVED:
            setattr(message, name, item[name])
        return message


class QueueMeta:
    """A queue's attributes; times are epoch seconds, -1 where they are not known."""

    DEFAULT_POLLING_WAIT_SECONDS = 0
    DEFAULT_VISIBILITY_TIMEOUT = 30
    DEFAULT_MAX_MSG_SIZE = 65536
    DEFAULT_MSG_RETENTION_SECONDS = 345600

    def __init__(self) -> None:
        self.queueName = ""
        self.maxMsgHeapNum = -1
        self.pollingWaitSeconds = QueueMeta.DEFAULT_POLLING_WAIT_SECONDS
        self.visibilityTimeout = QueueMeta.DEFAULT_VISIBILITY_TIMEOUT
        self.maxMsgSize = QueueMeta.DEFAULT_MAX_MSG_SIZE
        self.msgRetentionSeconds = QueueMeta.DEFAULT_MSG_RETENTION_SECONDS
        self.createTime = -1
        self.lastModifyTime = -1
        self.activeMsgNum = -1
        self.inactiveMsgNum = -1
        self.rewindSeconds = 0
        self.rewindmsgNum = 0
        self.minMsgTime = 0
        self.delayMsgNum = 0

    def __str__(self) -> str:
        return shown(
            {
                "visibilityTimeout": self.visibilityTimeout,
                "maxMsgHeapNum": self.maxMsgHeapNum,
                "maxMsgSize": self.maxMsgSize,
                "msgRetentionSeconds": self.msgRetentionSeconds,
                "pollingWaitSeconds": self.pollingWaitSeconds,
                "activeMsgNum": self.activeMsgNum,
                "inactiveMsgNum": self.inactiveMsgNum,
                "createTime": moment(self.createTime),
                "lastModifyTime": moment(self.lastModifyTime),
                "QueueName": self.queueName,
                "rewindSeconds": self.rewindSeconds,
                "rewindmsgNum": self.rewindmsgNum,
                "minMsgTime": self.minMsgTime,
                "delayMsgNum": self.delayMsgNum,
            }
        )


class Message:
    """A message of a queue; times are epoch seconds, -1 where they are not known."""

    def __init__(self, message_body: Any = "", message_tag: list[str] | None = None) -> None:
        self.msgBody = message_body
        self.msgId = ""
        self.enqueueTime = -1
        self.receiptHandle = ""
        self.nextVisibleTime = -1
        self.dequeueCount = -1
        self.firstDequeueTime = -1
        self.msgTag = [] if message_tag is None else message_tag

    def __str__(self) -> str:
        return shown(
            {
                "msgBody": self.msgBody,
                "msgId": self.msgId,
                "enqueueTime": moment(self.enqueueTime),
                "nextVisibleTime": moment(self.nextVisibleTime),
                "firstDequeueTime": moment(self.firstDequeueTime),
                "dequeueCount": self.dequeueCount,
                "receiptHandle": self.receiptHandle,
                "msgTag": self.msgTag,
            }
        )


def _of_id(msgId: str) -> Message:
    message = Message()
    message.msgId = msgId
    return message


def _polling(seconds: int | None) -> dict[str, Any]:
    """Return a receive's parameters: the wait asked for, and how long an answer may take."""
    if seconds is None:
        return {"UserpollingWaitSeconds": "30"}
    return {"UserpollingWaitSeconds": seconds, "pollingWaitSeconds": seconds}
