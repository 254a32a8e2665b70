"""The ordered consumer on the real broker: locks, order per queue, hand-over, dead letters."""

from __future__ import annotations

import threading
from typing import Any

from tests.live.cluster import Cluster
from wirespeed.rocketmq import (
    ConsumeResult,
    Message,
    Producer,
    PushConsumer,
    ReceivedMessage,
    StartFrom,
)


def test_order_holds_while_members_come_and_go(
    rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    total = 2000
    seen: dict[int, list[int]] = {number: [] for number in range(4)}
    lock, enough = threading.Lock(), threading.Event()
    failed: set[bytes] = set()

    def handle(message: ReceivedMessage) -> Any:
        number = int(message.body)
        if number % 500 == 250 and message.body not in failed:
            failed.add(message.body)
            return ConsumeResult.RETRY
        with lock:
            seen[message.queue_id].append(number)
            if len({each for numbers in seen.values() for each in numbers}) == total:
                enough.set()
        return None

    def member() -> PushConsumer:
        consumer = PushConsumer(
            group,
            {topic: "*"},
            rocketmq_cluster.namesrv,
            start_from=StartFrom.FIRST,
            ordered=True,
        )
        consumer.start(handle)
        return consumer

    with Producer("ordered", rocketmq_cluster.namesrv) as producer:
        first = member()
        second: PushConsumer | None = None
        for number in range(total):
            producer.send_selected(
                Message(topic, str(number)), lambda queues, chosen=number % 4: chosen
            )
            if number == total // 3:
                second = member()
            if number == 2 * total // 3:
                first.close()
        assert enough.wait(60)
        assert second is not None
        second.close()
    for queue, numbers in seen.items():
        firsts = list(dict.fromkeys(numbers))
        assert firsts == list(range(queue, total, 4))
    assert len(failed) == 4


def test_a_message_past_its_attempts_is_a_dead_letter(
    rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    passed, buried = threading.Event(), threading.Event()

    def handle(message: ReceivedMessage) -> Any:
        if message.body == b"bad":
            return ConsumeResult.RETRY
        passed.set()
        return None

    def bury(message: ReceivedMessage) -> None:
        if message.body == b"bad":
            buried.set()

    namesrv = rocketmq_cluster.namesrv
    with Producer("ordered", namesrv) as producer:
        for body in (b"bad", b"good"):
            producer.send_selected(Message(topic, body), lambda queues: 0)
    with PushConsumer(
        group, {topic: "*"}, namesrv, start_from=StartFrom.FIRST, ordered=True, max_attempts=2
    ) as consumer:
        consumer.start(handle)
        assert passed.wait(30)
    letters = PushConsumer(
        f"dead-{group}", {f"%DLQ%{group}": "*"}, namesrv, start_from=StartFrom.FIRST
    )
    with letters:
        letters.start(bury)
        assert buried.wait(30)
