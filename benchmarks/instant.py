"""A server that answers at once, in one write: it checks nothing, and is not what is measured.

python -m benchmarks.instant     prints its port, and ends with its standard input
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from typing import Any
from urllib.parse import parse_qs

_XML = (
    "<SendMessageResponse><SendMessageResult><MessageId>1</MessageId>"
    "<MD5OfMessageBody>{}</MD5OfMessageBody></SendMessageResult></SendMessageResponse>"
)
_BODY = "x" * 128


def md5(text: str) -> str:
    """Return the MD5 of a text, in hexadecimal."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


_MESSAGES = {
    "Messages": [
        {
            "MessageId": str(number),
            "ReceiptHandle": f"handle-{number}",
            "MD5OfBody": md5(_BODY),
            "Body": _BODY,
            "Attributes": {
                "SenderId": "0",
                "SentTimestamp": "1",
                "ApproximateReceiveCount": "1",
                "ApproximateFirstReceiveTimestamp": "2",
            },
        }
        for number in range(10)
    ]
}


def json_reply(action: bytes, fields: dict[str, Any]) -> dict[str, Any]:
    """Return what SQS says to an action of the JSON protocol."""
    if action == b"SendMessage":
        return {"MessageId": "1", "MD5OfMessageBody": md5(fields["MessageBody"])}
    if action == b"SendMessageBatch":
        return {
            "Successful": [
                {
                    "Id": entry["Id"],
                    "MessageId": "1",
                    "MD5OfMessageBody": md5(entry["MessageBody"]),
                }
                for entry in fields["Entries"]
            ]
        }
    if action == b"ReceiveMessage":
        return _MESSAGES
    if action == b"DeleteMessageBatch":
        return {"Successful": [{"Id": entry["Id"]} for entry in fields["Entries"]]}
    return {}


def reply(head: bytes, body: bytes) -> bytes:
    """Return the body of the answer to a request."""
    lowered = head.lower()
    at = lowered.find(b"x-amz-target: amazonsqs.")
    if at >= 0:
        action = head[at + 24 :].partition(b"\r\n")[0]
        return json.dumps(json_reply(action, json.loads(body))).encode()
    if b"/v2/index.php" in head:
        return b'{"code":0,"message":"","requestId":"1","msgId":"1"}'
    if b"Action=SendMessage" in body:
        return _XML.format(md5(parse_qs(body.decode())["MessageBody"][0])).encode()
    return b"ok"


class Server(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while True:
            head, mark, rest = self._data.partition(b"\r\n\r\n")
            if not mark:
                return
            lowered = head.lower()
            at = lowered.find(b"content-length:")
            size = int(lowered[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else 0
            if len(rest) < size:
                return
            self._data = rest[size:]
            answer = reply(head, rest[:size])
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(answer), answer)
            )


async def main() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
