"""Queues for asyncio. Their twin under `client` is generated from this file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from ...config import whole
from ...errors import ConfigError, NotFound, Unsupported, WirespeedError
from .. import flow, wire
from ..models import (
    BATCH_LIMIT,
    LONGEST_DELAY,
    LONGEST_WAIT,
    DeadLetterPolicy,
    ReceivedMessage,
    SendResult,
)

if TYPE_CHECKING:
    from .client import AsyncClient

_NO_LEASE = "CMQ cannot change when a received message comes back; the queue's visibilityTimeout is"


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
        return wire.plain(await self._ask("GetQueueAttributes", {}, timeout))

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

    async def dead_letter_policy(
        self, *, timeout: float | str | None = None
    ) -> DeadLetterPolicy | None:
        """Return the queue's dead-letter policy, None where it has none."""
        return wire.decode_policy(await self._ask("GetQueueAttributes", {}, timeout))

    async def set_dead_letter_policy(
        self, policy: DeadLetterPolicy, *, timeout: float | str | None = None
    ) -> None:
        """Move messages to a dead-letter queue by a policy."""
        await self._ask("SetQueueAttributes", wire.encode_policy(policy), timeout)

    async def clear_dead_letter_policy(self, *, timeout: float | str | None = None) -> None:
        """Move messages to no dead-letter queue any more."""
        await self._ask("UnbindDeadLetterQueue", {}, timeout)

    async def dead_letter_queue(self, *, timeout: float | str | None = None) -> AsyncQueue | None:
        """Return the queue that this one's dead letters go to, None where there is none.

        CMQ names it by its id, which is looked up in the list of queues.
        """
        policy = await self.dead_letter_policy(timeout=timeout)
        if policy is None:
            return None
        async for identity, name in self._client._ids(timeout):
            if policy.queue in (identity, name):
                return self._client.queue(name)
        raise NotFound(f"there is no queue of the id {policy.queue}", service="cmq")

    def dead_letter_sources(
        self, search: str = "", *, timeout: float | str | None = None
    ) -> AsyncIterator[str]:
        """Iterate over the names of the queues whose dead letters come here, page by page.

        Those that contain `search`; `timeout` is for each page.
        """
        parameters = {"deadLetterQueueName": self._name, **wire.searching(search)}
        return self._client._names(
            "ListDeadLetterSourceQueues", parameters, "queueList", "queueName", timeout
        )

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
