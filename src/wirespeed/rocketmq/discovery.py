"""Name servers named by a URL (an address server)."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from ..engine.effects import Exchange
from ..errors import ConfigError, ServiceError
from ..http.models import Origin, Request
from ..http.threads import Transport


def fetch_name_servers(url: str, timeout: float = 3.0) -> str:
    """Return the first line of the answer to a GET of `url`: "host:port;host:port".

    Raises:
        ConfigError: the URL is malformed.
        TransportError: no answer within `timeout` seconds.
        ServiceError: the answer is no 200, or names nothing.
    """
    parts = urlsplit(url)
    if not parts.netloc:
        raise ConfigError(f"the name server domain must be a URL, not {url!r}")
    origin = Origin.parse(f"{parts.scheme}://{parts.netloc}", "the name server domain")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with Transport() as transport:
        response = transport.exchange(
            Exchange(origin, Request("GET", target), time.monotonic() + timeout)
        )
    lines = response.body.decode("ascii", "replace").splitlines()
    if response.status != 200 or not lines or not lines[0].strip():
        raise ServiceError(
            f"{origin} named no name server (status {response.status})",
            service="rocketmq",
            status=response.status,
            endpoint=str(origin),
        )
    return str(lines[0].strip())
