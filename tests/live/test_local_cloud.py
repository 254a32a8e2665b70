"""The Java client on the local name server and broker."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.live.cluster import Cluster
from tests.live.collector import Collector
from wirespeed.local import LocalCloud
from wirespeed.rocketmq import Producer, PushConsumer, StartFrom


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """A local cloud of its own."""
    with LocalCloud(services=["rocketmq"]) as cloud:
        yield cloud


def test_java_sends_to_us_and_consumes_from_us(
    rocketmq_cluster: Cluster, cloud: LocalCloud
) -> None:
    sent = rocketmq_cluster.run_peer("Send", cloud.namesrv, "from-java", "TagJ", "20")
    assert len(sent) == 20
    arguments = (cloud.namesrv, "java-group", "from-java", "TagJ", "20", "60")
    read = rocketmq_cluster.run_peer("Consume", *arguments, timeout=90)
    assert {row["message_id"] for row in read} == {row["message_id"] for row in sent}


def test_java_reads_what_we_sent_to_us(rocketmq_cluster: Cluster, cloud: LocalCloud) -> None:
    with Producer("local-producers", cloud.namesrv) as producer:
        sent = [
            producer.send("ours", f"body {number}", tag="A", keys=f"key-{number}").message_id
            for number in range(20)
        ]
    arguments = (cloud.namesrv, "java-group", "ours", "*", "20", "60")
    read = rocketmq_cluster.run_peer("Consume", *arguments, timeout=90)
    bodies = {str(row["message_id"]): base64.b64decode(str(row["body"])) for row in read}
    assert bodies == {each: f"body {number}".encode() for number, each in enumerate(sent)}


def test_we_read_what_java_sent_to_us(rocketmq_cluster: Cluster, cloud: LocalCloud) -> None:
    sent = rocketmq_cluster.run_peer("Send", cloud.namesrv, "theirs", "TagJ", "20")
    collector = Collector()
    consumer = PushConsumer(
        "our-group", {"theirs": "TagJ"}, cloud.namesrv, start_from=StartFrom.FIRST
    )
    with consumer:
        consumer.start(collector)
        read = {message.message_id for message in collector.wait(20)}
    assert read == {row["message_id"] for row in sent}
