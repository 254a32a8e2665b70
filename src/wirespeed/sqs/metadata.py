"""Keys of the role that a container or a machine at Amazon has, asked of its metadata service."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..config import Credentials, seconds
from ..engine.effects import Exchange, Flow
from ..errors import ConfigError, WirespeedError
from ..http.models import Headers, Origin, Request, Response

if TYPE_CHECKING:
    from ..config import Clock

_CONTAINERS = "http://169.254.170.2"
_MACHINES = "http://169.254.169.254"
_ROLES = "/latest/meta-data/iam/security-credentials/"
_SOON = 300.0


class MetadataCredentials:
    """The keys that the metadata service gives, asked anew five minutes before they end.

    Give it as `credentials=`. Nothing is asked before the first call of the client. It asks what
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI names, with
    AWS_CONTAINER_AUTHORIZATION_TOKEN or what AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE holds, else
    EC2's service, version 2, at AWS_EC2_METADATA_SERVICE_ENDPOINT or 169.254.169.254.

    Args:
        timeout: seconds that one request to the metadata service may take.
        environ: the environment.

    Raises:
        ConfigError: the environment names an address that is neither of this machine nor of its
            link; over https any is taken.
    """

    def __init__(
        self, *, timeout: float | str = 1.0, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._timeout = seconds(timeout, "timeout")
        relative = environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        full = environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        self._environ = environ
        self._in_container = bool(relative or full)
        url = _CONTAINERS + relative if relative else full
        if not url:
            url = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _MACHINES
        parts = urlsplit(url)
        self._origin = Origin.parse(f"{parts.scheme}://{parts.netloc}", "the metadata address")
        self._target = parts.path + (f"?{parts.query}" if parts.query else "")
        if parts.scheme != "https" and not _is_near(self._origin.host):
            raise ConfigError(
                f"the metadata address {self._origin} is neither of this machine nor of its link"
            )
        self._keys: Credentials | None = None
        self._ends = 0.0
        self._asking = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._origin)!r})"

    def __call__(self) -> Credentials:
        """Return the keys of now.

        Raises:
            ConfigError: none were given yet.
        """
        if self._keys is None:
            raise ConfigError("credentials: the metadata service has not been asked yet")
        return self._keys

    def refresh(self, clock: Clock) -> Flow[None]:
        """Ask for keys where there are none, or those there are end soon.

        Raises:
            ConfigError: the service gives none, and the old ones have ended.
        """
        left = self._ends - clock.wall()
        if left > _SOON or (left > 0 and self._asking):
            return
        self._asking = True
        try:
            headers: Headers = self._container_headers()
            target = self._target
            if not self._in_container:
                ttl = [("X-aws-ec2-metadata-token-ttl-seconds", "21600")]
                token = yield from self._ask(clock, "PUT", "/latest/api/token", ttl)
                headers = [("X-aws-ec2-metadata-token", token.strip())]
                role = yield from self._ask(clock, "GET", _ROLES, headers)
                target = _ROLES + role.split()[0]
            self._take(json.loads((yield from self._ask(clock, "GET", target, headers))))
        except (WirespeedError, ValueError, KeyError, IndexError, TypeError) as error:
            if self._ends <= clock.wall():
                raise ConfigError(
                    f"credentials: the metadata service {self._origin} gives none: "
                    f"{type(error).__name__}",
                    hint="does this machine or container have a role?",
                ) from error
        finally:
            self._asking = False

    def _container_headers(self) -> Headers:
        if not self._in_container:
            return []
        token = self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        path = self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        if path:
            try:
                with open(path, encoding="utf-8") as file:
                    token = file.read().strip()
            except OSError as error:
                raise ConfigError(f"the token file {path} cannot be read") from error
        return [("Authorization", token)] if token else []

    def _ask(self, clock: Clock, method: str, target: str, headers: Headers) -> Flow[str]:
        request = Request(method, target or "/", headers)
        response: Response = yield Exchange(
            self._origin, request, clock.monotonic() + self._timeout
        )
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        return response.body.decode()

    def _take(self, fields: dict[str, str]) -> None:
        ends = datetime.fromisoformat(fields["Expiration"].replace("Z", "+00:00"))
        self._keys = Credentials(
            fields["AccessKeyId"], fields["SecretAccessKey"], fields.get("Token") or ""
        )
        self._ends = ends.timestamp()


def _is_near(host: str) -> bool:
    """Return whether a host is this machine, or on its link."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local or host == "fd00:ec2::254"
