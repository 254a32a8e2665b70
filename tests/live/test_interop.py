"""The Java client and ours on one broker, both ways, beyond plain messages."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.live.cluster import Cluster
from tests.rocketmq_features import transact
from tests.rocketmq_sides import KINDS, Inbox, Side, until
from wirespeed.rocketmq import Message, StartFrom, TransactionStatus


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, rocketmq_cluster: Cluster) -> Iterator[Side]:
    made = Side(request.param, rocketmq_cluster.namesrv)
    yield made
    made.close()


def large(name: str) -> bytes:
    return f"{name} ".encode() * 2000


EXPECTED = [
    *(large(codec) for codec in ("zlib", "lz4", "zstd")),
    *(b"batch %d" % number for number in range(3)),
    b"delayed",
    b"ordered",
    b"transaction",
]


def test_java_reads_every_kind_of_ours(
    side: Side, rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    for codec in ("zlib", "lz4", "zstd"):
        producer = side.make("Producer", "interop", compression=codec, compress_above=100)
        side.do(producer.send, topic, large(codec))
    side.do(producer.send_many, [Message(topic, b"batch %d" % n, keys=[f"k{n}"]) for n in range(3)])
    side.do(producer.send, topic, b"delayed", delay_level=1)
    side.do(producer.send_sharded, Message(topic, b"ordered"), "key")
    checked = side.make("Producer", f"{group}-tx", checker=lambda message: TransactionStatus.COMMIT)
    transact(side, checked, Message(topic, b"transaction"), lambda opened: None)
    read = rocketmq_cluster.run_peer(
        "Consume", rocketmq_cluster.namesrv, group, topic, "*", str(len(EXPECTED)), "60"
    )
    bodies = sorted(base64.b64decode(str(each["body"])) for each in read)
    assert bodies == sorted(EXPECTED)


@pytest.fixture(scope="module")
def java_topic(rocketmq_cluster: Cluster) -> str:
    """Return a topic to which the Java client sent one message of each kind."""
    topic = f"java-{os.getpid()}"
    rocketmq_cluster.create_topic(topic, 4)
    sent = rocketmq_cluster.run_peer("Interop", "send", rocketmq_cluster.namesrv, topic)
    assert len(sent) == 7
    return topic


@pytest.mark.parametrize(
    "consumer",
    [
        "PushConsumer",
        "LitePullConsumer",
        pytest.param("SimpleConsumer", marks=pytest.mark.since(5)),
    ],
)
def test_we_read_every_kind_of_java_s(
    side: Side, java_topic: str, group: str, consumer: str
) -> None:
    reader = side.make(consumer, group, {java_topic: "*"}, start_from=StartFrom.FIRST)
    box = Inbox()
    if consumer == "PushConsumer":
        side.do(reader.start, box)
        until(lambda: len(box.got) == len(EXPECTED))
    else:
        box.got += side.take(reader, len(EXPECTED))
    assert sorted(box.bodies()) == sorted(EXPECTED)
    by_body = {message.body: message for message in box.got}
    assert (by_body[b"batch 1"].tag, by_body[b"batch 1"].keys) == ("TagB", ("k1",))
    if consumer == "SimpleConsumer":
        for message in box.got:
            side.do(reader.ack, message)


def test_java_asks_and_we_reply(
    side: Side, rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    producer = side.make("Producer", "interop-replies")
    consumer = side.make("PushConsumer", group, {topic: "*"}, start_from=StartFrom.FIRST)

    def reply(message: object) -> object:
        return producer.reply(message, b"ours: " + message.body)  # type: ignore[attr-defined]

    async def reply_on_loop(message: object) -> None:
        await reply(message)  # type: ignore[misc]

    side.do(consumer.start, reply_on_loop if side.loop else reply)
    (answer,) = rocketmq_cluster.run_peer(
        "Interop", "request", rocketmq_cluster.namesrv, topic, "how are you"
    )
    assert answer["body"] == "ours: how are you"


def test_we_ask_and_java_replies(
    side: Side, rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    peer = rocketmq_cluster.java_peer(
        "Interop", "answer", rocketmq_cluster.namesrv, group, topic, "3"
    )
    with subprocess.Popen(peer, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        # The client's logger may say something first.
        while (line := process.stdout.readline()) and not line.startswith("{"):
            pass
        assert json.loads(line) == {"ready": 1}
        producer = side.make("Producer", "interop-asks")
        for number in range(3):
            reply = side.do(producer.request, Message(topic, b"%d" % number), timeout=20)
            assert reply.body == b"java: %d" % number
        process.wait(30)


def test_java_selects_ours_by_a_condition(
    side: Side, rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    producer = side.make("Producer", "interop-selects")
    for number in range(10):
        side.do(producer.send, topic, b"%d" % number, properties={"n": str(number)})
    read = rocketmq_cluster.run_peer(
        "Interop", "select", rocketmq_cluster.namesrv, group, topic, "n >= 7", "3"
    )
    assert sorted(base64.b64decode(str(each["body"])) for each in read) == [b"7", b"8", b"9"]
