"""Buckets, objects and unfinished uploads, as COS v4 keeps them."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..content import Content
from ..journal import Journal, Kept, Packed
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

    data: Content | None
    sha: str
    biz_attr: str
    created: int
    modified: int
    authority: str = "eInvalid"
    headers: dict[str, str] = field(default_factory=dict)
    bucket: str = ""
    path: str = ""

    def pack(self) -> Packed:
        """Return it as it is written down."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "data"}
        return Packed("entry", fields, content=self.data)


@dataclass(eq=False, slots=True)
class Slice:
    """A part of an upload that is not finished."""

    session: str
    offset: int
    data: Content

    def pack(self) -> Packed:
        """Return it as it is written down."""
        fields = {"session": self.session, "offset": self.offset}
        return Packed("slice", fields, content=self.data)


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
    parts: dict[int, Slice] = field(default_factory=dict)
    bucket: str = ""
    path: str = ""

    def pack(self) -> Packed:
        """Return it as it is written down, but for its parts."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "parts"}
        return Packed("upload", fields)


class State:
    """All buckets; one is made when it is first used.

    Args:
        clock: returns the time, seconds since 1970.
        journal: where it says what it keeps; nowhere by default.

    Attributes:
        KINDS: what is taken back, the first before what refers to it.
    """

    KINDS = ("entry", "upload", "slice")

    def __init__(
        self, clock: Callable[[], float] = time.time, journal: Journal | None = None
    ) -> None:
        self.now = clock
        self.journal = journal or Journal()
        self.buckets: dict[str, Bucket] = {}
        self.held = 0

    def clear(self) -> None:
        """Forget everything."""
        self.buckets.clear()
        self.held = 0
        self.journal.clear()

    def things(self) -> Iterator[Kept]:
        """Yield all that it keeps."""
        for bucket in self.buckets.values():
            yield from bucket.entries.values()
            for upload in bucket.uploads.values():
                yield upload
                yield from upload.parts.values()

    def load(self, packed: Packed) -> Kept | None:
        """Take back what was written down; return what it is now."""
        fields = packed.fields
        content = packed.content
        if packed.kind == "entry":
            stored = Stored(content, **fields)
            self.bucket(stored.bucket).entries[stored.path] = stored
            self.held += len(content or b"")
            return stored
        if packed.kind == "upload":
            upload = Upload(**fields)
            self.bucket(upload.bucket).uploads[upload.path] = upload
            return upload
        assert content is not None
        for bucket in self.buckets.values():
            for upload in bucket.uploads.values():
                if upload.session == fields["session"]:
                    part = upload.parts[fields["offset"]] = Slice(**fields, data=content)
                    self.held += len(content)
                    return part
        return None

    def loaded(self) -> None:
        """Nothing is left to do."""

    def wake(self) -> None:
        """Nobody waits here."""

    def bucket(self, name: str) -> Bucket:
        """Return a bucket."""
        return self.buckets.setdefault(name, Bucket(self, name))

    def reserve(self, size: int) -> None:
        """Take room for bytes; a negative size gives it back."""
        if self.held + size > STORE_LIMIT:
            raise Refusal(-4002, f"the local COS holds {STORE_LIMIT} bytes at most")
        self.held += size


class Bucket:
    """One bucket: objects and folders by path."""

    def __init__(self, state: State, name: str) -> None:
        self._state = state
        self._name = name
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

    def store(self, path: str, data: Content, sha: str, biz_attr: str) -> Stored:
        """Store an object of this SHA-1, whose bytes were reserved."""
        before = self.entries.get(path)
        now = int(self._state.now())
        if before is not None:
            self._state.journal.drop(before)
            self._state.reserve(-len(before.data or b""))
        created = now if before is None else before.created
        stored = Stored(data, sha, biz_attr, created, now)
        self._add(path, stored)
        return stored

    def _add(self, path: str, stored: Stored) -> None:
        stored.bucket, stored.path = self._name, path
        self.entries[path] = stored
        self._state.journal.save(stored)

    def create(self, path: str, biz_attr: str) -> Stored:
        """Create a folder."""
        if not path.endswith("/") or path == "/":
            raise Refusal(-180, f"ERROR_CMD_COS_PATH_ILLEGAL: {path}")
        if path in self.entries or path[:-1] in self.entries:
            raise Refusal(-178, f"ERROR_CMD_COS_PATH_CONFLICT: {path}")
        now = int(self._state.now())
        made = Stored(None, "", biz_attr, now, now)
        self._add(path, made)
        return made

    def delete(self, path: str) -> None:
        """Delete an object, its unfinished upload, or an empty folder."""
        upload = self.uploads.pop(path, None)
        if upload is not None:
            self._forget(upload)
            self._state.reserve(-sum(len(part.data) for part in upload.parts.values()))
            if path not in self.entries:
                return
        if path.endswith("/") and any(self.below(path)):
            raise Refusal(-173, f"ERROR_CMD_COS_DIR_NOTEMPTY: {path}")
        found = self.entries.pop(path, None)
        if found is None:
            raise no_object(path)
        self._state.journal.drop(found)
        self._state.reserve(-len(found.data or b""))

    def _forget(self, upload: Upload) -> None:
        self._state.journal.drop(upload)
        for part in upload.parts.values():
            self._state.journal.drop(part)

    def transfer(self, path: str, target: str, *, move: bool, overwrite: bool) -> None:
        """Move or copy an object."""
        found = self.entries.get(path)
        if found is None or found.data is None:
            raise no_object(path)
        self.check_free(target, insert_only=not overwrite)
        if path == target:
            return
        self._state.reserve(len(found.data))
        stored = self.store(target, found.data, found.sha, found.biz_attr)
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
        upload.bucket, upload.path = self._name, path
        self.uploads[path] = upload
        self._state.journal.save(upload)
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
        self._state.reserve(len(data) - (len(before.data) if before else 0))
        if before is not None:
            self._state.journal.drop(before)
        part = Slice(upload.session, offset, self._state.journal.keep([data]))
        upload.parts[offset] = part
        self._state.journal.save(part)

    def finish(self, path: str, upload: Upload) -> Stored:
        """Make an object of an upload's slices."""
        data = Content()
        for _, part in sorted(upload.parts.items()):
            data += part.data
        if len(data) != upload.size:
            raise Refusal(-175, "ERROR_SIZE: slices are missing")
        sha = digest(data)
        if upload.sha and sha != upload.sha:
            raise Refusal(-174, "ERROR_SHA: the bytes have another SHA-1")
        self.check_free(path, insert_only=upload.insert_only)
        del self.uploads[path]
        self._forget(upload)
        return self.store(path, data, sha, upload.biz_attr)

    def with_sha(self, sha: str, size: int) -> Content | None:
        """Return the bytes of an object of this SHA-1 and size, where there is one."""
        for stored in self.entries.values():
            if stored.data is not None and (stored.sha, len(stored.data)) == (sha, size):
                return stored.data
        return None


def digest(data: Content) -> str:
    """Return the SHA-1 in hexadecimal."""
    made = hashlib.sha1(usedforsecurity=False)
    for chunk in data.chunks():
        made.update(chunk)
    return made.hexdigest()


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
