"""Message properties: `name 01 value 02`, repeated, in UTF-8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arguments import PROPERTIES_LIMIT, byte_view, plain_text

if TYPE_CHECKING:
    from wirespeed._native.contract import Buffer


def encode_properties(properties: dict[str, str]) -> bytes:
    """Return the wire form of a message's properties, in the dict's order.

    Raises:
        TypeError: `properties` is no dict, or a name or value is no str.
        ValueError: a name is empty; a name or value holds 0x01, 0x02 or a lone surrogate;
            or the result passes 32,767 bytes.
    """
    if not isinstance(properties, dict):
        raise TypeError(f"properties must be a dict, not {type(properties).__name__}")
    parts = []
    for name, value in properties.items():
        encoded_name = plain_text(name, "property name")
        if not encoded_name:
            raise ValueError("property name must not be empty")
        parts.append(encoded_name + b"\x01" + plain_text(value, "property value") + b"\x02")
    encoded = b"".join(parts)
    if len(encoded) > PROPERTIES_LIMIT:
        raise ValueError(f"properties take {len(encoded)} bytes; the limit is {PROPERTIES_LIMIT}")
    return encoded


def decode_properties(data: Buffer) -> dict[str, str]:
    """Return the properties held by `data`. The last of two equal names wins.

    Entries without a name or without the separator are skipped, as every RocketMQ client
    does; bytes that are not UTF-8 become U+FFFD, so that one bad property loses no message.

    Raises:
        TypeError: `data` is no buffer.
        BufferError: it is not contiguous.
    """
    properties = {}
    for entry in bytes(byte_view(data)).split(b"\x02"):
        name, separator, value = entry.partition(b"\x01")
        if separator and name:
            properties[name.decode(errors="replace")] = value.decode(errors="replace")
    return properties


def tag_hash(tag: str) -> int:
    """Return Java's `String.hashCode` of a tag: what a broker filters by. Signed, 32 bits.

    Raises:
        TypeError: `tag` is no str.
    """
    if not isinstance(tag, str):
        raise TypeError(f"tag must be a str, not {type(tag).__name__}")
    units = tag.encode("utf-16-be", "surrogatepass")
    value = 0
    for index in range(0, len(units), 2):
        value = (value * 31 + (units[index] << 8 | units[index + 1])) & 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value
