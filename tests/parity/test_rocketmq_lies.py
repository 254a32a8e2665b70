"""Lengths that lie cost next to nothing: at most a few times the input, and under a millisecond."""

from __future__ import annotations

import contextlib
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from tests.parity.test_rocketmq_header import SEND_FIELDS
from tests.parity.test_rocketmq_stored import record
from wirespeed._native.pure.rocketmq import encode_header

LIMIT = 16 << 20
NUMBERS = [0, 1, 7, 0x7FFF, 0x8000, 0xFFFF, LIMIT, LIMIT + 1, 2**31 - 1, 2**31, 2**32 - 1]
FIXED = 1 << 12
"""Bytes that an error's text and traceback may take besides."""


def changed(data: bytes, width: int) -> Iterator[bytes]:
    """Yield `data` with each number in place of each `width` bytes of it, and every cut of it."""
    for at in range(len(data) - width + 1):
        for number in NUMBERS:
            lie = (number & (1 << 8 * width) - 1).to_bytes(width, "big")
            yield data[:at] + lie + data[at + width :]
    for end in range(len(data)):
        yield data[:end]


def cost(call: Callable[[], object]) -> tuple[float, int]:
    """Return the seconds of the fastest of five calls, and the bytes at the peak of one."""
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        with contextlib.suppress(ValueError):
            call()
        best = min(best, time.perf_counter() - start)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    with contextlib.suppress(ValueError):
        call()
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return best, peak


def split(native: ModuleType, data: bytes) -> int:
    """Give `data` to a splitter; return how much it still holds."""
    splitter = native.FrameSplitter()
    splitter.buffer()[: len(data)] = data
    with contextlib.suppress(ValueError):
        splitter.received(len(data))
    return len(splitter.buffer())


SMALL = dict(list(SEND_FIELDS.items())[:3])
INPUTS = {
    "decode_header": [
        encode_header(310, 7, 0, SMALL, 4, remark="r") + b"body",
        encode_header(310, 7, 0, SMALL, 4, remark="r", binary=True) + b"body",
    ],
    "decode_messages": [record(), record(sys_flag=0x30)],
    "decode_properties": [b"KEYS\x01k1\x02TAGS\x01paid\x02"],
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_lie_is_cheap(rocketmq: ModuleType, name: str) -> None:
    decode = getattr(rocketmq, name)
    native = "pure" not in rocketmq.__name__
    step = 1 if native else 7
    count = 0
    for data in INPUTS[name]:
        for width in (4, 2, 1):
            for lie in list(changed(data, width))[::step]:
                seconds, peak = cost(lambda lie=lie: decode(lie))  # type: ignore[misc]
                assert seconds < 1e-3 or not native, lie
                assert peak < 8 * len(lie) + 2 * FIXED, (peak, lie)
                count += 1
    assert count > 50


@pytest.mark.parametrize("number", NUMBERS)
def test_a_splitter_takes_no_memory_on_a_promise(rocketmq: ModuleType, number: int) -> None:
    lie = struct.pack(">II", number & 0xFFFFFFFF, 100) + b"x" * 100
    room = 2 * (128 << 10) + 2 * FIXED
    seconds, peak = cost(lambda: split(rocketmq, lie))
    assert seconds < 1e-3 or "pure" in rocketmq.__name__
    assert peak < room, peak
