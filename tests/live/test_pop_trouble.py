"""The consumer that receives and acks on lines that break, stall and split, and a real broker."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.live.cluster import Cluster, ask
from tests.remoting_proxy import Proxy, cut_after, healthy, in_pieces, late
from tests.remoting_server import Answer, RemotingServer
from tests.rocketmq_sides import KINDS, Side, until
from tests.scripted import Peer
from wirespeed.errors import DeadlineExceeded, TransportError
from wirespeed.remoting.connection import Frame
from wirespeed.rocketmq import Message, Producer
from wirespeed.rocketmq.flow import pop

pytestmark = pytest.mark.since(5)
GET_ROUTE = 105
INVISIBLE = 6.0


@pytest.fixture
def broker(rocketmq_cluster: Cluster) -> Iterator[Proxy]:
    """A proxy before the broker."""
    with Proxy(rocketmq_cluster.broker) as proxy:
        yield proxy


@pytest.fixture(params=KINDS)
def side(
    request: pytest.FixtureRequest, rocketmq_cluster: Cluster, broker: Proxy
) -> Iterator[Side]:
    """Clients that take the proxy for the broker."""

    def route(server: RemotingServer, peer: Peer, frame: Frame) -> Answer:
        code, body = ask(rocketmq_cluster.namesrv, GET_ROUTE, frame.ext_fields)
        return code, {}, body.replace(rocketmq_cluster.broker.encode(), broker.address.encode())

    with RemotingServer(on_105=route) as names:
        made = Side(request.param, names.address)
        yield made
        broker.fault = healthy
        broker.thawed.set()
        made.close()


def fill(cluster: Cluster, topic: str, count: int) -> set[bytes]:
    bodies = {b"%d" % number for number in range(count)}
    with Producer("pop-trouble", cluster.namesrv) as producer:
        producer.send_many([Message(topic, body) for body in bodies])
    return bodies


def test_broken_lines_lose_no_message_and_no_ack(
    side: Side, broker: Proxy, rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    bodies = fill(rocketmq_cluster, topic, 100)
    consumer = side.make("SimpleConsumer", group, {topic: "*"}, invisible=INVISIBLE)
    chance = random.Random(11)
    received: Counter[bytes] = Counter()
    acked: set[bytes] = set()
    broken = 0
    cuts = 16

    def round_() -> bool:
        nonlocal broken, cuts
        if cuts:
            cuts -= 1
            for link in broker.links:
                link.count = 0
            broker.fault = cut_after(chance.randint(1, 2500), replies=bool(cuts % 2))
        else:
            broker.fault = healthy
        with contextlib.suppress(TransportError):
            for message in side.do(consumer.receive, 4, wait=0.5):
                assert message.body not in acked
                received[message.body] += 1
                try:
                    side.do(consumer.ack, message)
                    acked.add(message.body)
                except TransportError:
                    broken += 1
        return received.keys() == bodies and not cuts

    until(round_)
    assert broken
    # What was received and perhaps not acked comes again once its time has passed, the rest never.
    ends = time.monotonic() + INVISIBLE + 4.0
    while time.monotonic() < ends:
        for message in side.do(consumer.receive, 32, wait=2.0):
            assert message.body not in acked
            side.do(consumer.ack, message)
            acked.add(message.body)
    assert len(acked) >= len(bodies) - broken


def test_fragments_and_delays_are_waited_for(
    side: Side, broker: Proxy, rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    bodies = fill(rocketmq_cluster, topic, 12)
    consumer = side.make("SimpleConsumer", group, {topic: "*"})
    found: set[bytes] = set()
    for fault in (in_pieces(None), in_pieces(3), late(4, 0.05)):
        broker.fault = fault
        for message in side.do(consumer.receive, 4, wait=5.0):
            side.do(consumer.ack, message)
            found.add(message.body)
    broker.fault = healthy
    until(
        lambda: found.update(m.body for m in side.do(consumer.receive, wait=1.0)) or found == bodies
    )


def test_a_broker_that_stops_is_waited_for_to_the_deadline_alone(
    side: Side,
    broker: Proxy,
    rocketmq_cluster: Cluster,
    topic: str,
    group: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pop, "_SLACK", 1.0)
    consumer = side.make("SimpleConsumer", group, {topic: "*"})
    assert side.do(consumer.receive, wait=0.0) == []
    broker.thawed.clear()
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        side.do(consumer.receive, wait=0.5)
    assert time.monotonic() - began < 0.5 + 1.0 + 1.5
    broker.thawed.set()
    bodies = fill(rocketmq_cluster, topic, 1)
    found: list[bytes] = []
    until(lambda: found.extend(m.body for m in side.do(consumer.receive, wait=1.0)) or found)
    assert set(found) == bodies
