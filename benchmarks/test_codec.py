"""The RocketMQ codec and the encodings, beside budgets and the standard library."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from benchmarks.conftest import Compare
from benchmarks.rows import BLOCKS, row
from wirespeed import _native

CALLS = 5000
BODY = b"x" * 100
PROPERTIES = {
    "KEYS": "order-1",
    "TAGS": "paid",
    "UNIQ_KEY": "7F0000012D68394D1DC969765B564556",
    "WAIT": "true",
}
TEXT = _native.encode_properties(PROPERTIES).decode()
PARTS = ("group", "orders", TEXT, "broker-a", 3, 0, 1_763_722_800_000, 0, 0, None, False)


def within(
    benchmark: Any, case: str, ours: Callable[[], object], budget: float, per: int = 1
) -> None:
    """Record what a call costs, in microseconds, beside its budget."""

    def run() -> None:
        for _ in range(CALLS):
            ours()

    benchmark.group = "codec"
    benchmark.pedantic(run, rounds=BLOCKS, iterations=1, warmup_rounds=1)
    own = [each / CALLS / per * 1e6 for each in benchmark.stats.stats.data]
    result = row("codec", case, own, [budget] * len(own), "us", 1.0, "budget")
    benchmark.extra_info.update(result.as_json())


def test_encode_a_send_in_json(benchmark: Any) -> None:
    within(benchmark, "encode one send request, JSON header",
           lambda: _native.encode_send(PARTS, BODY, 77, 0, False, 3, 399), 1.0)  # fmt: skip


def test_encode_a_send_in_binary(benchmark: Any) -> None:
    within(benchmark, "encode one send request, binary header",
           lambda: _native.encode_send(PARTS, BODY, 77, 0, True, 3, 399), 1.0)  # fmt: skip


def stored(body: bytes) -> bytes:
    """Return a message as a broker stores it."""
    text, host = TEXT.encode(), bytes(8)
    rest = (
        struct.pack(">Iiiqqiq", zlib.crc32(body) & 0x7FFFFFFF, 3, 0, 1000, 123456, 0, 1)
        + host + struct.pack(">q", 1) + host
        + struct.pack(">iqi", 0, 0, len(body)) + body + b"\x06orders"
        + struct.pack(">H", len(text)) + text
    )  # fmt: skip
    return struct.pack(">II", len(rest) + 8, 0xDAA320A7) + rest


def test_decode_pulled_messages(benchmark: Any) -> None:
    """32 messages of a pull reply; of each the body and a property are read."""
    reply = stored(BODY) * 32

    def ours() -> list[tuple[bytes, str]]:
        return [(each.body, each.property("TAGS")) for each in _native.decode_messages(reply)]

    assert ours() == [(BODY, "paid")] * 32
    within(benchmark, "decode one pulled message, body and tag read", ours, 0.5, per=32)


def test_split_frames(compare: Compare) -> None:
    """A reply's frame, from bytes to its fields, beside the standard library."""
    fields = {"msgId": "7F00000100002A9F0000000000001234", "queueId": "1", "queueOffset": "5"}
    frame = _native.encode_header(0, 1, 1, fields, 0)
    splitter = _native.FrameSplitter(1 << 20)

    def ours() -> dict[str, str]:
        splitter.buffer()[: len(frame)] = frame
        found: dict[str, str] = splitter.received(len(frame))[0][6]
        return found

    def peer() -> dict[str, str]:
        length = struct.unpack_from(">I", frame, 4)[0]
        found: dict[str, str] = json.loads(frame[8 : 8 + length])["extFields"]
        return found

    assert ours() == peer()
    compare("codec", "read one reply", ours, peer, against="struct, json")


def test_base64(compare: Compare) -> None:
    text = base64.b64encode(BODY * 2).decode()
    assert _native.base64_decode(text) == BODY * 2
    compare("codec", "base64 of 200 bytes, strict decode", lambda: _native.base64_decode(text),
            lambda: base64.b64decode(text, validate=True), against="base64")  # fmt: skip


def test_form(compare: Compare) -> None:
    params = {"Action": "SendMessage", "queueName": "orders", "msgBody": "hello world & more",
              "delaySeconds": "0", "Nonce": "11886", "Timestamp": "1500000000"}  # fmt: skip
    assert _native.form_encode(params) == urlencode(params)
    compare("codec", "form of six parameters", lambda: _native.form_encode(params),
            lambda: urlencode(params), against="urlencode")  # fmt: skip


def test_send_request_from_parts(compare: Compare) -> None:
    """The whole request, beside a dict of fields and its header."""

    def peer() -> bytes:
        fields = {
            "a": "group", "b": "orders", "c": "TBW102", "d": "4", "e": str(3), "f": str(0),
            "g": str(1_763_722_800_000), "h": str(0), "i": TEXT, "j": str(0), "k": "false",
            "m": "false", "n": "broker-a",
        }  # fmt: skip
        return _native.encode_header(310, 77, 0, fields, len(BODY), language=3, version=399) + BODY

    def ours() -> bytes:
        return _native.encode_send(PARTS, BODY, 77, 0, False, 3, 399)

    assert ours() == peer()
    compare("codec", "encode one send request", ours, peer, against="fields, then the header")
