"""The administrator's client, on the real broker, with threads and with asyncio."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.cluster import Cluster, version_asked
from tests.live.sides import KINDS, Inbox, Side, until
from wirespeed.errors import ConfigError, NotFound, TlsError, TopicNotFound
from wirespeed.rocketmq import ConsumeResult, Message, StartFrom, Tls

FIRST = StartFrom.FIRST
OLD = version_asked().startswith("4.")


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, rocketmq_cluster: Cluster) -> Iterator[Side]:
    made = Side(request.param, rocketmq_cluster)
    yield made
    made.close()


def test_topics(side: Side) -> None:
    admin = side.make("Admin")
    topic = f"admin-{os.getpid()}-{side.kind}"
    side.do(admin.create_topic, topic, queues=3, message_type="" if OLD else "NORMAL")
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


def test_groups_and_offsets(side: Side, topic: str, group: str) -> None:
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
    assert side.do(admin.offset, group, queue) in (None, 0)
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


def test_the_cluster(side: Side, rocketmq_cluster: Cluster) -> None:
    admin = side.make("Admin")
    (broker,) = side.do(admin.brokers)
    assert (broker.name, broker.cluster) == ("broker-a", "DefaultCluster")
    assert broker.addresses == {0: rocketmq_cluster.broker}
    figures = side.do(admin.broker_status, rocketmq_cluster.broker)
    assert "brokerVersionDesc" in figures and float(figures["commitLogDiskRatio"]) >= 0
    assert 0 < side.do(admin.ping) < 1.0


def test_connections_are_secured(side: Side, topic: str, group: str) -> None:
    # The servers' test certificate is signed by nobody.
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    producer = side.make("Producer", "secured", tls=blind)
    body = os.urandom(3_000_000)
    sent = side.do(producer.send, topic, body)
    box = Inbox()
    side.do(
        side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST, tls=Tls(blind)).start, box
    )
    until(lambda: box.bodies() == [body])
    assert box.got[0].message_id == sent.message_id
    results = side.do(producer.send_many, [Message(topic, b"%d" % n) for n in range(100)])
    assert all(result.message_id for result in results)
    until(lambda: len(box.got) == 101)
    for tls in (True, ssl.create_default_context()):
        strict = side.make("Producer", "strict", tls=tls)
        with pytest.raises(TlsError, match="no TLS with") as caught:
            side.do(strict.start)
        assert caught.value.hint
    with pytest.raises(ConfigError, match="tls"):
        side.make("Producer", "wrong", tls="yes")
