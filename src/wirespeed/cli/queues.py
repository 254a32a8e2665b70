"""What the commands on queues share."""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wirespeed.errors import ConfigError

if TYPE_CHECKING:
    from wirespeed import cmq, rocketmq, sqs
    from wirespeed.sqs.models import Attribute

    Queue = sqs.Queue | cmq.Queue | rocketmq.Queue
    ReceivedMessage = sqs.ReceivedMessage | cmq.ReceivedMessage | rocketmq.ReceivedMessage

URL_HELP = (
    "sqs://REGION/QUEUE, keys and endpoint from the environment, or ?endpoint=URL; "
    "cmqs://HOST/QUEUE or cmq://HOST:PORT/QUEUE; rocketmq://HOST:PORT/TOPIC?group=NAME"
)


def add_url(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of every command on a queue."""
    parser.add_argument("url", metavar="URL", help=URL_HELP)
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")


def open_queue(url: str) -> Queue:
    """Open the queue of a URL.

    Raises:
        ConfigError: it names no queue.
    """
    from wirespeed import cos, wcs
    from wirespeed.urls import connect

    opened = connect(url)
    if isinstance(opened, (cos.Bucket, wcs.Bucket)):
        opened.close()
        raise ConfigError(
            "url names a bucket, not a queue: begin it with sqs://, cmq://, cmqs:// or rocketmq://"
        )
    return opened


def show(line: Mapping[str, object]) -> None:
    """Print one JSON line."""
    print(json.dumps(line, ensure_ascii=False), flush=True)


def as_json(message: ReceivedMessage) -> dict[str, object]:
    """Return a message as JSON values; bytes as {"base64": ...}."""
    from wirespeed import cmq, rocketmq

    if isinstance(message, rocketmq.ReceivedMessage):
        return {
            "message_id": message.message_id,
            "body": _text_or_base64(message.body),
            "tag": message.tag,
            "keys": list(message.keys),
            "queue": message.queue_id,
            "offset": message.queue_offset,
            "properties": message.properties,
        }
    if isinstance(message, cmq.ReceivedMessage):
        return {
            "message_id": message.message_id,
            "body": message.body,
            "enqueued_at": message.enqueued_at,
            "receive_count": message.receive_count,
        }
    return {
        "message_id": message.message_id,
        "body": message.body,
        "attributes": {name: _plain(value) for name, value in message.attributes.items()},
        "system": dict(message.system),
    }


def body_of(message: ReceivedMessage) -> str:
    """Return a message's body as text; bytes that are no UTF-8 are shown as \\x and digits."""
    body = message.body
    return body if isinstance(body, str) else body.decode("utf-8", "backslashreplace")


def _text_or_base64(body: bytes) -> object:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return _plain(body)


def _plain(value: str | bytes | Attribute) -> object:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, str):
        return value
    return {"type": value.type, "value": _plain(value.value)}
