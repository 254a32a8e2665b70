"""Several real brokers, of which some are killed, paused, changed or too busy."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import Cluster, ask, version_asked
from tests.live.collector import Collector
from tests.live.load import SLACK, Load, Numbers, Sequences, read_back
from tests.rocketmq_sides import KINDS, Side, until
from wirespeed.errors import Busy, SendError, TransportError, WirespeedError
from wirespeed.rocketmq import Message, MessageQueue, Producer, SendResult, SendStatus, StartFrom

DELETE_TOPIC_IN_BROKER = 215
SAFE = {"flushDiskType": "SYNC_FLUSH", "autoCreateTopicEnable": "false"}
REPLICATED = {**SAFE, "brokerRole": "SYNC_MASTER", "inSyncReplicas": "2"}
SLAVE = {**SAFE, "brokerRole": "SLAVE", "slaveReadEnable": "true"}
TIMEOUT = 3.0


class Brokers:
    """Two name servers, the master `a` with its slave, and the master `b`; all flush at once."""

    def __init__(self) -> None:
        self.cluster = Cluster(version_asked(), with_broker=False, name_servers=2)
        self.a = self.cluster.add_broker("broker-a", **REPLICATED)
        self.b = self.cluster.add_broker("broker-b", **SAFE)
        self.slave = self.cluster.add_broker("broker-a", 1, **SLAVE)
        try:
            self._start()
        except BaseException:
            self.cluster.stop()
            raise

    def _start(self) -> None:
        self.a.launch()
        self.b.launch()
        self.a.wait_started()
        self.b.wait_started()
        for kind in KINDS:
            self.cluster.create_topic(f"killed-{kind}", 2, brokers=[self.a, self.b])
        self.cluster.create_topic("suggested", 2, brokers=[self.a])
        # A slave asks its master for topics once a minute: it begins with those there are.
        topics = Path("store", "config", "topics.json")
        (self.slave.folder / topics).parent.mkdir(parents=True)
        shutil.copy(self.a.folder / topics, self.slave.folder / topics)
        self.slave.start()

    def settle(self) -> None:
        """Wait until `a` and its slave store together."""
        with Producer("settling", self.cluster.namesrv, timeout=6.0) as producer:
            queue = MessageQueue("suggested", "broker-a", 0)

            def safe() -> bool:
                try:
                    sent = producer.send_to(Message(queue.topic, b"0"), queue)
                except (SendError, TransportError):
                    return False
                return sent.status is SendStatus.OK

            until(safe)


@pytest.fixture(scope="module")
def brokers(rocketmq_cluster: Cluster) -> Iterator[Brokers]:
    """Two masters, one of them with a slave."""
    made = Brokers()
    with made.cluster:
        yield made


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, brokers: Brokers) -> Iterator[Side]:
    """Clients of either kind."""
    made = Side(request.param, brokers.cluster.namesrv)
    yield made
    made.close()


@pytest.fixture
def sides(brokers: Brokers) -> Iterator[list[Side]]:
    """Clients of both kinds at once, where a test is mostly waiting."""
    made = [Side(kind, brokers.cluster.namesrv) for kind in KINDS]
    yield made
    for each in made:
        each.close()


def test_a_killed_master_loses_nothing_that_it_acknowledged(side: Side, brokers: Brokers) -> None:
    count, topic = 20_000, f"killed-{side.kind}"
    brokers.settle()
    numbers = Numbers()
    consumer = side.make("PushConsumer", topic, {topic: "*"}, start_from=StartFrom.FIRST)
    side.do(consumer.start, numbers)
    load = Load(side, side.make("Producer", "killing", timeout=TIMEOUT), topic, count).start()
    load.wait(count // 3)
    brokers.a.kill()
    at = load.sent
    load.join()
    try:
        assert load.brokers(0, at).keys() == {"broker-a", "broker-b"}
        assert load.brokers(at + 1000, count).keys() == {"broker-b"}
        # What `a` acknowledged last is read from its slave.
        until(lambda: not numbers.lacks(load.acknowledged()))
    finally:
        brokers.a.start()
    print(load.check(read_back(brokers.cluster, topic), TIMEOUT))
    assert not load.errors()


def test_consumers_read_from_the_slave_that_a_master_suggests(
    sides: list[Side], brokers: Brokers
) -> None:
    topic = "suggested"
    brokers.settle()
    with Producer("suggesting", brokers.cluster.namesrv) as producer:
        for _ in range(400):
            producer.send(topic, b"0")
    # Whatever a consumer has still to read is now too much for the master's memory.
    brokers.a.set(accessMessageInMemoryMaxRatio="0", slaveReadEnable="true")
    try:
        for side in sides:
            before = int(brokers.slave.runtime("msgGetTotalTodayNow"))
            collector = Collector()
            consumer = side.make(
                "PushConsumer", f"{topic}-{side.kind}", {topic: "*"}, start_from=StartFrom.FIRST
            )
            side.do(consumer.start, collector)
            collector.wait(400)
            assert int(brokers.slave.runtime("msgGetTotalTodayNow")) - before > 200
    finally:
        brokers.a.set(accessMessageInMemoryMaxRatio="40", slaveReadEnable="false")


class Traffic:
    """A producer that sends a number every few ms, and a consumer that gets them.

    Args:
        side: which kind of clients.
        topic: where to.
    """

    def __init__(self, side: Side, topic: str) -> None:
        self.side = side
        self.topic = topic
        self.numbers = Numbers()
        self.consumer = side.make(
            "PushConsumer", f"{topic}-{side.kind}", {topic: "*"}, start_from=StartFrom.FIRST
        )
        side.do(self.consumer.start, self.numbers)
        self.producer = side.make("Producer", "traffic", timeout=TIMEOUT)
        self.places: dict[int, MessageQueue] = {}
        self.failures: list[BaseException] = []
        self.longest = 0.0
        self._stop = threading.Event()
        self._next = KINDS.index(side.kind)
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._stop.wait(0.01):
            began = time.monotonic()
            try:
                result = self.side.do(self.producer.send, self.topic, b"%d" % self._next)
            except BaseException as error:
                self.failures.append(error)
            else:
                self.places[self._next] = result.queue
            self.longest = max(self.longest, time.monotonic() - began)
            self._next += len(KINDS)

    def uses(self, queues: int) -> bool:
        """Whether the last messages went to so many queues."""
        return len({self.places[key] for key in sorted(self.places)[-4 * queues :]}) == queues

    def arrives(self) -> bool:
        """Whether everything that was acknowledged until now was consumed, or will soon be."""
        wanted = set(self.places)
        until(lambda: not self.numbers.lacks(wanted))
        return True

    def check(self) -> None:
        """See that no send failed or took longer than its deadline."""
        assert not self.failures, self.failures
        assert self.longest < TIMEOUT + SLACK


def test_sends_and_consumption_follow_the_routes(
    sides: list[Side], brokers: Brokers, group: str
) -> None:
    topic, cluster = f"routes-{group}", brokers.cluster
    cluster.create_topic(topic, 2, brokers=[brokers.b])
    with Traffic(sides[0], topic) as one, Traffic(sides[1], topic) as two:
        until(lambda: one.uses(2) and two.uses(2))
        cluster.create_topic(topic, 4, brokers=[brokers.b])
        place = ("-n", cluster.namesrv, "-b", brokers.a.address, "-t", topic)
        cluster.admin("updateTopic", *place, "-r", "2", "-w", "2")
        until(lambda: one.uses(6) and two.uses(6), 45)
        assert one.arrives() and two.arrives()
        until(lambda: len(one.consumer.queues()) == len(two.consumer.queues()) == 6, 45)
        # The name servers still tell of it, until the broker registers again.
        code, _ = ask(brokers.b.address, DELETE_TOPIC_IN_BROKER, {"topic": topic})
        assert code == 0
        until(lambda: one.uses(2) and two.uses(2), 45)
        for each in (one, two):
            each.check()
            kept = {n for n, at in list(each.places.items()) if at.broker_name == "broker-a"}
            until(lambda each=each, kept=kept: not each.numbers.lacks(kept))


def test_a_deleted_topic_is_an_error_until_it_is_there_again(
    sides: list[Side], brokers: Brokers, group: str
) -> None:
    topic, cluster = f"deleted-{group}", brokers.cluster
    cluster.create_topic(topic, 2, brokers=[brokers.a, brokers.b])
    for side in sides:
        producer = side.make("Producer", "deleting", timeout=TIMEOUT)
        collector = Collector()
        consumer = side.make("PushConsumer", f"{topic}-{side.kind}", {topic: "*"})
        side.do(consumer.start, collector)
        side.do(producer.send, topic, b"before")
    cluster.admin("deleteTopic", "-n", cluster.namesrv, "-c", "DefaultCluster", "-t", topic)
    for side in sides:
        began = time.monotonic()
        with pytest.raises(WirespeedError) as caught:
            side.do(side.made[0].send, topic, b"during")
        assert time.monotonic() - began < TIMEOUT + SLACK
        assert caught.value.outcome in ("not_sent", "rejected")
    cluster.create_topic(topic, 2, brokers=[brokers.a, brokers.b])
    for side in sides:
        assert side.do(side.made[0].send, topic, b"after").status is SendStatus.OK


def ask_anew(traffic: Traffic, topics: list[str]) -> None:
    """Send to topics that the producer does not know, and by a producer that knows none."""
    side = traffic.side
    fresh = side.make("Producer", "fresh", timeout=TIMEOUT)
    for producer, topic in (*((traffic.producer, each) for each in topics), (fresh, traffic.topic)):
        began = time.monotonic()
        side.do(producer.send, topic, b"%d" % KINDS.index(side.kind))
        assert time.monotonic() - began < TIMEOUT + SLACK


def test_a_silent_name_server_is_left_for_the_other(
    sides: list[Side], brokers: Brokers, group: str
) -> None:
    cluster = brokers.cluster
    topics = [f"silent-{number}-{group}" for number in range(3)]
    for topic in topics:
        cluster.create_topic(topic, 2, brokers=[brokers.b])
    with Traffic(sides[0], topics[0]) as one, Traffic(sides[1], topics[0]) as two:
        until(lambda: one.uses(2) and two.uses(2))
        for topic, server in zip(topics[1:], cluster.name_servers.values(), strict=True):
            server.pause()
            try:
                for traffic in (one, two):
                    ask_anew(traffic, [topic])
                assert one.arrives() and two.arrives()
            finally:
                server.go_on()
        one.check()
        two.check()


def test_a_busy_broker_s_messages_are_sent_again(side: Side, brokers: Brokers, group: str) -> None:
    topic, cluster = f"busy-{group}", brokers.cluster
    cluster.create_topic(topic, 2, brokers=[brokers.a, brokers.b])
    brokers.settle()
    producer = side.make("Producer", "busy", timeout=TIMEOUT)
    busy: list[Any] = []
    producer.on("throttle", busy.append)
    brokers.b.set(waitTimeMillsInSendQueue="0")
    try:
        load = Load(side, producer, topic, 4000).start()
        load.join()
    finally:
        brokers.b.set(waitTimeMillsInSendQueue="2000")
    print(load.check(read_back(cluster, topic), TIMEOUT), len(busy), "times busy")
    assert busy and {event.endpoint for event in busy} == {brokers.b.address}
    assert all(isinstance(event.error, Busy) and event.error.code == 2 for event in busy)
    again = [each for each in load.results if isinstance(each, SendResult) and each.attempts > 1]
    assert {each.queue.broker_name for each in again} == {"broker-a"}
    assert not any(each.possible_duplicate for each in again)
    assert not load.errors()
    assert producer.metrics.snapshot()["throttled"] == len(busy)


def test_consumers_outlive_restarts_of_their_broker(
    sides: list[Side], brokers: Brokers, group: str
) -> None:
    topic = f"restarts-{group}"
    brokers.cluster.create_topic(topic, 4, brokers=[brokers.b])
    print(Sequences(sides, topic).endure(brokers.b, 3))


def test_a_killed_name_server_is_left_for_the_other(
    sides: list[Side], brokers: Brokers, group: str
) -> None:
    """The last test here, since the name server stays away."""
    cluster = brokers.cluster
    topics = [f"half-{number}-{group}" for number in range(2)]
    for topic in topics:
        cluster.create_topic(topic, 2, brokers=[brokers.b])
    with Traffic(sides[0], topics[0]) as one, Traffic(sides[1], topics[0]) as two:
        until(lambda: one.uses(2) and two.uses(2))
        cluster.kill_namesrv(next(iter(cluster.name_servers)))
        for traffic in (one, two):
            ask_anew(traffic, topics[1:])
        assert one.arrives() and two.arrives()
        one.check()
        two.check()
