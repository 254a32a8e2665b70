"""The values of COS v4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

PUT_LIMIT = 20 * 1024 * 1024
PAGE_LIMIT = 199
SLICE_SIZES = (512 * 1024, 1024 * 1024, 2 * 1024 * 1024, 3 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What an upload stored.

    Attributes:
        key: the object's key.
        sha1: the SHA-1 of its bytes in hexadecimal, computed here; the service confirmed it where
            `verified`.
        size: its size in bytes.
        access_url: where the service says that it can be downloaded.
        verified: whether the service told the same SHA-1.
        instant: whether the service had these bytes already, so that none were sent.
    """

    key: str
    sha1: str
    size: int
    access_url: str = ""
    verified: bool = False
    instant: bool = False


@dataclass(frozen=True, slots=True)
class DownloadResult:
    """What a download brought.

    Attributes:
        key: the object's key.
        sha1: the SHA-1 of its bytes in hexadecimal, compared with the service's where `verified`.
        size: its size in bytes.
        verified: whether the service told its SHA-1.
    """

    key: str
    sha1: str
    size: int
    verified: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """What the service tells about an object or a folder.

    Attributes:
        key: its key; that of a folder ends in "/".
        size: bytes of an object, 0 of a folder.
        sha1: the SHA-1 of an object in hexadecimal, or "".
        biz_attr: the text that its owner gave it.
        created: when it was made, in UTC, or None where the service does not say.
        modified: when it was changed, likewise.
        access_url: where it can be downloaded, or "".
        authority: "eInvalid", "eWRPrivate", "eWPrivateRPublic", or "" for its bucket's.
        headers: the headers that its downloads get.
    """

    key: str
    size: int = 0
    sha1: str = ""
    biz_attr: str = ""
    created: datetime | None = None
    modified: datetime | None = None
    access_url: str = ""
    authority: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.key.endswith("/")


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a listing.

    Attributes:
        entries: objects and folders of one folder, in the service's order.
        context: where the next page begins; "" on the last page.
    """

    entries: tuple[Entry, ...]
    context: str


@dataclass(frozen=True, slots=True)
class Session:
    """A slice upload that was begun.

    Attributes:
        name: what its requests name; "" where the service has the bytes already.
        slice_size: bytes of a slice, as the service wants it.
        serial: whether slices must come one after the other.
        done: offsets of the slices that the service has.
        access_url: where the object is, where `name` is "".
    """

    name: str
    slice_size: int
    serial: bool
    done: frozenset[int]
    access_url: str = ""
