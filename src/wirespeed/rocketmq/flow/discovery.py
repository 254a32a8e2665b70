"""Name servers named by a URL (an address server)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from ...engine.effects import Exchange, Flow, Sleep
from ...errors import ConfigError, ServiceError, WirespeedError
from ...http.models import Origin, Request, Response
from .route import ClientState, parse_name_servers

_log = logging.getLogger("wirespeed.rocketmq")

TIMEOUT = 3.0
INTERVAL = 120.0


def is_address_server(text: object) -> bool:
    """Whether a text names an address server rather than name servers: a URL with a path."""
    return isinstance(text, str) and bool(urlsplit(text).netloc) and len(urlsplit(text).path) > 1


def find_name_servers(url: str, deadline: float) -> Flow[str]:
    """Return the first line of the answer to a GET of `url`: "host:port;host:port".

    Raises:
        ConfigError: the URL is malformed.
        TransportError: no answer by `deadline`.
        ServiceError: the answer is no 200, or names nothing.
    """
    parts = urlsplit(url)
    if not parts.netloc:
        raise ConfigError(f"the name server domain must be a URL, not {url!r}")
    origin = Origin.parse(f"{parts.scheme}://{parts.netloc}", "the name server domain")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    response: Response = yield Exchange(origin, Request("GET", target), deadline)
    lines = response.body.decode("ascii", "replace").splitlines()
    if response.status != 200 or not lines or not lines[0].strip():
        raise ServiceError(
            f"{origin} named no name server (status {response.status})",
            service="rocketmq",
            status=response.status,
            endpoint=str(origin),
        )
    return str(lines[0].strip())


def keep_name_servers(client: ClientState, url: str, forget: Callable[[str], None]) -> Flow[None]:
    """Ask the address server every 120 s for ever, and have the client use what it names.

    Where it fails or names nothing usable, the list stays as it is.

    Args:
        client: whose name servers they are.
        url: the address server's.
        forget: is called with each name server that is no longer named.
    """
    while True:
        yield Sleep(INTERVAL)
        try:
            text = yield from find_name_servers(url, client.deadline(TIMEOUT))
            servers = parse_name_servers(text)
        except WirespeedError as error:
            _log.warning("the list of name servers stays as it is: %s", error)
            continue
        gone = [server for server in client.name_servers if server not in servers]
        client.use_name_servers(servers)
        for server in gone:
            forget(server)
