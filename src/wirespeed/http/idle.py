"""Looks at idle connections."""

from __future__ import annotations

import select
from typing import Protocol


class HasFileno(Protocol):
    """A socket, or asyncio's stand-in for one."""

    def fileno(self) -> int:
        """Return the descriptor."""


def readable(sock: HasFileno) -> bool:
    """Return whether an idle connection has something to read: its end, or what nobody asked for.

    Either way no request may be sent on it.
    """
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])
