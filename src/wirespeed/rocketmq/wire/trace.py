"""Trace records: what a message's life looked like from its clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..models import Message, ReceivedMessage, SendResult

TOPIC = "RMQ_SYS_TRACE_TOPIC"
_FIELD = "\x01"
_RECORD = "\x02"
_REGION = "DefaultRegion"
_NORMAL, _HALF, _DELAYED = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Record:
    """One record, and what it is found by.

    Attributes:
        text: its fields, joined.
        keys: the ids and keys of its message.
    """

    text: str
    keys: tuple[str, ...]


def published(
    group: str,
    message: Message,
    result: SendResult | None,
    store_host: str,
    began: float,
    cost: float,
) -> Record:
    """Return the record of a send.

    Args:
        group: the producer group.
        message: what was sent.
        result: the acknowledgement, or None where there was none.
        store_host: the broker's "ip:port".
        began: seconds since 1970.
        cost: seconds that it took.
    """
    properties = message.properties
    kind = _NORMAL
    if properties.get("TRAN_MSG") == "true":
        kind = _HALF
    elif properties.keys() & {"DELAY", "TIMER_DELAY_SEC", "TIMER_DELAY_MS", "TIMER_DELIVER_MS"}:
        kind = _DELAYED
    message_id = properties.get("UNIQ_KEY", "")
    fields = (
        "Pub",
        str(int(began * 1000)),
        _REGION,
        group,
        message.topic,
        message_id,
        message.tag or "",
        " ".join(message.keys),
        store_host,
        str(len(message.body)),
        str(int(cost * 1000)),
        str(kind),
        result.offset_message_id if result is not None else "",
        "true" if result is not None else "false",
    )
    return Record(_FIELD.join(fields) + _RECORD, (message_id, *message.keys))


def consuming(group: str, message: ReceivedMessage, request_id: str, began: float) -> Record:
    """Return the record of a message that is handed to a handler."""
    fields = (
        "SubBefore",
        str(int(began * 1000)),
        _REGION,
        group,
        request_id,
        message.message_id,
        str(message.reconsume_times),
        " ".join(message.keys),
    )
    return Record(_FIELD.join(fields) + _RECORD, (message.message_id, *message.keys))


def consumed(
    group: str, message: ReceivedMessage, request_id: str, ended: float, cost: float, success: bool
) -> Record:
    """Return the record of a message that a handler is done with."""
    fields = (
        "SubAfter",
        request_id,
        message.message_id,
        str(int(cost * 1000)),
        "true" if success else "false",
        " ".join(message.keys),
        "0" if success else "4",
        str(int(ended * 1000)),
        group,
    )
    return Record(_FIELD.join(fields) + _RECORD, (message.message_id, *message.keys))


def as_message(records: Sequence[Record]) -> Message:
    """Return the message that carries records."""
    keys = dict.fromkeys(key for record in records for key in record.keys if key)
    body = "".join(record.text for record in records).encode()
    return Message.from_parts(TOPIC, body, {"KEYS": " ".join(keys)})
