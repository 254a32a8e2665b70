"""Where the key pair comes from."""

from __future__ import annotations

import configparser
import os
from typing import Any

from . import config


class ProfileNotFoundError(ValueError):
    """No file has the profile."""


class Provider:
    """Finds the key pair: arguments, environment, profile, boto's files.

    Attributes:
        access_key: the public half.
        secret_key: the secret half.
        security_token: the token of temporary keys, or None.
    """

    def __init__(
        self,
        name: str,
        access_key: str | None = None,
        secret_key: str | None = None,
        security_token: str | None = None,
        profile_name: str | None = None,
    ) -> None:
        self.name = name
        self.host: str | None = None
        self.access_key = access_key
        self.secret_key = secret_key
        self.security_token = security_token
        self.profile_name = profile_name or os.environ.get("AWS_PROFILE")
        self.shared_credentials = _read("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
        self._settings = _read("AWS_CONFIG_FILE", "~/.aws/config")
        self._find(explicit_profile=profile_name)

    def __repr__(self) -> str:
        return f"Provider({self.name!r}, {self.access_key!r})"

    def _profile(self, name: str) -> dict[str, str] | None:
        for parser, section in (
            (self.shared_credentials, name),
            (self._settings, name if name == "default" else f"profile {name}"),
        ):
            if parser.has_section(section):
                return dict(parser.items(section))
        return None

    def _find(self, explicit_profile: str | None) -> None:
        if self.access_key is not None and self.secret_key is not None:
            return
        places: list[dict[str, Any]] = []
        environment = {
            "aws_access_key_id": os.environ.get("AWS_ACCESS_KEY_ID"),
            "aws_secret_access_key": os.environ.get("AWS_SECRET_ACCESS_KEY"),
            "aws_security_token": os.environ.get(
                "AWS_SECURITY_TOKEN", os.environ.get("AWS_SESSION_TOKEN")
            ),
        }
        if explicit_profile is None:
            places.append(environment)
        if self.profile_name is not None:
            found = self._profile(self.profile_name) or _boto_profile(self.profile_name)
            if found is None:
                raise ProfileNotFoundError(f'Profile "{self.profile_name}" not found!')
            places.append(found)
        else:
            places += [self._profile("default") or {}, _boto_section("Credentials") or {}]
        for place in places:
            key = self.access_key or place.get("aws_access_key_id")
            secret = self.secret_key or place.get("aws_secret_access_key")
            if secret is None and key and place.get("keyring"):
                secret = _from_keyring(place["keyring"], key)
            if key and secret:
                self.access_key, self.secret_key = key, secret
                token = place.get("aws_security_token") or place.get("aws_session_token")
                self.security_token = self.security_token or token
                return


def _read(variable: str, path: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(os.path.expanduser(os.environ.get(variable, path)), encoding="utf-8")
    return parser


def _boto_section(section: str) -> dict[str, Any] | None:
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_security_token", "keyring")
    made = {name: config.get(section, name) for name in names if config.has_option(section, name)}
    return made or None


def _boto_profile(name: str) -> dict[str, Any] | None:
    return _boto_section(f"profile {name}") or _boto_section(name)


def _from_keyring(keyring_name: str, access_key: str) -> str | None:
    import keyring

    secret: str | None = keyring.get_password(keyring_name, access_key)
    return secret


def get_default() -> Provider:
    """Return what a connection without arguments uses."""
    return Provider("aws")
