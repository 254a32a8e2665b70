"""Looks at idle connections."""

from __future__ import annotations

import select
from typing import Protocol


class HasFileno(Protocol):
    """A socket, or asyncio's stand-in for one."""

    def fileno(self) -> int:
        """Return the descriptor."""


class Watch:
    """Looks whether an idle connection has something to read: its end, or what nobody asked for.

    Either way no request may be sent on it.
    """

    __slots__ = ("_poll", "_sock")

    def __init__(self, sock: HasFileno) -> None:
        self._sock = sock
        self._poll = None
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            self._poll = poll.poll

    def readable(self) -> bool:
        """Return whether there is something to read."""
        if self._poll is not None:
            return bool(self._poll(0))
        return bool(select.select([self._sock], [], [], 0)[0])
