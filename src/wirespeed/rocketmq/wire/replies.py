"""Request and reply: what both sides put into their messages, and how replies travel."""

from __future__ import annotations

from ...errors import ConfigError, ProtocolError
from ...remoting.connection import Command, Frame
from .. import codes
from ..compression import COMPRESSED, decompress
from ..models import Message, MessageQueue, ReceivedMessage
from . import encode_properties, send_request

CORRELATION = "CORRELATION_ID"
_REQUESTER = "REPLY_TO_CLIENT"
_LIFE = "TTL"


def make_request(message: Message, correlation: str, client_id: str, timeout: float) -> None:
    """Turn a message into a request that `client_id` waits for `timeout` seconds on."""
    message.properties[CORRELATION] = correlation
    message.properties[_REQUESTER] = client_id
    message.properties[_LIFE] = str(int(timeout * 1000))


def make_reply(request: ReceivedMessage, body: bytes, properties: dict[str, str]) -> Message:
    """Return the reply to a request.

    Raises:
        ConfigError: nobody waits for one.
    """
    asked = request.properties
    if not (asked.get(CORRELATION) and asked.get(_REQUESTER) and asked.get("CLUSTER")):
        raise ConfigError(f"{request!r} is no request: nobody waits for a reply")
    own = {name: asked[name] for name in (CORRELATION, _REQUESTER, _LIFE) if name in asked}
    return Message.from_parts(
        f"{asked['CLUSTER']}_REPLY_TOPIC", body, {**properties, **own, "MSG_TYPE": "reply"}
    )


def reply_request(group: str, reply: Message, broker_name: str, born_timestamp: int) -> Command:
    """Code 325: hand a reply to the broker, which pushes it to who asked."""
    queue = MessageQueue(reply.topic, broker_name, 0)
    command = send_request(
        group, reply, encode_properties(reply.properties).decode(), queue, 0, born_timestamp
    )
    # A command whose fields were made is encoded by its code and these.
    fields = command.ext_fields
    return Command(codes.SEND_REPLY_MESSAGE_V2, fields, command.body)


def parse_pushed_reply(frame: Frame) -> Message:
    """Read a code 326 request: a reply to a request of this client's.

    Raises:
        ProtocolError: it has no properties, or its numbers are none.
        CorruptMessage, MissingCodec: its body cannot be decompressed.
    """
    properties = {}
    for pair in frame.ext_fields.get("properties", "").split("\x02"):
        name, separator, value = pair.partition("\x01")
        if separator:
            properties[name] = value
    try:
        sys_flag = int(frame.ext_fields.get("sysFlag") or 0)
    except ValueError:
        raise ProtocolError("the reply's sysFlag is no number", service="rocketmq") from None
    body = decompress(frame.body, sys_flag) if sys_flag & COMPRESSED else frame.body
    return Message.from_parts(frame.ext_fields.get("topic", ""), body, properties)
