"""What is uploaded: files and buffers, read by slices."""

from __future__ import annotations

import hashlib
import os
import stat
import threading

from .. import _native
from ..errors import ConfigError, SourceChanged
from ..http.models import Buffer

HASHED_WHOLE = 64 * 1024 * 1024
"""Bytes up to which a file is held once to compute the digests of its slices."""

_CHUNK = 1024 * 1024


class FileSource:
    """A regular file, from any thread, that notices when it changes.

    Args:
        path: the file.

    Raises:
        OSError: the file is missing, a directory, or may not be read.
        ConfigError: it is no regular file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
            raise ConfigError(f"path must be a regular file: {os.fspath(path)!r}")
        self._lock = threading.Lock()
        self._file = open(path, "rb")  # noqa: SIM115 - closed by close()
        self._opened = self._identity(os.fstat(self._file.fileno()))
        self.size = self._opened[0]
        digest = hashlib.sha1(usedforsecurity=False)
        while chunk := self._file.read(_CHUNK):
            digest.update(chunk)
        self.sha1 = digest.hexdigest()

    @staticmethod
    def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
        return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev

    def states(self, slice_size: int) -> list[bytes] | None:
        """Return the running digests after each slice, None for more than 64 MiB."""
        if self.size > HASHED_WHOLE:
            return None
        return _native.sha1_states(self.load(0, self.size), slice_size)

    def load(self, offset: int, size: int) -> bytes:
        """Read a slice.

        Raises:
            SourceChanged: the file has become shorter.
        """
        with self._lock:
            if self._file.closed:
                raise SourceChanged(f"the upload of {os.fspath(self.path)!r} has ended")
            self._file.seek(offset)
            data = self._file.read(size)
        if len(data) != size:
            raise self._changed("became shorter")
        return data

    def _changed(self, how: str) -> SourceChanged:
        return SourceChanged(
            f"the file {os.fspath(self.path)!r} {how} while it was uploaded",
            retryable=True,
            hint="nothing was stored; upload it again when nobody writes to it",
        )

    def verify(self) -> None:
        """Check that the file is what was opened.

        Raises:
            SourceChanged: its size, time of modification or identity differs.
        """
        try:
            named = self._identity(os.stat(self.path))
        except OSError:
            raise self._changed("went away") from None
        if named != self._opened:
            raise self._changed("changed")

    def close(self) -> None:
        """Close the file. Twice is fine."""
        with self._lock:
            self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


def sha1_of(data: Buffer) -> str:
    """Return the SHA-1 of bytes in hexadecimal."""
    return _native.sha1(data).hex()
