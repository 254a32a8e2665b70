"""Who a client is: its id, and the unique ids of its messages. Re-made after a fork."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import socket
import threading
import time

from ..config import Clock, Credentials
from ..engine.forks import track_forks
from ..remoting.connection import Tls, parse_address
from .flow.route import Settings, parse_name_servers


def local_ip(towards: str) -> str:
    """Return the IPv4 address that reaches "host:port" `towards`; 127.0.0.1 where none does.

    Sends nothing.
    """
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(parse_address(towards))
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def client_id(ip: str) -> str:
    """Return an id that no other client of any process has: "ip@pid#nanoseconds"."""
    return f"{ip}@{os.getpid()}#{time.time_ns()}{secrets.randbelow(1000):03d}"


class UniqueIds:
    """Makes UNIQ_KEY values: 32 hex digits of ip, pid, a random number, time and a counter."""

    def __init__(self, ip: str) -> None:
        self._ip = socket.inet_aton(ip).hex().upper()
        self._lock = threading.Lock()
        self._renew()
        track_forks(self)

    def _renew(self) -> None:
        self._prefix = f"{self._ip}{os.getpid() & 0xFFFF:04X}{secrets.randbits(32):08X}"
        self._counter = itertools.count(secrets.randbelow(1 << 16))
        self._month_starts = self._month_ends = 0
        self._head = 0.0, 0.0, ""

    def next(self) -> str:
        """Return a new id. Thread-safe; unique below 65,536 ids a millisecond."""
        now = time.time()
        since, until, head = self._head
        if not since <= now < until:
            head = self._new_head(int(now * 1000))
        return head + "%04X" % (next(self._counter) & 0xFFFF)

    def _new_head(self, now: int) -> str:
        """Return what the ids of this millisecond begin with."""
        if now >= self._month_ends:
            with self._lock:
                self._start_month(now // 1000)
        head = f"{self._prefix}{(now - self._month_starts) & 0xFFFFFFFF:08X}"
        self._head = now / 1000, (now + 1) / 1000, head
        return head

    def _start_month(self, now: int) -> None:
        year, month = time.localtime(now)[:2]
        start, end = ((year, each, 1, 0, 0, 0, 0, 0, -1) for each in (month, month + 1))
        self._month_starts = int(time.mktime(start)) * 1000
        self._month_ends = int(time.mktime(end)) * 1000

    def after_fork(self) -> None:
        """In a forked child: become another maker, so that no id is made twice."""
        self._lock = threading.Lock()
        self._renew()


def name_servers(namesrv: str | None) -> tuple[str, ...]:
    """Return the name servers in `namesrv`, or in the environment's NAMESRV_ADDR if None.

    Raises:
        ConfigError: there is none, or one is malformed.
    """
    return parse_name_servers(os.environ.get("NAMESRV_ADDR", "") if namesrv is None else namesrv)


def new_settings(
    servers: tuple[str, ...], credentials: Credentials | None, tls: Tls | None = None
) -> Settings:
    """Return the settings of a new client, with an identity that no other client has."""
    ip = local_ip(servers[0])
    return Settings(servers, client_id(ip), UniqueIds(ip).next, credentials, Clock(), tls)
