"""What is uploaded: files, read by slices, and their digests."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from .. import _native
from ..http.models import Buffer
from ..storage import WatchedFile


class FileSource(WatchedFile):
    """A regular file read by slices, from any thread, that notices when it changes.

    It is read once, a slice at a time, to compute the digests.

    Args:
        path: the file.
        slice_size: bytes of a slice, a multiple of 64.

    Attributes:
        states: the running digests after each slice; the last is that of the whole.
        sha1: the file's SHA-1 in hexadecimal.

    Raises:
        OSError: the file is missing, a directory, or may not be read.
        ConfigError: it is no regular file.
    """

    def __init__(self, path: str | os.PathLike[str], slice_size: int) -> None:
        super().__init__(path)
        running = _native.Sha1()
        self.states: list[bytes] = []
        for offset in range(0, self.size, slice_size):
            running.update(self.load(offset, min(slice_size, self.size - offset)))
            self.states.append(running.state()[:20])
        whole = running.digest()
        if self.states:
            self.states[-1] = whole
        self.sha1 = whole.hex()

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


class Sha1Text:
    """The digest of a download, as COS spells it."""

    def __init__(self) -> None:
        self._running: Any = hashlib.sha1(usedforsecurity=False)

    def update(self, data: memoryview) -> None:
        """Take the next bytes."""
        self._running.update(data)

    def text(self) -> str:
        """Return the SHA-1 in hexadecimal."""
        return str(self._running.hexdigest())


def sha1_of(data: Buffer) -> str:
    """Return the SHA-1 of bytes in hexadecimal."""
    return _native.sha1(data).hex()
