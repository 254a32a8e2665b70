"""POP: the broker hands messages out, and takes them back unless they are acknowledged in time."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import ConfigError, ProtocolError
from ...remoting.connection import Command, Frame
from .. import codes
from ..models import ReceivedMessage, StartFrom
from . import RETRY_PREFIX, Subscription, integer, parse_messages

_FIRST, _LAST = 0, 1
_NORMAL, _RETRY_1, _RETRY_2 = "0", "1", "2"


class Handle(NamedTuple):
    """What settles one message: the property POP_CK, split."""

    check_offset: str
    pop_time: str
    invisible_time: str
    revive_queue: str
    retry: str
    broker_name: str
    queue_id: str
    offset: str

    @classmethod
    def parse(cls, text: str) -> Handle:
        """Read a receipt handle.

        Raises:
            ConfigError: it is none.
        """
        parts = text.split(" ")
        if len(parts) != len(cls._fields):
            raise ConfigError(f"receipt_handle {text!r} is none")
        return cls._make(parts)

    def __str__(self) -> str:
        return " ".join(self)

    def topic(self, group: str, topic: str) -> str:
        """Return the topic that the message lies in: its own, or one of the group's retries."""
        if self.retry == _RETRY_1:
            return f"{RETRY_PREFIX}{group}_{topic}"
        return f"{RETRY_PREFIX}{group}+{topic}" if self.retry == _RETRY_2 else topic


def receive_request(
    group: str,
    subscription: Subscription,
    broker_name: str,
    start_from: StartFrom,
    *,
    count: int,
    invisible: float,
    wait: float,
    now: int,
) -> Command:
    """Code 200050: receive up to `count` messages, waiting up to `wait` seconds for the first."""
    return Command(
        codes.POP_MESSAGE,
        {
            "consumerGroup": group,
            "topic": subscription.topic,
            "queueId": "-1",
            "maxMsgNums": str(count),
            "invisibleTime": str(int(invisible * 1000)),
            "pollTime": str(int(wait * 1000)),
            "bornTime": str(now),
            "initMode": str(_FIRST if start_from is StartFrom.FIRST else _LAST),
            "expType": subscription.kind,
            "exp": subscription.expression,
            "order": "false",
            "bname": broker_name,
        },
    )


def parse_received(frame: Frame, broker_name: str) -> list[ReceivedMessage]:
    """Read a code 200050 reply; each message has its receipt handle.

    Raises:
        ProtocolError: it is not what a broker sends.
    """
    messages = parse_messages(frame, broker_name, frozenset())
    fields = frame.ext_fields
    starts: dict[str, tuple[str, str]] = {}
    for entry in filter(None, fields.get("startOffsetInfo", "").split(";")):
        parts = entry.split(" ")
        if len(parts) != 3:
            raise ProtocolError(f"bad startOffsetInfo {entry!r}", service="rocketmq")
        retry, queue_id, offset = parts
        if retry == _NORMAL:
            starts[queue_id] = retry, offset
    for message in messages:
        given = message.native.property("POP_CK")
        if given:
            message.receipt_handle = given
            continue
        queue_id, offset = str(message.queue_id), str(message.queue_offset)
        retry, start = starts.get(queue_id, (_NORMAL, offset))
        message.receipt_handle = str(
            Handle(
                start,
                fields.get("popTime", "0"),
                fields.get("invisibleTime", "0"),
                fields.get("reviveQid", "0"),
                retry,
                broker_name,
                queue_id,
                offset,
            )
        )
    return messages


def _settling(group: str, topic: str, handle: Handle) -> dict[str, str]:
    return {
        "consumerGroup": group,
        "topic": handle.topic(group, topic),
        "queueId": handle.queue_id,
        "extraInfo": str(handle),
        "offset": handle.offset,
        "bname": handle.broker_name,
    }


def ack_request(group: str, topic: str, handle: Handle) -> Command:
    """Code 200051: a message was consumed."""
    return Command(codes.ACK_MESSAGE, _settling(group, topic, handle))


def change_request(group: str, topic: str, handle: Handle, invisible: float) -> Command:
    """Code 200053: keep a message for `invisible` seconds from now."""
    fields = _settling(group, topic, handle)
    fields["invisibleTime"] = str(int(invisible * 1000))
    return Command(codes.CHANGE_MESSAGE_INVISIBLETIME, fields)


def parse_changed(frame: Frame, handle: Handle) -> Handle:
    """Read a code 200053 reply: the handle from now on.

    Raises:
        ProtocolError: it has no numbers.
    """
    return handle._replace(
        check_offset=handle.offset,
        pop_time=str(integer(frame, "popTime")),
        invisible_time=str(integer(frame, "invisibleTime")),
        revive_queue=str(integer(frame, "reviveQid")),
    )
