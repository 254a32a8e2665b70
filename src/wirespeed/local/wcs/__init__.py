"""The WCS face of the local cloud: uploads, block uploads, stat, list, delete, in memory.

It is an independent reading of the wire: signatures, digests and requests are checked with
the standard library alone, never with the client's own code.
"""

from __future__ import annotations

from .app import create_app
from .state import State, StoredObject

__all__ = ["State", "StoredObject", "create_app"]
