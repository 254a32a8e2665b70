"""A real broker that is not there, goes away, or says no; and a consumer that is interrupted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.live.cluster import Cluster, ask, version_asked
from tests.live.collector import Collector, eventually
from wirespeed.errors import TransportError, WirespeedError
from wirespeed.rocketmq import Producer, PushConsumer, StartFrom

GET_CONSUMER_LIST = 38


def test_closed_port() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(TransportError) as caught:
        Producer("live-producer", namesrv=address, timeout=2).start()
    assert time.monotonic() - start < 5
    assert address in str(caught.value)


def test_name_server_without_a_broker() -> None:
    with Cluster(version_asked(), with_broker=False) as lonely:
        start = time.monotonic()
        with (
            Producer("live-producer", namesrv=lonely.namesrv, timeout=2) as producer,
            pytest.raises(WirespeedError) as caught,
        ):
            producer.send("nowhere", b"body")
        assert time.monotonic() - start < 10
        assert caught.value.outcome == "not_sent"


def test_a_topic_that_brokers_may_not_make(rocketmq_cluster: Cluster) -> None:
    with Producer("live-producer", namesrv=rocketmq_cluster.namesrv, timeout=3) as producer:
        with pytest.raises(WirespeedError):
            producer.send("SCHEDULE_TOPIC_XXXX", b"body")
        with pytest.raises(WirespeedError):
            producer.send("no spaces allowed", b"body")


def test_a_broker_that_stops_and_comes_back(version: str, group: str) -> None:
    collector = Collector()
    with Cluster(version) as cluster:
        topic = f"restart-{group}"
        cluster.create_topic(topic)
        with (
            Producer("live-producer", namesrv=cluster.namesrv, timeout=3) as producer,
            PushConsumer(
                group, {topic: "*"}, namesrv=cluster.namesrv, start_from=StartFrom.FIRST
            ) as consumer,
        ):
            consumer.start(collector)
            producer.send(topic, "before")
            collector.wait(1)
            cluster.stop_broker()
            start = time.monotonic()
            with pytest.raises(WirespeedError):
                producer.send(topic, "during")
            assert time.monotonic() - start < 6
            cluster.start_broker()

            def sends() -> bool:
                try:
                    producer.send(topic, "after")
                except WirespeedError:
                    return False
                return True

            eventually(sends, "a send after the restart", 45)
            eventually(lambda: b"after" in collector.bodies(), "consuming after the restart", 60)


@pytest.fixture
def version() -> str:
    return version_asked()


PROGRAM = """
import sys
from wirespeed.rocketmq import PushConsumer, StartFrom
namesrv, group, topic = sys.argv[1:]
consumer = PushConsumer(group, {topic: "*"}, namesrv=namesrv, start_from=StartFrom.FIRST)
consumer.run(lambda message: print(message.body.decode(), flush=True))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as a terminal sends them")
def test_control_c_leaves_the_group(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    namesrv = rocketmq_cluster.namesrv
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, namesrv, group, topic],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with Producer("live-producer", namesrv=namesrv) as producer:
            producer.send(topic, "hello")
        assert child.stdout is not None
        assert child.stdout.readline() == "hello\n"
        child.send_signal(signal.SIGINT)
        start = time.monotonic()
        _, errors = child.communicate(timeout=20)
        assert time.monotonic() - start < 10
    finally:
        child.kill()
        child.communicate()
    assert errors.strip().endswith("KeyboardInterrupt")
    assert "exception was never retrieved" not in errors
    code, _ = ask(rocketmq_cluster.broker, GET_CONSUMER_LIST, {"consumerGroup": group})
    assert code == 1, "the group still has a member"


def test_unknown_topic_for_a_consumer_waits_for_it(rocketmq_cluster: Cluster, group: str) -> None:
    topic = f"not-yet-{group}"
    collector = Collector()
    with PushConsumer(
        group, {topic: "*"}, namesrv=rocketmq_cluster.namesrv, start_from=StartFrom.FIRST
    ) as consumer:
        consumer.start(collector)
        rocketmq_cluster.create_topic(topic)
        with Producer("live-producer", namesrv=rocketmq_cluster.namesrv) as producer:
            producer.send(topic, "at last")
        collector.wait(1, 60)
