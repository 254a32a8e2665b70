"""What producers can do, on the real broker, with threads and with asyncio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.live.cluster import Cluster, version_asked
from tests.live.sides import KINDS, Inbox, Side, until
from wirespeed.errors import ConfigError, DeadlineExceeded, SendError, WirespeedError
from wirespeed.rocketmq import Message, MessageQueue, StartFrom

FIRST = StartFrom.FIRST
since_5 = pytest.mark.skipif(version_asked().startswith("4."), reason="it came with 5.0")


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, rocketmq_cluster: Cluster) -> Iterator[Side]:
    made = Side(request.param, rocketmq_cluster)
    yield made
    made.close()


def consuming(side: Side, topic: str, group: str, handler: Any = None, **options: Any) -> Inbox:
    box = handler or Inbox()
    member = side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST, **options)
    side.do(member.start, box)
    return box


def test_what_is_submitted_is_sent_in_batches(side: Side, topic: str, group: str) -> None:
    producer = side.make("Producer", "submitting", max_pending=5000)
    box = consuming(side, topic, group, handler_batch=32)
    futures = [
        side.do(producer.submit, Message(topic, b"%d" % number, keys=[f"k{number}"]))
        for number in range(2000)
    ]
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


@since_5
def test_a_delayed_message_is_recalled(side: Side, topic: str, group: str) -> None:
    producer = side.make("Producer", "recalling")
    box = consuming(side, topic, group)
    kept = side.do(producer.send, topic, b"kept", delay=4.0)
    recalled = side.do(producer.send, topic, b"recalled", delay=4.0)
    assert kept.recall_handle and recalled.recall_handle
    assert side.do(producer.recall, topic, recalled.recall_handle) == recalled.message_id
    until(lambda: box.bodies() == [b"kept"])
    time.sleep(2.0)
    assert box.bodies() == [b"kept"]
    plain = side.do(producer.send, topic, b"plain")
    assert plain.recall_handle == ""
    with pytest.raises(ConfigError, match="recall_handle"):
        side.do(producer.recall, topic, plain.recall_handle)


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
def test_bodies_are_compressed(
    side: Side, topic: str, group: str, codec: str, rocketmq_cluster: Cluster
) -> None:
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


def test_sends_are_traced(side: Side, topic: str, group: str, rocketmq_cluster: Cluster) -> None:
    producer = side.make("Producer", "tracing", tracing=True)
    consuming(side, topic, group, tracing=True)
    sent = side.do(producer.send, topic, b"traced", keys=["a-key"], tag="TagT")
    time.sleep(6.0)

    def told() -> str:
        return rocketmq_cluster.admin(
            "queryMsgTraceById", "-n", rocketmq_cluster.namesrv, "-i", sent.message_id
        )

    until(lambda: "Pub" in told() and "Sub" in told(), 20)
    assert group in told() and "tracing" in told()


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
