"""No backend leaks, and threads may share handles; over every backend."""

from __future__ import annotations

import contextlib
import gc
import os
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.parity.test_rocketmq_header import SEND_FIELDS, json_frame
from tests.parity.test_rocketmq_stored import record

STATM = Path("/proc/self/statm")
MIB = 1024 * 1024


def resident() -> int:
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def at_once(work: Callable[[int], None]) -> None:
    """Run `work(0)` to `work(3)` in threads that change places as often as can be."""
    start = threading.Barrier(4)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as failure:
            failures.append(failure)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    assert not failures


def quietly(call: Callable[[], object]) -> None:
    try:
        call()
    except (ValueError, TypeError, BufferError):
        pass
    else:
        raise AssertionError("that was accepted")


def life(native: ModuleType) -> None:
    message = native.message_create("topic")
    native.message_set_property(message, "long", "v" * 2000)
    native.message_set_property(message, "long", "v" * 4000)
    native.message_set_body(message, memoryview(bytearray(2000)))
    native.message_get_properties(message)
    native.message_get_body(message)
    quietly(lambda: native.message_set_property(message, "a", "\x01"))
    quietly(lambda: native.message_set_body(message, memoryview(b"abcd")[::2]))
    forgotten = native.message_create("t" * 3000)
    native.message_set_topic(forgotten, "u" * 5000)
    native.message_destroy(message)


def frames(native: ModuleType) -> None:
    many = {f"name-{number}": "v" * 50 for number in range(60)}
    for fields in (SEND_FIELDS, many):
        native.decode_header(native.encode_header(1, 2, 0, fields, 0, remark="x" * 1000))
    native.decode_header(json_frame('{"remark":"' + "\\u00e9" * 500 + '"}'))
    quietly(lambda: native.encode_header(1, 2, 0, {**many, "k": 1}, 0))
    quietly(lambda: native.decode_header(json_frame('{"extFields":{"a":"b","c":[]}}')))
    splitter = native.FrameSplitter()
    splitter.buffer()[:4] = struct.pack(">I", 3)
    quietly(lambda: splitter.received(4))


def stored(native: ModuleType) -> None:
    data = record(b"x" * 1000) * 5
    for message in native.decode_messages(data):
        assert message.properties and message.topic and message.body
    quietly(lambda: native.decode_messages(data[:-1]))
    native.encode_batch([(1, b"x" * 1000, b"a\x01b\x02")] * 5)
    quietly(lambda: native.encode_batch([(1, b"x" * 1000, b""), (1, "x", b"")]))
    quietly(lambda: native.encode_properties({"a": "x" * 1000, "b": 1}))


@pytest.mark.skipif(not STATM.exists(), reason="there is no /proc here")
@pytest.mark.parametrize("work", [life, frames, stored])
def test_nothing_leaks(rocketmq: ModuleType, work: Callable[[ModuleType], None]) -> None:
    rounds = 300 if "cython" not in rocketmq.__name__ else 3000
    for _ in range(rounds // 3):
        work(rocketmq)
    gc.collect()
    before = resident()
    for _ in range(rounds):
        work(rocketmq)
    gc.collect()
    assert resident() - before < MIB


@pytest.mark.skipif(not STATM.exists(), reason="there is no /proc here")
def test_a_million_lives_leave_nothing(rocketmq: ModuleType) -> None:
    rounds = 1_000_000 if "cython" in rocketmq.__name__ else 20_000
    body = b"x" * 128

    def live(count: int) -> None:
        for _ in range(count):
            message = rocketmq.message_create("orders")
            rocketmq.message_set_keys(message, "key-1")
            rocketmq.message_set_body(message, body)
            rocketmq.message_destroy(message)

    live(rounds // 10)
    gc.collect()
    before, held = resident(), sys.getrefcount(body)
    live(rounds)
    gc.collect()
    assert sys.getrefcount(body) == held
    assert resident() - before < MIB


def test_threads_make_and_end_messages_at_once(rocketmq: ModuleType) -> None:
    """They take handles from one free list and give them back, also twice and to each other."""
    shared: list[object] = []

    def work(number: int) -> None:
        for turn in range(1500):
            own = [rocketmq.message_create(f"topic-{number}-{turn}-{n}") for n in range(3)]
            for n, message in enumerate(own):
                assert rocketmq.message_get_topic(message) == f"topic-{number}-{turn}-{n}"
            shared.append(own[0])
            with contextlib.suppress(IndexError):
                rocketmq.message_destroy(shared.pop())
            assert rocketmq.message_destroy(own[1]) == 0
            assert rocketmq.message_destroy(own[1]) == 1

    at_once(work)


def test_threads_share_a_message(rocketmq: ModuleType) -> None:
    message = rocketmq.message_create("topic")

    def work(number: int) -> None:
        for turn in range(400):
            value = f"{number}-" * (turn % 40)
            rocketmq.message_set_property(message, f"name-{number}", value)
            assert rocketmq.message_get_property(message, f"name-{number}") == value
            rocketmq.message_set_topic(message, "t" * (turn % 300))
            rocketmq.message_set_body(message, value)
            rocketmq.message_get_body(message)
            assert set(rocketmq.message_get_topic(message)) <= {"t"}

    at_once(work)
    assert sorted(rocketmq.message_get_properties(message)) == [f"name-{n}" for n in range(4)]
