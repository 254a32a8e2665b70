"""The CMQ client for asyncio. Its twin under `client` is generated from this file."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from ...config import Credentials, Retry
from ...errors import ConfigError
from ...http.models import Origin
from ...http.service import aio as service
from .. import flow, wire
from ..models import DeadLetterPolicy
from .queue import AsyncQueue
from .topic import AsyncTopic

if TYPE_CHECKING:
    import ssl

    import requests

T = TypeVar("T")
_MOST_CONNECTIONS = 64
_PAGE = 100
_SMALL_PAGE = 50
_LARGEST_NONCE = 2**31 - 1


class AsyncClient(service.AsyncServiceClient[flow.Settings]):
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
        proxy: "http://[user:password@]host:port", "" for none; None asks HTTP_PROXY, HTTPS_PROXY,
            ALL_PROXY and NO_PROXY.
        session: a `requests.Session` to send over instead, whose adapters and proxies count; the
            sync client alone has it.

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
        proxy: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
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
        settings = flow.Settings(
            credentials=provider,
            origin=Origin.parse(endpoint, "endpoint"),
            method=method,
            sha256=signature == "sha256",
            **service.patience("cmq", timeout, retry),
            ambiguous=ambiguous == "retry",
            nonce=lambda: secrets.randbelow(_LARGEST_NONCE) + 1,
        )
        self._open(settings, tls, proxy, session)

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
        dead_letter_policy: DeadLetterPolicy | None = None,
        timeout: float | str | None = None,
    ) -> AsyncQueue:
        """Create a queue.

        Args:
            name: a letter, then up to 63 letters, digits, - and _.
            attributes: by CMQ's names, such as {"visibilityTimeout": 60, "rewindSeconds": 3600}.
            dead_letter_policy: which messages are moved to another queue.
            timeout: seconds for the whole call.

        Raises:
            ConfigError: an argument is wrong.
            Conflict: there is one of that name, or one was deleted within 30 seconds.
            WirespeedError: the service or the network failed.
        """
        queue = self.queue(name)
        given = wire.check_attributes(attributes or {})
        if dead_letter_policy is not None:
            given.update(wire.encode_policy(dead_letter_policy))
        await self._ask("CreateQueue", {"queueName": name, **given}, timeout)
        return queue

    def list_queues(
        self, search: str = "", *, timeout: float | str | None = None
    ) -> AsyncIterator[str]:
        """Iterate over the names of all queues that contain `search`, fetched page by page.

        `timeout` is for each page. What the service says is raised while iterating.
        """
        return self._names("ListQueue", wire.searching(search), "queueList", "queueName", timeout)

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
        return self._names("ListTopic", wire.searching(search), "topicList", "topicName", timeout)

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

    async def __aenter__(self) -> AsyncClient:
        return self

    async def _ids(self, timeout: float | str | None) -> AsyncIterator[tuple[str, str]]:
        """Iterate over the ids and names of all queues."""
        for page in flow.pages(
            self._settings, "ListQueue", {}, "queueList", _PAGE, lambda: self._deadline(timeout)
        ):
            for item in await self._run(page):
                yield wire.text_of(item, "queueId"), wire.text_of(item, "queueName")

    async def _names(
        self,
        action: str,
        parameters: dict[str, str],
        items: str,
        name: str,
        timeout: float | str | None,
    ) -> AsyncIterator[str]:
        size = _SMALL_PAGE if action == "ListDeadLetterSourceQueues" else _PAGE
        for page in flow.pages(
            self._settings, action, parameters, items, size, lambda: self._deadline(timeout)
        ):
            for item in await self._run(page):
                yield wire.text_of(item, name)

    async def _ask(
        self, action: str, parameters: dict[str, str], timeout: float | str | None
    ) -> wire.JsonObject:
        return await self._run(
            flow.ask(self._settings, action, parameters, self._deadline(timeout), wire.parse)
        )
