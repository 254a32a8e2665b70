"""Sending trace records, some at a time."""

from __future__ import annotations

import logging
from collections import deque

from ...engine.effects import Flow, Sleep, Wakeup
from ...errors import WirespeedError
from ..wire import trace
from .route import ClientState
from .send import SendPolicy, send

_log = logging.getLogger("wirespeed.rocketmq")

_MOST_WAITING = 2048
_TOGETHER = 20
_INTERVAL = 5.0
_TIMEOUT = 3.0
_LARGEST = 128_000


class Tracer:
    """The records that wait to be sent; the oldest go when there are too many.

    Args:
        group: the group that they are about.
    """

    def __init__(self, group: str) -> None:
        self.group = group
        self._policy = SendPolicy(f"_INNER_TRACE_PRODUCER-{group}"[:120], 1, _LARGEST, 1 << 30)
        self._waiting: deque[trace.Record] = deque(maxlen=_MOST_WAITING)
        self._wake = Wakeup()

    def add(self, record: trace.Record) -> None:
        """Let a record be sent soon. Never blocks."""
        self._waiting.append(record)
        if len(self._waiting) >= _TOGETHER:
            self._wake.set()

    def keep_sending(self, client: ClientState) -> Flow[None]:
        """Send for ever, every 5 s and whenever 20 wait."""
        while True:
            yield Sleep(_INTERVAL, self._wake)
            yield from self.send_waiting(client)

    def send_waiting(self, client: ClientState) -> Flow[None]:
        """Send what waits; what cannot be sent is dropped."""
        while self._waiting:
            count = min(_TOGETHER, len(self._waiting))
            records = [self._waiting.popleft() for _ in range(count)]
            try:
                yield from send(client, self._policy, trace.as_message(records), _TIMEOUT)
            except WirespeedError as error:
                _log.debug("%d trace records not sent: %s", count, error)
