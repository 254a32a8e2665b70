"""What every queue does, whatever the service behind it.

A program that keeps to these methods takes any queue that `wirespeed.connect` opens. What a service
lacks raises `wirespeed.errors.Unsupported` at the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from .errors import WirespeedError

Received = TypeVar("Received")


class Queue(Protocol[Received]):
    """A queue, called from any thread."""

    def send(self, body: Any, *, timeout: float | str | None = None) -> Any:
        """Send one message and wait until it is stored.

        Raises:
            WirespeedError: it was not acknowledged; `outcome` tells whether it may be stored.
        """

    def send_many(
        self, messages: Iterable[Any], *, timeout: float | str | None = None
    ) -> Sequence[Any | WirespeedError]:
        """Send messages in as few requests as may be; what failed stands in its place."""

    def receive(
        self, count: int = 10, *, wait: int | None = 20, timeout: float | str | None = None
    ) -> list[Received]:
        """Receive up to `count` messages, waiting up to `wait` seconds for the first."""

    def ack(self, message: Received, *, timeout: float | str | None = None) -> None:
        """A message has been worked off and is not to come back."""

    def nack(
        self, message: Received, *, delay: int = 0, timeout: float | str | None = None
    ) -> None:
        """Give a message back, to come again after `delay` seconds."""

    def extend(
        self, message: Received, visibility: int, *, timeout: float | str | None = None
    ) -> None:
        """Keep a message for `visibility` seconds from now."""

    def close(self) -> None:
        """Close what was opened for this queue. Twice is fine."""


class AsyncQueue(Protocol[Received]):
    """The same for asyncio."""

    async def send(self, body: Any, *, timeout: float | str | None = None) -> Any:
        """See `Queue.send`."""

    async def send_many(
        self, messages: Iterable[Any], *, timeout: float | str | None = None
    ) -> Sequence[Any | WirespeedError]:
        """See `Queue.send_many`."""

    async def receive(
        self, count: int = 10, *, wait: int | None = 20, timeout: float | str | None = None
    ) -> list[Received]:
        """See `Queue.receive`."""

    async def ack(self, message: Received, *, timeout: float | str | None = None) -> None:
        """See `Queue.ack`."""

    async def nack(
        self, message: Received, *, delay: int = 0, timeout: float | str | None = None
    ) -> None:
        """See `Queue.nack`."""

    async def extend(
        self, message: Received, visibility: int, *, timeout: float | str | None = None
    ) -> None:
        """See `Queue.extend`."""

    async def close(self) -> None:
        """See `Queue.close`."""
