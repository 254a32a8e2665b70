"""The COS v4 face of the local cloud: buckets, folders and objects, in memory.

It is an independent reading of the wire: signatures and digests are checked with the standard
library alone, never with the client's own code.
"""

from __future__ import annotations

from .app import create_app
from .state import State

__all__ = ["State", "create_app"]
