"""The local cloud: the services on loopback, in memory, for a laptop and for tests."""

from __future__ import annotations

from .cloud import SERVICES, LocalCloud
from .faults import Fault, Faults, Logged

__all__ = ["SERVICES", "Fault", "Faults", "LocalCloud", "Logged"]
