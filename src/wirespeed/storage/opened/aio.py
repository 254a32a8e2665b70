"""An object read like a file, for asyncio."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType

from ...errors import IntegrityError

_MOST = 64 * 1024 * 1024


class Reader:
    """An object's bytes, asked for by ranges and read ahead by a buffer; one task at a time.

    Args:
        name: its key.
        size: its size in bytes.
        fetch: returns the bytes from a first one on, and before another.
        buffer_size: bytes to ask for at a time, at least.
    """

    def __init__(
        self,
        name: str,
        size: int,
        fetch: Callable[[int, int], Awaitable[bytes]],
        buffer_size: int,
    ) -> None:
        self.name = name
        self._size = size
        self._fetch = fetch
        self._buffer_size = buffer_size
        self._place = 0
        self._held = b""
        self._held_from = 0
        self.closed = False

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

    async def read(self, count: int = -1) -> bytes:
        """Return up to `count` bytes, all that are left if negative; b"" at the end.

        Raises:
            ValueError: the file is closed.
            IntegrityError: the object became shorter.
            WirespeedError: the bytes could not be had.
        """
        self._check_open()
        left = max(0, self._size - self._place)
        wanted = left if count < 0 else min(count, left)
        pieces = []
        while wanted:
            skip = self._place - self._held_from
            if not 0 <= skip < len(self._held):
                await self._fill(wanted)
                skip = 0
            piece = self._held[skip : skip + wanted]
            pieces.append(piece)
            self._place += len(piece)
            wanted -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _fill(self, wanted: int) -> None:
        end = min(self._size, self._place + max(wanted, self._buffer_size))
        end = min(end, self._place + _MOST)
        data = await self._fetch(self._place, end)
        if len(data) != end - self._place:
            raise IntegrityError(
                f"{self.name!r} gave {len(data)} of {end - self._place} bytes", hint="open it again"
            )
        self._held, self._held_from = data, self._place

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what is left, piece by piece."""
        while piece := await self.read(self._buffer_size):
            yield piece

    async def close(self) -> None:
        """Let the buffer go. Twice is fine."""
        self.closed = True
        self._held = b""

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("the file is closed")

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


opened = Reader
