"""The values of SQS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

MESSAGE_LIMIT = 1024 * 1024
"""Bytes of a message, and of all messages of a batch: bodies and attributes together."""

BATCH_LIMIT = 10
ATTRIBUTE_LIMIT = 10
LONGEST_WAIT = 20
LONGEST_DELAY = 900
LONGEST_VISIBILITY = 43_200

AttributeValue = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Attribute:
    """A message attribute with a type of its own, such as `Attribute("7", "Number.byte")`.

    Args:
        value: text, or bytes for a Binary.
        type: "String", "Number" or "Binary", perhaps with a suffix after a dot.
    """

    value: str | bytes
    type: str = "String"


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send.

    Args:
        body: 1 byte to 1 MiB of text, attributes included; XML characters alone.
        delay: seconds until it can be received, 0 to 900; None leaves it to the queue.
        attributes: at most 10 by name; a str is sent as String, an int or float as Number, bytes
            as Binary, and an `Attribute` as it says.
        group_id: the group within which a FIFO queue keeps the order.
        deduplication_id: a FIFO queue stores one message of each within 5 minutes; made where it
            is None and the queue does not use the body for it.
        trace_header: the X-Ray header AWSTraceHeader, or "".
    """

    body: str
    delay: int | None = None
    attributes: Mapping[str, AttributeValue | Attribute] = field(default_factory=dict)
    group_id: str | None = None
    deduplication_id: str | None = None
    trace_header: str = ""


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message received; its checksums were compared.

    Attributes:
        message_id: the service's id of the message.
        receipt_handle: what `ack`, `nack` and `extend` name; each receive gives a new one.
        body: its text.
        attributes: the sender's, as text or bytes, or an `Attribute` where the type is no plain
            String, Number or Binary. A Number stays text.
        system: the service's own, such as "SentTimestamp", as text.
    """

    message_id: str
    receipt_handle: str = field(repr=False)
    body: str
    attributes: Mapping[str, str | bytes | Attribute] = field(default_factory=dict)
    system: Mapping[str, str] = field(default_factory=dict)

    @property
    def receive_count(self) -> int:
        """How many times it was received, this one included; 0 where the service did not say."""
        return int(self.system.get("ApproximateReceiveCount", 0))

    @property
    def sent_at(self) -> datetime | None:
        """When it was stored, in UTC, or None where the service did not say."""
        stamp = self.system.get("SentTimestamp")
        return datetime.fromtimestamp(int(stamp) / 1000, timezone.utc) if stamp else None

    @property
    def group_id(self) -> str | None:
        """The group of a message of a FIFO queue."""
        return self.system.get("MessageGroupId")

    @property
    def deduplication_id(self) -> str | None:
        """The deduplication id of a message of a FIFO queue."""
        return self.system.get("MessageDeduplicationId")

    @property
    def sequence_number(self) -> str | None:
        """The place of a message of a FIFO queue within its group, growing."""
        return self.system.get("SequenceNumber")


@dataclass(frozen=True, slots=True)
class SendResult:
    """A message was stored.

    Attributes:
        message_id: the service's id of it.
        sequence_number: its place in a FIFO queue, or None.
        attempts: how many times it was sent.
        possible_duplicate: whether a try before may have stored it too.
    """

    message_id: str
    sequence_number: str | None = None
    attempts: int = 1
    possible_duplicate: bool = False


@dataclass(frozen=True, slots=True)
class MoveTask:
    """A redrive of messages out of a dead-letter queue.

    Attributes:
        handle: what cancels it, or "" once it has ended.
        status: "RUNNING", "COMPLETED", "CANCELLING", "CANCELLED" or "FAILED".
        source_arn: the dead-letter queue.
        destination_arn: where the messages go, or "" for the queues they came from.
        moved: how many were moved so far.
        to_move: how many there were when it began, or None.
        failure: why it failed, or "".
    """

    handle: str
    status: str
    source_arn: str
    destination_arn: str = ""
    moved: int = 0
    to_move: int | None = None
    failure: str = ""
