"""The RocketMQ face of the local cloud: a name server and a broker, in memory.

It is an independent reading of the protocol: it shares the frame codec of `_native` with the
clients, and nothing else.
"""

from __future__ import annotations

from .broker import DELAY_LEVELS, Broker
from .namesrv import NameServer
from .server import Server
from .store import Store
from .tls import Tls
from .watch import Watched

__all__ = ["DELAY_LEVELS", "Broker", "NameServer", "Server", "Store", "Tls", "Watched"]
