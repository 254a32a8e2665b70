"""Messages to and from a real broker, by our clients and by the Java client."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.live.cluster import Cluster
from tests.live.collector import Collector, eventually
from wirespeed.errors import ConfigError
from wirespeed.rocketmq import (
    AsyncProducer,
    AsyncPushConsumer,
    ConsumeResult,
    Message,
    Producer,
    PushConsumer,
    ReceivedMessage,
    SendStatus,
    StartFrom,
)


def consumer_of(cluster: Cluster, group: str, topic: str, expression: str = "*") -> PushConsumer:
    return PushConsumer(
        group, {topic: expression}, namesrv=cluster.namesrv, start_from=StartFrom.FIRST
    )


def test_what_we_send_we_consume(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    collector = Collector()
    with Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer:
        results = [
            producer.send(
                topic,
                f"body é中 {number}".encode(),
                tag="TagA",
                keys=[f"key-{number}", "shared"],
                properties={"number": str(number), "colour": "röd 红"},
            )
            for number in range(50)
        ]
    with consumer_of(rocketmq_cluster, group, topic) as consumer:
        consumer.start(collector)
        messages = {message.message_id: message for message in collector.wait(50)}
    assert len(messages) == 50
    for number, result in enumerate(results):
        message = messages[result.message_id]
        assert result.status is SendStatus.OK
        assert message.body.decode() == f"body é中 {number}"
        assert (message.topic, message.tag) == (topic, "TagA")
        assert message.keys == (f"key-{number}", "shared")
        assert message.properties["number"] == str(number)
        assert message.properties["colour"] == "röd 红"
        assert message.queue == result.queue
        assert message.queue_offset == result.queue_offset
        assert message.offset_message_id == result.offset_message_id
        assert message.reconsume_times == 0
        assert abs(message.born_timestamp / 1000 - time.time()) < 120


def test_asyncio_sends_and_consumes(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    async def job() -> list[bytes]:
        got: list[bytes] = []
        everything = asyncio.Event()

        async def handle(message: ReceivedMessage) -> None:
            got.append(message.body)
            if len(got) == 200:
                everything.set()

        namesrv = rocketmq_cluster.namesrv
        async with AsyncProducer("live-producer", namesrv=namesrv) as producer:
            await asyncio.gather(*(producer.send(topic, f"{n}".encode()) for n in range(200)))
        consumer = AsyncPushConsumer(
            group, {topic: "*"}, namesrv=namesrv, start_from=StartFrom.FIRST
        )
        async with consumer:
            await consumer.start(handle)
            await asyncio.wait_for(everything.wait(), 30)
        return got

    assert sorted(asyncio.run(job()), key=int) == [f"{n}".encode() for n in range(200)]


def test_java_reads_what_we_send(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    with Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer:
        sent = {
            producer.send(
                topic,
                f"body é中 {number}",
                tag="TagA",
                keys=(f"key-{number}", "shared"),
                properties={"number": str(number), "colour": "röd 红"},
            ).message_id: number
            for number in range(20)
        }
        large = producer.send(topic, b"compress me " * 10_000, tag="Large")
    read = rocketmq_cluster.run_peer(
        "Consume", rocketmq_cluster.namesrv, group, topic, "*", "21", "90"
    )
    messages = {message["message_id"]: message for message in read}
    body = messages.pop(large.message_id)["body"]
    assert base64.b64decode(str(body)) == b"compress me " * 10_000
    assert {key: int(value["properties"]["number"]) for key, value in messages.items()} == sent  # type: ignore[index]
    for message_id, message in messages.items():
        number = sent[str(message_id)]
        assert base64.b64decode(str(message["body"])).decode() == f"body é中 {number}"
        assert message["tag"] == "TagA"
        assert message["keys"] == f"key-{number} shared"
        assert message["properties"]["colour"] == "röd 红"  # type: ignore[index]


def test_we_read_what_java_sends(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    collector = Collector()
    with consumer_of(rocketmq_cluster, group, topic, "TagJ || Other") as consumer:
        consumer.start(collector)
        sent = rocketmq_cluster.run_peer("Send", rocketmq_cluster.namesrv, topic, "TagJ", "20")
        messages = {message.message_id: message for message in collector.wait(20)}
    for row in sent:
        message = messages[str(row["message_id"])]
        assert message.body.decode() == f"java é中 {row['index']}"
        assert message.tag == "TagJ"
        assert message.keys == (f"key-{row['index']}", "shared")
        assert message.properties["index"] == str(row["index"])
        assert message.properties["colour"] == "röd 红"
        assert message.queue_id == row["queue_id"]
        assert message.queue_offset == row["queue_offset"]


def test_large_bodies_come_back_whole(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    collector = Collector()
    bodies = [bytes([n]) * (1 << n) for n in range(10, 23)]
    with Producer("live-producer", namesrv=rocketmq_cluster.namesrv, timeout=15) as producer:
        for body in bodies:
            producer.send(topic, body)
        with pytest.raises(ConfigError):
            producer.send(topic, b"x" * ((1 << 22) + 1))
    with consumer_of(rocketmq_cluster, group, topic) as consumer:
        consumer.start(collector)
        got = collector.wait(len(bodies))
    assert sorted((m.body for m in got), key=len) == bodies


def test_tags_choose(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    collector = Collector()
    with Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer:
        for number in range(40):
            producer.send(topic, f"{number}", tag=f"Tag{'ABCD'[number % 4]}")
        producer.send(topic, "without a tag")
        with consumer_of(rocketmq_cluster, group, topic, "TagA || TagC") as consumer:
            consumer.start(collector)
            collector.wait(20)
            producer.send(topic, "last of B", tag="TagB")
            producer.send(topic, "last of C", tag="TagC")
            collector.wait(21)
    assert {message.tag for message in collector.messages} == {"TagA", "TagC"}
    assert len(collector.bodies()) == 21


def test_one_way_messages_arrive(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    collector = Collector()
    with Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer:
        for number in range(100):
            producer.send_oneway(topic, f"{number}")
        with consumer_of(rocketmq_cluster, group, topic) as consumer:
            consumer.start(collector)
            collector.wait(100)
    assert sorted(collector.bodies(), key=int) == [f"{n}".encode() for n in range(100)]


def test_a_delayed_message_waits(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    collector = Collector()
    with consumer_of(rocketmq_cluster, group, topic) as consumer:
        consumer.start(collector)
        with Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer:
            producer.send(topic, "later", delay_level=1)
        start = time.monotonic()
        collector.wait(1)
        assert 0.5 < time.monotonic() - start < 15


def test_a_message_that_fails_comes_again(
    rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    seen: list[tuple[bytes, int]] = []

    def handle(message: ReceivedMessage) -> ConsumeResult:
        seen.append((message.body, message.reconsume_times))
        if message.body == b"raises" and message.reconsume_times == 0:
            raise ValueError("on purpose")
        if message.body == b"asks for a retry" and message.reconsume_times == 0:
            return ConsumeResult.RETRY
        return ConsumeResult.SUCCESS

    with consumer_of(rocketmq_cluster, group, topic) as consumer:
        consumer.start(handle)
        with Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer:
            for body in ("raises", "asks for a retry", "works"):
                producer.send(topic, body)
        eventually(lambda: len(seen) >= 5, "the two retries", 45)
    assert sorted(seen) == [
        (b"asks for a retry", 0),
        (b"asks for a retry", 1),
        (b"raises", 0),
        (b"raises", 1),
        (b"works", 0),
    ]


def test_offsets_outlive_a_restart(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    first, second = Collector(), Collector()
    with Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer:
        for number in range(30):
            producer.send(topic, f"{number}")
        with consumer_of(rocketmq_cluster, group, topic) as consumer:
            consumer.start(first)
            first.wait(30)
        for number in range(30, 40):
            producer.send(topic, f"{number}")
    with consumer_of(rocketmq_cluster, group, topic) as consumer:
        consumer.start(second)
        second.wait(10)
        time.sleep(0.5)
    assert sorted(map(int, second.bodies())) == list(range(30, 40))


def test_two_members_share_the_queues(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    first, second = Collector(), Collector()
    with (
        Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer,
        consumer_of(rocketmq_cluster, group, topic) as one,
    ):
        one.start(first)
        with consumer_of(rocketmq_cluster, group, topic) as two:
            two.start(second)

            def both_work() -> bool:
                first.messages.clear()
                second.messages.clear()
                for _ in range(8):
                    producer.send(topic, "probe")
                eventually(lambda: len(first.messages) + len(second.messages) >= 8, "the probes")
                return len(first.messages) == 4 and len(second.messages) == 4

            eventually(both_work, "an even split of 4 queues", 45)
            assert {m.queue_id for m in first.messages}.isdisjoint(
                m.queue_id for m in second.messages
            )
        first.messages.clear()
        for _ in range(8):
            producer.send(topic, "alone again")
        first.wait(8, 45)
    assert {m.queue_id for m in first.messages} == {0, 1, 2, 3}


def test_we_share_a_group_with_java(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    collector = Collector()
    namesrv = rocketmq_cluster.namesrv
    java = subprocess.Popen(
        rocketmq_cluster.java_peer("Consume", namesrv, group, topic, "*", "1000000", "60"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        with consumer_of(rocketmq_cluster, group, topic) as consumer:
            consumer.start(collector)
            with Producer("live-producer", namesrv=namesrv) as producer:

                def split() -> bool:
                    collector.messages.clear()
                    for _ in range(8):
                        producer.send(topic, "shared with java")
                    time.sleep(1)
                    return len(collector.messages) == 4

                eventually(split, "half of the queues", 45)
    finally:
        java.kill()
        java.communicate()


def test_a_topic_made_by_the_first_send(rocketmq_cluster: Cluster, group: str) -> None:
    topic = f"made-by-{group}"
    collector = Collector()
    with Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer:
        assert producer.send(topic, "first").status is SendStatus.OK
        with consumer_of(rocketmq_cluster, group, topic) as consumer:
            consumer.start(collector)
            collector.wait(1)


def test_a_message_sent_again_keeps_its_id(rocketmq_cluster: Cluster, topic: str) -> None:
    message = Message(topic, b"twice", tag="TagA")
    with Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer:
        first = producer.send_message(message)
        second = producer.send_message(message)
    assert first.message_id == second.message_id
    assert first.offset_message_id != second.offset_message_id


def test_sends_from_many_threads(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    collector = Collector()
    with (
        Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer,
        ThreadPoolExecutor(16) as pool,
    ):
        ids = list(pool.map(lambda n: producer.send(topic, f"{n}").message_id, range(2000)))
    assert len(set(ids)) == 2000
    with consumer_of(rocketmq_cluster, group, topic) as consumer:
        consumer.start(collector)
        collector.wait(2000)
    assert sorted(map(int, collector.bodies())) == list(range(2000))
