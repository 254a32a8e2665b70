"""Frame heads, both header codecs and the splitter, over every backend."""

from __future__ import annotations

import json
import struct
from types import ModuleType

import pytest

MIB = 1024 * 1024
SEND_FIELDS = {
    "a": "group",
    "b": "orders",
    "c": "TBW102",
    "d": "4",
    "e": "1",
    "f": "0",
    "g": "1700000000000",
    "h": "0",
    "i": "KEYS\x01k1\x02TAGS\x01paid\x02",
    "j": "0",
    "k": "false",
    "m": "false",
    "n": "broker-a",
}


def json_frame(text: str | bytes, body: bytes = b"") -> bytes:
    header = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">II", 4 + len(header) + len(body), len(header)) + header + body


def binary_frame(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">II", 4 + len(header) + len(body), 1 << 24 | len(header)) + header + body


def test_the_json_head_is_these_bytes(rocketmq: ModuleType) -> None:
    expected = (
        b'{"code":310,"language":"PYTHON","version":513,"opaque":7,"flag":0,'
        b'"extFields":{"a":"g","i":"TAGS\\u0001x\\u0002"},"serializeTypeCurrentRPC":"JSON"}'
    )
    head = rocketmq.encode_header(310, 7, 0, {"a": "g", "i": "TAGS\x01x\x02"}, 5)
    assert head == struct.pack(">II", 4 + len(expected) + 5, len(expected)) + expected


def test_the_binary_head_is_these_bytes(rocketmq: ModuleType) -> None:
    head = rocketmq.encode_header(310, -7, 1, {"a": "gü", "b": ""}, 5, binary=True, remark="ok")
    header = (
        struct.pack(">hBhii", 310, 3, 513, -7, 1)
        + b"\x00\x00\x00\x02ok"
        + struct.pack(">i", 3 + 4 + 3 + 3 + 4)
        + b"\x00\x01a\x00\x00\x00\x03g\xc3\xbc"
        + b"\x00\x01b\x00\x00\x00\x00"
    )
    assert head == struct.pack(">II", 4 + len(header) + 5, 1 << 24 | len(header)) + header


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(
    ("fields", "remark"),
    [
        (None, None),
        ({}, None),
        (SEND_FIELDS, None),
        ({"值": 'quote " slash \\ / \b\f\n\r\t\x00\x1f\x7f 😀 ￿'}, "réma\nrk"),
        ({f"n{number}": "v" * number for number in range(300)}, "x" * 5000),
        ({"": ""}, None),
    ],
)
def test_what_is_encoded_decodes(
    rocketmq: ModuleType, binary: bool, fields: dict[str, str] | None, remark: str | None
) -> None:
    head = rocketmq.encode_header(
        -5, 2**31 - 1, 3, fields, 4, binary=binary, language=12, version=0, remark=remark
    )
    decoded = rocketmq.decode_header(head + b"body")
    assert decoded == (-5, 12, 0, 2**31 - 1, 3, remark, fields or {}, b"body")
    assert list(decoded[6]) == list(fields or {})
    assert isinstance(decoded, tuple)


def test_the_json_header_is_what_json_makes(rocketmq: ModuleType) -> None:
    text = "".join(map(chr, [*range(0x20), *range(0x20, 0x180), 0x2028, 0xFFFD, 0x1F600]))
    head = rocketmq.encode_header(1, 2, 0, {text: text[::-1]}, 0, remark=text)
    assert json.loads(head[8:]) == {
        "code": 1,
        "language": "PYTHON",
        "version": 513,
        "opaque": 2,
        "flag": 0,
        "remark": text,
        "extFields": {text: text[::-1]},
        "serializeTypeCurrentRPC": "JSON",
    }


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((2**31, 0, 0, None, 0), {}),
        ((0, 2**31, 0, None, 0), {}),
        ((0, 0, -(2**31) - 1, None, 0), {}),
        ((0, 0, 0, None, -1), {}),
        ((0, 0, 0, None, 16 * MIB), {}),
        ((0, 0, 0, None, 2**70), {}),
        ((200050, 0, 0, None, 0), {"binary": True}),
        ((0, 0, 0, None, 0), {"language": 14}),
        ((0, 0, 0, None, 0), {"language": -1}),
        ((0, 0, 0, None, 0), {"version": 32768}),
        ((0, 0, 0, {"a": "\ud800"}, 0), {}),
        ((0, 0, 0, {"\ud800": "a"}, 0), {}),
        ((0, 0, 0, None, 0), {"remark": "\udfff"}),
        ((0, 0, 0, {"k" * 32768: ""}, 0), {"binary": True}),
    ],
)
def test_encode_refuses_bad_values(
    rocketmq: ModuleType, arguments: tuple[object, ...], options: dict[str, object]
) -> None:
    with pytest.raises(ValueError):
        rocketmq.encode_header(*arguments, **options)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("0", 0, 0, None, 0), {}),
        ((0, 1.5, 0, None, 0), {}),
        ((0, 0, 0, [("a", "b")], 0), {}),
        ((0, 0, 0, {"a": 1}, 0), {}),
        ((0, 0, 0, {1: "a"}, 0), {}),
        ((0, 0, 0, {b"a": "a"}, 0), {"binary": True}),
        ((0, 0, 0, None, None), {}),
        ((0, 0, 0, None, 0), {"remark": b"x"}),
    ],
)
def test_encode_refuses_wrong_types(
    rocketmq: ModuleType, arguments: tuple[object, ...], options: dict[str, object]
) -> None:
    with pytest.raises(TypeError):
        rocketmq.encode_header(*arguments, **options)


@pytest.mark.parametrize("binary", [False, True])
def test_a_frame_ends_at_16_mib(rocketmq: ModuleType, binary: bool) -> None:
    size = len(rocketmq.encode_header(1, 2, 3, {"a": "b"}, 0, binary=binary))
    rocketmq.encode_header(1, 2, 3, {"a": "b"}, 16 * MIB - size, binary=binary)
    with pytest.raises(ValueError, match="16777216"):
        rocketmq.encode_header(1, 2, 3, {"a": "b"}, 16 * MIB - size + 1, binary=binary)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", (0, 0, 0, 0, 0, None, {})),
        (
            ' { "code" : 17 ,\t"opaque":-3,\r\n"flag":1,"version":-1}\n',
            (17, 0, -1, -3, 1, None, {}),
        ),
        ('{"language":"PYTHON"}', (0, 3, 0, 0, 0, None, {})),
        ('{"language":"\\u0050YTHON"}', (0, 3, 0, 0, 0, None, {})),
        ('{"language":"KLINGON"}', (0, 7, 0, 0, 0, None, {})),
        ('{"language":9}', (0, 9, 0, 0, 0, None, {})),
        ('{"language":null,"remark":null,"extFields":null}', (0, 0, 0, 0, 0, None, {})),
        ('{"remark":""}', (0, 0, 0, 0, 0, "", {})),
        ('{"remark":"a\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"}', (0, 0, 0, 0, 0, 'a"\\/\b\f\n\r\té', {})),
        ('{"remark":"raw \x01\x02\n\x00"}', (0, 0, 0, 0, 0, "raw \x01\x02\n\x00", {})),
        ('{"remark":"\\ud83d\\ude00"}', (0, 0, 0, 0, 0, "😀", {})),
        (
            '{"remark":"\\ud83d|\\ude00\\ud83d\\ud83d\\ude00\\uD800"}',
            (0, 0, 0, 0, 0, "\ufffd|\ufffd\ufffd😀\ufffd", {}),
        ),
        (
            '{"extFields":{"i":1,"f":-1.50e+3,"t":true,"u":false,"n":null,"s":"1"}}',
            (0, 0, 0, 0, 0, None, {"i": "1", "f": "-1.50e+3", "t": "true", "u": "false", "s": "1"}),
        ),
        (
            '{"extFields":{"a":"1","a":"2","b":"1","b":null}}',
            (0, 0, 0, 0, 0, None, {"a": "2"}),
        ),
        ('{"extFields":{"a":"1"},"extFields":{"b":"2"}}', (0, 0, 0, 0, 0, None, {"b": "2"})),
        ('{"extFields":{"a":"1"},"extFields":null}', (0, 0, 0, 0, 0, None, {})),
        ('{"extFields":{"\\u0061":"\\u0062"}}', (0, 0, 0, 0, 0, None, {"a": "b"})),
        ('{"code":1,"code":2}', (2, 0, 0, 0, 0, None, {})),
        ('{"c\\u006fde":5}', (5, 0, 0, 0, 0, None, {})),
        (
            '{"new":[1,{"x":[true,null,"]"]},-0.5E-2],"code":3,"other":{}}',
            (3, 0, 0, 0, 0, None, {}),
        ),
        ('{"opaque":-2147483648,"flag":2147483647}', (0, 0, 0, -(2**31), 2**31 - 1, None, {})),
        ('{"code":-0}', (0, 0, 0, 0, 0, None, {})),
        ('{"x":' + "[" * 31 + "]" * 31 + "}", (0, 0, 0, 0, 0, None, {})),
    ],
)
def test_json_that_servers_send(
    rocketmq: ModuleType, text: str, expected: tuple[object, ...]
) -> None:
    decoded = rocketmq.decode_header(json_frame(text, b"B"))
    assert decoded == (*expected, b"B")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "[]",
        "1",
        '"x"',
        "null",
        "{",
        "}",
        "{}x",
        "{}{}",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        "{,}",
        '{"a":1 "b":2}',
        "{a:1}",
        "{0:1}",
        "{'a':1}",
        '{"a":01}',
        '{"a":+1}',
        '{"a":1.}',
        '{"a":.5}',
        '{"a":1e}',
        '{"a":-}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":-Infinity}',
        '{"a":tru}',
        '{"a":True}',
        '{"a":nul}',
        '{"a":[1,]}',
        '{"a":[1 2]}',
        '{"a":[}',
        '{"a":"x}',
        '{"a":"\\x"}',
        '{"a":"\\u12"}',
        '{"a":"\\u12g4"}',
        '{"a":"\\',
        '{"code":"1"}',
        '{"code":1.0}',
        '{"code":1e2}',
        '{"code":true}',
        '{"code":null}',
        '{"code":{}}',
        '{"opaque":2147483648}',
        '{"opaque":-2147483649}',
        '{"flag":99999999999999999999999999}',
        '{"code":"1","code":1}',
        '{"language":[]}',
        '{"language":true}',
        '{"remark":1}',
        '{"remark":{}}',
        '{"extFields":[]}',
        '{"extFields":"x"}',
        '{"extFields":1}',
        '{"extFields":{"a":{}}}',
        '{"extFields":{"a":[]}}',
        '{"extFields":{"a":{}},"extFields":{}}',
        '{"x":' + "[" * 32 + "]" * 32 + "}",
        '{"x":' + "[" * 100000 + "]" * 100000 + "}",
        '{"x":' + '{"a":' * 100000 + "1" + "}" * 100000 + "}",
        b'{"a":"\xff"}',
        b'{"a":"\xc0\x80"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xf4\x90\x80\x80"}',
        b'{"a":"\xe2\x82"}',
        b"\xef\xbb\xbf{}",
        b"{}\x00",
    ],
)
def test_json_that_is_broken(rocketmq: ModuleType, text: str | bytes) -> None:
    with pytest.raises(ValueError):
        rocketmq.decode_header(json_frame(text))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        struct.pack(">hBhii", 1, 3, 5, 6, 7),
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\0\0\0\0",
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\0\0\0\0\0\0\0",
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\0\0\0\x09ok\0\0\0\0",
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\xff\xff\xff\xff\0\0\0\0",
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\0\0\0\0\xff\xff\xff\xff",
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\0\0\0\0\0\0\0\0x",
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\0\0\0\0\0\0\0\x01x",
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\0\0\0\0\0\0\0\x06\xff\xff\0\0\0\0",
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\0\0\0\0\0\0\0\x07\0\x01a\xff\xff\xff\xff",
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\0\0\0\0\0\0\0\x07\0\x01a\0\0\0\x01",
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\0\0\0\0\0\0\0\x07\0\x01\xff\0\0\0\0",
        struct.pack(">hBhii", 1, 3, 5, 6, 7) + b"\0\0\0\x01\xff\0\0\0\0",
    ],
)
def test_binary_that_is_broken(rocketmq: ModuleType, header: bytes) -> None:
    with pytest.raises(ValueError):
        rocketmq.decode_header(binary_frame(header))


def test_binary_signs_and_repeats(rocketmq: ModuleType) -> None:
    header = (
        struct.pack(">hBhii", -1, 200, -2, -3, -4)
        + b"\0\0\0\0"
        + b"\0\0\0\x10"
        + b"\0\x01a\0\0\0\x01x" * 2
    )
    decoded = rocketmq.decode_header(binary_frame(header))
    assert decoded == (-1, 200, -2, -3, -4, None, {"a": "x"}, b"")


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\0\0\0\x04\0\0\0",
        struct.pack(">II", 4, 0),
        struct.pack(">II", 3, 0),
        struct.pack(">II", 6, 3) + b"{}",
        struct.pack(">II", 7, 2) + b"{}",
        struct.pack(">II", 5, 2) + b"{}",
        struct.pack(">II", 0xFFFFFFFF, 2) + b"{}",
        struct.pack(">II", 6, 2 << 24 | 2) + b"{}",
        struct.pack(">II", 6, 255 << 24 | 2) + b"{}",
    ],
)
def test_frames_that_are_broken(rocketmq: ModuleType, frame: bytes) -> None:
    with pytest.raises(ValueError):
        rocketmq.decode_header(frame)


def test_a_frame_comes_in_any_buffer(rocketmq: ModuleType) -> None:
    frame = json_frame('{"code":1}', b"xyz")
    for buffer in (bytearray(frame), memoryview(b"__" + frame)[2:]):
        assert rocketmq.decode_header(buffer)[-1] == b"xyz"
    with pytest.raises(TypeError):
        rocketmq.decode_header("text")
    with pytest.raises(BufferError):
        rocketmq.decode_header(memoryview(frame)[::2])


def feed(splitter: object, data: bytes, step: int) -> list[tuple[object, ...]]:
    frames = []
    for start in range(0, len(data), step):
        chunk = data[start : start + step]
        while chunk:
            view = splitter.buffer()  # type: ignore[attr-defined]
            count = min(len(view), len(chunk))
            view[:count] = chunk[:count]
            frames += splitter.received(count)  # type: ignore[attr-defined]
            chunk = chunk[count:]
    return frames


@pytest.mark.parametrize("step", [1, 3, 7, 64, 100_000])
def test_frames_split_anywhere(rocketmq: ModuleType, step: int) -> None:
    data = b"".join(
        rocketmq.encode_header(1, number, 0, SEND_FIELDS, number, binary=number % 2 == 1)
        + b"x" * number
        for number in range(30)
    )
    splitter = rocketmq.FrameSplitter()
    frames = feed(splitter, data, step)
    assert [(frame[3], frame[6], frame[7]) for frame in frames] == [
        (number, SEND_FIELDS, b"x" * number) for number in range(30)
    ]
    assert splitter.pending == 0


def test_the_splitter_makes_room_for_a_large_frame(rocketmq: ModuleType) -> None:
    body = bytes(range(256)) * 12000
    frame = rocketmq.encode_header(1, 2, 0, None, len(body)) + body
    splitter = rocketmq.FrameSplitter()
    assert len(splitter.buffer()) >= 65536
    splitter.buffer()[:100] = frame[:100]
    assert splitter.received(100) == []
    assert splitter.pending == 100
    view = splitter.buffer()
    assert len(view) >= len(frame) - 100
    view[: len(frame) - 100] = frame[100:]
    [decoded] = splitter.received(len(frame) - 100)
    assert decoded[-1] == body
    assert splitter.pending == 0
    assert len(splitter.buffer()) >= 65536


def test_a_splitter_stays_failed(rocketmq: ModuleType) -> None:
    splitter = rocketmq.FrameSplitter(limit=64)
    splitter.buffer()[:4] = struct.pack(">I", 61)
    with pytest.raises(ValueError, match="64"):
        splitter.received(4)
    with pytest.raises(ValueError, match="failed"):
        splitter.received(0)
    with pytest.raises(ValueError, match="failed"):
        splitter.buffer()


def test_the_limit_counts_the_length_bytes(rocketmq: ModuleType) -> None:
    frame = json_frame("{}", b"x" * 54)
    assert len(frame) == 64
    assert feed(rocketmq.FrameSplitter(64), frame, 9)[0][-1] == b"x" * 54


@pytest.mark.parametrize(
    "start",
    [b"\0\0\0\x03", b"\0\0\0\0", b"\xff\xff\xff\xff", struct.pack(">II", 6, 2) + b"[]", b"GET "],
)
def test_a_splitter_fails_on_what_is_no_frame(rocketmq: ModuleType, start: bytes) -> None:
    splitter = rocketmq.FrameSplitter()
    splitter.buffer()[: len(start)] = start
    with pytest.raises(ValueError):
        splitter.received(len(start))


def test_splitter_arguments(rocketmq: ModuleType) -> None:
    splitter = rocketmq.FrameSplitter()
    for count in (-1, len(splitter.buffer()) + 1, 2**70):
        with pytest.raises(ValueError):
            splitter.received(count)
    with pytest.raises(TypeError):
        splitter.received("1")
    for limit in (7, -1, 2**31):
        with pytest.raises(ValueError, match="limit"):
            rocketmq.FrameSplitter(limit)
    with pytest.raises(TypeError):
        rocketmq.FrameSplitter("1")
