"""Where the services listen."""

from __future__ import annotations

import os
import socket


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except BaseException as error:
        listener.close()
        if not isinstance(error, OSError) or isinstance(error, socket.gaierror):
            raise
        raise OSError(error.errno, f"{error.strerror}: {endpoint(host, port)}") from error
    return listener


def endpoint(host: str, port: int) -> str:
    """Return "host:port", IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
