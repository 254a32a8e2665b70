"""What consumers can do, on the real broker, with threads and with asyncio."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import Cluster, version_asked
from tests.live.sides import KINDS, Inbox, Side, until
from wirespeed.errors import ConfigError, NotFound
from wirespeed.rocketmq import (
    ConsumeResult,
    MessageQueue,
    Producer,
    Sql,
    StartFrom,
    allocate_circle,
    allocate_configured,
    allocate_consistent_hash,
)

FIRST = StartFrom.FIRST
needs_pop = pytest.mark.skipif(version_asked().startswith("4."), reason="POP came with 5.0")


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, rocketmq_cluster: Cluster) -> Iterator[Side]:
    made = Side(request.param, rocketmq_cluster)
    yield made
    made.close()


@pytest.fixture
def producer(rocketmq_cluster: Cluster) -> Iterator[Producer]:
    with Producer("consumers-producer", rocketmq_cluster.namesrv) as made:
        yield made


def fill(producer: Producer, topic: str, count: int, start: int = 0) -> list[bytes]:
    bodies = [b"%d" % number for number in range(start, start + count)]
    for number, body in enumerate(bodies, start):
        producer.send(topic, body, properties={"n": str(number)})
    return bodies


def test_broadcasting_reaches_every_member(
    side: Side, producer: Producer, topic: str, group: str, tmp_path: Path
) -> None:
    boxes = [Inbox(), Inbox()]
    for number, box in enumerate(boxes):
        member = side.make(
            "PushConsumer",
            group,
            {topic: "*"},
            start_from=FIRST,
            broadcasting=True,
            offsets_path=tmp_path / f"{number}.json",
        )
        side.do(member.start, box)
    bodies = fill(producer, topic, 40)
    for box in boxes:
        until(lambda box=box: sorted(box.bodies()) == sorted(bodies))
    for member in side.made:
        side.do(member.close)
    later = fill(producer, topic, 8, 40)
    box = Inbox()
    again = side.make(
        "PushConsumer",
        group,
        {topic: "*"},
        start_from=FIRST,
        broadcasting=True,
        offsets_path=tmp_path / "0.json",
    )
    side.do(again.start, box)
    until(lambda: len(box.got) >= 8)
    time.sleep(0.5)
    assert sorted(box.bodies()) == sorted(later)


def test_a_broadcast_message_that_fails_is_not_delivered_again(
    side: Side, producer: Producer, topic: str, group: str, tmp_path: Path
) -> None:
    box = Inbox(lambda _: ConsumeResult.RETRY)
    member = side.make(
        "PushConsumer", group, {topic: "*"}, start_from=FIRST, broadcasting=True,
        offsets_path=tmp_path / "offsets.json",
    )  # fmt: skip
    side.do(member.start, box)
    fill(producer, topic, 3)
    until(lambda: len(box.got) == 3)
    until(lambda: sum(side.do(member.lag).values()) == 0)
    assert len(box.got) == 3


def test_the_broker_filters_by_a_condition(
    side: Side, producer: Producer, topic: str, group: str
) -> None:
    fill(producer, topic, 20)
    producer.send(topic, b"other", properties={"colour": "red"})
    box = Inbox()
    wanted = {topic: Sql("n BETWEEN 5 AND 9 OR colour = 'red'")}
    member = side.make("PushConsumer", group, wanted, start_from=FIRST)
    side.do(member.start, box)
    until(lambda: len(box.got) >= 6)
    time.sleep(0.5)
    assert sorted(box.bodies()) == [b"5", b"6", b"7", b"8", b"9", b"other"]
    wrong = side.make("PushConsumer", f"{group}-wrong", {topic: Sql("n BETWEEN")})
    with pytest.raises(ConfigError, match="cannot read"):
        side.do(wrong.start, box)


def test_a_group_begins_at_a_time(side: Side, producer: Producer, topic: str, group: str) -> None:
    fill(producer, topic, 8)
    time.sleep(1.1)
    moment = time.time()
    later = fill(producer, topic, 8, 8)
    # A group that the broker has offsets of, as of every young topic, begins there.
    box = Inbox()
    puller = side.make(
        "LitePullConsumer", group, {topic: "*"}, start_from=StartFrom.TIMESTAMP, start_at=moment
    )
    side.do(puller.start)
    queues = until(puller.queues)
    for queue in queues:
        side.do(puller.seek, queue, side.do(puller.offset_at, queue, moment))
    found: list[Any] = []
    until(lambda: found.extend(side.do(puller.poll, 32, timeout=1.0)) or len(found) >= 8)
    assert sorted(message.body for message in found) == sorted(later)
    assert not box.got
    with pytest.raises(ConfigError, match="start_at"):
        side.make("LitePullConsumer", group, {topic: "*"}, start_from=StartFrom.TIMESTAMP)


def test_a_handler_takes_batches(side: Side, producer: Producer, topic: str, group: str) -> None:
    bodies = fill(producer, topic, 60)
    failed: set[bytes] = set()

    def verdict(messages: list[Any]) -> Any:
        if b"7" in [message.body for message in messages] and b"7" not in failed:
            failed.update(message.body for message in messages)
            return ConsumeResult.RETRY
        return None

    box = Inbox(verdict)
    member = side.make(
        "PushConsumer", group, {topic: "*"}, start_from=FIRST, handler_batch=10, concurrency=2
    )
    side.do(member.start, box)

    def seen() -> list[bytes]:
        return [message.body for messages in box.got for message in messages]

    until(lambda: set(seen()) == set(bodies) and len(seen()) == 60 + len(failed))
    assert max(map(len, box.got)) > 1
    assert all(len(messages) <= 10 for messages in box.got)
    assert {body for body in seen() if seen().count(body) == 2} == failed


def test_a_message_that_its_handler_keeps_is_sent_back(
    side: Side, producer: Producer, topic: str, group: str
) -> None:
    fill(producer, topic, 1)
    stuck = threading.Event()

    async def wait_loop(message: Any) -> None:
        import asyncio

        box.got.append(message)
        if message.reconsume_times == 0:
            await asyncio.sleep(30)

    def wait_thread(message: Any) -> None:
        box.got.append(message)
        if message.reconsume_times == 0:
            stuck.wait(30)

    box = Inbox()
    member = side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST, consume_timeout=1.0)
    side.do(member.start, wait_loop if side.loop else wait_thread)
    until(lambda: len(box.got) == 2)
    assert box.got[1].reconsume_times == 1
    until(lambda: sum(side.do(member.lag).values()) == 0)
    stuck.set()
    side.do(member.close, timeout=0.5)


def test_pause_resume_seek_and_lag(side: Side, producer: Producer, topic: str, group: str) -> None:
    bodies = fill(producer, topic, 8)
    box = Inbox()
    member = side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST)
    with pytest.raises(ConfigError, match="not started"):
        member.pause()
    side.do(member.start, box)
    until(lambda: len(box.got) == 8)
    queues = member.queues()
    assert {queue.topic for queue in queues} == {topic} and len(queues) == 4
    until(lambda: set(side.do(member.lag).values()) == {0})
    side.do(member.pause)
    # A pull that is under way may still bring something.
    producer.send(topic, b"wakes the pulls")
    time.sleep(1.2)
    before = len(box.got)
    fill(producer, topic, 8, 8)
    time.sleep(1.5)
    held_back = sum(side.do(member.lag).values())
    assert held_back >= 4, held_back
    side.do(member.resume)
    until(lambda: len(box.got) >= before + 8 - (8 - held_back))
    until(lambda: set(side.do(member.lag).values()) == {0})
    count = len(box.got)
    for queue in queues:
        side.do(member.seek, queue, 0)
    until(lambda: len(box.got) >= count + 17)
    assert set(bodies) <= set(box.bodies()[count:])
    with pytest.raises(ConfigError, match="not this consumer's"):
        side.do(member.seek, MessageQueue("none", "broker-a", 0), 0)


@pytest.mark.parametrize("strategy", [allocate_circle, allocate_consistent_hash])
def test_members_share_queues_by_a_strategy(
    side: Side, producer: Producer, topic: str, group: str, strategy: Any
) -> None:
    fill(producer, topic, 4)
    changes: list[Any] = []
    members = [
        side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST, strategy=strategy)
        for _ in range(2)
    ]
    members[0].on("rebalance", changes.append)
    for member in members:
        side.do(member.start, Inbox())

    def shares() -> list[list[MessageQueue]]:
        return [member.queues() for member in members]

    until(lambda: sorted(queue for share in shares() for queue in share) == sorted(all_of(topic)))
    if strategy is allocate_circle:
        until(lambda: sorted(len(share) for share in shares()) == [2, 2])
        assert {queue.queue_id % 2 for queue in members[0].queues()} in ({0}, {1})
    assert any(topic in change.detail for change in changes)
    mine = [MessageQueue(topic, "broker-a", 3)]
    alone = side.make(
        "PushConsumer", f"{group}-alone", {topic: "*"}, strategy=allocate_configured(mine)
    )
    side.do(alone.start, Inbox())
    assert until(alone.queues) == mine


def all_of(topic: str) -> list[MessageQueue]:
    return [MessageQueue(topic, "broker-a", number) for number in range(4)]


def test_an_administrator_resets_a_running_group(
    side: Side, producer: Producer, topic: str, group: str
) -> None:
    bodies = fill(producer, topic, 12)
    box = Inbox()
    member = side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST)
    side.do(member.start, box)
    until(lambda: len(box.got) == 12)
    admin = side.make("Admin")

    def committed() -> bool:
        progress = side.do(admin.progress, group, topic)
        return len(progress.queues) == 4 and progress.lag == 0

    until(committed)
    new = side.do(admin.reset_offsets, group, topic, 0)
    assert set(new.values()) == {0}
    until(lambda: len(box.got) >= 24)
    assert set(box.bodies()[12:24]) == set(bodies)


def test_brokers_are_told_what_a_consumer_does(
    side: Side, producer: Producer, topic: str, group: str, rocketmq_cluster: Cluster
) -> None:
    fill(producer, topic, 4)
    box = Inbox()
    member = side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST)
    side.do(member.start, box)
    until(lambda: len(box.got) == 4)
    admin = side.make("Admin")
    (connection,) = until(lambda: side.do(admin.connections, group))
    assert connection.language == "PYTHON" and connection.subscriptions[topic] == "*"
    told = rocketmq_cluster.admin(
        "consumerStatus", "-n", rocketmq_cluster.namesrv, "-g", group, "-i", connection.client_id
    )
    assert f"{topic}" in told and "CONSUME_PASSIVELY" in told, told


def test_lite_pull_subscribes_polls_and_commits(
    side: Side, producer: Producer, topic: str, group: str
) -> None:
    bodies = fill(producer, topic, 20)
    puller = side.make("LitePullConsumer", group, {topic: "*"}, start_from=FIRST, auto_commit=False)
    found: list[Any] = []
    until(lambda: found.extend(side.do(puller.poll, 7)) or len(found) == 20)
    assert sorted(message.body for message in found) == sorted(bodies)
    queue = puller.queues()[0]
    assert not side.do(puller.committed, queue)
    side.do(puller.commit)
    assert side.do(puller.committed, queue) == puller.position(queue) == 5
    assert side.do(puller.poll, timeout=0.1) == []
    side.do(puller.seek_to_begin, queue)
    again = side.do(puller.poll, 3, timeout=10)
    assert [message.queue_offset for message in again] == [0, 1, 2]
    side.do(puller.seek, queue, 4)
    (one,) = side.do(puller.poll, timeout=10)
    assert (one.queue, one.queue_offset) == (queue, 4)
    side.do(puller.seek_to_end, queue)
    assert side.do(puller.poll, timeout=0.2) == []
    side.do(puller.pause, queue)
    side.do(puller.resume)
    side.do(puller.close)
    with pytest.raises(Exception, match="closed"):
        side.do(puller.poll)

    producer.send(topic, b"after")
    auto = side.make("LitePullConsumer", group, {topic: "*"}, start_from=FIRST)
    (message,) = side.take(auto, 1)
    assert message.body == b"after"
    side.do(auto.close)
    last = side.make("LitePullConsumer", group, {topic: "*"})
    assert side.do(last.poll, timeout=2.0) == []


def test_lite_pull_from_queues_of_ones_choice(
    side: Side, producer: Producer, topic: str, group: str
) -> None:
    fill(producer, topic, 8)
    puller = side.make("LitePullConsumer", group, start_from=FIRST)
    with pytest.raises(ConfigError, match="subscribe topics"):
        side.do(puller.poll)
    mine = MessageQueue(topic, "broker-a", 2)
    side.do(puller.assign, [mine])
    with pytest.raises(ConfigError, match="not beside assign"):
        side.do(puller.subscribe, topic)
    found: list[Any] = []
    until(lambda: found.extend(side.do(puller.poll)) or len(found) == 2)
    assert {message.queue for message in found} == {mine}
    other = MessageQueue(topic, "broker-a", 0)
    side.do(puller.assign, [other])
    until(lambda: found.extend(side.do(puller.poll)) or len(found) == 4)
    assert {message.queue for message in found[2:]} == {other}


@needs_pop
def test_pop_receives_acks_and_gives_back(
    side: Side, producer: Producer, topic: str, group: str
) -> None:
    bodies = fill(producer, topic, 12)
    consumer = side.make("SimpleConsumer", group, {topic: "*"}, invisible=30.0)
    found: list[Any] = []
    until(lambda: found.extend(side.do(consumer.receive, 5, wait=2.0)) or len(found) == 12)
    assert sorted(message.body for message in found) == sorted(bodies)
    for message in found[2:]:
        side.do(consumer.ack, message)
    handle = found[0].receipt_handle
    side.do(consumer.nack, found[0], delay=1.0)
    side.do(consumer.change_invisible, found[1], 2.0)
    assert found[0].receipt_handle != handle
    again: list[Any] = []
    until(lambda: again.extend(side.do(consumer.receive, wait=3.0)) or len(again) == 2)
    assert {message.body for message in again} == {found[0].body, found[1].body}
    assert {message.topic for message in again} == {topic}
    assert [message.reconsume_times for message in again] == [1, 1]
    for message in again:
        side.do(consumer.ack, message)
    assert side.do(consumer.receive, wait=3.0) == []
    began = time.monotonic()
    threading.Timer(1.0, lambda: producer.send(topic, b"late")).start()
    (late,) = side.do(consumer.receive, wait=10.0)
    assert late.body == b"late" and time.monotonic() - began < 8
    side.do(consumer.ack, late)
    with pytest.raises((NotFound, ConfigError)):
        late.receipt_handle = "nonsense"
        side.do(consumer.ack, late)
    producer.send(topic, b"iterated")
    (message,) = side.take(consumer, 1)
    assert message.body == b"iterated"


@needs_pop
def test_pop_filters(side: Side, producer: Producer, topic: str, group: str) -> None:
    for number in range(6):
        producer.send(topic, b"%d" % number, tag="ab"[number % 2], properties={"n": str(number)})
    tagged = side.make("SimpleConsumer", f"{group}-tag", {topic: "b"})
    found: list[Any] = []
    until(lambda: found.extend(side.do(tagged.receive, wait=1.0)) or len(found) == 3)
    assert {message.tag for message in found} == {"b"}
    chosen = side.make("SimpleConsumer", f"{group}-sql", {topic: Sql("n > 3")})
    found = []
    until(lambda: found.extend(side.do(chosen.receive, wait=1.0)) or len(found) == 2)
    assert {message.body for message in found} == {b"4", b"5"}
