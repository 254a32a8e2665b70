"""The local cloud: the services on loopback, in memory, for a laptop and for tests."""

from __future__ import annotations

from .cloud import LocalCloud
from .faults import Fault, Faults, Logged
from .services import SERVICES

__all__ = ["SERVICES", "Fault", "Faults", "LocalCloud", "Logged"]
