# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""The SQS queue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from ...config import whole
from ...engine.effects import Flow
from ...errors import ConfigError, ProtocolError, WirespeedError
from .. import flow, wire
from ..models import (
    BATCH_LIMIT,
    LONGEST_VISIBILITY,
    LONGEST_WAIT,
    Attribute,
    AttributeValue,
    Message,
    MoveTask,
    ReceivedMessage,
    SendResult,
)

if TYPE_CHECKING:
    from .client import Client

T = TypeVar("T")
PAGE = 1000
"""Queues that a page of a listing has."""


class Queue:
    """One queue; made by `Client.queue` or `Client.create_queue`.

    Every method takes `timeout`: seconds that the whole call may take, its retries included.
    None leaves it to the client's timeout for each request and its number of tries. Every method
    raises NotFound where there is no such queue, AccessDenied, and ServiceError or TransportError
    where the service or the network failed.
    """

    def __init__(self, client: Client, state: flow.QueueState) -> None:
        self._client = client
        self._settings = client._settings
        self._state = state
        self._owns_client = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._state.url or self._state.given!r})"

    @property
    def name(self) -> str:
        """The queue's name."""
        return self._state.given.rpartition("/")[2]

    def url(self, *, timeout: float | str | None = None) -> str:
        """Return the queue's URL, asked of the service the first time."""
        return self._run(flow.url_of(self._settings, self._state, self._deadline(timeout)))

    # ---- messages ----

    def send(
        self,
        body: str,
        *,
        delay: int | None = None,
        attributes: Mapping[str, AttributeValue | Attribute] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        trace_header: str = "",
        timeout: float | str | None = None,
    ) -> SendResult:
        """Send one message and wait until it is stored; its checksums are compared.

        The arguments are those of `Message`; `timeout` is for the whole call.

        Raises:
            ConfigError: an argument is wrong; nothing was sent.
            WirespeedError: it was not acknowledged; `outcome` tells whether it may be stored.
            IntegrityError: the service stored something else.
        """
        message = Message(body, delay, attributes or {}, group_id, deduplication_id, trace_header)
        return self._run(
            flow.send(self._settings, self._state, self._checked(message), self._deadline(timeout))
        )

    def send_many(
        self, messages: Iterable[Message | str], *, timeout: float | str | None = None
    ) -> list[SendResult | WirespeedError]:
        """Send messages in batches of at most 10 and 1 MiB.

        Args:
            messages: `Message` objects, or bodies alone.
            timeout: seconds for the whole call.

        Returns:
            For each message, in order, a `SendResult`, or the error that kept it from being
            stored. To a FIFO queue nothing is sent after a batch that failed.

        Raises:
            ConfigError: a message is wrong; nothing was sent.
        """
        checked = [
            self._checked(item if isinstance(item, Message) else Message(item)) for item in messages
        ]
        return self._run(
            flow.send_many(self._settings, self._state, checked, self._deadline(timeout))
        )

    def receive(
        self,
        count: int = BATCH_LIMIT,
        *,
        wait: int | None = LONGEST_WAIT,
        visibility: int | None = None,
        timeout: float | str | None = None,
    ) -> list[ReceivedMessage]:
        """Receive messages; those not acknowledged come back.

        Args:
            count: how many at most, 1 to 10.
            wait: seconds to wait for the first, 0 to 20; None leaves it to the queue.
            visibility: seconds until they come back, 0 to 43200; None leaves it to the queue.
            timeout: seconds for the whole call.

        Returns:
            The messages, none where none came in time.

        Raises:
            IntegrityError: a message was changed on its way.
        """
        whole(count, "count", 1, BATCH_LIMIT)
        if wait is not None:
            whole(wait, "wait", 0, LONGEST_WAIT)
        if visibility is not None:
            whole(visibility, "visibility", 0, LONGEST_VISIBILITY)
        return self._run(
            flow.receive(
                self._settings, self._state, count, wait, visibility, self._deadline(timeout)
            )
        )

    def __iter__(self) -> Iterator[ReceivedMessage]:
        """Receive messages without end, by long polls. Acknowledge each."""
        while True:
            for message in self.receive():
                yield message

    def ack(
        self, message: ReceivedMessage | str, *, timeout: float | str | None = None
    ) -> None:
        """Delete a message that was received; it or its receipt handle."""
        self._do("DeleteMessage", {"ReceiptHandle": _handle(message)}, timeout)

    def ack_many(
        self,
        messages: Iterable[ReceivedMessage | str],
        *,
        timeout: float | str | None = None,
    ) -> list[WirespeedError | None]:
        """Delete messages in batches; return for each None, or the error that kept it."""
        entries = [{"ReceiptHandle": _handle(message)} for message in messages]
        return self._settle("DeleteMessageBatch", entries, timeout)

    def nack(
        self,
        message: ReceivedMessage | str,
        *,
        delay: int = 0,
        timeout: float | str | None = None,
    ) -> None:
        """Give a message back, to be received again after `delay` seconds, 0 to 43200."""
        self._hide(message, whole(delay, "delay", 0, LONGEST_VISIBILITY), timeout)

    def extend(
        self,
        message: ReceivedMessage | str,
        visibility: int,
        *,
        timeout: float | str | None = None,
    ) -> None:
        """Keep a message for `visibility` seconds from now, 1 to 43200."""
        self._hide(message, whole(visibility, "visibility", 1, LONGEST_VISIBILITY), timeout)

    def extend_many(
        self,
        messages: Iterable[ReceivedMessage | str],
        visibility: int,
        *,
        timeout: float | str | None = None,
    ) -> list[WirespeedError | None]:
        """Keep messages for `visibility` seconds from now; 0 gives them back at once.

        Returns:
            For each None, or the error that kept it.
        """
        whole(visibility, "visibility", 0, LONGEST_VISIBILITY)
        entries = [
            {"ReceiptHandle": _handle(message), "VisibilityTimeout": visibility}
            for message in messages
        ]
        return self._settle("ChangeMessageVisibilityBatch", entries, timeout)

    # ---- the queue itself ----

    def attributes(self, *names: str, timeout: float | str | None = None) -> dict[str, str]:
        """Return the queue's attributes of these names, all of them without any."""
        for name in names:
            if not isinstance(name, str) or not name:
                raise ConfigError(f"names must be non-empty str, not {name!r}")
        fields = {"AttributeNames": list(names) or ["All"]}
        reply = self._do("GetQueueAttributes", fields, timeout)
        return {name: str(value) for name, value in (reply.get("Attributes") or {}).items()}

    def set_attributes(
        self,
        attributes: Mapping[str, str | int | bool],
        *,
        timeout: float | str | None = None,
    ) -> None:
        """Change attributes, by SQS's names, such as {"VisibilityTimeout": 60}."""
        given = attribute_texts(attributes)
        if not given:
            raise ConfigError("attributes must name at least one attribute")
        self._do("SetQueueAttributes", {"Attributes": given}, timeout)
        self._state.makes_ids = None

    def count(self, *, timeout: float | str | None = None) -> int:
        """Return about how many messages can be received now."""
        name = "ApproximateNumberOfMessages"
        return int((self.attributes(name, timeout=timeout)).get(name, 0))

    def purge(self, *, timeout: float | str | None = None) -> None:
        """Delete all messages; Conflict within a minute of the purge before."""
        self._do("PurgeQueue", {}, timeout)

    def delete(self, *, timeout: float | str | None = None) -> None:
        """Delete the queue with its messages."""
        self._do("DeleteQueue", {}, timeout)

    def tags(self, *, timeout: float | str | None = None) -> dict[str, str]:
        """Return the queue's tags."""
        return dict((self._do("ListQueueTags", {}, timeout)).get("Tags") or {})

    def tag(self, tags: Mapping[str, str], *, timeout: float | str | None = None) -> None:
        """Add tags, or change those that there are."""
        if not tags:
            raise ConfigError("tags must name at least one tag")
        self._do("TagQueue", {"Tags": dict(tags)}, timeout)

    def untag(self, *names: str, timeout: float | str | None = None) -> None:
        """Remove tags."""
        if not names:
            raise ConfigError("names must name at least one tag")
        self._do("UntagQueue", {"TagKeys": list(names)}, timeout)

    def add_permission(
        self,
        label: str,
        accounts: Sequence[str],
        actions: Sequence[str],
        *,
        timeout: float | str | None = None,
    ) -> None:
        """Let accounts carry out actions, such as ["SendMessage"] or ["*"], under a label."""
        fields = {"Label": label, "AWSAccountIds": list(accounts), "Actions": list(actions)}
        self._do("AddPermission", fields, timeout)

    def remove_permission(self, label: str, *, timeout: float | str | None = None) -> None:
        """Withdraw what `add_permission` gave under a label."""
        self._do("RemovePermission", {"Label": label}, timeout)

    def dead_letter_queue(self, *, timeout: float | str | None = None) -> Queue | None:
        """Return the queue that this one's dead letters go to, None where there is none."""
        policy = (self.attributes("RedrivePolicy", timeout=timeout)).get("RedrivePolicy")
        try:
            arn = json.loads(policy)["deadLetterTargetArn"] if policy else ""
            return self._client.queue(arn.rpartition(":")[2]) if arn else None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProtocolError(f"the RedrivePolicy cannot be read: {error!r}") from error

    def arn(self, *, timeout: float | str | None = None) -> str:
        """Return the queue's ARN."""
        return self._run(flow.arn_of(self._settings, self._state, self._deadline(timeout)))

    def dead_letter_sources(self, *, timeout: float | str | None = None) -> QueueListing:
        """Return the URLs of the queues whose dead letters come here; `timeout` is for a page."""
        fields: wire.JsonObject = {"MaxResults": PAGE}
        return QueueListing(
            self._client, self._state, "ListDeadLetterSourceQueues", fields, timeout
        )

    def redrive(
        self,
        destination_arn: str = "",
        *,
        rate: int | None = None,
        timeout: float | str | None = None,
    ) -> str:
        """Begin to move this dead-letter queue's messages, and return the handle that cancels it.

        Args:
            destination_arn: the ARN of the queue to move them to; "" for where they came from.
            rate: messages a second at most, 1 to 500.
            timeout: seconds for the whole call.
        """
        deadline = self._deadline(timeout)
        fields: wire.JsonObject = {
            "SourceArn": self._run(flow.arn_of(self._settings, self._state, deadline))
        }
        if destination_arn:
            fields["DestinationArn"] = destination_arn
        if rate is not None:
            fields["MaxNumberOfMessagesPerSecond"] = whole(rate, "rate", 1, 500)
        reply = self._run(flow.ask(self._settings, "StartMessageMoveTask", fields, deadline))
        return flow.text_of(reply, "TaskHandle")

    def redrives(self, *, timeout: float | str | None = None) -> list[MoveTask]:
        """Return the last ten redrives out of this queue, newest first."""
        deadline = self._deadline(timeout)
        arn = self._run(flow.arn_of(self._settings, self._state, deadline))
        return self._run(flow.move_tasks(self._settings, arn, deadline))

    def cancel_redrive(self, handle: str, *, timeout: float | str | None = None) -> int:
        """Stop a redrive; return about how many messages it had moved."""
        reply = self._run(
            flow.ask(
                self._settings,
                "CancelMessageMoveTask",
                {"TaskHandle": handle},
                self._deadline(timeout),
            )
        )
        return int(reply.get("ApproximateNumberOfMessagesMoved") or 0)

    def close(self) -> None:
        """Close the client if this queue came from `open_queue`. Twice is fine."""
        if self._owns_client:
            self._client.close()

    def __enter__(self) -> Queue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _checked(self, message: Message) -> Message:
        if self._state.is_fifo and message.group_id is None:
            raise ConfigError("group_id must be given: the queue is a FIFO queue")
        if self._state.is_fifo and message.delay is not None:
            raise ConfigError("delay must be None: a FIFO queue has one delay for all messages")
        return message

    def _hide(
        self, message: ReceivedMessage | str, visibility: int, timeout: float | str | None
    ) -> None:
        fields = {"ReceiptHandle": _handle(message), "VisibilityTimeout": visibility}
        self._do("ChangeMessageVisibility", fields, timeout)

    def _settle(
        self, action: str, entries: Sequence[wire.JsonObject], timeout: float | str | None
    ) -> list[WirespeedError | None]:
        return self._run(
            flow.settle_many(self._settings, self._state, action, entries, self._deadline(timeout))
        )

    def _do(
        self, action: str, fields: wire.JsonObject, timeout: float | str | None
    ) -> wire.JsonObject:
        return self._run(
            flow.on_queue(self._settings, self._state, action, fields, self._deadline(timeout))
        )

    def _deadline(self, timeout: float | str | None) -> float:
        return self._client._deadline(timeout)

    def _run(self, work: Flow[T]) -> T:
        return self._client._run(work)


class QueueListing:
    """URLs of queues, fetched page by page. Each iteration begins anew."""

    def __init__(
        self,
        client: Client,
        of: flow.QueueState | None,
        action: str,
        fields: wire.JsonObject,
        timeout: float | str | None,
    ) -> None:
        self._client = client
        self._of = of
        self._action = action
        self._fields = fields
        self._timeout = timeout

    def __iter__(self) -> Iterator[str]:
        for page in self.pages():
            for url in page:
                yield url

    def pages(self) -> Iterator[list[str]]:
        """Iterate over whole pages."""
        client, token = self._client, ""
        while True:
            deadline = client._deadline(self._timeout)
            fields = self._fields
            if self._of is not None:
                url = client._run(flow.url_of(client._settings, self._of, deadline))
                fields = {"QueueUrl": url, **fields}
            page, token = client._run(
                flow.list_page(client._settings, self._action, fields, token, deadline)
            )
            yield page
            if not token:
                return

    def all(self) -> list[str]:
        """Return the URLs as a list."""
        urls: list[str] = []
        for page in self.pages():
            urls += page
        return urls


def attribute_texts(given: Mapping[str, str | int | bool] | None) -> dict[str, str]:
    """Return attributes as SQS writes them, or raise `ConfigError`."""
    made = {}
    for name, value in (given or {}).items():
        if not isinstance(name, str) or not isinstance(value, (str, int)):
            raise ConfigError(f"attribute {name!r} must be a str, int or bool, not {value!r}")
        made[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return made


def _handle(message: ReceivedMessage | str) -> str:
    handle = message.receipt_handle if isinstance(message, ReceivedMessage) else message
    if not isinstance(handle, str) or not handle:
        raise ConfigError("message must be a ReceivedMessage or its receipt handle")
    return handle
