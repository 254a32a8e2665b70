"""CMQ clients for asyncio. `client` is generated from this file."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from ..config import Credentials, Retry, instance, seconds, whole
from ..engine import aio as engine
from ..engine.effects import Flow
from ..errors import ConfigError, Unsupported, WirespeedError
from ..http import aio as http
from ..http.models import Origin
from . import flow, wire
from .models import BATCH_LIMIT, LONGEST_DELAY, LONGEST_WAIT, ReceivedMessage, SendResult

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")
_MOST_CONNECTIONS = 64
_PAGE = 100
_LARGEST_NONCE = 2**31 - 1
_NO_LEASE = "CMQ cannot change when a received message comes back; the queue's visibilityTimeout is"


class AsyncClient:
    """Speaks to Tencent CMQ, or to a server like it. May be used by many callers at a time.

    Queues and topics have hosts of their own: a client speaks to one of them.

    Args:
        endpoint: such as "https://cmq-queue-gz.api.qcloud.com".
        credentials: the key pair, perhaps with the token of temporary keys, or a function that
            returns the one of now and is called for each request.
        signature: "sha256" or "sha1".
        method: "POST" or "GET".
        timeout: seconds that one request may take, a long poll's wait not counted.
        retry: how often a request is tried; 3 times by default.
        ambiguous: "raise" raises with `outcome` "unknown" when a message may have been stored, as
            CMQ knows no duplicates; "retry" sends it again and says so in
            `SendResult.possible_duplicate`.
        tls: an `ssl.SSLContext`; by default the peer is verified by the system's certificates.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials | Callable[[], Credentials],
        *,
        signature: str = "sha256",
        method: str = "POST",
        timeout: float | str = 30.0,
        retry: Retry | None = None,
        ambiguous: str = "raise",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        instance(retry, Retry, "retry")
        if tls is not None and not hasattr(tls, "wrap_socket"):
            raise ConfigError(f"tls must be an ssl.SSLContext, not {type(tls).__name__}")
        for name, value, known in (
            ("signature", signature, ("sha256", "sha1")),
            ("method", method, ("POST", "GET")),
            ("ambiguous", ambiguous, ("raise", "retry")),
        ):
            if value not in known:
                raise ConfigError(f"{name} must be {' or '.join(known)}, not {value!r}")
        if isinstance(credentials, Credentials):
            pair = credentials
            provider: Callable[[], Credentials] = lambda: pair  # noqa: E731
        elif callable(credentials):
            provider = credentials
        else:
            raise ConfigError(
                f"credentials must be Credentials or a function, not {type(credentials).__name__}"
            )
        self._settings = flow.Settings(
            credentials=provider,
            origin=Origin.parse(endpoint, "endpoint"),
            method=method,
            sha256=signature == "sha256",
            timeout=seconds(timeout, "timeout"),
            retry=retry or Retry(),
            ambiguous=ambiguous == "retry",
            nonce=lambda: secrets.randbelow(_LARGEST_NONCE) + 1,
        )
        self._transport = http.Transport(tls=tls, max_idle=_MOST_CONNECTIONS)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._settings.origin)!r})"

    # ---- queues ----

    def queue(self, name: str) -> AsyncQueue:
        """Return a queue by its name; nothing is sent.

        Raises:
            ConfigError: it is no queue's name.
        """
        return AsyncQueue(self, wire.check_name(name, "name"))

    def open_queue(self, name: str) -> AsyncQueue:
        """Return a queue that closes this client when it is closed.

        Raises:
            ConfigError: it is no queue's name.
        """
        opened = self.queue(name)
        opened._owns_client = True
        return opened

    async def create_queue(
        self,
        name: str,
        attributes: Mapping[str, str | int] | None = None,
        *,
        timeout: float | str | None = None,
    ) -> AsyncQueue:
        """Create a queue.

        Args:
            name: a letter, then up to 63 letters, digits, - and _.
            attributes: by CMQ's names, such as {"visibilityTimeout": 60, "rewindSeconds": 3600}.
            timeout: seconds for the whole call.

        Raises:
            ConfigError: an argument is wrong.
            Conflict: there is one of that name, or one was deleted within 30 seconds.
            WirespeedError: the service or the network failed.
        """
        queue = self.queue(name)
        given = wire.check_attributes(attributes or {})
        await self._ask("CreateQueue", {"queueName": name, **given}, timeout)
        return queue

    def list_queues(
        self, search: str = "", *, timeout: float | str | None = None
    ) -> AsyncIterator[str]:
        """Iterate over the names of all queues that contain `search`, fetched page by page.

        `timeout` is for each page. What the service says is raised while iterating.
        """
        return self._names("ListQueue", _searching(search), "queueList", "queueName", timeout)

    # ---- topics ----

    def topic(self, name: str) -> AsyncTopic:
        """Return a topic by its name; nothing is sent.

        Raises:
            ConfigError: it is no topic's name.
        """
        return AsyncTopic(self, wire.check_name(name, "name"))

    async def create_topic(
        self,
        name: str,
        attributes: Mapping[str, str | int] | None = None,
        *,
        filter: str = "tags",
        timeout: float | str | None = None,
    ) -> AsyncTopic:
        """Create a topic.

        Args:
            name: a letter, then up to 63 letters, digits, - and _.
            attributes: by CMQ's names, such as {"maxMsgSize": 65536}.
            filter: what its subscriptions choose messages by: "tags", or "routing_key".
            timeout: seconds for the whole call.

        Raises:
            ConfigError: an argument is wrong.
            Conflict: there is one of that name, or one was deleted within 30 seconds.
            WirespeedError: the service or the network failed.
        """
        topic = self.topic(name)
        if filter not in ("tags", "routing_key"):
            raise ConfigError(f"filter must be tags or routing_key, not {filter!r}")
        given = wire.check_attributes(attributes or {})
        kind = "1" if filter == "tags" else "2"
        await self._ask("CreateTopic", {"topicName": name, "filterType": kind, **given}, timeout)
        return topic

    def list_topics(
        self, search: str = "", *, timeout: float | str | None = None
    ) -> AsyncIterator[str]:
        """Iterate over the names of all topics that contain `search`, as `list_queues`."""
        return self._names("ListTopic", _searching(search), "topicList", "topicName", timeout)

    # ---- the client ----

    async def ping(self, timeout: float | str = 1.0) -> float:
        """Ask for one queue and return the seconds that the answer took.

        Raises:
            WirespeedError: the service did not answer, or said no.
        """
        clock = self._settings.clock.monotonic
        start = clock()
        await self._ask("ListQueue", {"limit": "1"}, timeout)
        return clock() - start

    async def close(self) -> None:
        """Close the connections; calls under way end first. Twice is fine."""
        await self._transport.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        transport = getattr(self, "_transport", None)
        if transport is not None and transport.idle_connections:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            transport.discard()

    async def _names(
        self,
        action: str,
        parameters: dict[str, str],
        items: str,
        name: str,
        timeout: float | str | None,
    ) -> AsyncIterator[str]:
        for page in flow.pages(
            self._settings, action, parameters, items, _PAGE, lambda: self._deadline(timeout)
        ):
            for item in await self._run(page):
                yield wire.text_of(item, name)

    async def _ask(
        self, action: str, parameters: dict[str, str], timeout: float | str | None
    ) -> wire.JsonObject:
        return await self._run(
            flow.ask(self._settings, action, parameters, self._deadline(timeout), wire.parse)
        )

    def _deadline(self, timeout: float | str | None) -> float:
        return self._settings.deadline(None if timeout is None else seconds(timeout, "timeout"))

    async def _run(self, work: Flow[T]) -> T:
        return await engine.run(work, self._transport)


class AsyncQueue:
    """One queue; made by `AsyncClient.queue` or `AsyncClient.create_queue`.

    Every method takes `timeout`: seconds that the whole call may take, its retries included.
    None leaves it to the client's timeout for each request and its number of tries. Every method
    raises NotFound where there is no such queue, AccessDenied, and ServiceError or TransportError
    where the service or the network failed.
    """

    def __init__(self, client: AsyncClient, name: str) -> None:
        self._client = client
        self._settings = client._settings
        self._name = name
        self._owns_client = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"

    @property
    def name(self) -> str:
        """The queue's name."""
        return self._name

    # ---- messages ----

    async def send(
        self, body: str, *, delay: int = 0, timeout: float | str | None = None
    ) -> SendResult:
        """Send one message and wait until it is stored.

        Args:
            body: 1 byte to 1 MiB of text; a queue takes 64 KiB unless its maxMsgSize is more.
            delay: seconds until it can be received, 0 to 70 days.
            timeout: seconds for the whole call.

        Raises:
            ConfigError: an argument is wrong; nothing was sent.
            WirespeedError: it was not acknowledged; `outcome` tells whether it may be stored.
        """
        parameters = {
            "queueName": self._name,
            "msgBody": wire.check_body(body),
            "delaySeconds": str(whole(delay, "delay", 0, LONGEST_DELAY)),
        }
        return await self._client._run(
            flow.send(self._settings, "SendMessage", parameters, self._client._deadline(timeout))
        )

    async def send_many(
        self, messages: Iterable[str], *, delay: int = 0, timeout: float | str | None = None
    ) -> list[SendResult | WirespeedError]:
        """Send messages in batches of at most 16 and 1 MiB.

        Args:
            messages: the bodies.
            delay: seconds until they can be received, 0 to 70 days.
            timeout: seconds for the whole call.

        Returns:
            For each message, in order, a `SendResult`, or the error that kept it from being
            stored.

        Raises:
            ConfigError: a message is wrong; nothing was sent.
        """
        common = {
            "queueName": self._name,
            "delaySeconds": str(whole(delay, "delay", 0, LONGEST_DELAY)),
        }
        bodies = [wire.check_body(body) for body in messages]
        deadline = self._client._deadline(timeout)
        return await self._client._run(
            flow.send_many(self._settings, "BatchSendMessage", common, bodies, deadline)
        )

    async def receive(
        self,
        count: int = BATCH_LIMIT,
        *,
        wait: int | None = LONGEST_WAIT,
        timeout: float | str | None = None,
    ) -> list[ReceivedMessage]:
        """Receive messages; those not acknowledged come back after the queue's visibilityTimeout.

        Args:
            count: how many at most, 1 to 16.
            wait: seconds to wait for the first, 0 to 30; None leaves it to the queue.
            timeout: seconds for the whole call.

        Returns:
            The messages, none where none came in time.
        """
        whole(count, "count", 1, BATCH_LIMIT)
        if wait is not None:
            whole(wait, "wait", 0, LONGEST_WAIT)
        deadline = self._client._deadline(timeout)
        return await self._client._run(
            flow.receive(self._settings, self._name, count, wait, deadline)
        )

    async def __aiter__(self) -> AsyncIterator[ReceivedMessage]:
        """Receive messages without end, by long polls. Acknowledge each."""
        while True:
            for message in await self.receive():
                yield message

    async def ack(
        self, message: ReceivedMessage | str, *, timeout: float | str | None = None
    ) -> None:
        """Delete a message that was received; it or its receipt handle."""
        await self._ask("DeleteMessage", {"receiptHandle": wire.check_handle(message)}, timeout)

    async def ack_many(
        self,
        messages: Iterable[ReceivedMessage | str],
        *,
        timeout: float | str | None = None,
    ) -> list[WirespeedError | None]:
        """Delete messages in batches; return for each None, or the error that kept it."""
        handles = [wire.check_handle(message) for message in messages]
        deadline = self._client._deadline(timeout)
        return await self._client._run(
            flow.delete_many(self._settings, self._name, handles, deadline)
        )

    async def nack(
        self,
        message: ReceivedMessage | str,
        *,
        delay: int = 0,
        timeout: float | str | None = None,
    ) -> None:
        """CMQ cannot give a message back before the queue's visibilityTimeout is over.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(_NO_LEASE, service="cmq")

    async def extend(
        self,
        message: ReceivedMessage | str,
        visibility: int,
        *,
        timeout: float | str | None = None,
    ) -> None:
        """CMQ cannot keep a message longer than the queue's visibilityTimeout.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(_NO_LEASE, service="cmq")

    # ---- the queue itself ----

    async def attributes(self, *, timeout: float | str | None = None) -> dict[str, str | int]:
        """Return the queue's attributes by CMQ's names."""
        return _plain(await self._ask("GetQueueAttributes", {}, timeout))

    async def set_attributes(
        self, attributes: Mapping[str, str | int], *, timeout: float | str | None = None
    ) -> None:
        """Change attributes, by CMQ's names, such as {"visibilityTimeout": 60}."""
        given = wire.check_attributes(attributes)
        if not given:
            raise ConfigError("attributes must name at least one attribute")
        await self._ask("SetQueueAttributes", given, timeout)

    async def count(self, *, timeout: float | str | None = None) -> int:
        """Return about how many messages can be received now."""
        return int((await self.attributes(timeout=timeout)).get("activeMsgNum", 0))

    async def purge(self, *, timeout: float | str | None = None) -> None:
        """CMQ deletes messages by their receipt handles alone.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(
            "CMQ cannot purge a queue", service="cmq", hint="receive and acknowledge, or delete it"
        )

    async def rewind(self, to: int, *, timeout: float | str | None = None) -> None:
        """Make messages that were deleted be received again.

        Args:
            to: those sent after this time, seconds since 1970, within the queue's rewindSeconds.
            timeout: seconds for the whole call.
        """
        start = whole(to, "to", 1, 2**53)
        await self._ask("RewindQueue", {"startConsumeTime": str(start)}, timeout)

    async def delete(self, *, timeout: float | str | None = None) -> None:
        """Delete the queue with its messages."""
        await self._ask("DeleteQueue", {}, timeout)

    async def close(self) -> None:
        """Close the client if this queue came from `open_queue`. Twice is fine."""
        if self._owns_client:
            await self._client.close()

    async def __aenter__(self) -> AsyncQueue:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _ask(
        self, action: str, parameters: dict[str, str], timeout: float | str | None
    ) -> wire.JsonObject:
        return await self._client._ask(action, {"queueName": self._name, **parameters}, timeout)


class AsyncTopic:
    """One topic; made by `AsyncClient.topic` or `AsyncClient.create_topic`.

    `timeout` and what is raised are as for `AsyncQueue`.
    """

    def __init__(self, client: AsyncClient, name: str) -> None:
        self._client = client
        self._name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"

    @property
    def name(self) -> str:
        """The topic's name."""
        return self._name

    async def publish(
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
        return await self._client._run(
            flow.send(self._client._settings, "PublishMessage", parameters, deadline)
        )

    async def publish_many(
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
        return await self._client._run(
            flow.send_many(self._client._settings, "BatchPublishMessage", common, bodies, deadline)
        )

    async def attributes(self, *, timeout: float | str | None = None) -> dict[str, str | int]:
        """Return the topic's attributes by CMQ's names."""
        return _plain(await self._ask("GetTopicAttributes", {}, timeout))

    async def set_attributes(
        self, attributes: Mapping[str, str | int], *, timeout: float | str | None = None
    ) -> None:
        """Change attributes, by CMQ's names, such as {"maxMsgSize": 65536}."""
        given = wire.check_attributes(attributes)
        if not given:
            raise ConfigError("attributes must name at least one attribute")
        await self._ask("SetTopicAttributes", given, timeout)

    async def delete(self, *, timeout: float | str | None = None) -> None:
        """Delete the topic with its subscriptions."""
        await self._ask("DeleteTopic", {}, timeout)

    def subscription(self, name: str) -> AsyncSubscription:
        """Return a subscription by its name; nothing is sent."""
        return AsyncSubscription(self, wire.check_name(name, "name"))

    async def subscribe(
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
    ) -> AsyncSubscription:
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
            **wire.numbered("bindingKey", _binding_keys(binding_keys)),
        }
        await self._ask("Subscribe", parameters, timeout)
        return made

    def list_subscriptions(
        self, search: str = "", *, timeout: float | str | None = None
    ) -> AsyncIterator[str]:
        """Iterate over the names of the topic's subscriptions, as `AsyncClient.list_queues`."""
        return self._client._names(
            "ListSubscriptionByTopic",
            {"topicName": self._name, **_searching(search)},
            "subscriptionList",
            "subscriptionName",
            timeout,
        )

    def _common(self, tags: Iterable[str], routing_key: str) -> dict[str, str]:
        common = {"topicName": self._name, **wire.numbered("msgTag", wire.check_tags(tags))}
        if wire.check_routing_key(routing_key):
            common["routingKey"] = routing_key
        return common

    async def _ask(
        self, action: str, parameters: dict[str, str], timeout: float | str | None
    ) -> wire.JsonObject:
        return await self._client._ask(action, {"topicName": self._name, **parameters}, timeout)


class AsyncSubscription:
    """One subscription of a topic; made by `AsyncTopic.subscription` or `AsyncTopic.subscribe`."""

    def __init__(self, topic: AsyncTopic, name: str) -> None:
        self._topic = topic
        self._name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._topic.name!r}, {self._name!r})"

    @property
    def name(self) -> str:
        """The subscription's name."""
        return self._name

    async def attributes(
        self, *, timeout: float | str | None = None
    ) -> dict[str, str | int | list[str]]:
        """Return its attributes by CMQ's names; the lists are `filterTags` and `bindingKey`."""
        fields = await self._ask("GetSubscriptionAttributes", {}, timeout)
        made: dict[str, str | int | list[str]] = dict(_plain(fields))
        if "protocal" in made:
            made.setdefault("protocol", made.pop("protocal"))
        made["filterTags"] = _texts(fields.get("filterTags") or fields.get("filterTag"))
        made["bindingKey"] = _texts(fields.get("bindingKey"))
        return made

    async def set_attributes(
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
            **wire.numbered("bindingKey", _binding_keys(binding_keys)),
        }
        if not parameters:
            raise ConfigError("attributes must name at least one attribute")
        await self._ask("SetSubscriptionAttributes", parameters, timeout)

    async def clear_tags(self, *, timeout: float | str | None = None) -> None:
        """Remove the filter tags: every message is delivered."""
        await self._ask("ClearSubscriptionFilterTags", {}, timeout)

    async def delete(self, *, timeout: float | str | None = None) -> None:
        """Delete the subscription."""
        await self._ask("Unsubscribe", {}, timeout)

    async def _ask(
        self, action: str, parameters: dict[str, str], timeout: float | str | None
    ) -> wire.JsonObject:
        return await self._topic._ask(
            action, {"subscriptionName": self._name, **parameters}, timeout
        )


def _searching(search: str) -> dict[str, str]:
    if not isinstance(search, str):
        raise ConfigError(f"search must be a str, not {type(search).__name__}")
    return {"searchWord": search} if search else {}


def _binding_keys(keys: Iterable[str]) -> Sequence[str]:
    if isinstance(keys, str):
        raise ConfigError("binding_keys must be several str, not one")
    made = [wire.check_routing_key(key, "binding_keys") for key in keys]
    if len(made) > 5:
        raise ConfigError(f"binding_keys may be 5, not {len(made)}")
    return made


def _plain(fields: wire.JsonObject) -> dict[str, str | int]:
    """Return a reply's attributes without what is of the reply itself."""
    own = ("code", "message", "requestId", "codeDesc")
    return {
        name: value
        for name, value in fields.items()
        if name not in own and isinstance(value, (str, int))
    }


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
