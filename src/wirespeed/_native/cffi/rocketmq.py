"""RocketMQ's wire format through cffi; documented in the pure twin."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import Any, SupportsIndex

from wirespeed._native.cffi._core import ffi, lib
from wirespeed._native.cffi.digest import held
from wirespeed._native.contract import Buffer
from wirespeed._native.pure.rocketmq.arguments import (
    INT16_MAX,
    INT16_MIN,
    INT32_MAX,
    INT32_MIN,
    INT64_MAX,
    INT64_MIN,
    Header,
    SendParts,
    integer,
    plain_text,
    text,
)
from wirespeed._native.pure.rocketmq.message import NULL_POINTER, OK, held_body

_FRAME_LIMIT: int = lib.WS_FRAME_LIMIT
_PROPERTIES_LIMIT: int = lib.WS_PROPERTIES_LIMIT
_FREE_ROOM = 64 * 1024
_BASE_SIZE = 128 * 1024
_KEEP_SIZE = 1024 * 1024


def _fail(error: int, what: str = "") -> ValueError | MemoryError:
    if error == lib.WS_ERR_MEMORY:
        return MemoryError()
    sentence: str = ffi.string(lib.ws_error_text(error)).decode("ascii")
    if error == lib.WS_ERR_VALUE_SEPARATOR:
        sentence = sentence.replace("property value", what, 1)
    elif error == lib.WS_ERR_PROPERTIES_LIMIT:
        sentence = f"{what}: {sentence}"
    return ValueError(sentence)


def _slice_bytes(part: Any) -> bytes:
    return bytes(ffi.buffer(part.start, part.length)) if part.length else b""


class MessageHandle:
    """A message under construction. Only the `message_*` functions look inside."""

    __slots__ = ("_alive", "_body", "_lock", "_message")

    _alive: bool
    _body: bytes | memoryview
    _lock: threading.Lock
    _message: Any

    def __init__(self) -> None:
        raise TypeError("use message_create()")


def _living(message: MessageHandle | None) -> MessageHandle | None:
    if message is None:
        return None
    if not isinstance(message, MessageHandle):
        raise TypeError(f"message must be a MessageHandle, not {type(message).__name__}")
    return message if message._alive else None


def message_create(topic: str | None) -> MessageHandle:
    """Return a new message; None means that the topic is set later."""
    message = MessageHandle.__new__(MessageHandle)
    message._alive = True
    message._body = b""
    message._lock = threading.Lock()
    message._message = ffi.gc(ffi.new("ws_message_t *"), lib.ws_message_end)
    lib.ws_message_start(message._message)
    if topic is not None:
        message_set_topic(message, topic)
    return message


def message_destroy(message: MessageHandle | None) -> int:
    """Let go of all that the message holds. The second time returns 1."""
    living = _living(message)
    if living is None:
        return NULL_POINTER
    with living._lock:
        if not living._alive:
            return NULL_POINTER
        living._alive = False
        living._body = b""
        lib.ws_message_end(living._message)
    return OK


def message_is_alive(message: MessageHandle | None) -> bool:
    """Tell whether the handle is there and not destroyed."""
    return _living(message) is not None


def message_set_topic(message: MessageHandle | None, topic: str | None) -> int:
    """Set the topic."""
    living = _living(message)
    if living is None or topic is None:
        return NULL_POINTER
    encoded = text(topic, "topic")
    with living._lock:
        error = lib.ws_message_set_topic(living._message, encoded, len(encoded))
    if error:
        raise _fail(error)
    return OK


def _put(message: MessageHandle | None, name: str | None, value: str | None, what: str) -> int:
    living = _living(message)
    if living is None or name is None or value is None:
        return NULL_POINTER
    encoded_name = plain_text(name, "property name")
    if not encoded_name:
        raise _fail(lib.WS_ERR_NAME_EMPTY)
    encoded = text(value, what)
    with living._lock:
        error = lib.ws_message_set_property(
            living._message, encoded_name, len(encoded_name), encoded, len(encoded)
        )
    if error:
        raise _fail(error, what)
    return OK


def message_set_tags(message: MessageHandle | None, tags: str | None) -> int:
    """Set the tag, the property TAGS."""
    return _put(message, "TAGS", tags, "tags")


def message_set_keys(message: MessageHandle | None, keys: str | None) -> int:
    """Set the keys, separated by spaces: the property KEYS."""
    return _put(message, "KEYS", keys, "keys")


def message_set_property(message: MessageHandle | None, name: str | None, value: str | None) -> int:
    """Set one property."""
    return _put(message, name, value, "property value")


def message_set_delay_level(message: MessageHandle | None, level: SupportsIndex | None) -> int:
    """Set the delay level, the property DELAY."""
    living = _living(message)
    if living is None or level is None:
        return NULL_POINTER
    return _put(living, "DELAY", str(integer(level, "level", INT32_MIN, INT32_MAX)), "level")


def message_set_body(message: MessageHandle | None, body: str | Buffer | None) -> int:
    """Hold the body; a buffer is not copied, a str is encoded as UTF-8."""
    living = _living(message)
    if living is None or body is None:
        return NULL_POINTER
    living._body = held_body(body)
    return OK


def message_set_body_length(
    message: MessageHandle | None, body: str | Buffer | None, length: SupportsIndex
) -> int:
    """Hold the first `length` bytes of the body."""
    living = _living(message)
    if living is None or body is None:
        return NULL_POINTER
    whole = held_body(body)
    count = integer(length, "length", 0, len(whole))
    living._body = whole if count == len(whole) else memoryview(whole)[:count]
    return OK


def message_get_topic(message: MessageHandle | None) -> str:
    """Return the topic, or ""."""
    living = _living(message)
    if living is None:
        return ""
    with living._lock:
        return _slice_bytes(lib.ws_message_topic(living._message)).decode()


def message_get_tags(message: MessageHandle | None) -> str:
    """Return the property TAGS, or ""."""
    return message_get_property(message, "TAGS")


def message_get_keys(message: MessageHandle | None) -> str:
    """Return the property KEYS, or ""."""
    return message_get_property(message, "KEYS")


def message_get_property(message: MessageHandle | None, name: str | None) -> str:
    """Return one property, or ""."""
    living = _living(message)
    if living is None or name is None:
        return ""
    encoded = text(name, "property name")
    with living._lock:
        properties = lib.ws_message_properties(living._message)
        return _find(properties.start, properties.length, encoded) or ""


def message_get_properties(message: MessageHandle | None) -> dict[str, str]:
    """Return a new dict of all properties, TAGS, KEYS and DELAY among them."""
    living = _living(message)
    if living is None:
        return {}
    with living._lock:
        properties = lib.ws_message_properties(living._message)
        return _properties(properties.start, properties.length)


def message_get_body(message: MessageHandle | None) -> bytes:
    """Return the body; the very object where bytes were set, a copy otherwise."""
    living = _living(message)
    if living is None:
        return b""
    body = living._body
    return body if isinstance(body, bytes) else body.tobytes()


def _properties(start: Any, length: int) -> dict[str, str]:
    position = ffi.new("size_t *")
    name, value = ffi.new("ws_slice_t *"), ffi.new("ws_slice_t *")
    found = {}
    while lib.ws_properties_next(start, length, position, name, value) == lib.WS_FIELD:
        found[_slice_bytes(name).decode(errors="replace")] = _slice_bytes(value).decode(
            errors="replace"
        )
    return found


def _find(start: Any, length: int, name: bytes) -> str | None:
    value = ffi.new("ws_slice_t *")
    if lib.ws_properties_find(start, length, name, len(name), value):
        return _slice_bytes(value).decode(errors="replace")
    return None


def encode_properties(properties: dict[str, str]) -> bytes:
    """Return the wire form of a message's properties, in the dict's order."""
    if not isinstance(properties, dict):
        raise TypeError(f"properties must be a dict, not {type(properties).__name__}")
    texts = []
    for name, value in properties.items():
        encoded_name = plain_text(name, "property name")
        if not encoded_name:
            raise _fail(lib.WS_ERR_NAME_EMPTY)
        texts.append((encoded_name, plain_text(value, "property value")))
    size = sum(len(name) + len(value) + 2 for name, value in texts)
    if size > _PROPERTIES_LIMIT:
        raise ValueError(f"properties take {size} bytes; the limit is {_PROPERTIES_LIMIT}")
    fields, _keep = _fields(texts)
    out = ffi.new("uint8_t[]", size)
    lib.ws_properties_encode(fields, len(texts), out)
    return bytes(ffi.buffer(out))


def _fields(texts: list[tuple[bytes, bytes]]) -> tuple[Any, list[Any]]:
    fields = ffi.new("ws_field_t[]", len(texts) or 1)
    keep = []
    for field, (name, value) in zip(fields, texts, strict=False):
        name_held, value_held = held(name), held(value)
        keep += [name_held, value_held]
        field.name, field.name_length = name_held, len(name)
        field.value, field.value_length = value_held, len(value)
    return fields, keep


def decode_properties(data: Buffer) -> dict[str, str]:
    """Return the properties held by `data`. The last of two equal names wins."""
    source = held(data)
    return _properties(source, len(source))


def tag_hash(tag: str) -> int:
    """Return Java's `String.hashCode` of a tag: what a broker filters by. Signed, 32 bits."""
    if not isinstance(tag, str):
        raise TypeError(f"tag must be a str, not {type(tag).__name__}")
    points = ffi.new("uint32_t[]", [ord(character) for character in tag])
    value: int = lib.ws_tag_hash(points, len(tag), 4)
    return value


def encode_batch(messages: Sequence[tuple[int, Buffer, bytes]]) -> bytes:
    """Return the body of a batch send: each message's flag, body and encoded properties."""
    parts = []
    total = 0
    for flag, body, properties in messages:
        body_held, properties_held = held(body), held(properties)
        if len(properties_held) > _PROPERTIES_LIMIT:
            raise ValueError(
                f"properties take {len(properties_held)} bytes; the limit is {_PROPERTIES_LIMIT}"
            )
        size = lib.ws_batch_part_size(len(body_held), len(properties_held))
        total += size
        if total > _FRAME_LIMIT:
            raise ValueError(f"the batch passes the limit of {_FRAME_LIMIT} bytes")
        out = ffi.new("uint8_t[]", size)
        lib.ws_batch_part(
            out,
            integer(flag, "flag", INT32_MIN, INT32_MAX),
            body_held,
            len(body_held),
            properties_held,
            len(properties_held),
        )
        parts.append(bytes(ffi.buffer(out)))
    return b"".join(parts)


def encode_header(
    code: SupportsIndex,
    opaque: SupportsIndex,
    flag: SupportsIndex,
    ext_fields: dict[str, str] | None,
    body_length: SupportsIndex,
    *,
    binary: bool = False,
    language: SupportsIndex = 3,
    version: SupportsIndex = 513,
    remark: str | None = None,
) -> bytes:
    """Return the head of a frame: total length, header length and type, header."""
    header = ffi.new("ws_header_t *")
    header.code = integer(code, "code", INT32_MIN, INT32_MAX)
    header.opaque = integer(opaque, "opaque", INT32_MIN, INT32_MAX)
    header.flag = integer(flag, "flag", INT32_MIN, INT32_MAX)
    body_size = integer(body_length, "body_length", 0, _FRAME_LIMIT)
    header.language = integer(language, "language", 0, lib.WS_LANGUAGES - 1)
    header.version = integer(version, "version", 0, INT16_MAX)
    if ext_fields is not None and not isinstance(ext_fields, dict):
        raise TypeError(f"ext_fields must be a dict or None, not {type(ext_fields).__name__}")
    if remark is not None:
        remark_held = held(text(remark, "remark"))
        header.remark, header.remark_length = remark_held, len(remark_held)
    texts = [
        (text(name, "ext_fields name"), text(value, f"ext_fields[{name!r}]"))
        for name, value in (ext_fields or {}).items()
    ]
    if binary:
        integer(header.code, "code of a binary header", INT16_MIN, INT16_MAX)
    fields, _keep = _fields(texts)
    if ext_fields is not None:
        header.fields, header.count = fields, len(texts)
    out = ffi.new("uint8_t[]", lib.ws_header_bound(header))
    written = lib.ws_header_encode(header, body_size, bool(binary), out)
    if written < 0:
        raise _fail(written)
    return bytes(ffi.buffer(out, written))


def encode_send(
    parts: SendParts,
    body: Buffer,
    opaque: SupportsIndex,
    flag: SupportsIndex,
    binary: bool = False,
    language: SupportsIndex = 3,
    version: SupportsIndex = 513,
    join: SupportsIndex = 16384,
) -> bytes:
    """Return a whole send request; a body longer than `join` bytes is left to the caller."""
    if type(parts) is not tuple or len(parts) != 11:
        raise TypeError("parts must be a tuple of 11")
    (
        group,
        topic,
        properties,
        broker_name,
        queue_id,
        sys_flag,
        born_timestamp,
        message_flag,
        reconsume_times,
        max_reconsume_times,
        batch,
    ) = parts
    send = ffi.new("ws_send_t *")
    kept = []
    for name, value in (
        ("group", group),
        ("topic", topic),
        ("properties", properties),
        ("broker", broker_name),
    ):
        source = held(text(value, name))
        kept.append(source)
        part = getattr(send, name)
        part.start, part.length = source, len(source)
    numbers = {
        "queue_id": queue_id,
        "sys_flag": sys_flag,
        "message_flag": message_flag,
        "reconsume_times": reconsume_times,
        "opaque": opaque,
        "flag": flag,
    }
    if max_reconsume_times is not None:
        send.has_max_reconsume_times = 1
        numbers["max_reconsume_times"] = max_reconsume_times
    for name, number in numbers.items():
        setattr(send, name, integer(number, name, INT32_MIN, INT32_MAX))
    send.born_timestamp = integer(born_timestamp, "born_timestamp", INT64_MIN, INT64_MAX)
    send.batch = bool(batch)
    send.language = integer(language, "language", 0, lib.WS_LANGUAGES - 1)
    send.version = integer(version, "version", 0, INT16_MAX)
    joined = integer(join, "join", 0, _FRAME_LIMIT)
    body_held = held(body)
    out = ffi.new("uint8_t[]", lib.ws_send_bound(send))
    written = lib.ws_send_encode(send, len(body_held), bool(binary), out)
    if written < 0:
        raise _fail(written)
    head = bytes(ffi.buffer(out, written))
    return head + ffi.buffer(body_held) if len(body_held) <= joined else head


def _text_of(part: Any) -> str:
    if not part.escaped:
        return _slice_bytes(part).decode()
    out = ffi.new("uint8_t[]", part.length)
    return bytes(ffi.buffer(out, lib.ws_json_unescape(part, out))).decode()


def decode_header(frame: Buffer) -> Header:
    """Return (code, language, version, opaque, flag, remark, ext_fields, body) of a whole frame."""
    source = held(frame)
    return _decode(source, len(source))


def _decode(source: Any, length: int) -> Header:
    reader = ffi.new("ws_reader_t *")
    name, value = ffi.new("ws_slice_t *"), ffi.new("ws_slice_t *")
    fields: dict[str, str] = {}
    outcome = lib.ws_reader_open(reader, source, length)
    while outcome >= 0:
        outcome = lib.ws_reader_next(reader, name, value)
        if outcome == lib.WS_FIELD:
            if value.start == ffi.NULL:
                fields.pop(_text_of(name), None)
            else:
                fields[_text_of(name)] = _text_of(value)
        elif outcome == lib.WS_FIELDS_BEGIN:
            fields = {}
        elif outcome == lib.WS_END:
            return (
                reader.code,
                reader.language,
                reader.version,
                reader.opaque,
                reader.flag,
                None if reader.remark.start == ffi.NULL else _text_of(ffi.addressof(reader.remark)),
                fields,
                _slice_bytes(reader.body),
            )
    raise _fail(outcome)


class FrameSplitter:
    """Collects received bytes and gives back whole frames. For one thread at a time."""

    def __init__(self, limit: SupportsIndex = _FRAME_LIMIT) -> None:
        self._limit = integer(limit, "limit", 8, INT32_MAX)
        self._store = bytearray(_BASE_SIZE)
        self._source = held(self._store)
        self._start = 0
        self._end = 0
        self._failed = False

    @property
    def pending(self) -> int:
        """Bytes of the frame that is not yet complete."""
        return self._end - self._start

    def buffer(self) -> memoryview:
        """Return a writable view: what the pending frame lacks, or at least 64 KiB."""
        self._check()
        pending = self._end - self._start
        needed = _FREE_ROOM
        if pending >= 4:
            needed = max(needed, self._frame_size() - pending)
        if not pending:
            self._start = self._end = 0
            if len(self._store) > _KEEP_SIZE:
                self._open(bytearray(_BASE_SIZE))
        if len(self._store) - self._end < needed:
            store = bytearray(max(_BASE_SIZE, pending + needed))
            store[:pending] = memoryview(self._store)[self._start : self._end]
            self._open(store)
            self._start, self._end = 0, pending
        return memoryview(self._store)[self._end :]

    def received(self, count: SupportsIndex) -> list[Header]:
        """Take `count` bytes just written into `buffer()`; return the frames they completed."""
        self._check()
        self._end += integer(count, "count", 0, len(self._store) - self._end)
        frames: list[Header] = []
        try:
            while True:
                size = self._frame_size()
                if size == lib.WS_ERR_FRAME_LIMIT:
                    raise ValueError(f"a frame passes the limit of {self._limit} bytes")
                if size < 0:
                    raise _fail(size)
                if not size or size > self._end - self._start:
                    return frames
                frames.append(_decode(self._source + self._start, size))
                self._start += size
        except ValueError:
            self._failed = True
            raise

    def _open(self, store: bytearray) -> None:
        self._store = store
        self._source = held(store)

    def _frame_size(self) -> int:
        size: int = lib.ws_frame_size(
            self._source + self._start, self._end - self._start, self._limit
        )
        return size

    def _check(self) -> None:
        if self._failed:
            raise ValueError("the splitter failed on an earlier frame")


class StoredMessage:
    """One message of a pull reply. Read-only; its texts are made when they are asked for."""

    __slots__ = ("_data", "_properties", "_stored")

    _data: bytes
    _properties: dict[str, str] | None
    _stored: Any

    def __init__(self) -> None:
        raise TypeError("use decode_messages()")

    def __repr__(self) -> str:
        return (
            f"<StoredMessage {self.topic!r} queue {self.queue_id} offset {self.queue_offset}, "
            f"{self._stored.body_length} bytes>"
        )

    def _part(self, offset: int, length: int) -> bytes:
        start = self._stored.record + offset
        return self._data[start : start + length]

    def _host(self, offset: int, six: int) -> str:
        size = 16 if six else 4
        address = self._part(offset, size)
        port = int.from_bytes(self._part(offset + size, 4), "big", signed=True)
        if six:
            return f"[{IPv6Address(address)}]:{port}"
        return f"{'.'.join(map(str, address))}:{port}"

    @property
    def topic(self) -> str:
        """The topic as stored."""
        return self._part(self._stored.topic, self._stored.topic_length).decode(errors="replace")

    @property
    def queue_id(self) -> int:
        """The queue within the topic."""
        return int(self._stored.queue_id)

    @property
    def queue_offset(self) -> int:
        """Where in the queue the message is."""
        return int(self._stored.queue_offset)

    @property
    def physical_offset(self) -> int:
        """Where in the broker's commit log the message is."""
        return int(self._stored.physical_offset)

    @property
    def flag(self) -> int:
        """The sender's own int."""
        return int(self._stored.flag)

    @property
    def sys_flag(self) -> int:
        """Compression and transaction bits."""
        return int(self._stored.sys_flag)

    @property
    def born_timestamp(self) -> int:
        """When it was sent, in milliseconds since 1970."""
        return int(self._stored.born_timestamp)

    @property
    def born_host(self) -> str:
        """The sender's "address:port"."""
        return self._host(self._stored.born_host, self._stored.sys_flag & 0x10)

    @property
    def store_timestamp(self) -> int:
        """When it was stored, in milliseconds since 1970."""
        return int(self._stored.store_timestamp)

    @property
    def store_host(self) -> str:
        """The broker's "address:port"."""
        return self._host(self._stored.store_host, self._stored.sys_flag & 0x20)

    @property
    def reconsume_times(self) -> int:
        """How often it was consumed in vain."""
        return int(self._stored.reconsume_times)

    @property
    def prepared_transaction_offset(self) -> int:
        """Offset of the half message, or 0."""
        return int(self._stored.prepared_transaction_offset)

    @property
    def body(self) -> bytes:
        """The body as stored, possibly compressed."""
        return self._part(self._stored.body, self._stored.body_length)

    @property
    def body_crc(self) -> int:
        """CRC-32 of the body without the sign bit, as stored."""
        return int(self._stored.body_crc)

    @property
    def crc_ok(self) -> bool:
        """Whether the body has that CRC."""
        return bool(self._stored.crc_ok)

    @property
    def store_size(self) -> int:
        """Bytes of the whole record."""
        return int(self._stored.size)

    @property
    def offset_message_id(self) -> str:
        """The broker's id: address, port and physical offset in hex."""
        size = 20 if self._stored.sys_flag & 0x20 else 8
        return (self._part(self._stored.store_host, size) + self._part(28, 8)).hex().upper()

    @property
    def properties(self) -> dict[str, str]:
        """All properties; the same dict each time."""
        if self._properties is None:
            self._properties = decode_properties(
                self._part(self._stored.properties, self._stored.properties_length)
            )
        return self._properties

    def property(self, name: str) -> str | None:
        """Return one property without making the dict, or None."""
        encoded = text(name, "name")
        if "\ufffd" in name:
            return self.properties.get(name)
        part = held(self._part(self._stored.properties, self._stored.properties_length))
        return _find(part, len(part), encoded)


def decode_messages(body: Buffer) -> list[StoredMessage]:
    """Return the messages of a pull reply's body; they keep `body` alive."""
    data = body if type(body) is bytes else bytes(ffi.buffer(held(body)))
    source = held(data)
    position = ffi.new("size_t *")
    messages: list[StoredMessage] = []
    while True:
        stored = ffi.new("ws_stored_t *")
        outcome = lib.ws_stored_next(source, len(data), position, stored)
        if outcome == lib.WS_END:
            return messages
        if outcome < 0:
            raise _fail(outcome)
        message = StoredMessage.__new__(StoredMessage)
        message._data = data
        message._stored = stored
        message._properties = None
        messages.append(message)
