"""Hashes for anyone: the etag of a file or of bytes, SHA-1 of blocks and of many, HMAC and CRCs.

The etag is that of WCS (and of its relatives): the SHA-1 of each 4 MiB block; base64url of 0x16
and the digest where there is one block or none, of 0x96 and the digest of the digests where there
are more. It has 28 characters.

All functions take any C-contiguous buffer of bytes, may be called from any thread, and let other
threads run while they work on more than a few KiB.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import threading
from typing import TYPE_CHECKING

from wirespeed import _native
from wirespeed._native import (
    Sha1,
    Sha256,
    crc32,
    crc64,
    etag,
    hmac_sha1,
    hmac_sha1_many,
    hmac_sha256,
    sha1_many,
)
from wirespeed.errors import ConfigError, SourceChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO, TypeAlias

    from wirespeed._native import Buffer

    Progress: TypeAlias = Callable[[int, int | None], object]

__all__ = [
    "Sha1",
    "Sha256",
    "crc32",
    "crc64",
    "etag",
    "etag_file",
    "etag_files",
    "etag_stream",
    "hmac_sha1",
    "hmac_sha1_many",
    "hmac_sha256",
    "sha1_blocks",
    "sha1_many",
    "sha1_states",
]

BLOCK = 4 << 20
"""Bytes of a block of the etag."""

# Each thread reads this much, a piece of each of its blocks, before it hashes what it read. All
# threads together stay under the second number.
_RING = 4 << 20
_RINGS = 40 << 20
_PIECE = 256 << 10
# Pieces lie this much further apart than they are long: powers of two would share cache sets.
_GAP = 64
_STREAM = 4 * BLOCK
_MAX_THREADS = 32
_SMALL = 256 << 10
_SMALL_HELD = 16 << 20
_TOGETHER = 64


def sha1_blocks(data: Buffer, block_size: int) -> bytes:
    """Return the SHA-1 digests of each `block_size` bytes of `data`, 20 bytes each, joined.

    The last block may be shorter; empty data has none. Several blocks are hashed side by side, so
    this is several times faster than one digest over the same bytes.

    Raises:
        ConfigError: `block_size` is less than 1.
    """
    try:
        return _native.sha1_blocks(data, block_size)
    except ValueError as failure:
        raise ConfigError(str(failure)) from None


def sha1_states(data: Buffer, part_size: int) -> list[bytes]:
    """Return the running SHA-1 after each `part_size` bytes of `data`, the last part perhaps short.

    20 bytes each: the five words of the unfinished digest, little-endian; for the last part the
    digest of all `data`. In hexadecimal that is the `datasha` of COS v4's `uploadparts`.

    Raises:
        ConfigError: `part_size` is no positive multiple of 64.
    """
    try:
        return _native.sha1_states(data, part_size)
    except ValueError as failure:
        raise ConfigError(str(failure)) from None


def etag_file(
    path: str | os.PathLike[str],
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> str:
    """Return the etag of the file at `path`.

    Args:
        path: a file; a pipe or device is read to its end as `etag_stream` does.
        threads: how many threads hash, 1 to 32; None is one for each CPU this process may use.
            Memory stays under 64 MiB whatever the size of the file.
        progress: called as `progress(done, total)` in bytes, `total` None for a pipe, with `done`
            ever growing, by one thread at a time. An exception from it stops the work and is
            raised here.

    Raises:
        ConfigError: `threads` is out of its limits.
        SourceChanged: the file changed while it was read.
        OSError: it cannot be read: FileNotFoundError, IsADirectoryError, PermissionError, ...
    """
    if threads is not None and not 1 <= threads <= _MAX_THREADS:
        raise ConfigError(f"threads is {threads}: it must be 1 to {_MAX_THREADS}")
    name = os.fspath(path)
    if os.path.isdir(name):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if progress is None and threads is None:
        data = _read_small(name)
        if data is not None:
            return _native.etag(data)
    with open(name, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        # Files of /proc call themselves empty and are not.
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return etag_stream(file, progress=progress)
        work = _File(file, name, status.st_size, progress)
        work.run(threads or _cpus())
        if _identity(os.fstat(file.fileno())) != _identity(status):
            raise work.changed()
        return _native.etag_from_blocks(work.digests)


def etag_files(
    paths: Iterable[str | os.PathLike[str]],
) -> Iterator[tuple[str, str | OSError | SourceChanged]]:
    """Yield the name and the etag of each file, in order; what cannot be read has its error.

    Small files are hashed side by side, which is several times faster than one after the other.
    """
    names: list[str] = []
    small: list[bytes | OSError | SourceChanged] = []
    held = 0
    for path in paths:
        name = os.fspath(path)
        try:
            data = _read_small(name)
        except (OSError, SourceChanged) as error:
            small.append(error)
        else:
            if data is None:
                yield from _etags(names, small)
                names, small, held = [], [], 0
                try:
                    yield name, etag_file(name)
                except (OSError, SourceChanged) as error:
                    yield name, error
                continue
            small.append(data)
            held += len(data)
        names.append(name)
        if len(names) >= _TOGETHER or held >= _SMALL_HELD:
            yield from _etags(names, small)
            names, small, held = [], [], 0
    yield from _etags(names, small)


def _etags(
    names: list[str], small: list[bytes | OSError | SourceChanged]
) -> Iterator[tuple[str, str | OSError | SourceChanged]]:
    digests = iter(_native.sha1_many([data for data in small if isinstance(data, bytes)]))
    for name, data in zip(names, small, strict=True):
        if isinstance(data, bytes):
            yield name, _native.etag_from_blocks(next(digests))
        else:
            yield name, data


def _read_small(name: str) -> bytes | None:
    """Return a small regular file's bytes; None for what is read by blocks or as a stream."""
    status = os.stat(name)
    size = status.st_size
    # A pipe must be opened once alone.
    if not stat.S_ISREG(status.st_mode) or not 0 < size <= _SMALL:
        return None
    handle = os.open(name, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        data = os.read(handle, size + 1)
    finally:
        os.close(handle)
    if len(data) != size:
        raise SourceChanged(f"{name} changed while it was read", retryable=True)
    return data


def etag_stream(source: BinaryIO, *, progress: Progress | None = None) -> str:
    """Return the etag of everything that `source` still gives, read in order in 16 MiB of memory.

    Args:
        source: a binary file object with `readinto` or `read`, such as `sys.stdin.buffer`.
        progress: called as `progress(done, None)` after each read; an exception stops the work.

    Raises:
        TypeError: `source` gives text.
        BlockingIOError: `source` is in non-blocking mode and has nothing to give yet.
    """
    memory = memoryview(bytearray(_STREAM))
    digests = bytearray()
    done = 0
    while True:
        filled = 0
        while filled < len(memory):
            count = _read_into(source, memory[filled:])
            if not count:
                break
            filled += count
            done += count
            if progress is not None:
                progress(done, None)
        digests += _native.sha1_blocks(memory[:filled], BLOCK)
        if filled < len(memory):
            return _native.etag_from_blocks(digests)


def _read_into(source: BinaryIO, memory: memoryview) -> int:
    # readinto of a buffered source waits until the memory is full; readinto1 takes what is there.
    readinto = getattr(source, "readinto1", None) or getattr(source, "readinto", None)
    if readinto is not None:
        count: int | None = readinto(memory)
    else:
        data: object = source.read(min(len(memory), 1 << 20))
        if data is not None and not isinstance(data, bytes):
            raise TypeError(f"source gives {type(data).__name__}: open it in binary mode")
        count = None if data is None else len(data)
        memory[: count or 0] = data or b""
    if count is None:
        raise BlockingIOError(errno.EAGAIN, "source is in non-blocking mode and has nothing yet")
    return count


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), _MAX_THREADS)
    return min(os.cpu_count() or 1, _MAX_THREADS)


class _File:
    """One regular file that some threads hash, each a few blocks at a time."""

    def __init__(self, file: BinaryIO, name: str, size: int, progress: Progress | None) -> None:
        self.digests = bytearray(-(-size // BLOCK) * 20)
        self._file = file
        self._name = name
        self._size = size
        self._progress = progress
        self._done = 0
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._groups: Iterator[tuple[int, int]] = iter(())
        self._piece = _PIECE

    def changed(self) -> SourceChanged:
        return SourceChanged(f"{self._name} changed while it was read", retryable=True)

    def run(self, threads: int) -> None:
        """Hash it all with this thread and `threads - 1` more; raise the first failure."""
        groups = self._divide(threads)
        self._groups = iter(groups)
        widest = max(count for _, count in groups) or 1
        ring = min(_RING, _RINGS // min(threads, len(groups)))
        self._piece = min(_PIECE, ring // widest // 4096 * 4096)
        helpers = [
            threading.Thread(target=self._work, name="wirespeed-etag", daemon=True)
            for _ in range(min(threads, len(groups)) - 1)
        ]
        for helper in helpers:
            helper.start()
        self._work()
        try:
            for helper in helpers:
                helper.join()
        except BaseException as interruption:
            self._failure = interruption
            for helper in helpers:
                helper.join()
        if self._failure is not None:
            raise self._failure

    def _divide(self, threads: int) -> list[tuple[int, int]]:
        """Return (first block, number of whole blocks) of each group of blocks to be hashed.

        The groups are as wide as the widest kernel, or less so that every thread has equally many.
        0 stands for the last, shorter block; it comes first, for it is the slowest.
        """
        whole = self._size // BLOCK
        widest = dict(_native.sha1_kernels())[_native.cpu_plan()[0][1]]
        rounds = -(-whole // (widest * threads))
        width = -(-whole // (rounds * threads)) if rounds else 1
        groups = [(first, min(width, whole - first)) for first in range(0, whole, width)]
        return [(whole, 0), *groups] if self._size % BLOCK else groups

    def _work(self) -> None:
        try:
            memory = memoryview(mmap.mmap(-1, _RING + 32 * _GAP))
            while True:
                with self._lock:
                    group = None if self._failure else next(self._groups, None)
                if group is None:
                    return
                first, count = group
                digests = self._lanes(memory, first, count) if count else self._tail(memory)
                self.digests[first * 20 : first * 20 + len(digests)] = digests
        except BaseException as failure:
            with self._lock:
                self._failure = self._failure or failure

    def _lanes(self, memory: memoryview, first: int, count: int) -> bytes:
        lanes = _native.Sha1Lanes(count)
        for at in range(0, BLOCK, self._piece):
            if self._failure is not None:
                break
            size = min(self._piece, BLOCK - at)
            stride = size + _GAP
            for lane in range(count):
                piece = memory[lane * stride : lane * stride + size]
                self._read(piece, (first + lane) * BLOCK + at)
            lanes.update(memory[: count * stride - _GAP], stride)
            self._advance(count * size)
        return lanes.digests()

    def _tail(self, memory: memoryview) -> bytes:
        tail = memory[: self._size % BLOCK]
        self._read(tail, self._size - len(tail))
        digest = _native.sha1(tail)
        self._advance(len(tail))
        return digest

    def _read(self, memory: memoryview, at: int) -> None:
        filled = 0
        while filled < len(memory):
            count = self._read_at(memory[filled:], at + filled)
            if not count:
                raise self.changed()
            filled += count

    if hasattr(os, "preadv"):

        def _read_at(self, memory: memoryview, at: int) -> int:
            return os.preadv(self._file.fileno(), [memory], at)

    else:

        def _read_at(self, memory: memoryview, at: int) -> int:
            with self._lock:
                self._file.seek(at)
                return _read_into(self._file, memory)

    def _advance(self, count: int) -> None:
        if self._progress is not None:
            with self._lock:
                if self._failure is None:
                    self._done += count
                    try:
                        self._progress(self._done, self._size)
                    except BaseException as failure:
                        # Known before another thread gets the lock, and calls once more.
                        self._failure = failure
                        raise
