"""The RocketMQ face of the local cloud: a name server and a broker, in memory.

It is an independent reading of the protocol: it shares the frame codec of `_native` with the
clients, and nothing else.
"""

from __future__ import annotations

from .broker import Broker
from .namesrv import NameServer
from .server import Server
from .store import Store

__all__ = ["Broker", "NameServer", "Server", "Store"]
