"""Makes connections with blocking sockets: several addresses at once, tunnels, TLS."""

from __future__ import annotations

import selectors
import socket
import time
from typing import TYPE_CHECKING, Any

from ..errors import WirespeedError
from . import failures
from .codec import encode_tunnel, new_reader
from .models import Limits, Origin
from .proxy import Proxy
from .tls import shared_context

if TYPE_CHECKING:
    import ssl

HEAD_START = 0.25
"""Seconds that an address has before the next one is tried beside it (RFC 8305)."""

_RECEIVE = 16 * 1024


def dial(
    origin: Origin,
    proxy: Proxy | None,
    deadline: float,
    tls: ssl.SSLContext | None,
    limits: Limits,
    codec: str,
) -> socket.socket:
    """Return a connection to a server, by its proxy where there is one.

    Raises:
        ConnectError, DeadlineExceeded, TlsError: there is none; nothing was sent.
        ConfigError: the codec is not installed.
    """
    first = proxy.origin if proxy else origin
    try:
        sock = _connect(first.host, first.port, deadline)
    except (OSError, UnicodeError) as error:
        failures.connecting(first, error)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.scheme == "https":
            if proxy:
                _tunnel(sock, origin, proxy, deadline, limits, codec)
            sock.settimeout(_remaining(deadline))
            context = tls or shared_context()
            sock = context.wrap_socket(sock, server_hostname=origin.host)
        return sock
    except BaseException as error:
        sock.close()
        if isinstance(error, (OSError, UnicodeError)) and not isinstance(error, WirespeedError):
            failures.connecting(origin, error)
        raise


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    return remaining


def _connect(host: str, port: int, deadline: float) -> socket.socket:
    found = interleave(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    _remaining(deadline)
    if len(found) > 1:
        return _race(found, deadline)
    if not found:
        raise OSError("the host has no address")
    family, kind, protocol, _, address = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(_remaining(deadline))
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def interleave(found: list[Any]) -> list[Any]:
    """Return the addresses of `getaddrinfo` with the families taking turns."""
    first = [each for each in found if each[0] == found[0][0]]
    others = [each for each in found if each[0] != found[0][0]]
    mixed = [each for pair in zip(first, others, strict=False) for each in pair]
    return mixed + first[len(others) :] + others[len(first) :]


def _race(found: list[Any], deadline: float) -> socket.socket:
    """Return the first of the addresses' sockets to connect; the next begins before one fails."""
    waiting = list(reversed(found))
    failure: OSError | None = None
    next_start = 0.0
    with selectors.DefaultSelector() as selector:
        racing: set[socket.socket] = set()
        winner: socket.socket | None = None
        try:
            while winner is None:
                now = time.monotonic()
                if waiting and (now >= next_start or not racing):
                    family, kind, protocol, _, address = waiting.pop()
                    next_start = now + HEAD_START
                    sock = socket.socket(family, kind, protocol)
                    racing.add(sock)
                    sock.setblocking(False)
                    try:
                        sock.connect(address)
                    except BlockingIOError:
                        selector.register(sock, selectors.EVENT_WRITE)
                    except OSError as error:
                        failure = error
                        racing.discard(sock)
                        sock.close()
                    else:
                        winner = sock
                    continue
                if not racing:
                    raise failure or OSError("the host has no address")
                limit = min(deadline, next_start) if waiting else deadline
                events = selector.select(max(0.0, limit - now))
                for key, _ in events:
                    sock = key.fileobj  # type: ignore[assignment]
                    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    selector.unregister(sock)
                    if code == 0:
                        winner = sock
                        break
                    failure = OSError(code, "")
                    racing.discard(sock)
                    sock.close()
                    next_start = 0.0
                if not events:
                    _remaining(deadline)
        finally:
            for sock in racing:
                if sock is not winner:
                    sock.close()
    return winner


def _tunnel(
    sock: socket.socket, origin: Origin, proxy: Proxy, deadline: float, limits: Limits, codec: str
) -> None:
    """Ask the proxy for a connection to the server."""
    reader = new_reader(limits, codec)
    reader.start("CONNECT")
    sock.settimeout(_remaining(deadline))
    sock.sendall(encode_tunnel(origin, proxy.authorization))
    while True:
        sock.settimeout(_remaining(deadline))
        data = sock.recv(_RECEIVE)
        if not data:
            raise ConnectionResetError("the proxy closed the connection")
        if reader.feed(data):
            failures.check_tunnel(origin, proxy.origin, reader.response())
            return
