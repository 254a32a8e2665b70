"""Sends and consumes for SECONDS_TO_RUN (default 60): nothing is lost, nothing grows."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from tests.live.cluster import Cluster
from tests.live.collector import eventually
from wirespeed.rocketmq import Producer, PushConsumer, ReceivedMessage, StartFrom

SECONDS = float(os.environ.get("SECONDS_TO_RUN", "60"))
SENDERS = 4
GROWTH_MIB = 64


def resident_mib() -> float:
    """Return this process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_nothing_is_lost_and_nothing_grows(
    rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    sent = [0] * SENDERS
    seen = [bytearray() for _ in range(SENDERS)]
    duplicates = 0
    lock = threading.Lock()

    def handle(message: ReceivedMessage) -> None:
        nonlocal duplicates
        sender, _, number = message.body.decode().partition(" ")
        flags, index = seen[int(sender)], int(number)
        with lock:
            if len(flags) <= index:
                flags.extend(bytes(index + 1 - len(flags)))
            duplicates += flags[index]
            flags[index] = 1

    stop = time.monotonic() + SECONDS
    with (
        Producer("soak", namesrv=rocketmq_cluster.namesrv) as producer,
        PushConsumer(
            group, {topic: "*"}, namesrv=rocketmq_cluster.namesrv, start_from=StartFrom.FIRST
        ) as consumer,
    ):

        def send(sender: int) -> None:
            while time.monotonic() < stop:
                producer.send(topic, f"{sender} {sent[sender]}")
                sent[sender] += 1

        consumer.start(handle)
        threads = [threading.Thread(target=send, args=(n,)) for n in range(SENDERS)]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS / 4)
        early = resident_mib()
        for thread in threads:
            thread.join()
        late = resident_mib()
        eventually(lambda: [sum(flags) for flags in seen] == sent, "every message", 60)
    print(
        f"{sum(sent)} messages in {SECONDS:.0f} s, {duplicates} twice, {late - early:.1f} MiB more"
    )
    assert min(sent) > 0
    assert duplicates == 0
    assert late - early < GROWTH_MIB
