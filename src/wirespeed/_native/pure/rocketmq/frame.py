"""Frames out of a byte stream."""

from __future__ import annotations

import struct
from typing import SupportsIndex

from .arguments import FRAME_LIMIT, INT32_MAX, Header, integer
from .header import decode_header

FREE_ROOM = 64 * 1024
_BASE_SIZE = 128 * 1024
_KEEP_SIZE = 1024 * 1024
_TOTAL = struct.Struct(">I")


class FrameSplitter:
    """Collects received bytes and gives back whole frames. For one thread at a time.

    Read the socket into `buffer()`, then tell `received(n)` how much arrived. A view from
    `buffer()` is good until the next `received()`.

    Args:
        limit: the largest frame taken, its four length bytes included; 16 MiB by default.

    Raises:
        ValueError: `limit` is not within 8..2,147,483,647.
    """

    def __init__(self, limit: SupportsIndex = FRAME_LIMIT) -> None:
        self._limit = integer(limit, "limit", 8, INT32_MAX)
        self._store = bytearray(_BASE_SIZE)
        self._start = 0
        self._end = 0
        self._failed = False

    @property
    def pending(self) -> int:
        """Bytes of the frame that is not yet complete."""
        return self._end - self._start

    def buffer(self) -> memoryview:
        """Return a writable view: what the pending frame lacks, or at least 64 KiB.

        Raises:
            ValueError: an earlier `received()` failed.
        """
        self._check()
        pending = self._end - self._start
        needed = FREE_ROOM
        if pending >= 4:
            needed = max(FREE_ROOM, 4 + _TOTAL.unpack_from(self._store, self._start)[0] - pending)
        if not pending:
            self._start = self._end = 0
            if len(self._store) > _KEEP_SIZE:
                self._store = bytearray(_BASE_SIZE)
        if len(self._store) - self._end < needed:
            kept = self._store[self._start : self._end]
            self._store = bytearray(max(_BASE_SIZE, pending + needed))
            self._store[:pending] = kept
            self._start, self._end = 0, pending
        return memoryview(self._store)[self._end :]

    def received(self, count: SupportsIndex) -> list[Header]:
        """Take `count` bytes just written into `buffer()`; return the frames they completed.

        Each item is what `decode_header` returns.

        Raises:
            ValueError: `count` is negative or more than the buffer had room for; or a frame is
                malformed or passes the limit, and then every later call raises as well.
        """
        self._check()
        self._end += integer(count, "count", 0, len(self._store) - self._end)
        frames = []
        try:
            while self._end - self._start >= 4:
                size = 4 + _TOTAL.unpack_from(self._store, self._start)[0]
                if size > self._limit:
                    raise ValueError(
                        f"a frame of {size} bytes passes the limit of {self._limit} bytes"
                    )
                if size < 8:
                    raise ValueError(f"a frame of {size} bytes is shorter than its head")
                if self._end - self._start < size:
                    break
                with memoryview(self._store) as view:
                    frames.append(decode_header(view[self._start : self._start + size]))
                self._start += size
        except ValueError:
            self._failed = True
            raise
        return frames

    def _check(self) -> None:
        if self._failed:
            raise ValueError("the splitter failed on an earlier frame")
