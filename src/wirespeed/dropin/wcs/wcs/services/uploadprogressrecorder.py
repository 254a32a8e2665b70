"""Remembers the blocks of unfinished uploads, one JSON line each."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import threading
from typing import Any

from ..commons import config

_LONGEST = 200
_lock = threading.Lock()


class UploadProgressRecorder:
    """Keeps records in `config.tmp_record_folder`, readable by their owner alone.

    Attributes:
        record_folder: the folder.

    Raises:
        Exception: `tmp_record_folder` is None.
    """

    def __init__(self) -> None:
        if config.tmp_record_folder is None:
            raise Exception("tmp_record_folder is necessary!")
        self.record_folder = config.tmp_record_folder
        os.makedirs(self.record_folder, mode=0o700, exist_ok=True)

    def _path(self, key: str) -> str:
        name = base64.urlsafe_b64encode(key.encode()).decode()
        if len(name) > _LONGEST:
            name = "sha256-" + hashlib.sha256(key.encode()).hexdigest()
        return os.path.join(self.record_folder, name)

    def get_upload_record(self, key: str) -> list[dict[str, Any]] | None:
        """Return the records of a key, or None. A line that is not whole is left out."""
        records = []
        try:
            with open(self._path(key), encoding="utf-8") as file:
                for line in file:
                    with contextlib.suppress(ValueError, RecursionError):
                        record = json.loads(line)
                        if isinstance(record, dict):
                            records.append(record)
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        return records

    def set_upload_record(self, key: str, data: dict[str, Any]) -> None:
        """Add a record to those of a key."""
        line = json.dumps(data).encode() + b"\n"
        with _lock:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            descriptor = os.open(self._path(key), flags, 0o600)
            with open(descriptor, "ab", buffering=0) as file:
                file.write(line)

    def delete_upload_record(self, key: str) -> None:
        """Forget a key. It may be unknown."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self._path(key))
