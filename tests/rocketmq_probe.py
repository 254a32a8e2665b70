"""A plain client of the remoting protocol: one socket, one command at a time."""

from __future__ import annotations

import itertools
import json
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from wirespeed._native.pure import rocketmq as codec

_OPAQUE = itertools.count(1)


class Answer(NamedTuple):
    """A frame from the server."""

    code: int
    language: int
    version: int
    opaque: int
    flag: int
    remark: str | None
    fields: dict[str, str]
    body: bytes


class Probe:
    """A connection to "host:port". `received` keeps the server's own commands."""

    def __init__(self, address: str, client_id: str = "") -> None:
        host, _, port = address.rpartition(":")
        self.address = address
        self.client_id = client_id
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=10)
        self.received: list[Answer] = []
        self._splitter = codec.FrameSplitter()
        self._answers: dict[int, Answer] = {}

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.socket.close()

    def send(
        self,
        code: int,
        fields: dict[str, Any] | None = None,
        body: bytes = b"",
        *,
        oneway: bool = False,
        binary: bool = False,
        version: int = 513,
    ) -> int:
        """Send a command and return its opaque."""
        opaque = next(_OPAQUE)
        texts = {name: str(value) for name, value in (fields or {}).items()}
        head = codec.encode_header(
            code, opaque, 2 if oneway else 0, texts, len(body), binary=binary, version=version
        )
        self.socket.sendall(head + body)
        return opaque

    def answer(self, opaque: int, timeout: float = 10.0) -> Answer:
        """Wait for the answer to a command that was sent."""
        deadline = time.monotonic() + timeout
        while opaque not in self._answers:
            self._read(deadline)
        return self._answers.pop(opaque)

    def unexpected(self) -> list[Answer]:
        """Return the answers that came and were not asked for."""
        return list(self._answers.values())

    def ask(
        self, code: int, fields: dict[str, Any] | None = None, body: bytes = b"", **options: Any
    ) -> Answer:
        """Send a command and wait for its answer."""
        return self.answer(self.send(code, fields, body, **options))

    def wait_for_command(self, code: int, timeout: float = 10.0) -> Answer:
        """Wait for a command of the server's own."""
        deadline = time.monotonic() + timeout
        while True:
            for command in self.received:
                if command.code == code:
                    self.received.remove(command)
                    return command
            self._read(deadline)

    def _read(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server did not answer in time")
        self.socket.settimeout(left)
        count = self.socket.recv_into(self._splitter.buffer())
        if not count:
            raise ConnectionResetError("the server closed the connection")
        for frame in map(Answer._make, self._splitter.received(count)):
            if frame.flag & 1:
                self._answers[frame.opaque] = frame
            else:
                self.received.append(frame)

    # -- the commands that most tests need --

    def route(self, topic: str, **options: Any) -> Answer:
        """Ask a name server where a topic is."""
        return self.ask(105, {"topic": topic, "acceptStandardJsonOnly": "true"}, **options)

    def publish(
        self,
        topic: str,
        body: bytes = b"body",
        properties: dict[str, str] | None = None,
        *,
        queue: int = 0,
        code: int = 310,
        oneway: bool = False,
        binary: bool = False,
        **changes: Any,
    ) -> Answer | None:
        """Send a message by code 310, its letters replaced by `changes`."""
        fields = {
            "a": "probes",
            "b": topic,
            "c": "TBW102",
            "d": 4,
            "e": queue,
            "f": 0,
            "g": int(time.time() * 1000),
            "h": 0,
            "i": codec.encode_properties(properties or {}).decode(),
            "j": 0,
            "k": "false",
            "m": "false",
            "n": "broker-a",
            **changes,
        }
        opaque = self.send(
            code,
            {name: value for name, value in fields.items() if value is not None},
            body,
            oneway=oneway,
            binary=binary,
        )
        return None if oneway else self.answer(opaque)

    def heartbeat(
        self, group: str, subscriptions: dict[str, str], *, version: int | None = None
    ) -> Answer:
        """Join a group that subscribes topic: expression."""
        data = []
        for topic, expression in subscriptions.items():
            tags = [] if expression == "*" else [tag.strip() for tag in expression.split("||")]
            data.append(
                {
                    "classFilterMode": False,
                    "topic": topic,
                    "subString": expression,
                    "tagsSet": tags,
                    "codeSet": [codec.tag_hash(tag) for tag in tags],
                    "subVersion": version or int(time.time() * 1000),
                    "expressionType": "TAG",
                }
            )
        body = {
            "clientID": self.client_id,
            "producerDataSet": [{"groupName": "probes"}],
            "consumerDataSet": [
                {
                    "groupName": group,
                    "consumeType": "CONSUME_PASSIVELY",
                    "messageModel": "CLUSTERING",
                    "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
                    "subscriptionDataSet": data,
                    "unitMode": False,
                }
            ],
            "heartbeatFingerprint": 0,
            "withoutSub": False,
        }
        return self.ask(34, body=json.dumps(body).encode())

    def pull_fields(
        self,
        group: str,
        topic: str,
        offset: int,
        *,
        queue: int = 0,
        expression: str | None = "*",
        suspend: int = 0,
        **changes: Any,
    ) -> dict[str, Any]:
        """Return the fields of a pull; `expression` None leaves it to the heartbeat."""
        fields: dict[str, Any] = {
            "consumerGroup": group,
            "topic": topic,
            "queueId": queue,
            "queueOffset": offset,
            "maxMsgNums": 32,
            "sysFlag": (2 if suspend else 0) | (0 if expression is None else 4),
            "commitOffset": 0,
            "suspendTimeoutMillis": suspend,
            "subVersion": 0,
            "expressionType": "TAG",
        }
        if expression is not None:
            fields["subscription"] = expression
        return {**fields, **changes}

    def pull(self, *place: Any, **options: Any) -> Answer:
        """Pull once."""
        return self.ask(11, self.pull_fields(*place, **options))

    def pull_until(self, wanted: int, group: str, topic: str, **options: Any) -> list[Any]:
        """Pull from offset 0 until that many messages came: a broker shows them a little later."""
        messages: list[Any] = []
        offset = 0
        deadline = time.monotonic() + 15
        while len(messages) < wanted and time.monotonic() < deadline:
            answer = self.pull(group, topic, offset, **options)
            if answer.code == 0:
                messages += codec.decode_messages(answer.body)
            if answer.code in (0, 20):
                offset = int(answer.fields["nextBeginOffset"])
            else:
                time.sleep(0.05)
        return messages


def batch_part(body: bytes, properties: dict[str, str], flag: int = 0) -> bytes:
    """Return one message of a batch body."""
    encoded = codec.encode_properties(properties)
    rest = struct.pack(">IIii", 0, 0, flag, len(body)) + body
    rest += struct.pack(">H", len(encoded)) + encoded
    return struct.pack(">i", len(rest) + 4) + rest


def eventually(check: Callable[[], bool], timeout: float = 10.0) -> None:
    """Wait until `check` is true."""
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError("it never became true")
        time.sleep(0.02)
