"""What is uploaded: files and buffers, read by blocks, that notice when they change."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections import deque
from dataclasses import dataclass

from .. import _native
from ..errors import ConfigError, SourceChanged
from .positions import read_at
from .transfer import MEMORY, room_for

ETAG_BLOCK = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """A slice of a loaded block.

    Attributes:
        offset: where it begins in the block.
        data: its bytes, in the block's buffer.
        checksum: the SHA-1 of the block up to the piece's end.
    """

    offset: int
    data: memoryview
    checksum: bytes


@dataclass(frozen=True, slots=True)
class LoadedBlock:
    """A block of a file in memory; give it back with `FileSource.release`.

    Attributes:
        index: which block, from 0.
        size: its bytes.
        pieces: the slices it is sent in; one empty piece for an empty block.
        digests: SHA-1 of each of its 4 MiB, joined.
        buffer: what holds the bytes.
    """

    index: int
    size: int
    pieces: list[Piece]
    digests: bytes
    buffer: bytearray


class WatchedFile:
    """A regular file, open for reading, that notices when it changes.

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
        self._readers = 0
        self._closing = False
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        self._opened = self._identity(os.fstat(self._file.fileno()))
        self.size = self._opened[0]

    @staticmethod
    def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
        return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev

    @property
    def identity(self) -> list[int]:
        """Size, time of modification, inode and device as it was opened."""
        return list(self._opened)

    def _enter(self) -> None:
        with self._lock:
            if self._closing:
                raise SourceChanged(f"the upload of {os.fspath(self.path)!r} has ended")
            self._readers += 1

    def _leave(self) -> None:
        # A cancelled asyncio upload may close the source while a thread still reads.
        with self._lock:
            self._readers -= 1
            last = self._closing and not self._readers
        if last:
            self._file.close()

    def _read(self, view: memoryview, offset: int) -> None:
        """Fill a buffer from an offset on.

        Raises:
            SourceChanged: the file has become shorter.
        """
        if not read_at(self._file.fileno(), view, offset, self._lock):
            raise self._changed("became shorter")

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
        if named != self._opened or self._identity(os.fstat(self._file.fileno())) != self._opened:
            raise self._changed("changed")

    def close(self) -> None:
        """Close the file, as soon as no thread reads it. Twice is fine."""
        with self._lock:
            self._closing = True
            idle = not self._readers
        if idle:
            self._file.close()

    def __del__(self) -> None:
        # Opened for an asyncio upload that was cancelled before it got the file.
        if hasattr(self, "_file"):
            self._file.close()


class _Group:
    """Blocks that were read together."""

    __slots__ = ("buffer", "digests", "failure", "left", "ready", "view")

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.view = memoryview(self.buffer)
        self.digests = b""
        self.failure: BaseException | None = None
        self.left = 0
        self.ready = threading.Event()


class FileSource(WatchedFile):
    """A regular file read by blocks, from any thread, that notices when it changes.

    It keeps one buffer for each block, or group of blocks, that is loaded at the same time.

    Args:
        path: the file.
        block_size: bytes of a block, a multiple of 4 MiB.
        piece_size: bytes of a piece, or None for the block at once.
        workers: how many blocks may be loaded at a time. Where blocks of 4 MiB are sent at once,
            so many are read and hashed together as leave all that is loaded within 64 MiB: several
            are hashed side by side in little more time than one.

    Raises:
        OSError: the file is missing, a directory, or may not be read.
        ConfigError: it is no regular file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        block_size: int,
        piece_size: int | None,
        workers: int = 1,
    ) -> None:
        super().__init__(path)
        self._block_size = block_size
        self._piece_size = piece_size or block_size
        self._together = 1
        if piece_size is None and block_size == ETAG_BLOCK:
            # At worst each worker holds another group.
            room = room_for(workers, block_size)
            self._together = min(room, MEMORY // (room * block_size))
        self._buffers: deque[bytearray] = deque()
        self._groups: dict[int, _Group] = {}

    def load(self, index: int) -> LoadedBlock:
        """Read a block and compute its digests.

        Raises:
            SourceChanged: the file has become shorter.
        """
        self._enter()
        try:
            if self._together > 1:
                return self._load_from_group(index)
            offset = index * self._block_size
            size = min(self._block_size, self.size - offset)
            buffer = self._buffer(min(self._block_size, self.size))
            view = memoryview(buffer)[:size]
            self._read(view, offset)
            return _digest(index, view, self._piece_size, buffer)
        finally:
            self._leave()

    def load_singly(self) -> None:
        """Read blocks one by one from now on: not all of them will be asked for."""
        self._together = 1

    def _buffer(self, size: int) -> bytearray:
        try:
            return self._buffers.pop()
        except IndexError:
            return bytearray(size)

    def _load_from_group(self, index: int) -> LoadedBlock:
        """Return a block of those that are read, and hashed side by side, by who comes first."""
        number, place = divmod(index, self._together)
        with self._lock:
            group = self._groups.get(number)
            mine = group is None
            if group is None:
                group = self._groups[number] = _Group()
        if mine:
            self._fill(group, number)
        group.ready.wait()
        if group.failure is not None:
            raise group.failure
        start = place * ETAG_BLOCK
        view = group.view[start : start + ETAG_BLOCK]
        digest = group.digests[place * 20 : place * 20 + 20]
        return LoadedBlock(index, len(view), [Piece(0, view, digest)], digest, group.buffer)

    def _fill(self, group: _Group, number: int) -> None:
        try:
            span = self._together * ETAG_BLOCK
            offset = number * span
            size = min(span, self.size - offset)
            group.buffer = self._buffer(min(span, self.size))
            group.view = memoryview(group.buffer)[:size]
            group.left = -(-size // ETAG_BLOCK)
            self._read(group.view, offset)
            group.digests = _native.sha1_blocks(group.view, ETAG_BLOCK)
        except BaseException as error:
            group.failure = error
        finally:
            group.ready.set()

    def release(self, block: LoadedBlock) -> None:
        """Take a block's buffer back for the next load."""
        if self._together > 1:
            with self._lock:
                number = block.index // self._together
                group = self._groups[number]
                group.left -= 1
                if group.left:
                    return
                del self._groups[number]
        self._buffers.append(block.buffer)


class BufferSource:
    """Bytes in memory, read by blocks as a file is.

    Args:
        data: the bytes; they must not change.
        block_size: bytes of a block, a multiple of 4 MiB, sent at once.
    """

    def __init__(self, data: memoryview, block_size: int) -> None:
        self._data = data.cast("B")
        self._block_size = block_size
        self.size = len(self._data)

    def load(self, index: int) -> LoadedBlock:
        """Return a block and its digests; nothing is copied."""
        start = index * self._block_size
        view = self._data[start : start + self._block_size]
        return _digest(index, view, self._block_size, bytearray())

    def load_singly(self) -> None:
        """Blocks are read one by one in any case."""

    def release(self, block: LoadedBlock) -> None:
        """There is no buffer to take back."""

    def verify(self) -> None:
        """There is nothing to check: the caller keeps the bytes."""

    def close(self) -> None:
        """There is nothing to close."""


def _digest(index: int, view: memoryview, step: int, buffer: bytearray) -> LoadedBlock:
    """Return a block with its digests, divided into pieces of `step` bytes."""
    size = len(view)
    if size <= step:
        digests = _native.sha1_blocks(view, ETAG_BLOCK)
        checksum = digests if 0 < size <= ETAG_BLOCK else _native.sha1(view)
        return LoadedBlock(index, size, [Piece(0, view, checksum)], digests, buffer)
    running = hashlib.sha1(usedforsecurity=False)
    pieces = []
    for at in range(0, size, step):
        data = view[at : at + step]
        running.update(data)
        pieces.append(Piece(at, data, running.copy().digest()))
    whole = pieces[-1].checksum
    digests = whole if size <= ETAG_BLOCK else _native.sha1_blocks(view, ETAG_BLOCK)
    return LoadedBlock(index, size, pieces, digests, buffer)
