"""Settings that every service shares: credentials, the clock, retries."""

from __future__ import annotations

import os
import random
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key pair. The repr shows the access key and never the secret.

    Args:
        access_key: the public half (AccessKey, SecretId).
        secret_key: the secret half.
        token: a session token for temporary keys, or "".
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for name in ("access_key", "secret_key"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise ConfigError(f"{name} must be a non-empty str")


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time and randomness come from; tests give their own.

    Args:
        monotonic: seconds that never go back; deadlines are on it.
        wall: seconds since 1970.
        random: a float in [0, 1).
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    random: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how soon an operation that may be repeated is tried again.

    Args:
        attempts: tries in all, the first included; at least 1.
        base: seconds before the first retry at most (full jitter, doubled at each retry).
        cap: seconds that a delay never passes.
        budget: what a client may spend on retries: each costs 5, after a time-out 10, and a
            success pays back. A client that has spent it fails at the first error, so that many
            callers do not storm a server that is down.
    """

    attempts: int = 3
    base: float = 0.05
    cap: float = 5.0
    budget: int = 500

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigError(f"retry.attempts must be at least 1, not {self.attempts}")
        if self.base < 0 or self.cap < 0:
            raise ConfigError("retry.base and retry.cap must not be negative")
        if self.budget < 0:
            raise ConfigError("retry.budget must not be negative")

    def delay(self, retry: int, random: float) -> float:
        """Return the seconds before retry number `retry` (from 1); `random` is in [0, 1)."""
        return random * min(self.cap, self.base * 2.0 ** (retry - 1))


def whole(value: object, name: str, low: int, high: int) -> int:
    """Return `value`, an int within `low` and `high`.

    Raises:
        ConfigError: it is not; `name` is the argument it names.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} must be an int from {low} to {high}, not {value!r}")
    return value


def instance(value: object, kind: type, name: str) -> None:
    """Refuse a `value` of another type than `kind`; None passes.

    Raises:
        ConfigError: `name` is the argument it names.
    """
    if value is not None and not isinstance(value, kind):
        raise ConfigError(f"{name} must be {kind.__name__}, not {type(value).__name__}")


_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def seconds(value: float | str, name: str) -> float:
    """Return a positive duration in seconds, given as a number or as text such as "1m30s".

    Raises:
        ConfigError: it is not a duration, or not above 0; `name` is the argument it names.
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if match is None or not value:
            raise ConfigError(f'{name} must be seconds or text such as "1m30s", not {value!r}')
        hours, minutes, rest = (float(part or 0) for part in match.groups())
        value = hours * 3600 + minutes * 60 + rest
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{name} must be seconds, not {type(value).__name__}")
    if not 0 < value < float("inf"):
        raise ConfigError(f"{name} must be above 0 seconds, not {value}")
    return float(value)


def state_folder() -> Path:
    """Return where what outlives a process is kept.

    That is WIRESPEED_STATE_DIR, or `wirespeed` in the user's state folder.
    """
    from pathlib import Path

    given = os.environ.get("WIRESPEED_STATE_DIR")
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~")
    else:
        base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(base) / "wirespeed"
