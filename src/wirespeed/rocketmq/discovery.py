"""An address server asked once, for the older interfaces."""

from __future__ import annotations

import time

from ..engine import threads as engine
from ..http.threads import Transport
from .flow.discovery import find_name_servers


def fetch_name_servers(url: str, timeout: float = 3.0) -> str:
    """Return the first line of the answer to a GET of `url`: "host:port;host:port".

    Raises:
        ConfigError: the URL is malformed.
        TransportError: no answer within `timeout` seconds.
        ServiceError: the answer is no 200, or names nothing.
    """
    with Transport() as transport:
        return engine.run(find_name_servers(url, time.monotonic() + timeout), transport)
