# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""The SQS client."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from ...config import Credentials, Retry
from ...errors import ConfigError
from ...http.models import Origin
from ...http.service import client as service
from ...http.tls import shared_context
from .. import flow, wire
from ..credentials import (
    find_authorities,
    find_credentials,
    find_endpoint,
    find_region,
    find_retry,
)
from .queue import PAGE, Queue, QueueListing, attribute_texts

if TYPE_CHECKING:
    import ssl

    import requests

    from .consumer import Consumer
    from .producer import Producer

T = TypeVar("T")


class Client(service.ServiceClient[flow.Settings]):
    """Speaks to Amazon SQS, or to a server like it. May be used by many callers at a time.

    Args:
        region: such as "eu-west-1"; None asks AWS_REGION, AWS_DEFAULT_REGION and the profile.
        endpoint: such as "http://127.0.0.1:9324"; None asks AWS_ENDPOINT_URL_SQS and
            AWS_ENDPOINT_URL, and is the region's own else.
        credentials: the key pair, or a function that returns the one of now and is called for
            each request, or `MetadataCredentials`; None asks the environment and the profile.
        profile: the profile of the AWS files to take keys and region from.
        timeout: seconds that one request may take, a long poll's wait not counted.
        retry: how often a request is tried; AWS_MAX_ATTEMPTS or 3 times by default.
        ambiguous: "retry" sends a message again whose first try may have been stored, and says so
            in `SendResult.possible_duplicate`; "raise" raises with `outcome` "unknown". Messages
            with a deduplication id are always safe to send again.
        protocol: "json", or "query" for servers from before 2023.
        tls: an `ssl.SSLContext`; by default the peer is verified by AWS_CA_BUNDLE or the system's
            certificates.
        proxy: "http://[user:password@]host:port", "" for none; None asks HTTP_PROXY, HTTPS_PROXY,
            ALL_PROXY and NO_PROXY.
        session: a `requests.Session` to send over instead, whose adapters and proxies count; the
            sync client alone has it.

    Raises:
        ConfigError: an argument is wrong, or there are no keys or no region.
    """

    def __init__(
        self,
        region: str | None = None,
        *,
        endpoint: str | None = None,
        credentials: Credentials | Callable[[], Credentials] | None = None,
        profile: str | None = None,
        timeout: float | str = 30.0,
        retry: Retry | None = None,
        ambiguous: str = "retry",
        protocol: str = "json",
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
        if ambiguous not in ("retry", "raise"):
            raise ConfigError(f'ambiguous must be "retry" or "raise", not {ambiguous!r}')
        if protocol not in ("json", "query"):
            raise ConfigError(f'protocol must be "json" or "query", not {protocol!r}')
        region = find_region(profile) if region is None else region
        if not isinstance(region, str) or not region.isascii() or not region.isprintable():
            raise ConfigError(f'region must be a str such as "eu-west-1", not {region!r}')
        pair = find_credentials(profile) if credentials is None else credentials
        settings = flow.Settings(
            credentials=_provider(pair),
            region=region,
            origin=Origin.parse(endpoint or find_endpoint(region), "endpoint"),
            **service.patience("sqs", timeout, retry or find_retry()),
            ambiguous=ambiguous == "retry",
            new_id=lambda: os.urandom(16).hex(),
            old=protocol == "query",
        )
        authorities = find_authorities()
        secure = settings.origin.scheme == "https"
        if secure and tls is None and session is None and authorities:
            tls = shared_context(authorities)
        self._open(settings, tls, proxy, session)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.region!r}, {str(self._settings.origin)!r})"

    def queue(self, queue: str) -> Queue:
        """Return a queue by its name or URL; nothing is sent.

        Raises:
            ConfigError: `queue` is neither.
        """
        return Queue(self, flow.QueueState(wire.check_queue(queue)))

    def open_queue(self, queue: str) -> Queue:
        """Return a queue that closes this client when it is closed.

        Raises:
            ConfigError: `queue` is neither a name nor a URL.
        """
        opened = self.queue(queue)
        opened._owns_client = True
        return opened

    def producer(
        self,
        queue: str,
        *,
        linger: float = 0.0,
        concurrency: int = 8,
        max_pending: int = 10_000,
        max_pending_bytes: int = 64 * 1024 * 1024,
        when_full: str = "block",
    ) -> Producer:
        """Return a producer that sends many callers' messages in batches; nothing is sent yet.

        Args:
            queue: the queue's name or URL.
            linger: seconds that a message waits for others, 0 to 10. With 0 a batch is what came
                while those before were under way.
            concurrency: batches under way at a time, 1 to 64.
            max_pending: messages accepted and not yet stored.
            max_pending_bytes: their bytes.
            when_full: "block" lets who sends wait for room, "raise" raises DeadlineExceeded.

        Raises:
            ConfigError: an argument is wrong.
        """
        from .producer import Producer

        return Producer(
            self,
            queue,
            linger=linger,
            concurrency=concurrency,
            max_pending=max_pending,
            max_pending_bytes=max_pending_bytes,
            when_full=when_full,
        )

    def consumer(
        self,
        queue: str,
        *,
        prefetch: int = 10,
        visibility: int = 30,
        extend_visibility: bool = True,
        max_lease: int = 3600,
        dead_letter_queue: str | None = None,
    ) -> Consumer:
        """Return a consumer that receives ahead and keeps what is in hand; nothing is sent yet.

        Args:
            queue: the queue's name or URL.
            prefetch: messages received and waiting to be taken, 1 to 10000.
            visibility: seconds that a message is kept, and kept again, 2 to 43200.
            extend_visibility: keep messages in hand for as long as `max_lease` allows.
            max_lease: seconds after which a message is kept no longer, 1 to 43200.
            dead_letter_queue: where `dead_letter` moves messages; by default what the queue's
                RedrivePolicy names.

        Raises:
            ConfigError: an argument is wrong.
        """
        from .consumer import Consumer

        return Consumer(
            self,
            queue,
            prefetch=prefetch,
            visibility=visibility,
            extend_visibility=extend_visibility,
            max_lease=max_lease,
            dead_letter_queue=dead_letter_queue,
        )

    def create_queue(
        self,
        name: str,
        attributes: Mapping[str, str | int | bool] | None = None,
        tags: Mapping[str, str] | None = None,
        *,
        timeout: float | str | None = None,
    ) -> Queue:
        """Create a queue, or return the one that has this name and these attributes.

        Args:
            name: 1 to 80 letters, digits, - and _; ".fifo" at its end makes it a FIFO queue.
            attributes: by SQS's names, such as {"VisibilityTimeout": 60}.
            tags: at most 50.
            timeout: seconds for the whole call.

        Raises:
            ConfigError: an argument is wrong.
            Conflict: a queue of that name has other attributes, or was deleted within a minute.
            AccessDenied, ServiceError, TransportError: the service or the network failed.
        """
        if "/" in wire.check_queue(name):
            raise ConfigError("name must be a queue's name, not its URL")
        given = attribute_texts(attributes)
        if name.endswith(".fifo"):
            given.setdefault("FifoQueue", "true")
        state = self._run(
            flow.create(self._settings, name, given, tags or {}, self._deadline(timeout))
        )
        return Queue(self, state)

    def list_queues(
        self, prefix: str = "", *, timeout: float | str | None = None
    ) -> QueueListing:
        """Return the URLs of all queues whose names begin with `prefix`, fetched page by page.

        `timeout` is for each page. What the service says is raised while iterating.
        """
        if not isinstance(prefix, str):
            raise ConfigError("prefix must be a str")
        fields: wire.JsonObject = {"MaxResults": PAGE}
        if prefix:
            fields["QueueNamePrefix"] = prefix
        return QueueListing(self, None, "ListQueues", fields, timeout)

    def ping(self, timeout: float | str = 1.0) -> float:
        """Ask for one queue and return the seconds that the answer took.

        Raises:
            WirespeedError: the service did not answer, or said no.
        """
        clock = self._settings.clock.monotonic
        start = clock()
        self._run(
            flow.list_page(
                self._settings, "ListQueues", {"MaxResults": 1}, "", self._deadline(timeout)
            )
        )
        return clock() - start

    def __enter__(self) -> Client:
        return self


def _provider(
    credentials: Credentials | Callable[[], Credentials],
) -> Callable[[], Credentials]:
    """Return a function that gives the key pair of now, or raise `ConfigError`."""
    if isinstance(credentials, Credentials):
        return lambda: credentials
    if callable(credentials):
        return credentials
    raise ConfigError(
        f"credentials must be Credentials or a function, not {type(credentials).__name__}"
    )
