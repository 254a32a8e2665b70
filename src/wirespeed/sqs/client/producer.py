# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""The SQS producer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ...config import seconds, whole
from ...engine import threads as engine
from ...errors import ConfigError
from .. import flow, wire
from ..models import Attribute, AttributeValue, Message, SendResult
from .gather import Gatherer

if TYPE_CHECKING:
    from .client import Client

_LONGEST_LINGER = 10.0


class Producer:
    """Sends the messages of many callers in batches; made by `Client.producer`.

    What is sent while a batch is under way goes with the next one, of at most 10 messages and
    1 MiB: a lone message goes at once, many at a time share requests. Each caller gets its own
    message's result or error. In a FIFO queue the order within each group is kept: its batches
    follow one another, and a message that failed fails those of its group that wait behind it.

    `len(producer)` is the number of messages pending. Close it, or use `async with`.
    """

    def __init__(
        self,
        client: Client,
        queue: str,
        *,
        linger: float,
        concurrency: int,
        max_pending: int,
        max_pending_bytes: int,
        when_full: str,
    ) -> None:
        if not isinstance(linger, (int, float)) or not 0 <= linger <= _LONGEST_LINGER:
            raise ConfigError(f"linger must be 0 to {_LONGEST_LINGER:g} seconds, not {linger!r}")
        if when_full not in ("block", "raise"):
            raise ConfigError(f'when_full must be "block" or "raise", not {when_full!r}')
        self._client = client
        self._settings = client._settings
        self._state = flow.QueueState(wire.check_queue(queue))
        self._blocks = when_full == "block"
        self._gatherer = Gatherer(
            self._carry_out,
            linger=float(linger),
            concurrency=whole(concurrency, "concurrency", 1, 64),
            most=whole(max_pending, "max_pending", 1, 10_000_000),
            most_bytes=whole(max_pending_bytes, "max_pending_bytes", 1, 1 << 40),
            name="producer",
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._state.given!r}, {len(self)} pending)"

    def __len__(self) -> int:
        return self._gatherer.room.count

    def send(
        self,
        body: str,
        *,
        delay: int | None = None,
        attributes: Mapping[str, AttributeValue | Attribute] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        trace_header: str = "",
        timeout: float | str | None = None,
    ) -> SendResult:
        """Send one message, with others where there are, and wait until it is stored.

        The arguments are those of `Message`; `timeout` is for the whole call.

        Raises:
            ConfigError: an argument is wrong; nothing was sent.
            ClosedError: the producer was closed.
            WirespeedError: it was not acknowledged; `outcome` tells whether it may be stored.
        """
        message = Message(body, delay, attributes or {}, group_id, deduplication_id, trace_header)
        entry = self._put(message, timeout)
        result: SendResult = self._gatherer.result(entry)
        return result

    def submit(
        self,
        body: str,
        *,
        delay: int | None = None,
        attributes: Mapping[str, AttributeValue | Attribute] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        trace_header: str = "",
        timeout: float | str | None = None,
    ) -> engine.queues.Future[SendResult]:
        """Give one message to be sent, and return a future of its result or error.

        Where too much is pending this waits for room, or raises, as `when_full` says. A future
        that is cancelled takes nothing back that was sent.

        The arguments are those of `Message`; `timeout` is for the wait and the sending together.

        Raises:
            ConfigError: an argument is wrong; nothing was sent.
            ClosedError: the producer was closed.
            DeadlineExceeded: there was no room in time.
        """
        message = Message(body, delay, attributes or {}, group_id, deduplication_id, trace_header)
        entry = self._put(message, timeout)
        self._gatherer.call()
        future: engine.queues.Future[SendResult] = entry.future
        return future

    def _put(self, message: Message, timeout: float | str | None) -> Any:
        if self._state.is_fifo and message.group_id is None:
            raise ConfigError("group_id must be given: the queue is a FIFO queue")
        if self._state.is_fifo and message.delay is not None:
            raise ConfigError("delay must be None: a FIFO queue has one delay for all messages")
        fields, size = wire.message_fields(message)
        group = message.group_id if self._state.is_fifo else None
        deadline = self._client._deadline(timeout)
        patience = self._settings.timeout if self._blocks else 0.0
        return self._gatherer.put(fields, size, group, deadline, patience)

    def _carry_out(self, batch: list[wire.JsonObject], deadline: float) -> Sequence[Any]:
        return self._client._run(
            flow.send_together(self._settings, self._state, batch, deadline)
        )

    def flush(self, timeout: float | str | None = None) -> int:
        """Wait until nothing is pending; return how many messages are left after `timeout`."""
        limit = None if timeout is None else seconds(timeout, "timeout")
        self._gatherer.room.drained(limit)
        return len(self)

    def close(self, timeout: float | str | None = 30.0) -> int:
        """Take no more messages and wait up to `timeout` seconds for those pending. Twice is fine.

        Returns:
            How many messages are left, whose fate is not known.
        """
        return self._gatherer.close(None if timeout is None else seconds(timeout, "timeout"))

    def __enter__(self) -> Producer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        gatherer = getattr(self, "_gatherer", None)
        if gatherer is not None and not gatherer.closed and gatherer.room.count:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
