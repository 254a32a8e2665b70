"""The three backends agree on generated, broken and mutated input."""

from __future__ import annotations

import importlib
import os
import struct
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.parity.test_rocketmq_header import SEND_FIELDS, binary_frame, json_frame
from tests.parity.test_rocketmq_stored import MAGIC_V1, MAGIC_V2, record
from wirespeed._native.contract import BACKENDS

ERRORS = (TypeError, ValueError, BufferError)
STORED = (
    "topic",
    "queue_id",
    "queue_offset",
    "physical_offset",
    "flag",
    "sys_flag",
    "born_timestamp",
    "born_host",
    "store_timestamp",
    "store_host",
    "reconsume_times",
    "prepared_transaction_offset",
    "body",
    "body_crc",
    "crc_ok",
    "store_size",
    "offset_message_id",
    "properties",
)


def available() -> list[ModuleType]:
    required = os.environ.get("WIRESPEED_REQUIRE_BACKENDS", "").split(",")
    found = []
    for backend in BACKENDS:
        try:
            found.append(importlib.import_module(f"wirespeed._native.{backend}.rocketmq"))
        except ImportError:
            if backend in required:
                raise
    if len(found) < 2:
        pytest.skip("only one backend is built", allow_module_level=True)
    return found


IMPLEMENTATIONS = available()


def agreed(call: Callable[[ModuleType], Any]) -> Any:
    """Call each backend; return the one result, or the one kind of error."""
    results = []
    for implementation in IMPLEMENTATIONS:
        try:
            results.append(call(implementation))
        except ERRORS as error:
            results.append(next(kind for kind in ERRORS if isinstance(error, kind)))
    assert all(result == results[0] for result in results), results
    return results[0]


def mutations(valid: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Valid input with a few bytes replaced, removed or added."""
    edit = st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=4))

    def apply(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
        for position, removed, added in edits:
            at = position % (len(data) + 1)
            data = data[:at] + added + data[at + removed :]
        return data

    return st.builds(apply, valid, st.lists(edit, max_size=4))


TEXTS = st.text(max_size=20)
FIELDS = st.dictionaries(TEXTS, TEXTS, max_size=6)
INT32 = st.integers(-(2**31), 2**31 - 1)
PLAIN = st.text(st.characters(exclude_characters="\x01\x02", exclude_categories=["Cs"]), max_size=9)

JSON_PIECES = st.lists(
    st.sampled_from(
        [
            *'{}[]:,"',
            '"code"',
            '"opaque":',
            '"extFields":{',
            '"remark"',
            '"language"',
            '"a":"b"',
            '"\\u0063ode"',
            "\\ud83d",
            "\\ude00",
            "null",
            "true",
            "false",
            "1",
            "-1",
            "0",
            "1.5e3",
            "2147483648",
            '"JAVA"',
            " ",
            "\t",
            '\\"',
            "ü",
            "\x00",
        ]
    ),
    max_size=25,
).map("".join)


@settings(deadline=None, max_examples=300)
@given(JSON_PIECES)
def test_json_of_pieces(text: str) -> None:
    for header in (text, "{" + text + "}", '{"extFields":{' + text + "}}"):
        frame = json_frame(header)
        agreed(lambda native, frame=frame: native.decode_header(frame))


@settings(deadline=None, max_examples=300)
@given(
    mutations(
        st.builds(
            lambda fields, remark, binary: IMPLEMENTATIONS[-1].encode_header(
                1, 2, 3, fields, 0, remark=remark, binary=binary
            )[8:],
            FIELDS,
            st.none() | TEXTS,
            st.booleans(),
        )
    ),
    st.booleans(),
)
@example(b'{"code":1}', False)
def test_mutated_headers(header: bytes, binary: bool) -> None:
    frame = binary_frame(header, b"body") if binary else json_frame(header, b"body")
    agreed(lambda native: native.decode_header(frame))


@settings(deadline=None, max_examples=200)
@given(
    INT32, INT32, INT32, st.none() | FIELDS, st.integers(0, 100), st.booleans(), st.none() | TEXTS
)
def test_encoded_headers(
    code: int,
    opaque: int,
    flag: int,
    fields: dict[str, str] | None,
    size: int,
    binary: bool,
    remark: str | None,
) -> None:
    head = agreed(
        lambda native: native.encode_header(
            code, opaque, flag, fields, size, binary=binary, remark=remark
        )
    )
    if isinstance(head, bytes):
        decoded = agreed(lambda native: native.decode_header(head + bytes(size)))
        expected_remark = (remark or None) if binary else remark
        assert decoded == (code, 3, 513, opaque, flag, expected_remark, fields or {}, bytes(size))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=12),
    mutations(
        st.just(
            b"".join(
                IMPLEMENTATIONS[-1].encode_header(
                    1, number, 0, SEND_FIELDS, 5, binary=number % 2 == 1
                )
                + b"12345"
                for number in range(3)
            )
        )
    ),
)
def test_splitting(steps: list[int], data: bytes) -> None:
    def split(native: ModuleType) -> list[Any]:
        splitter = native.FrameSplitter()
        frames: list[Any] = []
        position = 0
        while position < len(data):
            for step in steps:
                chunk = data[position : position + step]
                splitter.buffer()[: len(chunk)] = chunk
                frames += splitter.received(len(chunk))
                position += len(chunk)
        return [*frames, splitter.pending]

    agreed(split)


@settings(deadline=None, max_examples=300)
@given(
    mutations(
        st.builds(
            lambda body, topic, names, magic, sys_flag: (
                record(body, topic.encode()[:100], names, magic=magic, sys_flag=sys_flag) * 2
            ),
            st.binary(max_size=20),
            PLAIN,
            st.binary(max_size=20),
            st.sampled_from([MAGIC_V1, MAGIC_V2]),
            st.sampled_from([0, 0x10, 0x20, 0x30]),
        )
    )
)
def test_mutated_stored_messages(data: bytes) -> None:
    def read(native: ModuleType) -> list[Any]:
        return [
            [getattr(message, name) for name in STORED]
            + [message.property(name) for name in [*message.properties, "absent"]]
            for message in native.decode_messages(data)
        ]

    agreed(read)


@settings(deadline=None, max_examples=300)
@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([b"\x01", b"\x02", b"a", b"b", b"\xff"])).map(b"".join)
)
def test_any_properties(data: bytes) -> None:
    agreed(lambda native: native.decode_properties(data))


@settings(deadline=None, max_examples=200)
@given(FIELDS)
def test_properties_come_back(properties: dict[str, str]) -> None:
    encoded = agreed(lambda native: native.encode_properties(properties))
    if isinstance(encoded, bytes):
        assert agreed(lambda native: native.decode_properties(encoded)) == properties


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(), max_size=30))
def test_tag_hashes(tag: str) -> None:
    units = tag.encode("utf-16-be", "surrogatepass")
    expected = 0
    for (unit,) in struct.iter_unpack(">H", units):
        expected = (expected * 31 + unit) % 2**32
    signed = expected - 2**32 if expected >= 2**31 else expected
    assert agreed(lambda native: native.tag_hash(tag)) == signed


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(INT32, st.binary(max_size=40), st.binary(max_size=40)), max_size=6))
def test_batches(parts: list[tuple[int, bytes, bytes]]) -> None:
    batch = agreed(lambda native: native.encode_batch(parts))
    position = 0
    for flag, body, properties in parts:
        total, magic, crc, part_flag, length = struct.unpack_from(">iiiii", batch, position)
        assert (magic, crc, part_flag, length) == (0, 0, flag, len(body))
        start = position + 20
        assert batch[start : start + length] == body
        assert batch[start + length + 2 : position + total] == properties
        position += total
    assert position == len(batch)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set_topic"), PLAIN),
        st.tuples(st.sampled_from(["set_tags", "set_keys"]), PLAIN),
        st.tuples(st.just("set_property"), TEXTS, st.text(max_size=300)),
        st.tuples(st.just("set_property"), st.sampled_from(["a", "b", "TAGS"]), st.text("x\x01")),
        st.tuples(st.just("set_body"), st.binary(max_size=30)),
        st.tuples(st.just("set_body_length"), st.binary(max_size=9), st.integers(-1, 10)),
        st.tuples(st.just("set_delay_level"), st.integers(-(2**33), 2**33)),
        st.tuples(st.just("destroy")),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=200)
@given(OPERATIONS)
def test_a_message_after_any_operations(operations: list[tuple[Any, ...]]) -> None:
    def live(native: ModuleType) -> list[Any]:
        message = native.message_create("topic")
        outcomes: list[Any] = []
        for name, *arguments in operations:
            try:
                outcomes.append(getattr(native, f"message_{name}")(message, *arguments))
            except ERRORS as error:
                outcomes.append(next(kind for kind in ERRORS if isinstance(error, kind)))
        return [
            *outcomes,
            native.message_get_topic(message),
            native.message_get_tags(message),
            native.message_get_keys(message),
            native.message_get_body(message),
            list(native.message_get_properties(message).items()),
            native.message_is_alive(message),
        ]

    agreed(live)


@given(
    texts=st.lists(st.text(max_size=60), min_size=4, max_size=4),
    numbers=st.lists(st.integers(-(2**31) - 1, 2**31), min_size=6, max_size=6),
    born=st.integers(-(2**63) - 1, 2**63),
    most=st.one_of(st.none(), st.integers(-1, 20)),
    body=st.binary(max_size=200),
    marks=st.tuples(st.booleans(), st.booleans()),
)
def test_send_requests(
    texts: list[str],
    numbers: list[int],
    born: int,
    most: int | None,
    body: bytes,
    marks: tuple[bool, bool],
) -> None:
    queue, sys_flag, flag, times, opaque, header_flag = numbers
    parts = (*texts, queue, sys_flag, born, flag, times, most, marks[0])
    request = agreed(lambda module: module.encode_send(parts, body, opaque, header_flag, marks[1]))
    if isinstance(request, bytes):
        fields = agreed(lambda module: module.decode_header(request))[6]
        assert [fields[name] for name in "abin"] == [texts[0], texts[1], texts[2], texts[3]]
