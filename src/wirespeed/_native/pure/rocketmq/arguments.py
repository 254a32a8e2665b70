"""Limits and argument checks shared by the functions of this folder."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, SupportsIndex

if TYPE_CHECKING:
    from wirespeed._native.contract import Buffer

INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
FRAME_LIMIT = 16 * 1024 * 1024
PROPERTIES_LIMIT = 32767

Header = tuple[int, int, int, int, int, "str | None", dict[str, str], bytes]
"""(code, language, version, opaque, flag, remark, ext_fields, body)"""

SendParts = tuple[str, str, str, str, int, int, int, int, int, "int | None", bool]
"""What a send request says of its message, or of its batch.

(group, topic, properties, broker_name, queue_id, sys_flag, born_timestamp, message_flag,
reconsume_times, max_reconsume_times, batch): texts; then int32 numbers, of which `born_timestamp`
is an int64 of milliseconds since 1970, and `max_reconsume_times` None leaves that to the broker;
then whether the body is a batch. `properties` are in wire form, as text.
"""


def byte_view(data: Buffer) -> memoryview:
    """Return a flat view of a buffer's bytes.

    Raises:
        TypeError: `data` is no buffer.
        BufferError: its bytes are not contiguous.
    """
    view = memoryview(data)
    if not view.c_contiguous:
        raise BufferError("the buffer is not C-contiguous")
    return view.cast("B") if view.nbytes else memoryview(b"")


def integer(value: SupportsIndex, name: str, low: int, high: int) -> int:
    """Return `value` as an int within low..high.

    Raises:
        TypeError: it is no integer.
        ValueError: it is out of range; the message names the argument and the range.
    """
    number = operator.index(value)
    if not low <= number <= high:
        raise ValueError(f"{name} must be within {low}..{high}, not {number}")
    return number


def text(value: object, name: str) -> bytes:
    """Return a str as UTF-8.

    Raises:
        TypeError: it is no str.
        ValueError: it holds a lone surrogate (UnicodeEncodeError).
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value.encode()


def plain_text(value: object, name: str) -> bytes:
    """Return a str as UTF-8, refusing the two characters that separate properties.

    Raises:
        TypeError: it is no str.
        ValueError: it holds 0x01, 0x02 or a lone surrogate.
    """
    encoded = text(value, name)
    if b"\x01" in encoded or b"\x02" in encoded:
        raise ValueError(f"{name} must not contain the control characters 0x01 and 0x02")
    return encoded
