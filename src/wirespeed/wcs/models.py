"""The values of WCS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..storage import Progress, UploadResult

BLOCK_UNIT = 4 * 1024 * 1024
FORM_LIMIT = 500 * 1000 * 1000
PAGE_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """What the service tells about an object.

    Attributes:
        key: its key.
        size: its size in bytes.
        hash: its etag.
        mime_type: its media type, or "".
        put_time: when it was stored, in UTC, or None where the service does not say.
        expires: when it will be deleted, in UTC, or None.
    """

    key: str
    size: int
    hash: str
    mime_type: str = ""
    put_time: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a listing.

    Attributes:
        items: the objects, in order of their keys.
        prefixes: the common prefixes, where the listing has a delimiter.
        marker: where the next page begins; "" on the last page.
    """

    items: tuple[ObjectStat, ...]
    prefixes: tuple[str, ...]
    marker: str


@dataclass(frozen=True, slots=True)
class PieceReply:
    """The answer to mkblk and bput.

    Attributes:
        context: what the next piece must name.
        offset: bytes of the block that the service has.
        crc32: the CRC-32 it computed, or None.
        checksum: the SHA-1 of the block so far that it computed, or None.
    """

    context: str
    offset: int
    crc32: int | None
    checksum: bytes | None


__all__ = [
    "BLOCK_UNIT",
    "FORM_LIMIT",
    "PAGE_LIMIT",
    "ListPage",
    "ObjectStat",
    "PieceReply",
    "Progress",
    "UploadResult",
]
