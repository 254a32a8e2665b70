"""Topics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .cmq_client import CMQClient
from .shared import Triple, copy_known, encode, listing, moment, numbered, shown, triple

_KNOWN = (
    "msgCount",
    "maxMsgSize",
    "msgRetentionSeconds",
    "createTime",
    "lastModifyTime",
    "filterType",
)


class Topic:
    """One topic."""

    def __init__(self, topicName: str, cmq_client: CMQClient, debug: bool = False) -> None:
        self.topicName = topicName
        self.cmq_client = cmq_client
        self.set_encoding(False)
        self.debug = debug

    def set_debug(self, debug: bool) -> None:
        """Switch `debuginfo` on or off."""
        self.debug = debug

    def set_encoding(self, encoding: bool) -> None:
        """Publish bodies in base64, or not."""
        self.encoding = encoding

    def create(self, topic_meta: TopicMeta) -> None:
        """Create the topic."""
        params: dict[str, Any] = {
            "topicName": self.topicName,
            "filterType": topic_meta.filterType,
        }
        if topic_meta.maxMsgSize > 0:
            params["maxMsgSize"] = topic_meta.maxMsgSize
        self.cmq_client.create_topic(params)

    def delete(self) -> None:
        """Delete the topic."""
        self.cmq_client.delete_topic({"topicName": self.topicName})

    def get_attributes(self) -> TopicMeta:
        """Return the topic's attributes."""
        reply = self.cmq_client.get_topic_attributes({"topicName": self.topicName})
        topic_meta = TopicMeta()
        topic_meta.topicName = self.topicName
        copy_known(topic_meta, reply, _KNOWN)
        return topic_meta

    def set_attributes(self, topic_meta: TopicMeta) -> None:
        """Change how large a message may be."""
        params: dict[str, Any] = {"topicName": self.topicName}
        if topic_meta.maxMsgSize > 0:
            params["maxMsgSize"] = topic_meta.maxMsgSize
        self.cmq_client.set_topic_attributes(params)

    def publish_message(self, message: Message, routingKey: str = "") -> Message:
        """Publish a message; the one returned has the id alone."""
        params = {
            "topicName": self.topicName,
            "msgBody": encode(message.msgBody, self.encoding),
            "routingKey": routingKey,
            **numbered("msgTag", message.msgTag),
        }
        return _of_id(self.cmq_client.publish_message(params))

    def batch_publish_message(
        self,
        messages: Iterable[Message],
        msgtag: Iterable[str] | None = None,
        routingKey: str = "",
    ) -> list[Message]:
        """Publish up to 16 messages; those returned have the ids alone."""
        bodies = [encode(message.msgBody, self.encoding) for message in messages]
        params = {
            "topicName": self.topicName,
            "routingKey": routingKey,
            **numbered("msgBody", bodies),
            **numbered("msgTag", msgtag),
        }
        return [_of_id(item["msgId"]) for item in self.cmq_client.batch_publish_message(params)]

    def list_subscription(self, searchWord: str = "", limit: int = -1, offset: Any = "") -> Triple:
        """Return the number of subscriptions, some of them, and where the next begin or ""."""
        params = {"topicName": self.topicName, **listing(searchWord, limit, offset)}
        return triple(self.cmq_client.list_subscription(params), "subscriptionList", offset)


class TopicMeta:
    """A topic's attributes; `filterType` is 1 for tags, 2 for binding keys."""

    def __init__(self) -> None:
        self.topicName = ""
        self.msgCount = 0
        self.maxMsgSize = 65536
        self.msgRetentionSeconds = 0
        self.createTime = 0
        self.lastModifyTime = 0
        self.filterType = 1

    def __str__(self) -> str:
        return shown(
            {
                "topicName": self.topicName,
                "msgCount": self.msgCount,
                "createTime": moment(self.createTime),
                "lastModifyTime": moment(self.lastModifyTime),
                "maxMsgSize": self.maxMsgSize,
                "msgRetentionSeconds": self.msgRetentionSeconds,
                "filterType": self.filterType,
            }
        )


class Message:
    """A message of a topic."""

    def __init__(self, message_body: Any = "", message_tag: list[str] | None = None) -> None:
        self.msgBody = message_body
        self.msgId = ""
        self.msgTag = [] if message_tag is None else message_tag

    def __str__(self) -> str:
        return shown({"msgBody": self.msgBody, "msgId": self.msgId, "msgTag": self.msgTag})


def _of_id(msgId: str) -> Message:
    message = Message()
    message.msgId = msgId
    return message
