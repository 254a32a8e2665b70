"""Messages as a broker stores and returns them."""

from __future__ import annotations

import struct
import zlib
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from .arguments import byte_view, text
from .properties import decode_properties

if TYPE_CHECKING:
    from wirespeed._native.contract import Buffer

MAGIC_V1 = 0xDAA320A7
MAGIC_V2 = 0xDAA320AB
MAGIC_BLANK = 0xCBD43194
BORN_HOST_V6 = 0x10
STORE_HOST_V6 = 0x20

_HEAD = struct.Struct(">II")
_FIXED = struct.Struct(">Iiiqqiq")
_HOST_V4 = struct.Struct(">4si")
_HOST_V6 = struct.Struct(">16si")
_INT64 = struct.Struct(">q")
_AFTER_HOSTS = struct.Struct(">iqi")
_UINT16 = struct.Struct(">H")


class StoredMessage:
    """One message of a pull reply. Read-only; its texts are made when they are asked for.

    Attributes:
        topic: as stored; a retried message has its first topic in the property RETRY_TOPIC.
        queue_id, queue_offset: where in the topic it is.
        physical_offset: where in the broker's commit log it is.
        flag: the sender's own int.
        sys_flag: compression and transaction bits.
        born_timestamp, store_timestamp: milliseconds since 1970.
        born_host, store_host: "address:port"; an IPv6 address stands in brackets.
        reconsume_times: how often it was consumed in vain.
        prepared_transaction_offset: offset of the half message, or 0.
        body: as stored, possibly compressed.
        body_crc: CRC-32 of the body without the sign bit, as stored.
        crc_ok: whether the body has that CRC.
        store_size: bytes of the whole record.
        properties: a dict, made once.
        offset_message_id: the broker's id of the message, upper-case hex.
    """

    __slots__ = (
        "_born_host",
        "_data",
        "_properties",
        "_properties_at",
        "_store_host",
        "_topic_at",
        "body",
        "body_crc",
        "born_timestamp",
        "crc_ok",
        "flag",
        "physical_offset",
        "prepared_transaction_offset",
        "queue_id",
        "queue_offset",
        "reconsume_times",
        "store_size",
        "store_timestamp",
        "sys_flag",
    )

    _born_host: tuple[bytes, int]
    _data: bytes
    _properties: dict[str, str] | None
    _properties_at: slice
    _store_host: tuple[bytes, int]
    _topic_at: slice
    body: bytes
    body_crc: int
    born_timestamp: int
    crc_ok: bool
    flag: int
    physical_offset: int
    prepared_transaction_offset: int
    queue_id: int
    queue_offset: int
    reconsume_times: int
    store_size: int
    store_timestamp: int
    sys_flag: int

    def __init__(self) -> None:
        raise TypeError("use decode_messages()")

    def __repr__(self) -> str:
        return (
            f"<StoredMessage {self.topic!r} queue {self.queue_id} offset {self.queue_offset}, "
            f"{len(self.body)} bytes>"
        )

    @property
    def topic(self) -> str:
        """The topic as stored."""
        return self._data[self._topic_at].decode(errors="replace")

    @property
    def born_host(self) -> str:
        """The sender's "address:port"."""
        return _host_text(self._born_host)

    @property
    def store_host(self) -> str:
        """The broker's "address:port"."""
        return _host_text(self._store_host)

    @property
    def offset_message_id(self) -> str:
        """The broker's id: address, port and physical offset in hex."""
        address, port = self._store_host
        return (
            address.hex().upper()
            + f"{port & 0xFFFFFFFF:08X}"
            + f"{self.physical_offset & 0xFFFFFFFFFFFFFFFF:016X}"
        )

    @property
    def properties(self) -> dict[str, str]:
        """All properties; the same dict each time."""
        if self._properties is None:
            self._properties = decode_properties(self._data[self._properties_at])
        return self._properties

    def property(self, name: str) -> str | None:
        """Return one property without making the dict, or None.

        Raises:
            TypeError: `name` is no str.
            ValueError: it holds a lone surrogate.
        """
        text(name, "name")
        return decode_properties(self._data[self._properties_at]).get(name)


def _host_text(host: tuple[bytes, int]) -> str:
    address, port = host
    if len(address) == 4:
        return f"{'.'.join(map(str, address))}:{port}"
    return f"[{IPv6Address(address)}]:{port}"


def decode_messages(body: Buffer) -> list[StoredMessage]:
    """Return the messages of a pull reply's body; they keep `body` alive.

    The filler that a broker writes at the end of a file is skipped. A body whose CRC differs
    is returned with `crc_ok` False.

    Raises:
        TypeError: `body` is no buffer.
        BufferError: it is not contiguous.
        ValueError: a length or a magic number is broken.
    """
    data = body if type(body) is bytes else bytes(byte_view(body))
    messages = []
    position = 0
    while position < len(data):
        if len(data) - position < _HEAD.size:
            raise ValueError(f"the message at byte {position} is cut off")
        size, magic = _HEAD.unpack_from(data, position)
        if size < _HEAD.size or size > len(data) - position:
            raise ValueError(f"the message at byte {position} has a broken length")
        if magic in (MAGIC_V1, MAGIC_V2):
            try:
                messages.append(_decode(data, position, size, magic))
            except struct.error:
                raise ValueError(f"the message at byte {position} is cut off") from None
        elif magic != MAGIC_BLANK:
            raise ValueError(f"the message at byte {position} has the unknown magic {magic:08X}")
        position += size
    return messages


def _decode(data: bytes, start: int, size: int, magic: int) -> StoredMessage:
    record = data[start : start + size]
    message = StoredMessage.__new__(StoredMessage)
    (
        message.body_crc,
        message.queue_id,
        message.flag,
        message.queue_offset,
        message.physical_offset,
        message.sys_flag,
        message.born_timestamp,
    ) = _FIXED.unpack_from(record, _HEAD.size)
    position = _HEAD.size + _FIXED.size
    host = _HOST_V6 if message.sys_flag & BORN_HOST_V6 else _HOST_V4
    message._born_host = host.unpack_from(record, position)
    position += host.size
    (message.store_timestamp,) = _INT64.unpack_from(record, position)
    position += _INT64.size
    host = _HOST_V6 if message.sys_flag & STORE_HOST_V6 else _HOST_V4
    message._store_host = host.unpack_from(record, position)
    position += host.size
    message.reconsume_times, message.prepared_transaction_offset, body_length = (
        _AFTER_HOSTS.unpack_from(record, position)
    )
    position += _AFTER_HOSTS.size
    _check_length(body_length, len(record) - position)
    message.body = record[position : position + body_length]
    position += body_length
    if magic == MAGIC_V1:
        if position >= len(record):
            raise ValueError("a message ends before its topic")
        topic_length = record[position]
        position += 1
    else:
        (topic_length,) = _UINT16.unpack_from(record, position)
        position += 2
    _check_length(topic_length, len(record) - position)
    topic_at = start + position
    position += topic_length
    (properties_length,) = _UINT16.unpack_from(record, position)
    position += 2
    _check_length(properties_length, len(record) - position)
    message._data = data
    message._topic_at = slice(topic_at, topic_at + topic_length)
    message._properties_at = slice(start + position, start + position + properties_length)
    message._properties = None
    message.store_size = size
    message.crc_ok = zlib.crc32(message.body) & 0x7FFFFFFF == message.body_crc
    return message


def _check_length(length: int, room: int) -> None:
    if length < 0 or length > room:
        raise ValueError("a length within a message is broken")
