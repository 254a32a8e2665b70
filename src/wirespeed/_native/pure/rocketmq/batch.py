"""The body of a batch send."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .arguments import (
    FRAME_LIMIT,
    INT32_MAX,
    INT32_MIN,
    PROPERTIES_LIMIT,
    byte_view,
    integer,
)

if TYPE_CHECKING:
    from wirespeed._native.contract import Buffer

_PART_HEAD = struct.Struct(">iiiii")
_PROPERTIES_LENGTH = struct.Struct(">h")


def encode_batch(messages: Sequence[tuple[int, Buffer, bytes]]) -> bytes:
    """Return the body of a batch send: each message's flag, body and encoded properties.

    Raises:
        TypeError: a part is not (int, buffer, buffer).
        ValueError: a part has not three items, a flag is no int32, properties pass 32,767
            bytes, or the batch passes 16 MiB.
        BufferError: a buffer is not contiguous.
    """
    parts = []
    total = 0
    for flag, body, properties in messages:
        body_view, properties_view = byte_view(body), byte_view(properties)
        if len(properties_view) > PROPERTIES_LIMIT:
            raise ValueError(
                f"properties take {len(properties_view)} bytes; the limit is {PROPERTIES_LIMIT}"
            )
        size = _PART_HEAD.size + len(body_view) + _PROPERTIES_LENGTH.size + len(properties_view)
        total += size
        if total > FRAME_LIMIT:
            raise ValueError(f"the batch passes the limit of {FRAME_LIMIT} bytes")
        number = integer(flag, "flag", INT32_MIN, INT32_MAX)
        parts.append(_PART_HEAD.pack(size, 0, 0, number, len(body_view)))
        parts.append(bytes(body_view))
        parts.append(_PROPERTIES_LENGTH.pack(len(properties_view)))
        parts.append(bytes(properties_view))
    return b"".join(parts)
