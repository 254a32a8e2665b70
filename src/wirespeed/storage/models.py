"""What an upload stored, and how far a transfer is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import ConfigError


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What an upload stored.

    Attributes:
        key: the object's key.
        hash: its etag, computed here and confirmed by the server.
        size: its size in bytes.
    """

    key: str
    hash: str
    size: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is.

    Attributes:
        done: bytes the server has confirmed; never goes back.
        total: bytes in all.
        key: the object's key.
        elapsed: seconds since the transfer began.
        resumed: those of `done` that an earlier run carried, or that the server had already.
    """

    done: int
    total: int
    key: str
    elapsed: float
    resumed: int = 0


class ProgressBar(Protocol):
    """A progress bar such as tqdm's."""

    def update(self, n: int) -> Any:
        """Advance by `n` bytes."""


ProgressCallback = Callable[[Progress], Any] | ProgressBar


def check_progress(progress: object) -> None:
    """Raise `ConfigError` for what can take no progress."""
    if progress is not None and not callable(progress) and not hasattr(progress, "update"):
        raise ConfigError("progress must be a callable or have a method update(n)")
