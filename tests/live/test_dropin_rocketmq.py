"""rocketmq.client's transactions, on the real broker: the local one has none."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.cluster import Cluster
from wirespeed import dropin
from wirespeed.rocketmq import StartFrom


@pytest.fixture
def client() -> Iterator[Any]:
    """Yield the module `rocketmq.client`."""
    dropin.install("rocketmq", replace=True)
    import rocketmq.client

    yield rocketmq.client
    dropin.uninstall("rocketmq")


def test_transactions(
    client: Any,
    rocketmq_cluster: Cluster,
    topic: str,
    group: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status = client.TransactionStatus
    bodies: list[bytes] = []
    checked: list[bytes] = []
    came = threading.Condition()

    def check(message: Any) -> Any:
        checked.append(message.body)
        return status.COMMIT

    def take(message: Any) -> Any:
        with came:
            bodies.append(message.body)
            came.notify_all()
        return client.ConsumeStatus.CONSUME_SUCCESS

    # A group begins at the end, and what is sent while it joins may lie before that.
    first = functools.partial(client._OurPushConsumer, start_from=StartFrom.FIRST)
    monkeypatch.setattr(client, "_OurPushConsumer", first)
    consumer = client.PushConsumer(group)
    consumer.set_name_server_address(rocketmq_cluster.namesrv)
    consumer.subscribe(topic, take)
    consumer.start()
    producer = client.TransactionMQProducer(f"{group}-producer", check)
    producer.set_name_server_address(rocketmq_cluster.namesrv)
    with producer:
        for verdict in (status.COMMIT, status.ROLLBACK, status.UNKNOWN):
            message = client.Message(topic)
            message.set_body(verdict.name)
            seen: list[Any] = []

            def execute(given: Any, argument: Any) -> Any:
                seen.append((given.body.decode(), argument))  # noqa: B023
                return argument

            sent = producer.send_message_in_transaction(message, execute, verdict)
            assert sent.status == client.SendStatus.OK and sent.msg_id
            assert seen == [(verdict.name, verdict)]
        failing = client.Message(topic)
        failing.set_body("raises")
        with pytest.raises(ZeroDivisionError):
            producer.send_message_in_transaction(failing, lambda given, argument: 1 // 0)
        with came:
            assert came.wait_for(lambda: len(bodies) >= 2, 60), (bodies, checked)
    consumer.shutdown()
    assert sorted(bodies) == [b"COMMIT", b"UNKNOWN"]
    assert checked == [b"UNKNOWN"]
