"""Where a download goes: a file beside its place, which moves there once it is whole."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading

from ..errors import ConfigError, IntegrityError

_CHUNK = 1024 * 1024


class FileTarget:
    """A file that appears under its name only when every byte is there and verified.

    Args:
        path: its name; what was there before stays until then.
        size: bytes that it will have.

    Raises:
        OSError: the folder is missing or may not be written.
        ConfigError: `path` is a directory.
    """

    def __init__(self, path: str | os.PathLike[str], size: int) -> None:
        self.path = os.fspath(path)
        if os.path.isdir(self.path):
            raise ConfigError(f"path must be a file's name, not a directory: {self.path!r}")
        folder = os.path.dirname(os.path.abspath(self.path))
        handle, self._temporary = tempfile.mkstemp(prefix=".wirespeed-", dir=folder)
        self._file = open(handle, "r+b")  # noqa: SIM115 - closed by finish() or discard()
        self._lock = threading.Lock()
        self._size = size

    def write(self, offset: int, data: bytes) -> None:
        """Write some bytes."""
        with self._lock:
            self._file.seek(offset)
            self._file.write(data)

    def finish(self, sha1: str) -> str:
        """Compare the bytes with a SHA-1 in hexadecimal, unless it is "", and give them the name.

        Returns:
            Their SHA-1.

        Raises:
            IntegrityError: they are others; nothing has changed under the name.
        """
        digest = hashlib.sha1(usedforsecurity=False)
        with self._lock:
            self._file.seek(0)
            while chunk := self._file.read(_CHUNK):
                digest.update(chunk)
            size = self._file.tell()
            self._file.close()
        found = digest.hexdigest()
        if size != self._size or (sha1 and found != sha1.lower()):
            self.discard()
            raise IntegrityError(
                f"the download of {self.path!r} has {size} bytes with the SHA-1 {found}; COS tells "
                f"of {self._size} with {sha1 or 'none'}",
                service="cos",
                hint="download it again",
            )
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(self._temporary, 0o666 & ~mask)
        os.replace(self._temporary, self.path)
        return found

    def discard(self) -> None:
        """Remove what was downloaded so far. Twice, and after `finish`, is fine."""
        self._file.close()
        if os.path.exists(self._temporary):
            os.unlink(self._temporary)
