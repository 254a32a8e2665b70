"""What an upload or a download has done, written down so that another process can go on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config import state_folder

_log = logging.getLogger("wirespeed.storage")
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Journal:
    """One transfer's journal: a line that tells what it is of, then a line for each part done.

    It is readable by its owner alone. A line that was cut off by a kill is not counted. Two
    processes never share one.

    Args:
        path: the file.
        header: what it must be of; a journal of something else is begun anew.

    Attributes:
        kept: what the first run decided.
        parts: what is written down of each part, by its index.

    Raises:
        OSError: it cannot be written, or another process writes it.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
        self.path = path
        self.parts: dict[int, Any] = {}
        self.kept = dict(kept)
        self._lock = threading.Lock()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
        try:
            self._claim()
            if not self._read(dict(header)):
                os.ftruncate(self._handle, 0)
                os.lseek(self._handle, 0, os.SEEK_SET)
                self._write({"header": dict(header), "kept": self.kept})
        except BaseException:
            os.close(self._handle)
            raise

    @classmethod
    def open(
        cls, place: Mapping[str, Any], source: Mapping[str, Any], kept: Mapping[str, Any]
    ) -> Journal | None:
        """Return the journal of a transfer, or None where none can be kept.

        Args:
            place: what the transfer is of; gives the file its name.
            source: what must be the same for an earlier run to count.
            kept: what a first run decides and a later one takes over.
        """
        name = hashlib.sha256(json.dumps(dict(place), sort_keys=True).encode()).hexdigest()[:32]
        try:
            return cls(state_folder() / "transfers" / f"{name}.jsonl", {**place, **source}, kept)
        except OSError as error:
            _log.debug("no journal is kept: %s", error)
            return None

    def _claim(self) -> None:
        """Keep other processes out for as long as the file is open."""
        try:
            import fcntl
        except ImportError:
            return
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _read(self, header: dict[str, Any]) -> bool:
        """Take over what an earlier run wrote down; False where it was of something else."""
        with open(self._handle, "rb", closefd=False) as file:
            first, *lines = file.read().split(b"\n")
        try:
            start = json.loads(first)
            if start["header"] != header:
                return False
            self.kept = dict(start["kept"])
        except (ValueError, KeyError, TypeError):
            return False
        # What follows the last line end was cut off.
        whole = len(first) + 1
        for line in lines[:-1]:
            try:
                index, result = json.loads(line)
            except (ValueError, TypeError):
                break
            self.parts[int(index)] = result
            whole += len(line) + 1
        os.ftruncate(self._handle, whole)
        os.lseek(self._handle, 0, os.SEEK_END)
        return True

    def _write(self, value: object) -> None:
        os.write(self._handle, json.dumps(value, separators=(",", ":")).encode() + b"\n")

    def note(self, index: int, result: object) -> None:
        """Write down what a part gave. A full disk costs the journal, not the transfer."""
        with self._lock, contextlib.suppress(OSError):
            if self._handle >= 0:
                self._write([index, result])

    def restart(self) -> None:
        """Forget all parts: what they gave is of no use any more."""
        with self._lock:
            self.parts.clear()
            if self._handle >= 0:
                os.ftruncate(self._handle, 0)

    def close(self, *, finished: bool) -> None:
        """End it; a finished transfer needs it no more."""
        with self._lock:
            handle, self._handle = self._handle, -1
        if handle < 0:
            return
        if finished:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(handle)
