"""An object read like a file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

from ...errors import IntegrityError

MOST = 64 * 1024 * 1024


class ObjectFile(io.RawIOBase):
    """An object's bytes, asked for by ranges; wrapped in an `io.BufferedReader`.

    Args:
        name: its key.
        size: its size in bytes.
        fetch: returns the bytes from a first one on, and before another.
    """

    def __init__(self, name: str, size: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self.name = name
        self._size = size
        self._fetch = fetch
        self._place = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from any place."""
        return True

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Let the next read begin elsewhere; return where.

        Raises:
            ValueError: that is before the beginning, or the file is closed.
        """
        self._check_open()
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}")
        self._place = base + offset
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        """Read into a buffer; return how many bytes, 0 at the end.

        Raises:
            IntegrityError: the object became shorter.
            WirespeedError: the bytes could not be had.
        """
        self._check_open()
        view = memoryview(buffer).cast("B")
        count = min(len(view), self._size - self._place, MOST)
        if count <= 0:
            return 0
        data = self._fetch(self._place, self._place + count)
        if len(data) != count:
            raise IntegrityError(
                f"{self.name!r} gave {len(data)} of {count} bytes", hint="open it again"
            )
        view[:count] = data
        self._place += count
        return count

    def readall(self) -> bytes:
        """Return what is left."""
        pieces = []
        while self._place < self._size:
            piece = bytearray(min(self._size - self._place, MOST))
            self.readinto(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("the file is closed")


def opened(
    name: str, size: int, fetch: Callable[[int, int], bytes], buffer_size: int
) -> io.BufferedReader:
    """Return a buffered reader of an object."""
    return io.BufferedReader(ObjectFile(name, size, fetch), buffer_size)


Reader = io.BufferedReader
