"""Clients that must let go of their parent's connections in a forked child."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class _ForkAware(Protocol):
    def after_fork(self) -> None: ...


_fork_aware: weakref.WeakSet[_ForkAware] = weakref.WeakSet()


def track_forks(client: _ForkAware) -> None:
    """Have `client.after_fork()` called in every child forked from now on, while it lives."""
    _fork_aware.add(client)


def _after_fork_in_child() -> None:
    for client in list(_fork_aware):
        client.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
