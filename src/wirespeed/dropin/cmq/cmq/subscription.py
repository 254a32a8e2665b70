"""Subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .cmq_client import CMQClient
from .shared import moment, numbered, shown

# Servers and SDKs disagree on some names.
_KNOWN = {
    "topicOwner": "TopicOwner",
    "endpoint": "Endpoint",
    "protocol": "Protocal",
    "protocal": "Protocal",
    "notifyStrategy": "NotifyStrategy",
    "notifyContentFormat": "NotifyContentFormat",
    "createTime": "CreateTime",
    "lastModifyTime": "LastModifyTime",
    "msgCount": "msgCount",
}


class Subscription:
    """One subscription of a topic."""

    def __init__(
        self, topicName: str, subscriptionName: str, cmq_client: CMQClient, debug: bool = False
    ) -> None:
        self.topicName = topicName
        self.subscriptionName = subscriptionName
        self.cmq_client = cmq_client
        self.set_encoding(False)
        self.debug = debug

    def set_debug(self, debug: bool) -> None:
        """Switch `debuginfo` on or off."""
        self.debug = debug

    def set_encoding(self, encoding: bool) -> None:
        """Keep a switch that no call of a subscription looks at."""
        self.encoding = encoding

    def create(self, subscription_meta: SubscriptionMeta) -> None:
        """Create the subscription."""
        self.cmq_client.create_subscription(
            {
                **self._names(),
                "endpoint": subscription_meta.Endpoint,
                "protocol": subscription_meta.Protocal,
                "notifyStrategy": subscription_meta.NotifyStrategy,
                "notifyContentFormat": subscription_meta.NotifyContentFormat,
                **_filters(subscription_meta),
            }
        )

    def get_attributes(self) -> SubscriptionMeta:
        """Return the subscription's attributes."""
        reply = self.cmq_client.get_subscription_attributes(self._names())
        subscription_meta = SubscriptionMeta()
        _read(subscription_meta, reply)
        return subscription_meta

    def set_attributes(self, subscription_meta: SubscriptionMeta) -> None:
        """Change strategy, format and filters."""
        params = {**self._names(), **_filters(subscription_meta)}
        if subscription_meta.NotifyStrategy != "":
            params["notifyStrategy"] = subscription_meta.NotifyStrategy
        if subscription_meta.NotifyContentFormat != "":
            params["notifyContentFormat"] = subscription_meta.NotifyContentFormat
        self.cmq_client.set_subscription_attributes(params)

    def delete(self) -> None:
        """Delete the subscription."""
        self.cmq_client.delete_subscription(self._names())

    def clearFilterTags(self) -> None:
        """Remove the filter tags."""
        self.cmq_client.clear_filterTags(self._names())

    def _names(self) -> dict[str, Any]:
        return {"topicName": self.topicName, "subscriptionName": self.subscriptionName}


class SubscriptionMeta:
    """A subscription's attributes.

    `Protocal` is "http" or "queue", and `Endpoint` then a URL or a queue's name, for which
    `NotifyContentFormat` must be "SIMPLIFIED".
    """

    def __init__(self) -> None:
        self.TopicOwner = ""
        self.Endpoint = ""
        self.Protocal = ""
        self.NotifyStrategy = "EXPONENTIAL_DECAY_RETRY"
        self.NotifyContentFormat = "JSON"
        self.FilterTag: list[str] = []
        self.CreateTime = 0
        self.LastModifyTime = 0
        self.msgCount = 0
        self.bindingKey: list[str] = []

    def __str__(self) -> str:
        return shown(
            {
                "topicOwner": self.TopicOwner,
                "endpoint": self.Endpoint,
                "protocal": self.Protocal,
                "notifyStrategy": self.NotifyStrategy,
                "notifyContentFormat": self.NotifyContentFormat,
                "filterTag": self.FilterTag,
                "createTime": moment(self.CreateTime),
                "lastModifyTime": moment(self.LastModifyTime),
                "msgCount": self.msgCount,
                "bindingKey": self.bindingKey,
            }
        )


def _filters(subscription_meta: SubscriptionMeta) -> dict[str, Any]:
    return {
        **numbered("bindingKey", subscription_meta.bindingKey),
        **numbered("filterTag", subscription_meta.FilterTag),
    }


def _read(subscription_meta: SubscriptionMeta, reply: Mapping[str, Any]) -> None:
    for name, attribute in _KNOWN.items():
        if name in reply:
            setattr(subscription_meta, attribute, reply[name])
    subscription_meta.FilterTag = list(reply.get("filterTags") or reply.get("filterTag") or ())
    subscription_meta.bindingKey = list(reply.get("bindingKey") or ())
