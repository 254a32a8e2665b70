"""The settings, read at each call: assign to them, or name a TOML file in WIRESPEED_WCS_CONFIG.

PUT_URL = "http://user.up0.v1.wcsapi.com"
MGR_URL = "http://bucket.mgr0.v1.wcsapi.com"
"""

from __future__ import annotations

import importlib
import json
import os
import re
from typing import Any

PUT_URL = "http://"
MGR_URL = "http://"

_BLOCK_SIZE = 1024 * 1024 * 4
_BPUT_SIZE = 512 * 1024

connection_retries = 3
connection_timeout = 40

mkblk_retries = 3
bput_retries = 3
mkfile_retries = 3

logging_folder = "/tmp/logger/"
logger_folder = "/tmp/logging/"
tmp_record_folder = "/tmp/sliceupload/"

Thread_num = 4

_NAMES = (
    "PUT_URL",
    "MGR_URL",
    "_BLOCK_SIZE",
    "_BPUT_SIZE",
    "connection_retries",
    "connection_timeout",
    "mkblk_retries",
    "bput_retries",
    "mkfile_retries",
    "logging_folder",
    "logger_folder",
    "tmp_record_folder",
    "Thread_num",
)


class PutPolicy:
    """An upload policy under construction; `putpolicy` is what `Auth.uploadtoken` takes."""

    def __init__(self) -> None:
        self.putpolicy: dict[str, Any] = {}
        self.policy = {
            "scope",
            "deadline",
            "saveKey",
            "fsizeLimit",
            "overwrite",
            "returnUrl",
            "returnBody",
            "callbackUrl",
            "callbackBody",
            "persistentNotifyUrl",
            "persistentOps",
            "separate",
            "instant",
            "contentDetect",
            "detectNotifyURL",
            "detectNotifyRule",
        }

    def set_conf(self, key: str, value: Any) -> None:
        """Set a field; an unknown one is only reported on standard output."""
        if key in self.policy:
            self.putpolicy[key] = value
        else:
            print("invalid putpolicy param\n")

    def get_conf(self, key: str) -> str | None:
        """Return `key:value`; an unknown key is only reported. KeyError: it is not set."""
        if key in self.policy:
            return f"{key}:{self.putpolicy[key]}"
        print("invalid putpolicy param\n")
        return None


def _parse(text: str) -> dict[str, Any]:
    try:
        tomllib = importlib.import_module("tomllib")
    except ImportError:
        return _parse_flat(text)
    values: dict[str, Any] = tomllib.loads(text)
    return values


def _parse_flat(text: str) -> dict[str, Any]:
    """Read `name = value` lines of TOML, for Python 3.10, which has no reader of its own."""
    values = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(
            r"""([A-Za-z0-9_]+)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*'|[\d_]+|[\d.]+)\s*(?:#.*)?""", line
        )
        if match is None:
            raise ValueError(f'line {number} is not name = "text" or name = number')
        name, value = match.groups()
        if value.startswith("'"):
            values[name] = value[1:-1]
        else:
            values[name] = json.loads(value if value.startswith('"') else value.replace("_", ""))
    return values


def _load(path: str) -> None:
    """Set what a TOML file sets. ValueError names the file and what is wrong with it."""
    try:
        with open(path, encoding="utf-8") as file:
            values = _parse(file.read())
    except ValueError as error:
        raise ValueError(f"WIRESPEED_WCS_CONFIG: {path}: {error}") from None
    for name, value in values.items():
        kind = str if isinstance(globals().get(name), str) else (int, float)
        if name not in _NAMES or isinstance(value, bool) or not isinstance(value, kind):
            raise ValueError(f"WIRESPEED_WCS_CONFIG: {path}: {name} is no setting of that type")
        globals()[name] = value


if os.environ.get("WIRESPEED_WCS_CONFIG"):
    _load(os.environ["WIRESPEED_WCS_CONFIG"])
