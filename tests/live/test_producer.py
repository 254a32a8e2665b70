"""What the producer can do, on the real broker: batches, delays, compression, transactions."""

from __future__ import annotations

import threading
import time

import pytest

from tests.live.cluster import Cluster
from wirespeed.rocketmq import (
    Message,
    Producer,
    PushConsumer,
    ReceivedMessage,
    StartFrom,
    TransactionStatus,
)


class Inbox:
    """Keeps what a consumer of `topic` gets, with the time since it began."""

    def __init__(self, cluster: Cluster, group: str, topic: str) -> None:
        self.messages: dict[bytes, tuple[ReceivedMessage, float]] = {}
        self._changed = threading.Condition()
        self._start = time.monotonic()
        self.consumer = PushConsumer(
            group, {topic: "*"}, cluster.namesrv, start_from=StartFrom.FIRST
        )
        self.consumer.start(self._take)

    def _take(self, message: ReceivedMessage) -> None:
        with self._changed:
            self.messages[message.body] = message, time.monotonic() - self._start
            self._changed.notify_all()

    def wait(self, *bodies: bytes, timeout: float = 20.0) -> None:
        with self._changed:
            complete = self._changed.wait_for(lambda: self.messages.keys() >= set(bodies), timeout)
            assert complete, f"{set(bodies) - self.messages.keys()} did not come"


def test_a_batch_is_stored_in_order_in_one_queue(
    rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    inbox = Inbox(rocketmq_cluster, group, topic)
    with inbox.consumer, Producer("batch", rocketmq_cluster.namesrv) as producer:
        messages = [Message(topic, b"%d" % number, tag=f"t{number}") for number in range(100)]
        results = producer.send_many(messages)
        inbox.wait(*(b"%d" % number for number in range(100)))
    received = [inbox.messages[b"%d" % number][0] for number in range(100)]
    assert len({message.queue for message in received}) == 1
    for result, message, number in zip(results, received, range(100), strict=True):
        assert not isinstance(result, Exception)
        assert (result.message_id, result.queue_offset) == (
            message.message_id,
            message.queue_offset,
        )
        assert result.offset_message_id == message.offset_message_id
        assert message.tag == f"t{number}"


@pytest.mark.since(5)
def test_delays_and_compression(rocketmq_cluster: Cluster, topic: str, group: str) -> None:
    inbox = Inbox(rocketmq_cluster, group, topic)
    large = b"wirespeed " * 50_000
    with inbox.consumer, Producer("delay", rocketmq_cluster.namesrv) as producer:
        producer.send(topic, large)
        inbox.wait(large)
        sent = inbox.messages[large][1]
        producer.send(topic, b"level", delay_level=1)
        producer.send(topic, b"seconds", delay=2.0)
        producer.send(topic, b"moment", deliver_at=time.time() + 2.0)
        inbox.wait(b"level", b"seconds", b"moment")
    assert inbox.messages[large][0].native.sys_flag & 1
    waited = {body: when - sent for body, (_, when) in inbox.messages.items()}
    assert 0.8 < waited[b"level"] < 4
    assert 1.0 < waited[b"seconds"] < 5 and 1.0 < waited[b"moment"] < 5


def test_transactions_commit_roll_back_and_are_asked_about(
    rocketmq_cluster: Cluster, topic: str, group: str
) -> None:
    asked: list[bytes] = []

    def checker(message: ReceivedMessage) -> TransactionStatus:
        asked.append(message.body)
        kept = message.body in (b"committed", b"unknown")
        return TransactionStatus.COMMIT if kept else TransactionStatus.ROLLBACK

    inbox = Inbox(rocketmq_cluster, group, topic)
    producer = Producer(f"tx-{group}", rocketmq_cluster.namesrv, checker=checker)
    with inbox.consumer, producer:
        with producer.transaction(Message(topic, b"committed")) as transaction:
            assert transaction.result is not None
            time.sleep(0.5)
            assert not inbox.messages
        inbox.wait(b"committed")
        with producer.transaction(Message(topic, b"rolled back")) as transaction:
            transaction.roll_back()
        with pytest.raises(KeyError), producer.transaction(Message(topic, b"raised")):
            raise KeyError
        with producer.transaction(Message(topic, b"unknown")) as transaction:
            transaction.leave_unknown()
        inbox.wait(b"unknown", timeout=30)
    assert b"unknown" in asked
    assert inbox.messages.keys() == {b"committed", b"unknown"}
