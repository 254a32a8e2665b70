"""The key pair."""

from __future__ import annotations

from typing import Any

from .cos_params_check import ParamCheck


class CredInfo:
    """An application's number and its key pair; the secret is never shown."""

    def __init__(self, appid: int, secret_id: str, secret_key: str) -> None:
        self._appid = appid
        self._secret_id = secret_id
        self._secret_key = secret_key
        self._param_check = ParamCheck()

    def get_appid(self) -> int:
        """Return the application's number."""
        return self._appid

    def get_secret_id(self) -> str:
        """Return the public half of the key pair."""
        return self._secret_id

    def get_secret_key(self) -> str:
        """Return the secret half."""
        return self._secret_key

    def check_params_valid(self) -> bool:
        """Whether all three are of the right type."""
        check = self._param_check
        pairs: list[tuple[str, Any]] = [
            ("secret_id", self._secret_id),
            ("secret_key", self._secret_key),
        ]
        return check.check_param_int("appid", self._appid) and all(
            check.check_param_unicode(name, value) for name, value in pairs
        )

    def get_err_tips(self) -> str:
        """Return why the check failed."""
        return self._param_check.get_err_tips()
