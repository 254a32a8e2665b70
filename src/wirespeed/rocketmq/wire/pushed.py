"""What brokers ask of clients, and the answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import ProtocolError
from ...remoting.connection import Command, Frame
from .. import codes, fastjson
from ..models import MessageQueue
from . import to_json


def parse_queue(value: Mapping[str, Any]) -> MessageQueue:
    """Read a queue of a JSON body.

    Raises:
        KeyError, ValueError, TypeError: it is none.
    """
    return MessageQueue(str(value["topic"]), str(value["brokerName"]), int(value["queueId"]))


def parse_reset(frame: Frame) -> dict[MessageQueue, int]:
    """Read a code 220 request: the offsets to go to.

    Raises:
        ProtocolError: the body is not what a broker sends.
    """
    try:
        table = fastjson.loads(frame.body)["offsetTable"]
        if isinstance(table, list):
            return {parse_queue(each): int(each["offset"]) for each in table}
        return {parse_queue(json.loads(key)): int(offset) for key, offset in table.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(f"bad table of offsets: {error!r}", service="rocketmq") from error


def offsets_answer(offsets: Mapping[MessageQueue, int]) -> Command:
    """Answer a code 221 request with where a consumer is."""
    return Command(codes.SUCCESS, body=b'{"messageQueueTable":' + _table(offsets) + b"}")


def running_info_answer(
    properties: Mapping[str, str],
    subscriptions: Iterable[Mapping[str, Any]],
    queues: Mapping[MessageQueue, Mapping[str, object]],
) -> Command:
    """Answer a code 307 request with what a consumer is doing."""
    body = b"".join(
        (
            b'{"properties":',
            to_json(properties),
            b',"subscriptionSet":',
            to_json(list(subscriptions)),
            b',"statusTable":{},"userConsumerInfo":{},"mqPopTable":{},"mqTable":',
            _table(queues),
            b"}",
        )
    )
    return Command(codes.SUCCESS, body=body)


def no_group_answer(group: str) -> Command:
    """Answer a code 309 request where no handler of `group` is."""
    remark = f"The Consumer Group <{group}> not exist in this consumer"
    return Command(codes.SYSTEM_ERROR, remark=remark)


def consumed_answer(verdict: str, remark: str | None, took: float, *, ordered: bool) -> Command:
    """Answer a code 309 request with what became of its message.

    Args:
        verdict: "CR_SUCCESS", "CR_LATER" or "CR_THROW_EXCEPTION".
        remark: the reason, or None.
        took: seconds in the handler.
        ordered: whether the group consumes in order.
    """
    result = {
        "order": ordered,
        "autoCommit": True,
        "consumeResult": verdict,
        "remark": remark,
        "spentTimeMills": int(took * 1000),
    }
    return Command(codes.SUCCESS, body=to_json(result))


def _table(values: Mapping[MessageQueue, object]) -> bytes:
    """Return an object whose keys are objects, as fastjson reads it."""
    pairs = (
        to_json({"brokerName": queue.broker_name, "queueId": queue.queue_id, "topic": queue.topic})
        + b":"
        + to_json(value)
        for queue, value in values.items()
    )
    return b"{" + b",".join(pairs) + b"}"
