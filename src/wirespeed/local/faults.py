"""Lets the local cloud misbehave, and remembers what was asked of it."""

from __future__ import annotations

import asyncio
import collections
import itertools
import logging
import random
import re
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..config import instance, whole
from ..errors import ConfigError
from .clock import skew
from .services import SERVICES

_LOG = logging.getLogger("wirespeed.local")
KINDS = ("drop", "delay", "cut", "status", "throttle", "corrupt", "skew")
"""What a fault can do; see `Faults.add`."""

_LOGGED = 1000
_LOOKED_AT = 64 * 1024
_LONGEST = 3600.0
_NAMED_WITHIN = 1024
_NAMED = re.compile(rb'(?:^|[&{\s,])"?(?:Action|op)"?[=:]\s?"?(\w{1,64})')
_FARTHEST = 86_400.0
_THROTTLED = {
    "cmq": (200, b'{"code":4420,"message":"qps throttling","requestId":"0"}'),
    "cos": (429, b'{"code":-71,"message":"ERROR_PROXY_RATE_LIMIT","request_id":""}'),
    "sqs": (
        400,
        b'{"__type":"com.amazonaws.sqs#RequestThrottled","message":"The request was throttled."}',
    ),
    "wcs": (429, b'{"code":429,"message":"too many requests"}'),
}
"""Status and body of an answer to a client that asks too often."""

Message = MutableMapping[str, Any]
_UNWRITTEN: Message = {
    "type": "http.response.start",
    "status": 500,
    "headers": [(b"content-length", b"0")],
}
"""The answer to what could not be written down."""

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


@dataclass(slots=True)
class Fault:
    """One fault; see `Faults.add`.

    Attributes:
        hits: how many requests it has struck.
    """

    kind: str
    service: str
    operation: str
    seconds: float
    status: int
    probability: float
    count: int | None
    hits: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that the cloud got.

    Attributes:
        service: such as "sqs".
        method: such as "POST"; of RocketMQ the name of the command, such as "SEND_MESSAGE_V2".
        path: the path, without the query, which may hold a signature; of RocketMQ the topic or
            group.
        status: the status of the answer, 0 where there was none; of RocketMQ the response code.
        seconds: how long it took until the answer began.
        fault: the kind of fault that struck it, or "".
        time: when the answer began, seconds since 1970 by the machine's clock.
        number: which request it is, from 1 on.
        operation: what an HTTP service was asked to do, such as "SendMessage", where the path
            does not tell it.
    """

    service: str
    method: str
    path: str
    status: int
    seconds: float
    fault: str
    time: float = field(default_factory=time.time)
    number: int = 0
    operation: str = ""


class Faults:
    """The faults of a cloud, and its request log. May be used from any thread.

    Attributes:
        armed: whether there is any fault.
    """

    def __init__(self) -> None:
        self.armed = False
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)
        self._log: collections.deque[Logged] = collections.deque(maxlen=_LOGGED)
        self._logged = 0
        self._counts: collections.Counter[str] = collections.Counter()

    def add(
        self,
        kind: str,
        service: str = "",
        operation: str = "",
        *,
        seconds: float = 1.0,
        status: int | None = None,
        probability: float = 1.0,
        count: int | None = None,
    ) -> Fault:
        """Let requests go wrong.

        Args:
            kind: "drop" closes the connection and carries nothing out; "cut" carries the request
                out and closes the connection in the middle of the answer; "delay" waits first;
                "status" answers without carrying it out; "throttle" answers as the service does
                when it is asked too often; "corrupt" changes one byte of the answer; "skew" lets
                the service's clock be wrong while it carries the request out.
            service: "cmq", "cos", "rocketmq", "sqs" or "wcs"; any where it is "".
            operation: a word of the request's path, its X-Amz-Target or the first 64 KiB of its
                body, such as "SendMessage" or "mkblk"; of RocketMQ a word of the command's name or
                its fields, such as "SEND_MESSAGE" or a topic; any request where it is "".
            seconds: how long "delay" waits, 0 to 3600; how far ahead "skew" is, -86400 to 86400.
            status: what "status" answers: 400 to 599, by default 503; of RocketMQ a response
                code, 1 to 32767, by default 1.
            probability: how likely a request is struck, 0 to 1.
            count: how many requests are struck; None: without end.

        Raises:
            ConfigError: an argument is wrong.
        """
        if kind not in KINDS:
            raise ConfigError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
        instance(operation, str, "operation")
        if service == "rocketmq":
            status = whole(1 if status is None else status, "status", 1, 32767)
        else:
            status = whole(503 if status is None else status, "status", 400, 599)
        if not 0 <= probability <= 1:
            raise ConfigError(f"probability must be from 0 to 1, not {probability}")
        low, high = (-_FARTHEST, _FARTHEST) if kind == "skew" else (0.0, _LONGEST)
        if not low <= seconds <= high:
            raise ConfigError(f"seconds must be from {low:.0f} to {high:.0f}, not {seconds}")
        if service not in ("", *SERVICES):
            raise ConfigError(f"service must be one of {', '.join(SERVICES)}, not {service!r}")
        if count is not None:
            whole(count, "count", 1, 2**53)
        fault = Fault(kind, service, operation, seconds, status, probability, count)
        fault.number = next(self._numbers)
        with self._lock:
            self._faults.append(fault)
            self.armed = True
        return fault

    def active(self) -> list[Fault]:
        """Return the faults that have not ended, the oldest first."""
        with self._lock:
            return list(self._faults)

    def remove(self, fault: Fault) -> None:
        """End a fault. One that has ended already is fine."""
        with self._lock:
            self._end(fault)

    def _end(self, fault: Fault) -> None:
        self._faults = [each for each in self._faults if each is not fault]
        self.armed = bool(self._faults)

    def clear(self) -> None:
        """End all faults, and forget the log."""
        with self._lock:
            self._faults.clear()
            self.armed = False
            self._log.clear()

    def requests(self, after: int = 0) -> list[Logged]:
        """Return the last 1,000 requests, oldest first, that have a number past `after`."""
        with self._lock:
            return [entry for entry in self._log if entry.number > after]

    def counts(self) -> dict[str, int]:
        """Return how many requests each service has had since it began."""
        with self._lock:
            return dict(self._counts)

    def strike(self, service: str, text: str) -> Fault | None:
        """Return the first fault that strikes a request of this text, and count it."""
        with self._lock:
            for fault in self._faults:
                if fault.service not in ("", service) or fault.operation not in text:
                    continue
                if random.random() >= fault.probability:
                    continue
                fault.hits += 1
                if fault.hits == fault.count:
                    self._end(fault)
                return fault
        return None

    def log(self, entry: Logged) -> None:
        """Take note of a request, and give it its number."""
        with self._lock:
            self._logged += 1
            self._counts[entry.service] += 1
            self._log.append(replace(entry, number=self._logged))


class Faulty:
    """An ASGI application whose requests may go wrong.

    Args:
        app: the application.
        service: its name.
        faults: what may go wrong.
        commit: writes down what a request did, before it is answered.
    """

    def __init__(self, app: App, service: str, faults: Faults, commit: Callable[[], None]) -> None:
        self._app = app
        self._service = service
        self._faults = faults
        self._commit = commit

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Carry a request out, or let it go wrong."""
        started = time.monotonic()
        first = await receive()
        pending: list[Message] = [first]

        async def again() -> Message:
            return pending.pop() if pending else await receive()

        fault = None
        if self._faults.armed:
            fault = self._faults.strike(self._service, _text(scope, first))
        kind = "" if fault is None else fault.kind
        status = 0
        noted = lost = False

        def note() -> None:
            nonlocal noted
            if not noted:
                noted = True
                took = time.monotonic() - started
                entry = Logged(self._service, scope["method"], scope["path"], status, took, kind)
                self._faults.log(replace(entry, operation=_operation(scope, first)))

        async def watched(message: Message) -> None:
            nonlocal status, lost
            if lost:
                return
            if message["type"] == "http.response.start":
                lost = self._is_lost()
                message = _UNWRITTEN if lost else message
                status = message["status"]
            else:
                # Before the answer is whole: who got it finds it in the log.
                note()
            await send(message)
            if lost:
                await send({"type": "http.response.body", "body": b""})

        if kind == "drop":
            note()
        try:
            await self._carry_out(fault, scope, again, watched, receive)
        finally:
            note()

    def _is_lost(self) -> bool:
        """Write down what a request did, and tell whether that cannot be done."""
        try:
            self._commit()
        except sqlite3.Error as error:
            _LOG.error("a request to %s could not be written down: %s", self._service, error)
            return True
        return False

    async def _carry_out(
        self,
        fault: Fault | None,
        scope: MutableMapping[str, Any],
        receive: Receive,
        send: Send,
        connection: Receive,
    ) -> None:
        kind = "" if fault is None else fault.kind
        if fault is not None and kind == "drop":
            await _abort(connection)
            return
        if fault is not None and kind == "status":
            await send({"type": "http.response.start", "status": fault.status, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        if kind == "throttle":
            status, text = _THROTTLED[self._service]
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": text})
            return
        if fault is not None and kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault is not None and kind == "skew":
            skew(fault.seconds)
        if kind not in ("cut", "corrupt"):
            await self._app(scope, receive, send)
            return
        start, body = await _collected(self._app, scope, receive)
        if kind == "corrupt":
            if body:
                middle = len(body) // 2
                body[middle] ^= 1
            await send(start)
            await send({"type": "http.response.body", "body": bytes(body)})
            return
        await send(start)
        half = bytes(body[: len(body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await _abort(connection)


async def _collected(
    app: App, scope: MutableMapping[str, Any], receive: Receive
) -> tuple[Message, bytearray]:
    """Return an application's answer, whole."""
    start: Message = {}
    body = bytearray()

    async def collect(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, collect)
    return start, body


def _text(scope: MutableMapping[str, Any], first: Message) -> str:
    """Return what an operation is looked for in."""
    target = dict(scope["headers"]).get(b"x-amz-target", b"")
    query: bytes = scope["query_string"]
    body: bytes = first.get("body", b"")[:_LOOKED_AT]
    return f"{scope['path']} {(b' '.join((query, target, body))).decode('latin-1')}"


def _operation(scope: MutableMapping[str, Any], first: Message) -> str:
    """Return the operation that X-Amz-Target, the query or the start of the body names."""
    target: bytes = dict(scope["headers"]).get(b"x-amz-target", b"")
    if target:
        return target.decode("latin-1").rpartition(".")[2]
    for text in (scope["query_string"], first.get("body", b"")[:_NAMED_WITHIN]):
        found = _NAMED.search(text)
        if found is not None:
            return str(found[1].decode())
    return ""


async def _abort(receive: Receive) -> None:
    """Close the connection that a request came by, at once."""
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
        # The server is told of it by the loop, and must know before the answer is missing.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
