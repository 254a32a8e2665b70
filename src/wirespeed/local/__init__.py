"""The local cloud: the services on loopback, in memory, for a laptop and for tests."""

from __future__ import annotations

from .cloud import SERVICES, LocalCloud

__all__ = ["SERVICES", "LocalCloud"]
