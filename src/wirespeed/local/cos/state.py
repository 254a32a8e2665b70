"""Buckets, objects and unfinished uploads, as COS v4 keeps them."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .refusal import Refusal, no_object

STORE_LIMIT = 4 * 1024 * 1024 * 1024
"""Bytes that all objects and unfinished uploads may have together."""

_FORBIDDEN = frozenset('?*:|\\<>"')


def check_path(path: str) -> str:
    """Return the path of an object or a folder, or refuse it."""
    if not path.startswith("/") or "//" in path or _FORBIDDEN.intersection(path):
        raise Refusal(-180, f"ERROR_CMD_COS_PATH_ILLEGAL: {path}")
    return path


@dataclass(eq=False, slots=True)
class Stored:
    """One object, or a folder where `data` is None."""

    data: bytes | None
    sha: str
    biz_attr: str
    created: int
    modified: int
    authority: str = "eInvalid"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Upload:
    """A slice upload that is not finished.

    Attributes:
        size: bytes of the object.
        slice_size: bytes of a slice.
        sha: the SHA-1 that it was begun with, or "".
        parts: what came, by offset.
    """

    size: int
    slice_size: int
    sha: str
    biz_attr: str
    insert_only: bool
    session: str = field(default_factory=lambda: secrets.token_hex(24))
    parts: dict[int, bytes] = field(default_factory=dict)


class State:
    """All buckets; one is made when it is first used.

    Args:
        clock: returns the time, seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.now = clock
        self.buckets: dict[str, Bucket] = {}
        self.held = 0

    def clear(self) -> None:
        """Forget everything."""
        self.buckets.clear()
        self.held = 0

    def bucket(self, name: str) -> Bucket:
        """Return a bucket."""
        return self.buckets.setdefault(name, Bucket(self))

    def reserve(self, size: int) -> None:
        """Take room for bytes; a negative size gives it back."""
        if self.held + size > STORE_LIMIT:
            raise Refusal(-4002, f"the local COS holds {STORE_LIMIT} bytes at most")
        self.held += size


class Bucket:
    """One bucket: objects and folders by path."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.entries: dict[str, Stored] = {}
        self.uploads: dict[str, Upload] = {}

    def find(self, path: str) -> Stored:
        """Return an object or a folder, or refuse."""
        found = self.entries.get(path)
        if found is None:
            if path.endswith("/") and (path == "/" or any(self.below(path))):
                return Stored(None, "", "", 0, 0)
            raise no_object(path)
        return found

    def below(self, folder: str) -> Iterator[str]:
        """Yield the paths of everything in a folder, at any depth."""
        return (path for path in self.entries if path.startswith(folder) and path != folder)

    def check_free(self, path: str, *, insert_only: bool) -> None:
        """Refuse a path that an object cannot have."""
        if path.endswith("/"):
            raise Refusal(-180, f"ERROR_CMD_COS_PATH_ILLEGAL: {path}")
        if insert_only and path in self.entries:
            raise Refusal(-177, f"ERROR_CMD_COS_FILE_EXIST: {path}")
        parents = path.split("/")[1:-1]
        for depth in range(1, len(parents) + 1):
            if "/" + "/".join(parents[:depth]) in self.entries:
                raise Refusal(-178, f"ERROR_CMD_COS_PATH_CONFLICT: {path}")
        if path + "/" in self.entries or any(self.below(path + "/")):
            raise Refusal(-178, f"ERROR_CMD_COS_PATH_CONFLICT: {path}")

    def store(self, path: str, data: bytes, biz_attr: str) -> Stored:
        """Store an object whose bytes were reserved."""
        before = self.entries.get(path)
        now = int(self._state.now())
        if before is not None and before.data is not None:
            self._state.reserve(-len(before.data))
        sha = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        created = now if before is None else before.created
        stored = self.entries[path] = Stored(data, sha, biz_attr, created, now)
        return stored

    def create(self, path: str, biz_attr: str) -> Stored:
        """Create a folder."""
        if not path.endswith("/") or path == "/":
            raise Refusal(-180, f"ERROR_CMD_COS_PATH_ILLEGAL: {path}")
        if path in self.entries or path[:-1] in self.entries:
            raise Refusal(-178, f"ERROR_CMD_COS_PATH_CONFLICT: {path}")
        now = int(self._state.now())
        made = self.entries[path] = Stored(None, "", biz_attr, now, now)
        return made

    def delete(self, path: str) -> None:
        """Delete an object, its unfinished upload, or an empty folder."""
        upload = self.uploads.pop(path, None)
        if upload is not None:
            self._state.reserve(-sum(map(len, upload.parts.values())))
            if path not in self.entries:
                return
        if path.endswith("/") and any(self.below(path)):
            raise Refusal(-173, f"ERROR_CMD_COS_DIR_NOTEMPTY: {path}")
        found = self.entries.pop(path, None)
        if found is None:
            raise no_object(path)
        if found.data is not None:
            self._state.reserve(-len(found.data))

    def transfer(self, path: str, target: str, *, move: bool, overwrite: bool) -> None:
        """Move or copy an object."""
        found = self.entries.get(path)
        if found is None or found.data is None:
            raise no_object(path)
        self.check_free(target, insert_only=not overwrite)
        if path == target:
            return
        self._state.reserve(len(found.data))
        stored = self.store(target, found.data, found.biz_attr)
        stored.headers, stored.authority = dict(found.headers), found.authority
        if move:
            # An upload to the old path that is not finished goes on.
            del self.entries[path]
            self._state.reserve(-len(found.data))

    def listing(
        self, folder: str, prefix: str, count: int, context: str, *, folders_only: bool
    ) -> tuple[list[tuple[str, Stored]], str]:
        """Return one level of a folder from `context` on, and the context of what follows."""
        self.find(folder)
        children: dict[str, Stored] = {}
        for path in self.below(folder):
            head, slash, _ = path[len(folder) :].partition("/")
            name = head + slash
            if name.startswith(prefix) and name > context:
                whole = self.entries.get(folder + name)
                children.setdefault(name, whole or Stored(None, "", "", 0, 0))
        names = sorted(name for name in children if not folders_only or name.endswith("/"))
        page = [(name, children[name]) for name in names[:count]]
        return page, page[-1][0] if len(names) > count else ""

    def begin(self, path: str, upload: Upload) -> Upload:
        """Take note of an upload that begins."""
        if path in self.uploads:
            raise Refusal(-4019, "ERROR_UPLOAD_UNFINISHED: another upload of it was begun")
        self.uploads[path] = upload
        return upload

    def upload_of(self, path: str, session: str) -> Upload:
        """Return an upload that was begun, or refuse."""
        found = self.uploads.get(path)
        if found is None or found.session != session:
            raise Refusal(-290, "ERROR_SESSION: there is no such upload")
        return found

    def add(self, upload: Upload, offset: int, data: bytes) -> None:
        """Take a slice."""
        wanted = min(upload.slice_size, upload.size - offset)
        if offset % upload.slice_size or not 0 <= offset < upload.size or len(data) != wanted:
            raise Refusal(-175, "ERROR_SIZE: the slice is none of the upload's")
        before = upload.parts.get(offset)
        self._state.reserve(len(data) - len(before or b""))
        upload.parts[offset] = data

    def finish(self, path: str, upload: Upload) -> Stored:
        """Make an object of an upload's slices."""
        data = b"".join(part for _, part in sorted(upload.parts.items()))
        if len(data) != upload.size:
            raise Refusal(-175, "ERROR_SIZE: slices are missing")
        if upload.sha and hashlib.sha1(data, usedforsecurity=False).hexdigest() != upload.sha:
            raise Refusal(-174, "ERROR_SHA: the bytes have another SHA-1")
        self.check_free(path, insert_only=upload.insert_only)
        del self.uploads[path]
        return self.store(path, data, upload.biz_attr)

    def with_sha(self, sha: str, size: int) -> bytes | None:
        """Return the bytes of an object of this SHA-1 and size, where there is one."""
        for stored in self.entries.values():
            if stored.data is not None and (stored.sha, len(stored.data)) == (sha, size):
                return stored.data
        return None


def described(name: str, stored: Stored, url: str) -> dict[str, Any]:
    """Return an object or a folder as stat and list give it."""
    common = {
        "name": name,
        "biz_attr": stored.biz_attr,
        "ctime": stored.created,
        "mtime": stored.modified,
    }
    if stored.data is None:
        return common
    return {
        **common,
        "filesize": len(stored.data),
        "filelen": len(stored.data),
        "sha": stored.sha,
        "access_url": url,
        "source_url": url,
        "authority": stored.authority,
        "custom_headers": stored.headers,
    }
