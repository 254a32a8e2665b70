"""Carries entries out in batches of those that came while the ones before were under way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from ...engine import aio as engine
from ...errors import ClosedError, DeadlineExceeded, SendError, WirespeedError
from ..flow.batcher import Batcher, Entry
from ..wire import JsonObject

CarryOut = Callable[[list[JsonObject], float], Any]


class AsyncGatherer:
    """Gathers entries of many callers into batches.

    Args:
        carry_out: sends a batch's fields by a deadline; returns for each a result or an error.
        linger: seconds that an entry waits for others.
        concurrency: batches under way at a time.
        most: entries pending at a time.
        most_bytes: their bytes.
        name: what the entries are, for errors.
    """

    def __init__(
        self,
        carry_out: CarryOut,
        *,
        linger: float,
        concurrency: int,
        most: int,
        most_bytes: int,
        name: str,
    ) -> None:
        self._carry_out = carry_out
        self._settings = (linger, concurrency, most, most_bytes, name)
        self.name = name
        self.closed = False
        self.after_fork()
        engine.track_forks(self)

    def after_fork(self) -> None:
        """Begin anew: what was pending stays with the parent."""
        linger, concurrency, most, most_bytes, name = self._settings
        self._batcher = Batcher(linger, engine.make_state_lock())
        self.room = engine.queues.Room(most, most_bytes)
        self._crew = engine.queues.Crew(self._work, concurrency, f"wirespeed-{name}")

    async def put(
        self, fields: JsonObject, size: int, group: str | None, deadline: float, patience: float
    ) -> Entry:
        """Let an entry wait for its batch, once there is room, for up to `patience` seconds.

        Raises:
            ClosedError: the gatherer was closed.
            DeadlineExceeded: there was no room in time; nothing was sent.
        """
        if self.closed:
            raise ClosedError(f"the {self.name} is closed", service="sqs", outcome="not_sent")
        now = time.monotonic()
        if not await self.room.enter(size, max(0.0, min(patience, deadline - now))):
            raise DeadlineExceeded(
                f"the {self.name} has no room: {self.room.count} messages are pending",
                service="sqs",
                retryable=True,
                outcome="not_sent",
                hint="send more slowly, or raise max_pending and max_pending_bytes",
            )
        entry = Entry(fields, size, group, engine.queues.new_future(), deadline, now)
        self._batcher.add(entry)
        return entry

    def call(self) -> None:
        """Have entries carried out that nobody waits for."""
        self._crew.call()

    async def result(self, entry: Entry) -> Any:
        """Return an entry's result, or raise its error.

        Raises:
            DeadlineExceeded: its deadline passed; `outcome` tells whether it was under way.
        """
        future = entry.future
        await self._crew.lend(future)
        left = entry.deadline - time.monotonic()
        try:
            return await engine.queues.wait_for(future, None if left == float("inf") else left)
        except TimeoutError:
            if future.done():
                raise
        waiting = self._batcher.remove(entry)
        if waiting:
            self.room.leave(1, entry.size)
        raise DeadlineExceeded(
            f"the {self.name} got no answer within the deadline",
            service="sqs",
            retryable=True,
            outcome="not_sent" if waiting else "unknown",
        )

    async def _work(self) -> bool:
        pause = self._batcher.pause(time.monotonic())
        if pause:
            await engine.queues.pause(pause)
        batch = self._batcher.take()
        if not batch:
            return False
        results: Sequence[Any] = ()
        failure: WirespeedError = SendError(
            "the call that carried the batch was broken off", service="sqs", outcome="unknown"
        )
        try:
            deadline = max(entry.deadline for entry in batch)
            results = await self._carry_out([entry.fields for entry in batch], deadline)
        except WirespeedError as error:
            failure = error
        finally:
            self._settle(batch, list(results) or [failure] * len(batch))
        return True

    def _settle(self, batch: list[Entry], results: list[Any]) -> None:
        by_entry = dict(zip(map(id, batch), results, strict=True))
        lost = self._batcher.settle(
            batch, lambda entry: isinstance(by_entry[id(entry)], BaseException)
        )
        self.room.leave(len(batch) + len(lost), sum(entry.size for entry in [*batch, *lost]))
        for entry, result in zip(batch, results, strict=True):
            _complete(entry.future, result)
        for entry in lost:
            error = SendError(
                "an earlier message of its group failed",
                service="sqs",
                outcome="not_sent",
                retryable=True,
            )
            _complete(entry.future, error)

    async def close(self, seconds: float | None) -> int:
        """Take no more entries, wait for those pending, and return how many are left."""
        self.closed = True
        if self.room.count:
            self._crew.call()
        await self.room.drained(seconds)
        self._crew.close()
        return self.room.count


def _complete(future: Any, result: Any) -> None:
    # Its owner may cancel it at any time.
    with contextlib.suppress(engine.queues.InvalidStateError):
        if isinstance(result, BaseException):
            future.set_exception(result)
            # Seen, so that asyncio does not complain where the caller stopped to wait.
            future.exception()
        else:
            future.set_result(result)
