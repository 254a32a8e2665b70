"""The local name server and broker: what all do, and what only they do."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator

import pytest

from tests.rocketmq_conformance import *  # noqa: F403
from tests.rocketmq_conformance import Connect, assert_refused
from tests.rocketmq_probe import Probe, batch_part
from wirespeed.local import LocalCloud


@pytest.fixture(scope="module")
def namesrv() -> Iterator[str]:
    """Where the name server under test is."""
    with LocalCloud(services=["rocketmq"], delay_levels=(0.1, 0.2, 0.3, 0.4)) as cloud:
        yield cloud.namesrv


def test_a_batch_that_is_broken(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic)
    part = batch_part(b"x", {})
    for body in (part[:-1], part + b"\x00", struct.pack(">i", 999) + part[4:]):
        answer = probe.publish(topic, body, code=320, m="true")
        assert answer is not None and answer.code != 0
    assert len(probe.pull_until(1, group, topic)) == 1


def test_a_held_pull_ends_with_its_time(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic, queue=1)
    began = time.monotonic()
    answer = probe.pull(group, topic, 0, suspend=200)
    assert 0.15 < time.monotonic() - began < 1
    assert answer.code == 19


def test_an_arrival_that_does_not_match_wakes_nobody(
    connect: Connect, topic: str, group: str
) -> None:
    consumer, producer = connect(), connect()
    producer.publish(topic, queue=1)
    opaque = consumer.send(11, consumer.pull_fields(group, topic, 0, expression="A", suspend=600))
    consumer.ask(31, {"topic": topic, "queueId": 0})
    producer.publish(topic, b"b", {"TAGS": "B"})
    with pytest.raises(TimeoutError):
        consumer.answer(opaque, 0.1)
    answer = consumer.answer(opaque)
    assert (answer.code, answer.fields["nextBeginOffset"]) == (20, "1")


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">II", 6, 2) + b"[]",
        struct.pack(">II", 6, 2 << 24 | 2) + b"{}",
        struct.pack(">II", 6, 3) + b"{}",
        struct.pack(">I", 17 * 1024 * 1024),
    ],
)
def test_a_connection_ends_on_a_broken_frame(broker: str, data: bytes) -> None:
    assert_refused(broker, data)


def test_a_transaction_is_ended_once_by_its_own_group(probe: Probe, topic: str) -> None:
    half = probe.publish(topic, b"half", {"TRAN_MSG": "true", "PGROUP": "mine"})
    assert half is not None and half.code == 0
    place = {
        "tranStateTableOffset": half.fields["queueOffset"],
        "commitLogOffset": int(half.fields["msgId"][-16:], 16),
    }

    def end(verdict: int, group: str = "mine", **changes: object) -> int:
        fields = {"producerGroup": group, "commitOrRollback": verdict, **place, **changes}
        return probe.ask(37, fields).code

    assert probe.ask(30, {"topic": topic, "queueId": 0}).fields["offset"] == "0"
    assert [end(5), end(8, "other"), end(8, commitLogOffset=7), end(8), end(8)] == [1, 1, 1, 0, 1]
    assert probe.ask(30, {"topic": topic, "queueId": 0}).fields["offset"] == "1"


def test_what_is_not_there_says_so(probe: Probe) -> None:
    for code in (370, 200050, 200051, 401):
        assert probe.ask(code).code == 3


def test_locks_need_whole_queues(probe: Probe) -> None:
    for body in (b"", b"[]", b'{"mqSet":[{"topic":"x"}]}'):
        assert probe.ask(41, body=body).code == 1
    assert probe.ask(34, body=b"{}").code == 1
