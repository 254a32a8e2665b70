"""Clients that run until they are closed, and a warning at exit for each that was not."""

from __future__ import annotations

import atexit
import weakref
from typing import Protocol


class Watched(Protocol):
    """A client that its own work keeps alive, so that `__del__` never tells."""

    def warn_unclosed(self) -> None:
        """Warn if the client still runs."""


_watched: weakref.WeakSet[Watched] = weakref.WeakSet()


def watch(client: Watched) -> None:
    """Have `client.warn_unclosed()` called when the interpreter ends, if it lives until then."""
    _watched.add(client)


@atexit.register
def _warn() -> None:
    for client in list(_watched):
        client.warn_unclosed()
