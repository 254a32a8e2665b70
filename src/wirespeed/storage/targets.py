"""Where a download goes: a file beside its place, which moves there once it is whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from ..errors import ClosedError, ConfigError, IntegrityError
from .journal import Journal
from .positions import read_at
from .transfer import Part

_HASHED_TOGETHER = 32 * 1024 * 1024
_FLAGS = (
    os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)  # fmt: skip
# The file's mode from the start: only the kernel can apply the umask without a race.
_MODE = 0o666


class Digest(Protocol):
    """Computes what the store says of the bytes, as they are given in order."""

    def update(self, data: memoryview) -> Any:
        """Take the next bytes, all of a part."""

    def text(self) -> str:
        """Return the digest of all, as the store spells it."""


class FileTarget:
    """A file that appears under its name only when every byte is there and verified.

    The bytes are hashed, in order, as parts come in. A download that was killed leaves a hidden
    file and its journal beside the place; the next one of the same object goes on with them.

    Args:
        path: the file's name; what was there before stays until then.
        parts: the plan.
        digest: computes the digest.
        identity: what the object is; an earlier download of another one does not count.
        resume: whether an earlier one may count, and this one may be gone on with.

    Raises:
        OSError: the folder is missing or may not be written.
        ConfigError: `path` is a directory.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        parts: list[Part],
        digest: Digest,
        identity: Mapping[str, Any],
        *,
        resume: bool = True,
    ) -> None:
        self.path = os.path.abspath(os.fspath(path))
        if os.path.isdir(self.path):
            raise ConfigError(f"path must be a file's name, not a directory: {self.path!r}")
        self._parts = parts
        self._digest = digest
        self._lock = threading.Lock()
        self._hashing = threading.Lock()
        self._ready: set[int] = set()
        self._hashed = 0
        self._journal: Journal | None = None
        self._ended = False
        self._users = 0
        if resume and len(parts) > 1:
            self._open_shared(identity)
        if self._journal is None:
            name = f".wirespeed-{secrets.token_hex(8)}.part"
            self._temporary = os.path.join(os.path.dirname(self.path), name)
            self._handle = os.open(self._temporary, _FLAGS | os.O_EXCL, _MODE)

    def _open_shared(self, identity: Mapping[str, Any]) -> None:
        """Open the file that another run of the same download would open too."""
        sizes = [self._parts[0].size, self._parts[-1].offset + self._parts[-1].size]
        header = {"path": self.path, "sizes": sizes, **identity}
        mark = hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()[:16]
        folder = Path(os.path.dirname(self.path))
        try:
            journal = Journal(folder / f".wirespeed-{mark}.journal", header, {})
        except OSError:
            return
        temporary = str(folder / f".wirespeed-{mark}.part")
        try:
            handle = os.open(temporary, _FLAGS, _MODE)
            status = os.fstat(handle)
        except OSError:
            journal.close(finished=True)
            return
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            os.close(handle)
            journal.close(finished=True)
            return
        if status.st_size < sizes[1] and not self._covers(journal, status.st_size):
            journal.parts.clear()
        self._handle, self._temporary, self._journal = handle, temporary, journal
        self._ready.update(journal.parts)

    def _covers(self, journal: Journal, size: int) -> bool:
        """Whether the parts that are written down are all within a file of that size."""
        return all(
            index < len(self._parts) and self._parts[index].offset + self._parts[index].size <= size
            for index in journal.parts
        )

    def done(self, part: Part) -> bool | None:
        """Return True for a part that an earlier run has written, else None."""
        return True if part.index in self._ready else None

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """Keep the file open: a cancelled asyncio download may end while a thread still writes.

        Raises:
            ClosedError: it has ended already.
        """
        with self._lock:
            if self._ended:
                raise ClosedError(f"the download of {self.path!r} has ended")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                over = self._is_over()
            if over:
                os.close(self._handle)

    def _is_over(self) -> bool:
        """Whether nobody needs the file any more; the lock is held."""
        return self._ended and not self._users

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Write some bytes."""
        view = memoryview(data)
        with self._in_use():
            while view:
                if hasattr(os, "pwrite"):
                    count = os.pwrite(self._handle, view, offset)
                else:
                    with self._lock:
                        os.lseek(self._handle, offset, os.SEEK_SET)
                        count = os.write(self._handle, view)
                view = view[count:]
                offset += count

    def complete(self, part: Part) -> None:
        """Every byte of a part was written: write that down, and hash what is next in order."""
        with self._in_use():
            if self._journal is not None:
                self._journal.note(part.index, True)
            with self._lock:
                self._ready.add(part.index)
            self._hash()

    def _hash(self, *, rest: bool = False) -> None:
        """Hash the parts that are there, in order, unless another thread is at it.

        Some at a time, as their blocks are then hashed side by side; with `rest` what is left.
        """
        while self._run_length(rest):
            if not self._hashing.acquire(blocking=False):
                return
            try:
                while count := self._run_length(rest):
                    first = self._parts[self._hashed]
                    last = self._parts[self._hashed + count - 1]
                    self._digest.update(memoryview(self._read(first, last)))
                    self._hashed += count
            finally:
                self._hashing.release()

    def _run_length(self, rest: bool) -> int:
        """Return how many parts to hash next; 0 while too few have come."""
        if self._hashed == len(self._parts):
            return 0
        most = max(1, _HASHED_TOGETHER // self._parts[0].size)
        count = 0
        while count < most and self._hashed + count in self._ready:
            count += 1
        return count if rest or count == most else 0

    def _read(self, first: Part, last: Part) -> bytearray:
        """Read the parts from the first to the last."""
        data = bytearray(last.offset + last.size - first.offset)
        if not read_at(self._handle, memoryview(data), first.offset, self._lock):
            raise IntegrityError(f"{self._temporary!r} became shorter", hint="download it again")
        return data

    def finish(self, expected: str, service: str) -> str:
        """Compare the digest of all with the store's, unless that is "", and give the name.

        Returns:
            The digest.

        Raises:
            IntegrityError: it is another; nothing has changed under the name.
        """
        self._hash(rest=True)
        found = self._digest.text()
        if self._hashed != len(self._parts) or (expected and found != expected):
            self._end(finished=True)
            raise IntegrityError(
                f"the download of {self.path!r} has the digest {found}; the store tells of "
                f"{expected or 'none'}",
                service=service,
                hint="download it again",
            )
        size = self._parts[-1].offset + self._parts[-1].size if self._parts else 0
        os.ftruncate(self._handle, size)
        os.replace(self._temporary, self.path)
        self._end(finished=True)
        return found

    def _end(self, *, finished: bool) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
            idle = not self._users
        if idle:
            os.close(self._handle)
        if finished or self._journal is None:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
        if self._journal is not None:
            self._journal.close(finished=finished)

    def leave(self) -> None:
        """End a download that failed: what came is kept where the next one can go on with it.

        Twice, and after `finish`, is fine.
        """
        self._end(finished=False)
