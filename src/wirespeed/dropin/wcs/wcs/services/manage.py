"""What the services of the management host share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..commons import config
from ..commons.auth import Auth
from ..commons.http import _get, _post
from ..commons.logme import debug


def joined(params: Mapping[str, Any]) -> str:
    """Return `name=value` pairs joined by `&`, as they are."""
    return "&".join(f"{name}={value}" for name, value in params.items())


class Manager:
    """Sends signed requests to the management host; methods return `(status, value)`."""

    def __init__(self, auth: Auth) -> None:
        self.auth = auth

    @property
    def host(self) -> str:
        """Where requests go: `config.MGR_URL`, or what was assigned here."""
        host: str = self.__dict__.get("_host") or config.MGR_URL
        return host

    @host.setter
    def host(self, value: str) -> None:
        self.__dict__["_host"] = value

    def _post_signed(self, path: str, params: Mapping[str, Any]) -> tuple[int, Any]:
        url, body = f"{self.host}{path}", joined(params)
        headers = {"Authorization": self.auth.managertoken(url, body=body)}
        code, text = _post(url=url, data=body, headers=headers)
        debug(f"The return code of {path} is {code} and text is: {text}")
        return code, text

    def _get_bare(self, target: str) -> tuple[int, Any]:
        code, text = _get(url=f"{self.host}{target}")
        debug(f"The return code of status is {code} and text is: {text}")
        return code, text
