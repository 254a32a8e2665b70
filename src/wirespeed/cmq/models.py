"""The values of CMQ."""

from __future__ import annotations

from dataclasses import dataclass, field

BATCH_LIMIT = 16
MESSAGE_LIMIT = 1024 * 1024
LONGEST_WAIT = 30
LONGEST_DELAY = 70 * 24 * 3600
TAG_LIMIT = 5
LONGEST_TAG = 16
LONGEST_ROUTING_KEY = 64
MOST_ROUTING_DOTS = 15
LONGEST_HANDLE = 256


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message received.

    Attributes:
        message_id: the service's id of the message.
        receipt_handle: what `ack` names; each receive gives a new one.
        body: its text. CMQ has no checksum of it.
        enqueued_at: when it was stored, seconds since 1970; 0 where the service did not say.
        first_received_at: when it was received first, likewise.
        visible_at: when it comes back unless it is acknowledged, likewise.
        receive_count: how many times it was received, this one included, likewise.
    """

    message_id: str
    receipt_handle: str = field(repr=False)
    body: str
    enqueued_at: int = 0
    first_received_at: int = 0
    visible_at: int = 0
    receive_count: int = 0


@dataclass(frozen=True, slots=True)
class SendResult:
    """A message was stored.

    Attributes:
        message_id: the service's id of it.
        attempts: how many times it was sent.
        possible_duplicate: whether a try before may have stored it too.
    """

    message_id: str
    attempts: int = 1
    possible_duplicate: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetterPolicy:
    """Which messages of a queue are moved to another one; one of the two limits is given.

    Args:
        queue: the dead-letter queue's name; it has no dead-letter queue itself. In a policy that
            was read it is the queue's id, as CMQ gives it.
        max_receives: a message received that often and not deleted is moved, 1 to 1000.
        max_age: a message not deleted after so many seconds is moved, 300 to 43200.
    """

    queue: str
    max_receives: int | None = None
    max_age: int | None = None
