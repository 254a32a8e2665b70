"""What RocketMQ's clients can do, with threads and with asyncio, on any broker.

A module that imports everything from here supplies the fixture `namesrv`.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rocketmq_sides import KINDS, Inbox, Side, until
from wirespeed.errors import (
    ConfigError,
    DeadlineExceeded,
    NotFound,
    SendError,
    TopicNotFound,
    WirespeedError,
)
from wirespeed.rocketmq import (
    Admin,
    ConsumeResult,
    Message,
    MessageQueue,
    Producer,
    StartFrom,
    TransactionStatus,
    allocate_circle,
    allocate_configured,
    allocate_consistent_hash,
)

FIRST = StartFrom.FIRST
numbers = itertools.count(1)


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, namesrv: str) -> Iterator[Side]:
    """Clients of either kind."""
    made = Side(request.param, namesrv)
    yield made
    made.close()


@pytest.fixture
def new_topic(namesrv: str) -> Callable[..., str]:
    """Return a function that creates a topic of a fresh name, with 4 queues unless told."""

    def create(queues: int = 4) -> str:
        topic = f"feature-{os.getpid()}-{next(numbers)}"
        with Admin(namesrv) as admin:
            admin.create_topic(topic, queues=queues)
        return topic

    return create


@pytest.fixture
def topic(new_topic: Callable[..., str]) -> str:
    """Return a fresh topic with 4 queues."""
    return new_topic()


@pytest.fixture
def group() -> str:
    """Return a fresh consumer group's name."""
    return f"feature-group-{os.getpid()}-{next(numbers)}"


@pytest.fixture
def producer(namesrv: str) -> Iterator[Producer]:
    with Producer("consumers-producer", namesrv) as made:
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


def test_a_time_is_found_and_gone_to(
    side: Side, producer: Producer, topic: str, group: str
) -> None:
    fill(producer, topic, 8)
    time.sleep(1.1)
    moment = time.time()
    later = fill(producer, topic, 8, 8)
    # Brokers say 0 for every group of a young topic, so it has to be sought.
    puller = side.make(
        "LitePullConsumer", group, {topic: "*"}, start_from=StartFrom.TIMESTAMP, start_at=moment
    )
    side.do(puller.start)
    # They are taken up one after the other.
    queues = until(lambda: len(puller.queues()) == 4 and puller.queues())
    for queue in queues:
        side.do(puller.seek, queue, side.do(puller.offset_at, queue, moment))
    found: list[Any] = []
    until(lambda: found.extend(side.do(puller.poll, 32, timeout=1.0)) or len(found) >= 8)
    assert sorted(message.body for message in found) == sorted(later)
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


def consuming(side: Side, topic: str, group: str, handler: Any = None, **options: Any) -> Inbox:
    box = handler or Inbox()
    member = side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST, **options)
    side.do(member.start, box)
    return box


def test_what_is_submitted_is_sent_in_batches(side: Side, topic: str, group: str) -> None:
    producer = side.make("Producer", "submitting", max_pending=5000)
    box = consuming(side, topic, group, handler_batch=32)
    messages = [Message(topic, b"%d" % number, keys=[f"k{number}"]) for number in range(2000)]

    async def submit_on_loop() -> list[Any]:
        return [await producer.submit(message) for message in messages]

    if side.loop is None:
        futures = [producer.submit(message) for message in messages]
    else:
        futures = side.do(submit_on_loop)
    assert side.do(producer.flush, 30) == 0
    results = [side.result(future) for future in futures]
    assert len({result.message_id for result in results}) == 2000
    assert len({(result.queue, result.queue_offset) for result in results}) == 2000
    before = producer.metrics.snapshot()
    assert before["requests"] < 1500, before

    def seen() -> dict[str, bytes]:
        return {message.message_id: message.body for batch in box.got for message in batch}

    until(lambda: len(seen()) == 2000)
    assert [seen()[result.message_id] for result in results] == [b"%d" % n for n in range(2000)]
    with pytest.raises(ConfigError, match="body"):
        side.do(producer.submit, Message(topic, b""))


def test_a_full_producer_says_so(side: Side, topic: str) -> None:
    producer = side.make("Producer", "full", max_pending=1, when_full="raise")
    futures = []
    with pytest.raises(DeadlineExceeded, match="no room") as caught:
        for number in range(2000):
            futures.append(side.do(producer.submit, Message(topic, b"%d" % number)))
    assert caught.value.outcome == "not_sent"
    for future in futures:
        assert side.result(future).message_id
    side.do(producer.close)
    with pytest.raises(WirespeedError, match="closed"):
        side.do(producer.submit, Message(topic, b"x"))


def test_closing_sends_what_was_submitted(side: Side, topic: str, group: str) -> None:
    producer = side.make("Producer", "closing")
    futures = [side.do(producer.submit, Message(topic, b"%d" % n)) for n in range(300)]
    side.do(producer.close)
    assert all(side.result(future).message_id for future in futures)
    box = consuming(side, topic, group)
    until(lambda: len(box.got) == 300)


def test_keys_and_names_choose_the_queue(side: Side, topic: str) -> None:
    producer = side.make("Producer", "choosing")
    places = {}
    for key in ("one", "two", "three", "ключ"):
        results = [side.do(producer.send_sharded, Message(topic, b"%d" % n), key) for n in range(3)]
        (places[key],) = {result.queue for result in results}
        offsets = [result.queue_offset for result in results]
        assert offsets == sorted(offsets)
    assert len(set(places.values())) > 1
    wanted = MessageQueue(topic, "broker-a", 3)
    assert side.do(producer.send_to, Message(topic, b"x"), wanted).queue == wanted
    with pytest.raises(ConfigError, match="not among"):
        side.do(producer.send_to, Message(topic, b"x"), MessageQueue(topic, "broker-a", 4))
    with pytest.raises(ConfigError, match="key"):
        side.do(producer.send_sharded, Message(topic, b"x"), " ")


def test_a_request_gets_its_reply(side: Side, topic: str, group: str) -> None:
    asking = side.make("Producer", "asking")
    answering = side.make("Producer", "answering")

    def answer(message: Any) -> Any:
        return answering.reply(message, b"re: " + message.body, properties={"by": "wirespeed"})

    async def answer_on_loop(message: Any) -> None:
        await answer(message)

    consuming(side, topic, group, answer_on_loop if side.loop else answer)
    replies = [side.do(asking.request, Message(topic, b"%d" % n), timeout=20) for n in range(5)]
    assert [reply.body for reply in replies] == [b"re: %d" % n for n in range(5)]
    assert replies[0].properties["by"] == "wirespeed"
    began = time.monotonic()
    side.do(asking.request, Message(topic, b"again"), timeout=20)
    assert time.monotonic() - began < 0.4
    with pytest.raises(ConfigError, match="no request"):
        side.do(answering.reply, _received(side, topic, group), b"x")


def _received(side: Side, topic: str, group: str) -> Any:
    producer = side.make("Producer", "plain")
    side.do(producer.send, topic, b"plain")
    puller = side.make("LitePullConsumer", f"{group}-puller", {topic: "*"}, start_from=FIRST)
    found: list[Any] = []
    until(
        lambda: (
            found.extend(side.do(puller.poll, timeout=1.0))
            or [message for message in found if message.body == b"plain"]
        )
    )
    return next(message for message in found if message.body == b"plain")


def test_a_request_that_nobody_answers(side: Side, topic: str) -> None:
    asking = side.make("Producer", "asking-in-vain")
    with pytest.raises(DeadlineExceeded, match="no reply") as caught:
        side.do(asking.request, Message(topic, b"?"), timeout=1.0)
    assert caught.value.outcome == "unknown"


def test_a_reply_that_comes_too_late(side: Side, topic: str, group: str) -> None:
    asking = side.make("Producer", "asking-shortly")
    answering = side.make("Producer", "answering-late")
    box = consuming(side, topic, group)
    with pytest.raises(DeadlineExceeded):
        side.do(asking.request, Message(topic, b"?"), timeout=1.0)
    until(lambda: box.got)
    with pytest.raises(SendError, match="not delivered"):
        side.do(answering.reply, box.got[0], b"late")


@pytest.mark.parametrize("codec", ["zlib", "lz4", "zstd"])
def test_bodies_are_compressed(side: Side, topic: str, group: str, codec: str) -> None:
    body = b"compress me " * 30_000
    producer = side.make("Producer", "compressing", compression=codec)
    box = consuming(side, topic, group)
    side.do(producer.send, topic, body)
    until(lambda: box.bodies() == [body])
    assert len(box.got[0].native.body) < len(body) / 10
    with pytest.raises(ConfigError, match="compression"):
        side.make("Producer", "wrong", compression="rar")


def test_a_namespace_keeps_apart(side: Side, new_topic: Callable[..., str], group: str) -> None:
    outside = new_topic()
    admin = side.make("Admin")
    inside = f"tenant%{outside}"
    side.do(admin.create_topic, inside, queues=4)
    producer = side.make("Producer", "naming", namespace="tenant")
    box = consuming(side, outside, group, namespace="tenant")
    other = consuming(side, outside, group)
    side.do(producer.send, outside, b"inside")
    side.do(side.make("Producer", "naming-none").send, outside, b"outside")
    until(lambda: box.bodies() == [b"inside"] and other.bodies() == [b"outside"])
    assert box.got[0].topic == outside
    assert [each.queue.topic for each in side.do(admin.topic_stats, inside)] == [inside] * 4


def test_what_happens_is_told(side: Side, topic: str) -> None:
    producer = side.make("Producer", "telling", avoid_slow=True)
    assert 0 < side.do(producer.ping) < 1.0
    side.do(producer.send, topic, b"x")
    status = producer.status()
    assert status.ok and len(status.endpoints) == 2
    counts = producer.metrics.snapshot()
    assert counts["requests"] >= 3 and counts["connections"] == 2
    assert counts["bytes_sent"] > 200 and counts["bytes_received"] > 200
    with pytest.raises(ConfigError, match="no event"):
        producer.on("nothing", print)


def test_topics(side: Side) -> None:
    admin = side.make("Admin")
    topic = f"admin-{os.getpid()}-{side.kind}"
    side.do(admin.create_topic, topic, queues=3, message_type="NORMAL")
    assert topic in side.do(admin.topics)
    route = side.do(admin.route, topic)
    assert len(route.read_queues) == len(route.write_queues) == 3
    producer = side.make("Producer", "admin-producer")
    sent = [side.do(producer.send, topic, b"%d" % number) for number in range(6)]
    stats = until(
        lambda: [s for s in [side.do(admin.topic_stats, topic)] if sum(e.end for e in s) == 6]
    )[0]
    assert [each.first for each in stats] == [0, 0, 0]
    assert all(abs(each.updated - time.time()) < 60 for each in stats)
    assert {result.queue for result in sent} == {each.queue for each in stats}
    side.do(admin.create_topic, topic, queues=3, writable=False)
    until(lambda: not side.do(admin.route, topic).write_queues)
    side.do(admin.delete_topic, topic)
    with pytest.raises(TopicNotFound):
        side.do(admin.route, topic)
    for wrong, words in (
        ({"topic": "no/name"}, "character"),
        ({"topic": "t", "queues": 0}, "queues"),
        ({"topic": "t", "message_type": "odd"}, "message_type"),
    ):
        with pytest.raises(ConfigError, match=words):
            side.do(admin.create_topic, **wrong)


@pytest.fixture
def forgets_groups() -> bool:
    """Whether a broker that deletes a group forgets its offsets, as it is asked to."""
    return True


def test_groups_and_offsets(side: Side, topic: str, group: str, forgets_groups: bool) -> None:
    admin = side.make("Admin")
    side.do(admin.create_group, group, max_attempts=3)
    producer = side.make("Producer", "admin-producer")
    for number in range(8):
        side.do(producer.send, topic, b"%d" % number)
    assert side.do(admin.connections, group) == []
    box = Inbox()
    member = side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST)
    side.do(member.start, box)
    until(lambda: len(box.got) == 8)
    assert group in side.do(admin.groups)
    assert len(side.do(admin.connections, group)) == 1

    def done() -> Any:
        progress = side.do(admin.progress, group, topic)
        return len(progress.queues) == 4 and progress.lag == 0 and progress

    progress = until(done)
    assert [each.committed for each in progress.queues] == [2, 2, 2, 2]
    side.do(member.close)
    queue = progress.queues[0].queue
    side.do(admin.set_offset, group, queue, 1)
    assert side.do(admin.offset, group, queue) == 1
    assert side.do(admin.progress, group, topic).lag == 1
    side.do(admin.delete_group, group)
    assert side.do(admin.offset, group, queue) in ((None, 0) if forgets_groups else (1,))
    with pytest.raises(ConfigError, match="max_attempts"):
        side.do(admin.create_group, group, max_attempts=-1)


def test_messages_are_found(side: Side, topic: str) -> None:
    admin = side.make("Admin")
    producer = side.make("Producer", "admin-producer")
    sent = side.do(
        producer.send_message, Message(topic, b"find me", keys=["needle", "other"], tag="t")
    )
    side.do(producer.send, topic, b"not me", keys=["hay"])

    def by_key() -> Any:
        return side.do(admin.find, topic, "needle")

    (found,) = until(by_key)
    assert (found.body, found.message_id, found.keys) == (
        b"find me",
        sent.message_id,
        ("needle", "other"),
    )
    (same,) = until(lambda: side.do(admin.find_by_id, topic, sent.message_id))
    assert same.offset_message_id == sent.offset_message_id
    assert side.do(admin.message, sent.offset_message_id).body == b"find me"
    assert side.do(admin.find, topic, "nothing") == []
    assert side.do(admin.find_by_id, topic, "0" * 32) == []
    with pytest.raises(ConfigError, match="offset_message_id"):
        side.do(admin.message, "nonsense")
    with pytest.raises(NotFound):
        side.do(admin.message, sent.offset_message_id[:-16] + "00000000000FFFFF")


def test_dead_letters_are_listed_and_sent_again(side: Side, topic: str, group: str) -> None:
    admin = side.make("Admin")
    assert side.do(admin.dead_letters, group) == []
    producer = side.make("Producer", "admin-producer")
    healed: list[bool] = []
    box = Inbox(lambda _: None if healed else ConsumeResult.RETRY)
    side.do(
        side.make(
            "PushConsumer", group, {topic: "*"}, start_from=FIRST, ordered=True, max_attempts=1
        ).start,
        box,
    )
    side.do(producer.send, topic, b"poison", keys=["k"], properties={"by": "eve"})
    (dead,) = until(lambda: side.do(admin.dead_letters, group), 60)
    assert (dead.body, dead.keys, dead.properties["by"]) == (b"poison", ("k",), "eve")
    healed.append(True)
    (result,) = side.do(admin.resend, [dead])
    assert result.queue.topic == topic
    until(lambda: box.got[-1].reconsume_times == 0 and len(box.got) >= 2)
    assert box.got[-1].keys == ("k",)
    assert len(side.do(admin.dead_letters, group)) == 1


def test_the_cluster(side: Side) -> None:
    admin = side.make("Admin")
    (broker,) = side.do(admin.brokers)
    assert (broker.name, broker.cluster) == ("broker-a", "DefaultCluster")
    address = broker.addresses[0]
    figures = side.do(admin.broker_status, address)
    assert "brokerVersionDesc" in figures and float(figures["commitLogDiskRatio"]) >= 0
    assert 0 < side.do(admin.ping) < 1.0


def transact(side: Side, producer: Any, message: Message, act: Callable[[Any], None]) -> None:
    """Send a message in a transaction; `act` gets the transaction while it is open."""

    async def on_loop() -> None:
        async with producer.transaction(message) as opened:
            act(opened)

    if side.loop is not None:
        side.do(on_loop)
        return
    with producer.transaction(message) as opened:
        act(opened)


def test_transactions_are_committed_rolled_back_and_asked_about(
    side: Side, topic: str, group: str
) -> None:
    asked: list[bytes] = []

    def check(message: Any) -> TransactionStatus:
        asked.append(message.body)
        return TransactionStatus.COMMIT

    producer = side.make("Producer", f"{group}-transactions", checker=check)
    box = consuming(side, topic, group)
    transact(side, producer, Message(topic, b"committed", tag="t"), lambda opened: None)
    transact(side, producer, Message(topic, b"rolled back"), lambda opened: opened.roll_back())
    transact(side, producer, Message(topic, b"unknown"), lambda opened: opened.leave_unknown())
    with pytest.raises(ZeroDivisionError):
        transact(side, producer, Message(topic, b"failed"), lambda opened: 1 // 0)
    until(lambda: sorted(box.bodies()) == [b"committed", b"unknown"], 60)
    assert asked == [b"unknown"]
    committed = next(message for message in box.got if message.body == b"committed")
    assert (committed.tag, committed.properties["TRAN_MSG"]) == ("t", "true")
    with pytest.raises(ConfigError, match="checker"):
        side.make("Producer", "without").transaction(Message(topic, b"x"))
