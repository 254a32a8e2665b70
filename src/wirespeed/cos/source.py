"""What is uploaded: files and buffers, read by slices."""

from __future__ import annotations

import hashlib
import os

from .. import _native
from ..http.models import Buffer
from ..storage import WatchedFile

HASHED_WHOLE = 64 * 1024 * 1024
"""Bytes up to which a file is held once to compute the digests of its slices."""

_CHUNK = 1024 * 1024


class FileSource(WatchedFile):
    """A regular file read by slices, from any thread, that notices when it changes.

    Args:
        path: the file.
        slice_size: bytes of a slice, a multiple of 64.

    Attributes:
        states: the running digests after each slice, None for more than 64 MiB.
        sha1: the file's SHA-1 in hexadecimal.

    Raises:
        OSError: the file is missing, a directory, or may not be read.
        ConfigError: it is no regular file.
    """

    def __init__(self, path: str | os.PathLike[str], slice_size: int) -> None:
        super().__init__(path)
        self.states: list[bytes] | None = None
        if 0 < self.size <= HASHED_WHOLE:
            self.states = _native.sha1_states(self.load(0, self.size), slice_size)
            self.sha1 = self.states[-1].hex()
            return
        digest = hashlib.sha1(usedforsecurity=False)
        for offset in range(0, self.size, _CHUNK):
            digest.update(self.load(offset, min(_CHUNK, self.size - offset)))
        self.sha1 = digest.hexdigest()

    def load(self, offset: int, size: int) -> bytearray:
        """Read a slice.

        Raises:
            SourceChanged: the file has become shorter.
        """
        data = bytearray(size)
        self._enter()
        try:
            self._read(memoryview(data), offset)
        finally:
            self._leave()
        return data


def sha1_of(data: Buffer) -> str:
    """Return the SHA-1 of bytes in hexadecimal."""
    return _native.sha1(data).hex()
