"""Which proxy a server is reached by."""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ..errors import ConfigError
from .models import Origin


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. Requests to http servers are sent to it, those to https through a tunnel.

    Args:
        origin: where it listens.
        authorization: the value of Proxy-Authorization, or "".
    """

    origin: Origin
    authorization: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str, name: str) -> Proxy:
        """Return the proxy of "http://[user:password@]host:port".

        Raises:
            ConfigError: it is no such URL; the message calls it `name`.
        """
        if not isinstance(url, str):
            raise ConfigError(f"{name} must be a str, not {type(url).__name__}")
        scheme, mark, rest = url.partition("://")
        if not mark:
            scheme, rest = "http", url
        if scheme != "http":
            hint = "give session= a requests session for other proxies"
            raise ConfigError(f"{name} must be an http:// proxy, not {scheme}://", hint=hint)
        userinfo, at, place = rest.rpartition("@")
        origin = Origin.parse(f"http://{place}", name)
        if not at:
            return cls(origin)
        user, _, password = userinfo.partition(":")
        pair = f"{unquote(user)}:{unquote(password)}".encode()
        return cls(origin, "Basic " + base64.b64encode(pair).decode("ascii"))


class Proxies:
    """The proxies of a client: one given, or those of the environment as they are now.

    Args:
        given: a proxy's URL, "" for none, or None for HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and
            NO_PROXY (in capitals or small letters; HTTP_PROXY is not read where REQUEST_METHOD
            says that a CGI's client may have set it).
        environ: the environment.

    Raises:
        ConfigError: a proxy's URL is wrong.
    """

    def __init__(self, given: str | None, environ: Mapping[str, str] = os.environ) -> None:
        self._by_scheme: dict[str, Proxy] = {}
        self._except: tuple[str, ...] = ()
        if given is not None:
            if given:
                proxy = Proxy.parse(given, "proxy")
                self._by_scheme = {"http": proxy, "https": proxy}
            return
        for scheme in ("http", "https"):
            for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"):
                if name == "HTTP_PROXY" and "REQUEST_METHOD" in environ:
                    continue
                if environ.get(name):
                    self._by_scheme[scheme] = Proxy.parse(environ[name], name)
                    break
        text = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        self._except = tuple(part for part in text.replace(" ", ",").split(",") if part)

    def __bool__(self) -> bool:
        return bool(self._by_scheme)

    def find(self, origin: Origin) -> Proxy | None:
        """Return the proxy for a server, or None where it is reached directly.

        No proxy is asked for what is on this machine's link: metadata services.
        """
        proxy = self._by_scheme.get(origin.scheme)
        address = _address(origin.host)
        if address is not None and address.is_link_local:
            return None
        if proxy is None or any(_matches(pattern, origin) for pattern in self._except):
            return None
        return proxy


def _matches(pattern: str, origin: Origin) -> bool:
    """Return whether a part of NO_PROXY names a server."""
    if pattern == "*":
        return True
    host = origin.host.lower()
    address = _address(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(pattern.strip("[]"), strict=False)
        except ValueError:
            pass
    try:
        parts = urlsplit(f"//{pattern}")
        name, port = (parts.hostname or "").lstrip("."), parts.port
    except ValueError:
        return False
    if port is not None and port != origin.port:
        return False
    if address is not None:
        return _address(name) == address
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
