"""What the object stores share: files read by blocks, progress, and upload results."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from . import _native
from .errors import ConfigError, SourceChanged

ETAG_BLOCK = 4 * 1024 * 1024
_REPORT_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What an upload stored.

    Attributes:
        key: the object's key.
        hash: its etag, computed here and confirmed by the server.
        size: its size in bytes.
    """

    key: str
    hash: str
    size: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is.

    Attributes:
        done: bytes the server has confirmed; never goes back.
        total: bytes in all.
        key: the object's key.
        elapsed: seconds since the transfer began.
    """

    done: int
    total: int
    key: str
    elapsed: float


class ProgressBar(Protocol):
    """A progress bar such as tqdm's."""

    def update(self, n: int) -> Any:
        """Advance by `n` bytes."""


ProgressCallback = Callable[[Progress], Any] | ProgressBar


def check_progress(progress: object) -> None:
    """Raise `ConfigError` for what can take no progress."""
    if progress is not None and not callable(progress) and not hasattr(progress, "update"):
        raise ConfigError("progress must be a callable or have a method update(n)")


class Bucket(Protocol):
    """What the buckets of every store do, called from any thread.

    A program that keeps to these methods takes any bucket that `wirespeed.connect` opens. What a
    store lacks raises `wirespeed.errors.Unsupported` at the call.
    """

    def put(
        self, key: str, data: Any, *, overwrite: bool = True, timeout: float | str | None = None
    ) -> Any:
        """Upload bytes in one request, and compare the stored digest with theirs."""

    def upload_file(
        self,
        path: str | os.PathLike[str],
        key: str,
        *,
        workers: int = 4,
        progress: ProgressCallback | None = None,
        overwrite: bool = True,
        timeout: float | str | None = None,
    ) -> Any:
        """Upload a file by parts, several at a time."""

    def get(
        self,
        key: str,
        *,
        start: int | None = None,
        end: int | None = None,
        timeout: float | str | None = None,
    ) -> bytes:
        """Download an object's bytes."""

    def download_file(
        self,
        key: str,
        path: str | os.PathLike[str],
        *,
        workers: int = 4,
        progress: ProgressCallback | None = None,
        timeout: float | str | None = None,
    ) -> Any:
        """Download an object into a file that appears once it is whole."""

    def presign(self, key: str, expires: int = 300) -> str:
        """Return a URL by which anybody can download an object."""

    def stat(self, key: str, *, timeout: float | str | None = None) -> Any:
        """Return an object's `key`, `size` and more."""

    def delete(self, key: str, *, timeout: float | str | None = None) -> None:
        """Delete an object."""

    def move(self, key: str, destination: str, *, timeout: float | str | None = None) -> None:
        """Give an object another key."""

    def copy(self, key: str, destination: str, *, timeout: float | str | None = None) -> None:
        """Copy an object to another key."""

    def close(self) -> None:
        """Close what was opened for this bucket. Twice is fine."""


class ProgressReporter:
    """Tells a caller's callback how far the blocks are.

    The callback runs in one thread at a time, sees `done` only grow, and is called at most
    ten times a second besides the first and the last call. What it raises goes to the
    transfer, which stops.

    Args:
        callback: called with a `Progress`, or an object whose `update(n)` takes bytes.
        key: the object's key.
        total: bytes in all.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        callback: ProgressCallback | None,
        key: str,
        total: int,
        clock: Callable[[], float],
    ) -> None:
        check_progress(callback)
        self._callback = callback
        self._key = key
        self._total = total
        self._clock = clock
        self._lock = threading.Lock()
        self._reached: dict[int, int] = {}
        self._done = 0
        self._reported = 0
        self._began = self._last = clock()

    def start(self) -> None:
        """Make the first call, with nothing done."""
        with self._lock:
            self._call()

    def reach(self, block: int, offset: int) -> None:
        """Take note that `offset` bytes of a block are confirmed; a lower offset is ignored."""
        with self._lock:
            before = self._reached.get(block, 0)
            if offset <= before:
                return
            self._reached[block] = offset
            self._done += offset - before
            if self._done == self._total or self._clock() - self._last >= _REPORT_EVERY:
                self._call()

    def _call(self) -> None:
        callback = self._callback
        if callback is None:
            return
        self._last = now = self._clock()
        if callable(callback):
            callback(Progress(self._done, self._total, self._key, now - self._began))
        elif self._done > self._reported:
            callback.update(self._done - self._reported)
        self._reported = self._done


@dataclass(frozen=True, slots=True)
class Piece:
    """A slice of a loaded block.

    Attributes:
        offset: where it begins in the block.
        data: its bytes, in the block's buffer.
        crc32: the CRC-32 of the piece.
        checksum: the SHA-1 of the block up to the piece's end.
    """

    offset: int
    data: memoryview
    crc32: int
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
        while view:
            if hasattr(os, "preadv"):
                count = os.preadv(self._file.fileno(), [view], offset)
            else:
                with self._lock:
                    self._file.seek(offset)
                    count = self._file.readinto(view) or 0
            if not count:
                raise self._changed("became shorter")
            view = view[count:]
            offset += count

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


class FileSource(WatchedFile):
    """A regular file read by blocks, from any thread, that notices when it changes.

    It keeps one buffer for each block that is loaded at the same time.

    Args:
        path: the file.
        block_size: bytes of a block, a multiple of 4 MiB.
        piece_size: bytes of a piece, or None for the block at once.

    Raises:
        OSError: the file is missing, a directory, or may not be read.
        ConfigError: it is no regular file.
    """

    def __init__(
        self, path: str | os.PathLike[str], block_size: int, piece_size: int | None
    ) -> None:
        super().__init__(path)
        self._block_size = block_size
        self._piece_size = piece_size or block_size
        self._buffers: deque[bytearray] = deque()

    @property
    def block_count(self) -> int:
        """How many blocks the file has; none when it is empty."""
        return -(-self.size // self._block_size)

    def load(self, index: int) -> LoadedBlock:
        """Read a block and compute its digests.

        Raises:
            SourceChanged: the file has become shorter.
        """
        self._enter()
        try:
            offset = index * self._block_size
            size = min(self._block_size, self.size - offset)
            try:
                buffer = self._buffers.pop()
            except IndexError:
                buffer = bytearray(min(self._block_size, self.size))
            view = memoryview(buffer)[:size]
            self._read(view, offset)
            return self._digest(index, view, buffer)
        finally:
            self._leave()

    def _digest(self, index: int, view: memoryview, buffer: bytearray) -> LoadedBlock:
        size = len(view)
        step = self._piece_size
        if size <= step:
            digests = _native.sha1_blocks(view, ETAG_BLOCK)
            checksum = digests if 0 < size <= ETAG_BLOCK else _native.sha1(view)
            only = Piece(0, view, _native.crc32(view), checksum)
            return LoadedBlock(index, size, [only], digests, buffer)
        running = hashlib.sha1(usedforsecurity=False)
        pieces = []
        for at in range(0, size, step):
            data = view[at : at + step]
            running.update(data)
            pieces.append(Piece(at, data, _native.crc32(data), running.copy().digest()))
        whole = pieces[-1].checksum
        digests = whole if size <= ETAG_BLOCK else _native.sha1_blocks(view, ETAG_BLOCK)
        return LoadedBlock(index, size, pieces, digests, buffer)

    def release(self, block: LoadedBlock) -> None:
        """Take a block's buffer back for the next load."""
        self._buffers.append(block.buffer)
