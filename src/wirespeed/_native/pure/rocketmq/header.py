"""A frame's header, in JSON and in RocketMQ's binary form."""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Any, SupportsIndex

from .arguments import (
    FRAME_LIMIT,
    INT16_MAX,
    INT16_MIN,
    INT32_MAX,
    INT32_MIN,
    INT64_MAX,
    INT64_MIN,
    Header,
    SendParts,
    byte_view,
    integer,
    text,
)

if TYPE_CHECKING:
    from wirespeed._native.contract import Buffer

JSON_DEPTH_LIMIT = 32
LANGUAGES = (
    "JAVA",
    "CPP",
    "DOTNET",
    "PYTHON",
    "DELPHI",
    "ERLANG",
    "RUBY",
    "OTHER",
    "HTTP",
    "GO",
    "PHP",
    "OMS",
    "RUST",
    "NODE_JS",
)
_LANGUAGE_CODES = {name: code for code, name in enumerate(LANGUAGES)}
_OTHER = 7
_HEAD = struct.Struct(">II")
_BINARY_FIXED = struct.Struct(">hBhii")
_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


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
    """Return the head of a frame: total length, header length and type, header.

    Args:
        code: request or response code, int32; int16 where `binary`.
        opaque: number that joins a reply to its request, int32.
        flag: bit 0 reply, bit 1 one-way.
        ext_fields: the header's own fields; None leaves them out.
        body_length: bytes of body that the caller sends after the head.
        binary: use the binary header instead of JSON.
        language: 0..13; 3 is PYTHON.
        version: what this client claims to be; 513 is 5.5.0.
        remark: text for a person, or None.

    Raises:
        TypeError: an argument, a field's name or a field's value has the wrong type.
        ValueError: a number is out of range, a text holds a lone surrogate or does not fit, or
            the frame passes 16 MiB.
    """
    number = integer(code, "code", INT32_MIN, INT32_MAX)
    opaque_number = integer(opaque, "opaque", INT32_MIN, INT32_MAX)
    flag_number = integer(flag, "flag", INT32_MIN, INT32_MAX)
    body_size = integer(body_length, "body_length", 0, FRAME_LIMIT)
    language_number = integer(language, "language", 0, len(LANGUAGES) - 1)
    version_number = integer(version, "version", 0, INT16_MAX)
    if ext_fields is not None and not isinstance(ext_fields, dict):
        raise TypeError(f"ext_fields must be a dict or None, not {type(ext_fields).__name__}")
    if remark is not None:
        text(remark, "remark")
    for name, value in (ext_fields or {}).items():
        text(name, "ext_fields name")
        text(value, f"ext_fields[{name!r}]")
    if binary:
        integer(number, "code of a binary header", INT16_MIN, INT16_MAX)
        kind = 1
        header = _BINARY_FIXED.pack(
            number, language_number, version_number, opaque_number, flag_number
        ) + _binary_tail(remark, ext_fields)
    else:
        kind = 0
        fields: dict[str, Any] = {
            "code": number,
            "language": LANGUAGES[language_number],
            "version": version_number,
            "opaque": opaque_number,
            "flag": flag_number,
        }
        if remark is not None:
            fields["remark"] = remark
        if ext_fields is not None:
            fields["extFields"] = ext_fields
        fields["serializeTypeCurrentRPC"] = "JSON"
        header = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    size = _HEAD.size + len(header) + body_size
    if size > FRAME_LIMIT:
        raise ValueError(f"a frame of {size} bytes passes the limit of {FRAME_LIMIT} bytes")
    return _HEAD.pack(size - 4, kind << 24 | len(header)) + header


def _binary_tail(remark: str | None, ext_fields: dict[str, str] | None) -> bytes:
    encoded_remark = (remark or "").encode()
    entries = []
    for name, value in (ext_fields or {}).items():
        encoded_name, encoded_value = name.encode(), value.encode()
        if len(encoded_name) > INT16_MAX:
            raise ValueError(f"ext_fields name must not pass {INT16_MAX} bytes")
        entries.append(
            _INT16.pack(len(encoded_name))
            + encoded_name
            + _INT32.pack(len(encoded_value))
            + encoded_value
        )
    block = b"".join(entries)
    return _INT32.pack(len(encoded_remark)) + encoded_remark + _INT32.pack(len(block)) + block


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
    """Return a whole send request: code 310, or 320 for a batch.

    Args:
        parts: what it says of the message; see `SendParts`.
        body: the body; joined to the head if it has at most `join` bytes, otherwise the caller
            sends it after the head.
        opaque: number that joins a reply to its request.
        flag: bit 1 one-way.
        binary: use the binary header instead of JSON.
        language: as for `encode_header`.
        version: as for `encode_header`.
        join: 0 to 16 MiB.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: a number is out of range, a text holds a lone surrogate, or the frame passes
            16 MiB.
    """
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
    fields = {
        "a": group,
        "b": topic,
        "c": "TBW102",
        "d": "4",
        "e": str(integer(queue_id, "queue_id", INT32_MIN, INT32_MAX)),
        "f": str(integer(sys_flag, "sys_flag", INT32_MIN, INT32_MAX)),
        "g": str(integer(born_timestamp, "born_timestamp", INT64_MIN, INT64_MAX)),
        "h": str(integer(message_flag, "message_flag", INT32_MIN, INT32_MAX)),
        "i": properties,
        "j": str(integer(reconsume_times, "reconsume_times", INT32_MIN, INT32_MAX)),
        "k": "false",
        "m": "true" if batch else "false",
        "n": broker_name,
    }
    if max_reconsume_times is not None:
        limit = integer(max_reconsume_times, "max_reconsume_times", INT32_MIN, INT32_MAX)
        fields["l"] = str(limit)
    view = byte_view(body)
    joined = integer(join, "join", 0, FRAME_LIMIT)
    head = encode_header(
        320 if batch else 310,
        opaque,
        flag,
        fields,
        min(len(view), FRAME_LIMIT + 1),
        binary=binary,
        language=language,
        version=version,
    )
    return head + view if len(view) <= joined else head


def decode_header(frame: Buffer) -> Header:
    """Return (code, language, version, opaque, flag, remark, ext_fields, body) of a whole frame.

    JSON numbers and booleans among the fields come as their text; null fields and unknown keys
    are left out; a language that is not known is 7, OTHER, and a missing one 0, JAVA. An empty
    remark of a binary header is None.

    Raises:
        TypeError: `frame` is no buffer.
        BufferError: it is not contiguous.
        ValueError: it is not one whole, well-formed frame.
    """
    view = byte_view(frame)
    if len(view) < _HEAD.size:
        raise ValueError("the frame is shorter than its head")
    total, marked = _HEAD.unpack_from(view)
    if total != len(view) - 4:
        raise ValueError(f"the frame says {total} bytes and has {len(view) - 4}")
    kind, header_length = marked >> 24, marked & 0xFFFFFF
    if header_length > total - 4:
        raise ValueError("the header is longer than its frame")
    header = bytes(view[_HEAD.size : _HEAD.size + header_length])
    body = bytes(view[_HEAD.size + header_length :])
    if kind == 0:
        return (*_decode_json(header), body)
    if kind == 1:
        return (*_decode_binary(header), body)
    raise ValueError(f"unknown header type {kind}")


class _Number(str):
    """A JSON number as it was written."""


class _Pairs(list[tuple[str, Any]]):
    """A JSON object, in order, repeated names kept."""


def _reject_constant(name: str) -> None:
    raise ValueError(f"the header holds {name}, which is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Pairs,
    parse_int=_Number,
    parse_float=_Number,
    parse_constant=_reject_constant,
    strict=False,
)


def _decode_json(
    header: bytes,
) -> tuple[int, int, int, int, int, str | None, dict[str, str]]:
    try:
        document = _DECODER.decode(header.decode())
    except RecursionError:
        raise ValueError("the header is nested too deeply") from None
    if not isinstance(document, _Pairs):
        raise ValueError("the header is no JSON object")
    _check_depth(document)
    numbers = {"code": 0, "version": 0, "opaque": 0, "flag": 0}
    language = 0
    remark: str | None = None
    ext_fields: dict[str, str] = {}
    for name, value in document:
        if name in numbers:
            numbers[name] = _json_integer(value, name)
        elif name == "language":
            language = _json_language(value)
        elif name == "remark":
            remark = None if value is None else _json_text(value, "remark")
        elif name == "extFields":
            ext_fields = _json_fields(value)
    return (
        numbers["code"],
        language,
        numbers["version"],
        numbers["opaque"],
        numbers["flag"],
        remark,
        ext_fields,
    )


def _check_depth(document: list[Any]) -> None:
    level: list[Any] = [document]
    for _ in range(JSON_DEPTH_LIMIT + 1):
        if not level:
            return
        below: list[Any] = []
        for container in level:
            values = (
                [value for _, value in container] if isinstance(container, _Pairs) else container
            )
            below.extend(value for value in values if isinstance(value, list))
        level = below
    raise ValueError("the header is nested too deeply")


def _json_integer(value: object, name: str) -> int:
    if not isinstance(value, _Number) or not value.lstrip("-").isdigit() or len(value) > 11:
        raise ValueError(f"the header's {name} is no integer of 32 bits")
    return integer(int(value), f"the header's {name}", INT32_MIN, INT32_MAX)


def _json_language(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, _Number):
        return _json_integer(value, "language")
    return _LANGUAGE_CODES.get(_json_text(value, "language"), _OTHER)


def _json_text(value: object, name: str) -> str:
    if not isinstance(value, str) or isinstance(value, _Number):
        raise ValueError(f"the header's {name} is no string")
    return _LONE_SURROGATE.sub("\ufffd", value)


def _json_fields(value: object) -> dict[str, str]:
    fields: dict[str, str] = {}
    if value is None:
        return fields
    if not isinstance(value, _Pairs):
        raise ValueError("the header's extFields is no object")
    for raw_name, field in value:
        name = _LONE_SURROGATE.sub("\ufffd", raw_name)
        if field is None:
            fields.pop(name, None)
        elif isinstance(field, bool):
            fields[name] = "true" if field else "false"
        elif isinstance(field, _Number):
            fields[name] = str(field)
        else:
            fields[name] = _json_text(field, "extFields value")
    return fields


def _decode_binary(
    header: bytes,
) -> tuple[int, int, int, int, int, str | None, dict[str, str]]:
    try:
        code, language, version, opaque, flag = _BINARY_FIXED.unpack_from(header)
        remark, position = _sized(header, _BINARY_FIXED.size, _INT32)
        block, position = _sized(header, position, _INT32)
        if position != len(header):
            raise ValueError("the header has bytes after its fields")
        fields: dict[str, str] = {}
        position = 0
        while position < len(block):
            name, position = _sized(block, position, _INT16)
            value, position = _sized(block, position, _INT32)
            fields[name.decode()] = value.decode()
    except struct.error:
        raise ValueError("the header ends too early") from None
    return code, language, version, opaque, flag, remark.decode() or None, fields


def _sized(data: bytes, position: int, prefix: struct.Struct) -> tuple[bytes, int]:
    (length,) = prefix.unpack_from(data, position)
    start = position + prefix.size
    if length < 0 or length > len(data) - start:
        raise ValueError("a length in the header is broken")
    return data[start : start + length], start + length
