"""What the live tests consume with: handlers that keep messages, and waiting with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from wirespeed.rocketmq import ReceivedMessage


class Collector:
    """A handler that keeps every message, and can be waited for."""

    def __init__(self) -> None:
        self.messages: list[ReceivedMessage] = []
        self._changed = threading.Condition()

    def __call__(self, message: ReceivedMessage) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def wait(self, count: int, seconds: float = 30.0) -> list[ReceivedMessage]:
        """Return the messages as soon as there are ``count`` of them.

        Raises:
            AssertionError: there are fewer after ``seconds``.
        """
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= count, seconds), (
                f"{len(self.messages)} of {count} messages came in {seconds} s"
            )
            return list(self.messages)

    def bodies(self) -> list[bytes]:
        """Return the bodies so far."""
        with self._changed:
            return [message.body for message in self.messages]


def eventually(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait until ``condition`` holds.

    Raises:
        AssertionError: it does not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)
