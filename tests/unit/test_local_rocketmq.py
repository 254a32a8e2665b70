"""The local name server and broker: what all do, and what only they do."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rocketmq_conformance import *  # noqa: F403
from tests.rocketmq_conformance import (
    Connect,
    assert_refused,
    commit,
    heartbeat,
    make_topic,
    reply,
)
from tests.rocketmq_probe import Probe, batch_part
from wirespeed.local import LocalCloud
from wirespeed.local.rocketmq import server


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


# -- administrators --


def test_offsets_are_reset(probe: Probe, topic: str, group: str) -> None:
    make_topic(probe, topic)
    for _ in range(4):
        probe.publish(topic)
    assert probe.pull(group, topic, 0).code == 0
    fields = {"topic": topic, "group": group, "timestamp": 0, "isForce": "true"}
    assert probe.ask(222, fields).code == 1
    commit(probe, group, topic, 0, 2)

    def reset(timestamp: int, force: bool) -> str:
        asked = {**fields, "timestamp": timestamp, "isForce": str(force).lower()}
        assert probe.ask(222, asked).code == 0
        return probe.ask(14, {"consumerGroup": group, "topic": topic, "queueId": 0}).fields[
            "offset"
        ]

    late = int(time.time() * 1000) + 60_000
    assert [reset(late, False), reset(-1, False), reset(-1, True)] == ["2", "2", "4"]
    assert [reset(0, True), reset(late, True), reset(0, False)] == ["0", "4", "0"]


def test_a_consumer_that_is_gone_is_not_waited_for(connect: Any, topic: str, group: str) -> None:
    admin, consumer = connect(), connect()
    heartbeat(consumer, group, topic)
    opaque = admin.send(307, {"consumerGroup": group, "clientId": consumer.client_id})
    consumer.wait_for_command(307)
    who = {"consumerGroup": group, "clientId": consumer.client_id}
    for message_id in ("", "x", "0" * 31 + "1"):
        assert admin.ask(309, {**who, "msgId": message_id}).code == 1
    consumer.socket.close()
    assert admin.answer(opaque, 5).code == 207


def test_a_consumer_that_does_not_answer(
    connect: Any, topic: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_ANSWER_SECONDS", 0.1)
    admin, consumer = connect(), connect()
    heartbeat(consumer, group, topic)
    opaque = admin.send(307, {"consumerGroup": group, "clientId": consumer.client_id})
    asked = consumer.wait_for_command(307)
    assert admin.answer(opaque).code == 207
    reply(consumer, asked.opaque, 0, b"late")
    assert admin.ask(28).code == 0
    assert admin.unexpected() == []
