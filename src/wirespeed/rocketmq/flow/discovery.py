"""Name servers named by a URL (an address server)."""

from __future__ import annotations

from urllib.parse import urlsplit

from ...engine.effects import Exchange, Flow
from ...errors import ConfigError, ServiceError
from ...http.models import Origin, Request, Response


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
