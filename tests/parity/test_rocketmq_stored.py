"""Properties, stored messages, batches and the tag hash, over every backend."""

from __future__ import annotations

import struct
import zlib
from types import ModuleType

import pytest

MAGIC_V1, MAGIC_V2, MAGIC_BLANK = 0xDAA320A7, 0xDAA320AB, 0xCBD43194


def record(
    body: bytes = b"body",
    topic: bytes = b"orders",
    properties: bytes = b"TAGS\x01paid\x02KEYS\x01k1\x02",
    *,
    magic: int = MAGIC_V1,
    sys_flag: int = 0,
    crc: int | None = None,
    tail: bytes = b"",
) -> bytes:
    born = bytes(range(16)) if sys_flag & 0x10 else bytes([10, 0, 0, 200])
    store = bytes([0x20, 1, *[0] * 13, 1]) if sys_flag & 0x20 else bytes([127, 0, 0, 1])
    topic_length = ">B" if magic == MAGIC_V1 else ">H"
    rest = (
        struct.pack(
            ">Iiiqqiq",
            (zlib.crc32(body) & 0x7FFFFFFF) if crc is None else crc,
            3,
            -9,
            1000,
            0x123456789A,
            sys_flag,
            1_700_000_000_001,
        )
        + born
        + struct.pack(">iq", 51234, 1_700_000_000_002)
        + store
        + struct.pack(">iiqi", 10911, 2, 77, len(body))
        + body
        + struct.pack(topic_length, len(topic))
        + topic
        + struct.pack(">H", len(properties))
        + properties
        + tail
    )
    return struct.pack(">II", len(rest) + 8, magic) + rest


@pytest.mark.parametrize("magic", [MAGIC_V1, MAGIC_V2])
def test_a_stored_message(rocketmq: ModuleType, magic: int) -> None:
    data = record(magic=magic)
    [message] = rocketmq.decode_messages(data)
    assert isinstance(message, rocketmq.StoredMessage)
    assert message.topic == "orders"
    assert message.queue_id == 3
    assert message.flag == -9
    assert message.queue_offset == 1000
    assert message.physical_offset == 0x123456789A
    assert message.sys_flag == 0
    assert message.born_timestamp == 1_700_000_000_001
    assert message.born_host == "10.0.0.200:51234"
    assert message.store_timestamp == 1_700_000_000_002
    assert message.store_host == "127.0.0.1:10911"
    assert message.reconsume_times == 2
    assert message.prepared_transaction_offset == 77
    assert message.body == b"body"
    assert message.body_crc == zlib.crc32(b"body") & 0x7FFFFFFF
    assert message.crc_ok is True
    assert message.store_size == len(data)
    assert message.properties == {"TAGS": "paid", "KEYS": "k1"}
    assert message.properties is message.properties
    assert message.property("KEYS") == "k1"
    assert message.property("KEY") is None
    assert message.offset_message_id == "7F00000100002A9F000000123456789A"
    assert repr(message) == "<StoredMessage 'orders' queue 3 offset 1000, 4 bytes>"


def test_ipv6_hosts(rocketmq: ModuleType) -> None:
    [message] = rocketmq.decode_messages(record(sys_flag=0x30))
    assert message.born_host == "[1:203:405:607:809:a0b:c0d:e0f]:51234"
    assert message.store_host == "[2001::1]:10911"
    assert message.offset_message_id == (
        "20010000000000000000000000000001" + "00002A9F" + "000000123456789A"
    )
    assert message.body == b"body"
    assert message.properties == {"TAGS": "paid", "KEYS": "k1"}
    [message] = rocketmq.decode_messages(record(sys_flag=0x10))
    assert message.store_host == "127.0.0.1:10911"
    [message] = rocketmq.decode_messages(record(sys_flag=0x20))
    assert message.born_host == "10.0.0.200:51234"


def test_many_messages_and_fillers(rocketmq: ModuleType) -> None:
    filler = struct.pack(">II", 12, MAGIC_BLANK) + b"\xff" * 4
    data = b"".join(record(b"m%d" % number) + filler for number in range(100))
    messages = rocketmq.decode_messages(data)
    assert [message.body for message in messages] == [b"m%d" % number for number in range(100)]
    assert rocketmq.decode_messages(b"") == []
    assert rocketmq.decode_messages(filler) == []


def test_messages_outlive_their_list(rocketmq: ModuleType) -> None:
    message = rocketmq.decode_messages(record(b"x" * 5000))[0]
    assert message.body == b"x" * 5000
    assert message.topic == "orders"


def test_any_buffer_of_messages(rocketmq: ModuleType) -> None:
    data = bytearray(record())
    [message] = rocketmq.decode_messages(memoryview(data))
    data[:] = bytes(len(data))
    assert message.topic == "orders"
    with pytest.raises(TypeError):
        rocketmq.decode_messages("text")
    with pytest.raises(TypeError):
        rocketmq.StoredMessage()
    with pytest.raises(TypeError):
        message.property(1)
    with pytest.raises(AttributeError):
        message.topic = "x"
    with pytest.raises(UnicodeEncodeError):
        message.property("\ud800")


def test_a_wrong_crc_is_told(rocketmq: ModuleType) -> None:
    [message] = rocketmq.decode_messages(record(crc=1))
    assert message.crc_ok is False
    assert message.body_crc == 1
    assert message.body == b"body"


def test_bytes_after_the_properties_belong_to_the_record(rocketmq: ModuleType) -> None:
    first, second = rocketmq.decode_messages(record(tail=b"\x01\x02\x03") + record(b"next"))
    assert first.properties == {"TAGS": "paid", "KEYS": "k1"}
    assert second.body == b"next"


def test_texts_that_are_no_utf8(rocketmq: ModuleType) -> None:
    [message] = rocketmq.decode_messages(record(topic=b"\xff", properties=b"a\xff\x01\xe2\x82\x02"))
    assert message.topic == "\ufffd"
    assert message.properties == {"a\ufffd": "\ufffd"}
    assert message.property("a\ufffd") == "\ufffd"


@pytest.mark.parametrize("magic", [MAGIC_V1, MAGIC_V2])
@pytest.mark.parametrize("sys_flag", [0, 0x30])
def test_no_cut_goes_unseen(rocketmq: ModuleType, magic: int, sys_flag: int) -> None:
    data = record(magic=magic, sys_flag=sys_flag)
    for length in range(1, len(data)):
        with pytest.raises(ValueError):
            rocketmq.decode_messages(data[:length])
        if length >= 8:
            shorter = struct.pack(">I", length) + data[4:length]
            with pytest.raises(ValueError):
                rocketmq.decode_messages(shorter)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (0, b"\0\0\0\0"),
        (0, b"\0\0\0\x07"),
        (0, b"\xff\xff\xff\xff"),
        (4, b"\0\0\0\0"),
        (84, b"\xff\xff\xff\xff"),
        (84, b"\x7f\xff\xff\xff"),
        (92, b"\xff"),
        (99, b"\xff\xff"),
    ],
)
def test_broken_lengths(rocketmq: ModuleType, offset: int, value: bytes) -> None:
    data = bytearray(record())
    data[offset : offset + len(value)] = value
    with pytest.raises(ValueError):
        rocketmq.decode_messages(bytes(data))


def test_properties(rocketmq: ModuleType) -> None:
    assert rocketmq.encode_properties({}) == b""
    encoded = rocketmq.encode_properties({"a": "1", "值": "", "c": "ü"})
    assert encoded == b"a\x011\x02\xe5\x80\xbc\x01\x02c\x01\xc3\xbc\x02"
    assert rocketmq.decode_properties(encoded) == {"a": "1", "值": "", "c": "ü"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", {}),
        (b"a\x01b", {"a": "b"}),
        (b"a\x01b\x02", {"a": "b"}),
        (b"a\x01b\x02\x02\x02c\x01d", {"a": "b", "c": "d"}),
        (b"a", {}),
        (b"a\x02b\x01c", {"b": "c"}),
        (b"\x01b\x02", {}),
        (b"\x01", {}),
        (b"\x02", {}),
        (b"a\x01b\x01c\x02", {"a": "b\x01c"}),
        (b"a\x011\x02a\x012\x02", {"a": "2"}),
        (b"INSTANCE_ID\x01\x02", {"INSTANCE_ID": ""}),
        (b"\xff\x01\xfe\x02", {"\ufffd": "\ufffd"}),
        (b"\xe2\x82\x01\xf0\x9f\x02", {"\ufffd": "\ufffd"}),
    ],
)
def test_properties_of_others(rocketmq: ModuleType, data: bytes, expected: dict[str, str]) -> None:
    assert rocketmq.decode_properties(data) == expected
    assert rocketmq.decode_properties(bytearray(data)) == expected
    if not data.endswith(b"\xff"):
        [message] = rocketmq.decode_messages(record(properties=data))
        for name in [*expected, "absent"]:
            assert message.property(name) == expected.get(name)


def test_properties_are_checked(rocketmq: ModuleType) -> None:
    for bad in ({"a\x01": "b"}, {"a": "\x02"}, {"": "x"}, {"a": "\ud800"}):
        with pytest.raises(ValueError):
            rocketmq.encode_properties(bad)
    for wrong in ({1: "a"}, {"a": 1}, {"a": None}, [("a", "b")], None):
        with pytest.raises(TypeError):
            rocketmq.encode_properties(wrong)
    with pytest.raises(TypeError):
        rocketmq.decode_properties("a")
    assert len(rocketmq.encode_properties({"k": "v" * 32764})) == 32767
    with pytest.raises(ValueError, match="32767"):
        rocketmq.encode_properties({"k": "v" * 32765})


def test_a_batch(rocketmq: ModuleType) -> None:
    batch = rocketmq.encode_batch([(5, b"one", b"a\x01b\x02"), (-1, bytearray(b""), b"")])
    assert batch == (
        struct.pack(">iiiii", 29, 0, 0, 5, 3)
        + b"one\x00\x04a\x01b\x02"
        + struct.pack(">iiiii", 22, 0, 0, -1, 0)
        + b"\x00\x00"
    )
    assert rocketmq.encode_batch([]) == b""
    assert rocketmq.encode_batch([(True, memoryview(b"ab"), b"")]) == (
        struct.pack(">iiiii", 24, 0, 0, 1, 2) + b"ab\0\0"
    )


def test_a_batch_is_checked(rocketmq: ModuleType) -> None:
    for bad in (
        [(2**31, b"", b"")],
        [(0, b"", b"x" * 32768)],
        [(0, b"", b""), (0, bytes(16 * 1024 * 1024), b"")],
        [(0, b"")],
        [(0, b"", b"", b"")],
    ):
        with pytest.raises(ValueError):
            rocketmq.encode_batch(bad)
    for wrong in ([(0, "x", b"")], [(0, b"", "x")], [("0", b"", b"")], [1], None):
        with pytest.raises(TypeError):
            rocketmq.encode_batch(wrong)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("", 0),
        ("TagA", 2598919),
        ("hello", 99162322),
        ("polygenelubricants", -(2**31)),
        ("值", 20540),
        ("😀", 1772899),
        ("\ud800", 0xD800),
        ("é", 233),
    ],
)
def test_tag_hash(rocketmq: ModuleType, tag: str, expected: int) -> None:
    assert rocketmq.tag_hash(tag) == expected


def test_tag_hash_takes_a_str(rocketmq: ModuleType) -> None:
    with pytest.raises(TypeError):
        rocketmq.tag_hash(b"TagA")
