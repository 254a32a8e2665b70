"""A whole send request is what the fields' header and the body make, in every backend."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

LONE = "\ud800"
PROPERTIES = 'KEYS\x01k1 "q"\\\x02TAGS\x01付款\x02UNIQ_KEY\x017F000001\x02WAIT\x01true\x02'
PARTS = ("group", "orders", PROPERTIES, "broker-a", 3, 0, 1_763_722_800_000, 0, 0, None, False)
NAMES = ("group", "topic", "properties", "broker", "queue_id", "sys_flag", "born_timestamp",
         "message_flag", "reconsume_times", "max_reconsume_times", "batch")  # fmt: skip


def with_part(name: str, value: object) -> tuple[Any, ...]:
    return tuple(value if each == name else part for each, part in zip(NAMES, PARTS, strict=True))


def fields(parts: tuple[Any, ...]) -> dict[str, str]:
    group, topic, properties, broker, queue, sys_flag, born, flag, times, most, batch = parts
    found = {
        "a": group, "b": topic, "c": "TBW102", "d": "4", "e": str(queue), "f": str(sys_flag),
        "g": str(born), "h": str(flag), "i": properties, "j": str(times), "k": "false",
        "m": "true" if batch else "false", "n": broker,
    }  # fmt: skip
    return found if most is None else {**found, "l": str(most)}


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(
    "parts",
    [
        PARTS,
        with_part("batch", True),
        with_part("max_reconsume_times", 16),
        with_part("max_reconsume_times", -1),
        ("", "", "", "", -(2**31), 2**31 - 1, -(2**63), 2**31 - 1, 9, 0, False),
        (
            "g" * 500,
            "t" * 5000,
            "\x01\x02\n" * 3000,
            "中😀" * 100,
            0,
            5,
            2**63 - 1,
            1,
            0,
            None,
            True,
        ),
    ],
)
@pytest.mark.parametrize("size", [0, 1, 100, 16384, 16385])
def test_it_is_header_and_body(
    rocketmq: ModuleType, parts: tuple[Any, ...], binary: bool, size: int
) -> None:
    body = bytes(i & 255 for i in range(size))
    given = rocketmq.encode_send(parts, memoryview(bytearray(body)), 77, 2, binary, 3, 399)
    code = 320 if parts[-1] else 310
    head = rocketmq.encode_header(
        code, 77, 2, fields(parts), size, binary=binary, language=3, version=399
    )
    assert given == (head + body if size <= 16384 else head)
    if size <= 16384:
        decoded = rocketmq.decode_header(given)
        assert decoded == (code, 3, 399, 77, 2, None, fields(parts), body)


def test_join_tells_which_bodies_are_left_out(rocketmq: ModuleType) -> None:
    head = rocketmq.encode_send(PARTS, b"12345", 1, 0, join=4)
    assert rocketmq.encode_send(PARTS, b"12345", 1, 0, join=5) == head + b"12345"
    assert rocketmq.encode_send(PARTS, bytearray(b"1"), 1, 0, join=0).endswith(b"}")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((list(PARTS), b"", 1, 0), TypeError),
        ((PARTS[:-1], b"", 1, 0), TypeError),
        ((None, b"", 1, 0), TypeError),
        ((with_part("group", b"g"), b"", 1, 0), TypeError),
        ((with_part("topic", None), b"", 1, 0), TypeError),
        ((with_part("properties", b""), b"", 1, 0), TypeError),
        ((with_part("properties", LONE), b"", 1, 0), ValueError),
        ((with_part("broker", LONE), b"", 1, 0), ValueError),
        ((with_part("queue_id", "1"), b"", 1, 0), TypeError),
        ((with_part("queue_id", 2**31), b"", 1, 0), ValueError),
        ((with_part("sys_flag", -(2**31) - 1), b"", 1, 0), ValueError),
        ((with_part("born_timestamp", 2**63), b"", 1, 0), ValueError),
        ((with_part("born_timestamp", 1.5), b"", 1, 0), TypeError),
        ((with_part("message_flag", None), b"", 1, 0), TypeError),
        ((with_part("reconsume_times", 2**40), b"", 1, 0), ValueError),
        ((with_part("max_reconsume_times", 2**31), b"", 1, 0), ValueError),
        ((PARTS, "body", 1, 0), TypeError),
        ((PARTS, memoryview(b"abcd")[::2], 1, 0), BufferError),
        ((PARTS, b"", 2**31, 0), ValueError),
        ((PARTS, b"", 1, -(2**31) - 1), ValueError),
        ((PARTS, b"", 1, 0, False, 14), ValueError),
        ((PARTS, b"", 1, 0, False, 3, 32768), ValueError),
        ((PARTS, b"", 1, 0, False, 3, 399, -1), ValueError),
        ((PARTS, bytes(16 * 1024 * 1024), 1, 0), ValueError),
        ((PARTS, bytes(17 * 1024 * 1024), 1, 0, True), ValueError),
        ((with_part("topic", "x" * (16 * 1024 * 1024)), b"", 1, 0), ValueError),
    ],
)
def test_errors(rocketmq: ModuleType, arguments: tuple[Any, ...], error: type) -> None:
    with pytest.raises(error):
        rocketmq.encode_send(*arguments)
