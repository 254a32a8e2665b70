"""The Java client, and the C++ one, on the local name server and broker."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator

import pytest

from tests.live.cluster import Cluster, version_asked
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


TOUR = {
    "commit": "transaction SEND_OK",
    "rollback": "transaction SEND_OK",
    "ask-commit": "transaction SEND_OK",
    "ask-rollback": "transaction SEND_OK",
    "pulled": str(list(range(20))),
    "delayed": "[level, timer] early []",
    "ordered": str([list(range(key, 40, 4)) for key in range(4)]),
    "asked": "re: hello",
    "transactions": "true [ask-commit, commit]",
}


@pytest.mark.skipif(version_asked().startswith("4."), reason="the peer is written for 5.x")
@pytest.mark.parametrize("broker", ["local", "real"])
def test_java_s_tour_finds_no_difference(
    rocketmq_cluster: Cluster, cloud: LocalCloud, broker: str
) -> None:
    namesrv = cloud.namesrv if broker == "local" else rocketmq_cluster.namesrv
    seen = rocketmq_cluster.run_peer("Tour", namesrv, f"tour-{os.getpid()}", timeout=150)
    assert {str(row["kind"]): row["seen"] for row in seen} == TOUR
