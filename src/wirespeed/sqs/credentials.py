"""Where keys, region, endpoint and more come from when the caller gives none."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

from ..config import Credentials, Retry
from ..errors import ConfigError


def find_credentials(
    profile: str | None = None, environ: Mapping[str, str] = os.environ
) -> Credentials:
    """Return the first key pair of: the environment, then the profile in the AWS files.

    The environment is WIRESPEED_SQS_ACCESS_KEY and _SECRET_KEY (and _TOKEN), or AWS_ACCESS_KEY_ID
    and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN or AWS_SECURITY_TOKEN). The files are
    AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials), then AWS_CONFIG_FILE (~/.aws/config). A
    profile that is named goes before the environment. No network is asked.

    Args:
        profile: the profile; AWS_PROFILE, else "default".
        environ: the environment.

    Raises:
        ConfigError: there is none.
    """
    if profile is None:
        names = (
            ("WIRESPEED_SQS_ACCESS_KEY", "WIRESPEED_SQS_SECRET_KEY", ("WIRESPEED_SQS_TOKEN",)),
            (
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
                ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
            ),
        )
        for access, secret, tokens in names:
            if environ.get(access) and environ.get(secret):
                token = next((environ[name] for name in tokens if environ.get(name)), "")
                return Credentials(environ[access], environ[secret], token)
    chosen = profile or environ.get("AWS_PROFILE") or "default"
    for section in _sections(chosen, environ):
        if "aws_access_key_id" in section and "aws_secret_access_key" in section:
            token = section.get("aws_session_token") or section.get("aws_security_token") or ""
            return Credentials(
                section["aws_access_key_id"], section["aws_secret_access_key"], token
            )
    raise ConfigError(
        f"credentials: none were given, and neither the environment nor the profile {chosen!r} has "
        "any",
        hint="give credentials=Credentials(...), or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
    )


def find_region(profile: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """Return AWS_REGION, AWS_DEFAULT_REGION or the profile's region.

    Raises:
        ConfigError: there is none.
    """
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if profile is None and environ.get(name):
            return environ[name]
    for section in _sections(profile or environ.get("AWS_PROFILE") or "default", environ):
        if section.get("region"):
            return section["region"]
    raise ConfigError(
        "region: none was given, and neither the environment nor the profile has one",
        hint='give region="eu-west-1", or set AWS_REGION',
    )


def find_endpoint(region: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, or the region's own endpoint."""
    for name in ("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"):
        if environ.get(name):
            return environ[name]
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://sqs.{region}.{suffix}"


def find_retry(environ: Mapping[str, str] = os.environ) -> Retry:
    """Return how often to try: AWS_MAX_ATTEMPTS times, or 3.

    Raises:
        ConfigError: it is no number above 0.
    """
    text = environ.get("AWS_MAX_ATTEMPTS") or "3"
    if not text.isdecimal() or not int(text):
        raise ConfigError(f"AWS_MAX_ATTEMPTS must be a number above 0, not {text!r}")
    return Retry(attempts=int(text))


def find_authorities(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the file of the authorities to trust, AWS_CA_BUNDLE, or None for the system's.

    Raises:
        ConfigError: there is no such file.
    """
    path = environ.get("AWS_CA_BUNDLE") or None
    if path is not None and not os.path.isfile(path):
        raise ConfigError(f"AWS_CA_BUNDLE names {path}, which is no file")
    return path


def _sections(profile: str, environ: Mapping[str, str]) -> list[Mapping[str, str]]:
    """Return the profile's sections of the credentials file and of the configuration file."""
    home = Path(environ.get("HOME") or Path.home())
    places = (
        (environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws/credentials", profile),
        (
            environ.get("AWS_CONFIG_FILE") or home / ".aws/config",
            profile if profile == "default" else f"profile {profile}",
        ),
    )
    found: list[Mapping[str, str]] = []
    for path, section in places:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {type(error).__name__}") from None
        if parser.has_section(section):
            found.append(dict(parser.items(section)))
    return found
