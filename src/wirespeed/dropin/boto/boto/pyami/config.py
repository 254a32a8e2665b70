"""Settings from boto's files."""

from __future__ import annotations

import configparser
import os
from typing import Any

BotoConfigPath = "/etc/boto.cfg"
UserConfigPath = os.path.expanduser("~/.boto")


def locations() -> list[str]:
    """Return the files that are read: BOTO_CONFIG's alone, BOTO_PATH's, or the usual ones."""
    if "BOTO_CONFIG" in os.environ:
        return [os.path.expanduser(os.environ["BOTO_CONFIG"])]
    if "BOTO_PATH" in os.environ:
        return [os.path.expanduser(path) for path in os.environ["BOTO_PATH"].split(os.pathsep)]
    return [BotoConfigPath, os.path.expanduser("~/.boto")]


class Config(configparser.ConfigParser):
    """The settings; every getter takes a default and never raises for what is not there."""

    def __init__(self, path: str | None = None, fp: Any = None, do_load: bool = True) -> None:
        super().__init__(interpolation=None, strict=False)
        if not do_load:
            return
        if path:
            self.load_from_path(path)
        elif fp:
            self.read_file(fp)
        else:
            self.read(locations(), encoding="utf-8")
        if "AWS_CREDENTIAL_FILE" in os.environ:
            self.load_credential_file(os.path.expanduser(os.environ["AWS_CREDENTIAL_FILE"]))

    def load_from_path(self, path: str) -> None:
        """Read one more file."""
        self.read(path, encoding="utf-8")

    def load_credential_file(self, path: str) -> None:
        """Read a file of `AWSAccessKeyId=` and `AWSSecretKey=` lines."""
        names = {"AWSAccessKeyId": "aws_access_key_id", "AWSSecretKey": "aws_secret_access_key"}
        if not self.has_section("Credentials"):
            self.add_section("Credentials")
        with open(path, encoding="utf-8") as stream:
            for line in stream:
                name, _, value = line.partition("=")
                if name.strip() in names:
                    self.set("Credentials", names[name.strip()], value.strip())

    def get(self, section: str, name: str, default: Any = None, **kw: Any) -> Any:  # type: ignore[override]
        """Return a setting's text."""
        try:
            return super().get(section, name)
        except configparser.Error:
            return default

    def get_value(self, section: str, name: str, default: Any = None) -> Any:
        """Return a setting's text."""
        return self.get(section, name, default)

    def getint(self, section: str, name: str, default: int = 0) -> int:  # type: ignore[override]
        """Return a setting that is a number."""
        value = self.get(section, name)
        return default if value is None else int(value)

    def getfloat(self, section: str, name: str, default: float = 0.0) -> float:  # type: ignore[override]
        """Return a setting that is a number."""
        value = self.get(section, name)
        return default if value is None else float(value)

    def getbool(self, section: str, name: str, default: bool = False) -> bool:
        """Return whether a setting is "true", in any case."""
        value = self.get(section, name)
        return default if value is None else str(value).lower() == "true"

    def setbool(self, section: str, name: str, value: bool) -> None:
        """Set a setting to "true" or "false"."""
        if not self.has_section(section):
            self.add_section(section)
        self.set(section, name, "true" if value else "false")
