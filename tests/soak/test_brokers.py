"""Brokers killed, paused and restarted, for long: nothing acknowledged is lost, nothing grows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.cluster import Cluster, version_asked
from tests.live.load import Load, Sequences, read_back
from tests.rocketmq_sides import KINDS, Side, until
from tests.soak.faults import Endurance

SAFE = {"flushDiskType": "SYNC_FLUSH"}
TIMEOUT = 3.0


@pytest.fixture
def cluster(rocketmq_cluster: Cluster) -> Iterator[Cluster]:
    """Return a cluster of two masters that flush every message."""
    with Cluster(version_asked(), with_broker=False, name_servers=2) as made:
        for name in ("broker-a", "broker-b"):
            made.add_broker(name, **SAFE).start()
        yield made


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_thousand_sends_while_brokers_are_killed(
    cluster: Cluster, kind: str, group: str
) -> None:
    count, topic = 200_000, f"killed-{group}"
    cluster.create_topic(topic, 4, brokers=cluster.brokers)
    side = Side(kind, cluster.namesrv)
    try:
        load = Load(side, side.make("Producer", "killing", timeout=TIMEOUT), topic, count, 1200)
        load.start()
        for number, broker in enumerate(cluster.brokers * 2, 1):
            load.wait(number * count // 6, 600)
            at = load.sent
            broker.kill()
            load.wait(at + 2000, 60)
            assert len(load.brokers(at + 1000, load.sent)) == 1
            broker.start()
            # Routes are asked for every 30 s: so long do sends take to come back.
            until(lambda: len(load.brokers(load.sent - 500, load.sent)) == 2 or load.sent == count)
        load.join(600)
        print(load.check(read_back(cluster, topic), TIMEOUT))
    finally:
        side.close()


@pytest.mark.soak
def test_twenty_restarts_under_consumers(cluster: Cluster, group: str) -> None:
    topic = f"restarts-{group}"
    cluster.create_topic(topic, 4, brokers=cluster.brokers[1:])
    sides = [Side(kind, cluster.namesrv) for kind in KINDS]
    try:
        print(Sequences(sides, topic).endure(cluster.brokers[1], 20))
    finally:
        for side in sides:
            side.close()


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_faults_every_half_minute_leave_nothing_behind(
    rocketmq_cluster: Cluster, group: str
) -> None:
    print(Endurance(f"faults-{group}").run())
