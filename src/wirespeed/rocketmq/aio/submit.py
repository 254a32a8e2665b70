"""Messages that are sent in the background, for asyncio."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ...engine import aio as engine
from ...errors import DeadlineExceeded, SendError, WirespeedError
from ..models import Message, SendResult

_TOGETHER = 256
_TOGETHER_BYTES = 256 * 1024
_UNDER_WAY = 4

Pending = tuple[Message, Any, int]


class AsyncSubmitter:
    """Sends what is submitted: at once while little is, in batches of what waited else.

    Args:
        carry_out: sends messages; returns for each its result or error.
        most: messages pending at a time.
        most_bytes: their bytes.
    """

    def __init__(
        self,
        carry_out: Callable[[Sequence[Message]], Any],
        most: int,
        most_bytes: int,
    ) -> None:
        self._carry_out = carry_out
        self._waiting: deque[Pending] = deque()
        self.room = engine.queues.Room(most, most_bytes)
        self._crew = engine.queues.Crew(self._work, _UNDER_WAY, "wirespeed-submit")

    async def put(self, message: Message, patience: float | None) -> Any:
        """Let a message be sent; return the future of its result.

        Raises:
            DeadlineExceeded: there was no room within `patience` seconds; nothing was sent.
        """
        size = len(message.body)
        if not await self.room.enter(size, patience):
            raise DeadlineExceeded(
                f"the producer has no room: {self.room.count} messages are pending",
                service="rocketmq",
                retryable=True,
                outcome="not_sent",
                hint="send more slowly, or raise max_pending and max_pending_bytes",
            )
        future = engine.queues.new_future()
        self._waiting.append((message, future, size))
        self._crew.call()
        return future

    def _take(self) -> list[Pending]:
        taken: list[Pending] = []
        size = 0
        with contextlib.suppress(IndexError):
            while len(taken) < _TOGETHER and size < _TOGETHER_BYTES:
                taken.append(self._waiting.popleft())
                size += taken[-1][2]
        return taken

    async def _work(self) -> bool:
        taken = self._take()
        if not taken:
            return False
        results: Sequence[SendResult | WirespeedError] = ()
        failure: WirespeedError = SendError(
            "the call that carried the message was broken off",
            service="rocketmq",
            outcome="unknown",
        )
        try:
            results = await self._carry_out([message for message, _, _ in taken])
        except WirespeedError as error:
            failure = error
        finally:
            self.room.leave(len(taken), sum(size for _, _, size in taken))
            for place, (_, future, _) in enumerate(taken):
                _complete(future, results[place] if results else failure)
        return True

    async def close(self, seconds: float | None) -> int:
        """Wait for what is pending; return how many messages are left after `seconds`."""
        await self.room.drained(seconds)
        self._crew.close()
        return self.room.count


def _complete(future: Any, result: SendResult | WirespeedError) -> None:
    # Its owner may cancel it at any time.
    with contextlib.suppress(engine.queues.InvalidStateError):
        if isinstance(result, BaseException):
            future.set_exception(result)
            # Seen, so that asyncio does not complain where nobody looks.
            future.exception()
        else:
            future.set_result(result)
