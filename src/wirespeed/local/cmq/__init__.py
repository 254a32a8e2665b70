"""The CMQ face of the local cloud: queues, topics and subscriptions, in memory.

It is an independent reading of the wire: signatures are checked with the standard library alone,
never with the client's own code.
"""

from __future__ import annotations

from .app import create_app
from .state import State

__all__ = ["State", "create_app"]
