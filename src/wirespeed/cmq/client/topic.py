# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""Topics and subscriptions."""

from __future__ import annotations

from collections.abc import Iterator, Iterable, Mapping
from typing import TYPE_CHECKING

from ...errors import ConfigError, WirespeedError
from .. import flow, wire
from ..models import SendResult

if TYPE_CHECKING:
    from .client import Client


class Topic:
    """One topic; made by `Client.topic` or `Client.create_topic`.

    `timeout` and what is raised are as for `Queue`.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"

    @property
    def name(self) -> str:
        """The topic's name."""
        return self._name

    def publish(
        self,
        body: str,
        *,
        tags: Iterable[str] = (),
        routing_key: str = "",
        timeout: float | str | None = None,
    ) -> SendResult:
        """Publish one message and wait until it is stored.

        Args:
            body: 1 byte to 1 MiB of text; a topic takes 64 KiB unless its maxMsgSize is more.
            tags: up to 5 of up to 16 characters, for a topic that filters by tags.
            routing_key: up to 64 bytes and 15 dots, for one that filters by routing key.
            timeout: seconds for the whole call.

        Raises:
            ConfigError: an argument is wrong; nothing was sent.
            WirespeedError: it was not acknowledged; `outcome` tells whether it may be stored.
        """
        parameters = {**self._common(tags, routing_key), "msgBody": wire.check_body(body)}
        deadline = self._client._deadline(timeout)
        return self._client._run(
            flow.send(self._client._settings, "PublishMessage", parameters, deadline)
        )

    def publish_many(
        self,
        messages: Iterable[str],
        *,
        tags: Iterable[str] = (),
        routing_key: str = "",
        timeout: float | str | None = None,
    ) -> list[SendResult | WirespeedError]:
        """Publish messages, all with the same tags and key, in batches of at most 16 and 1 MiB.

        Returns:
            For each message, in order, a `SendResult`, or the error that kept it from being
            stored.
        """
        common = self._common(tags, routing_key)
        bodies = [wire.check_body(body) for body in messages]
        deadline = self._client._deadline(timeout)
        return self._client._run(
            flow.send_many(self._client._settings, "BatchPublishMessage", common, bodies, deadline)
        )

    def attributes(self, *, timeout: float | str | None = None) -> dict[str, str | int]:
        """Return the topic's attributes by CMQ's names."""
        return wire.plain(self._ask("GetTopicAttributes", {}, timeout))

    def set_attributes(
        self, attributes: Mapping[str, str | int], *, timeout: float | str | None = None
    ) -> None:
        """Change attributes, by CMQ's names, such as {"maxMsgSize": 65536}."""
        given = wire.check_attributes(attributes)
        if not given:
            raise ConfigError("attributes must name at least one attribute")
        self._ask("SetTopicAttributes", given, timeout)

    def delete(self, *, timeout: float | str | None = None) -> None:
        """Delete the topic with its subscriptions."""
        self._ask("DeleteTopic", {}, timeout)

    def subscription(self, name: str) -> Subscription:
        """Return a subscription by its name; nothing is sent."""
        return Subscription(self, wire.check_name(name, "name"))

    def subscribe(
        self,
        name: str,
        endpoint: str,
        *,
        protocol: str = "queue",
        tags: Iterable[str] = (),
        binding_keys: Iterable[str] = (),
        strategy: str = "EXPONENTIAL_DECAY_RETRY",
        content: str | None = None,
        timeout: float | str | None = None,
    ) -> Subscription:
        """Let the topic's messages be delivered to a queue or to an HTTP address.

        Args:
            name: the subscription's.
            endpoint: a queue's name, or a URL that begins with http://.
            protocol: "queue" or "http", as `endpoint` is.
            tags: deliver only what has one of these, up to 5; none: deliver all.
            binding_keys: deliver only what has a routing key that one of these matches, up to 5;
                * stands for one word between dots, # for any number.
            strategy: "EXPONENTIAL_DECAY_RETRY" tries for a day, "BACKOFF_RETRY" three times.
            content: "SIMPLIFIED" delivers the body alone, "JSON" what surrounds it too; None is
                SIMPLIFIED to a queue, which takes no other, and JSON to an address.
            timeout: seconds for the whole call.

        Raises:
            ConfigError: an argument is wrong.
            Conflict: there is a subscription of that name.
        """
        made = self.subscription(name)
        if protocol not in ("queue", "http"):
            raise ConfigError(f"protocol must be queue or http, not {protocol!r}")
        if strategy not in ("EXPONENTIAL_DECAY_RETRY", "BACKOFF_RETRY"):
            raise ConfigError(f"strategy is none that CMQ has: {strategy!r}")
        content = content or ("SIMPLIFIED" if protocol == "queue" else "JSON")
        if content not in ("SIMPLIFIED", "JSON"):
            raise ConfigError(f"content must be SIMPLIFIED or JSON, not {content!r}")
        if protocol == "queue":
            wire.check_name(endpoint, "endpoint")
            if content == "JSON":
                raise ConfigError("content must be SIMPLIFIED: the endpoint is a queue")
        elif not isinstance(endpoint, str) or not endpoint.startswith("http://"):
            raise ConfigError(f"endpoint must begin with http://, not {endpoint!r}")
        parameters = {
            "subscriptionName": name,
            "protocol": protocol,
            "endpoint": endpoint,
            "notifyStrategy": strategy,
            "notifyContentFormat": content,
            **wire.numbered("filterTag", wire.check_tags(tags)),
            **wire.numbered("bindingKey", wire.check_binding_keys(binding_keys)),
        }
        self._ask("Subscribe", parameters, timeout)
        return made

    def list_subscriptions(
        self, search: str = "", *, timeout: float | str | None = None
    ) -> Iterator[str]:
        """Iterate over the names of the topic's subscriptions, as `Client.list_queues`."""
        return self._client._names(
            "ListSubscriptionByTopic",
            {"topicName": self._name, **wire.searching(search)},
            "subscriptionList",
            "subscriptionName",
            timeout,
        )

    def _common(self, tags: Iterable[str], routing_key: str) -> dict[str, str]:
        common = {"topicName": self._name, **wire.numbered("msgTag", wire.check_tags(tags))}
        if wire.check_routing_key(routing_key):
            common["routingKey"] = routing_key
        return common

    def _ask(
        self, action: str, parameters: dict[str, str], timeout: float | str | None
    ) -> wire.JsonObject:
        return self._client._ask(action, {"topicName": self._name, **parameters}, timeout)


class Subscription:
    """One subscription of a topic; made by `Topic.subscription` or `Topic.subscribe`."""

    def __init__(self, topic: Topic, name: str) -> None:
        self._topic = topic
        self._name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._topic.name!r}, {self._name!r})"

    @property
    def name(self) -> str:
        """The subscription's name."""
        return self._name

    def attributes(
        self, *, timeout: float | str | None = None
    ) -> dict[str, str | int | list[str]]:
        """Return its attributes by CMQ's names; the lists are `filterTags` and `bindingKey`."""
        fields = self._ask("GetSubscriptionAttributes", {}, timeout)
        made: dict[str, str | int | list[str]] = dict(wire.plain(fields))
        if "protocal" in made:
            made.setdefault("protocol", made.pop("protocal"))
        made["filterTags"] = wire.texts(fields.get("filterTags") or fields.get("filterTag"))
        made["bindingKey"] = wire.texts(fields.get("bindingKey"))
        return made

    def set_attributes(
        self,
        attributes: Mapping[str, str | int] | None = None,
        *,
        tags: Iterable[str] = (),
        binding_keys: Iterable[str] = (),
        timeout: float | str | None = None,
    ) -> None:
        """Change notifyStrategy and notifyContentFormat by `attributes`, the filters by the rest.

        No tags and no keys leave the filters as they are; `clear_tags` removes the tags.
        """
        parameters = {
            **wire.check_attributes(attributes or {}),
            **wire.numbered("filterTag", wire.check_tags(tags)),
            **wire.numbered("bindingKey", wire.check_binding_keys(binding_keys)),
        }
        if not parameters:
            raise ConfigError("attributes must name at least one attribute")
        self._ask("SetSubscriptionAttributes", parameters, timeout)

    def clear_tags(self, *, timeout: float | str | None = None) -> None:
        """Remove the filter tags: every message is delivered."""
        self._ask("ClearSubscriptionFilterTags", {}, timeout)

    def delete(self, *, timeout: float | str | None = None) -> None:
        """Delete the subscription."""
        self._ask("Unsubscribe", {}, timeout)

    def _ask(
        self, action: str, parameters: dict[str, str], timeout: float | str | None
    ) -> wire.JsonObject:
        return self._topic._ask(
            action, {"subscriptionName": self._name, **parameters}, timeout
        )
