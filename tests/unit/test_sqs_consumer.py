"""The SQS consumer: prefetch, leases, settling, handlers, and what is given back at the end."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from wirespeed import sqs
from wirespeed.config import Retry
from wirespeed.errors import ClosedError, ConfigError, NotFound
from wirespeed.local import LocalCloud
from wirespeed.sqs.flow.leases import Leases
from wirespeed.telemetry import Event

KEYS = sqs.Credentials("local", "local-secret")
numbers = itertools.count()


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["sqs"]) as made:
        yield made


@pytest.fixture
def client(cloud: LocalCloud) -> Iterator[sqs.Client]:
    with sqs.Client("us-east-1", endpoint=cloud.sqs_url, credentials=KEYS, retry=Retry(2)) as made:
        yield made


def filled(client: sqs.Client, count: int, suffix: str = "", **attributes: Any) -> sqs.Queue:
    queue = client.create_queue(f"consumed-{next(numbers)}{suffix}", attributes)
    queue.send_many([str(number) for number in range(count)])
    return queue


def test_iteration_sees_every_message_and_acks_delete(client: sqs.Client) -> None:
    queue = filled(client, 35)
    seen = []
    with client.consumer(queue.name, prefetch=20) as consumer:
        for message in consumer:
            seen.append(message.body)
            consumer.ack(message)
            if len(seen) == 35:
                break
    assert sorted(map(int, seen)) == list(range(35))
    assert queue.attributes("ApproximateNumberOfMessagesNotVisible") == {
        "ApproximateNumberOfMessagesNotVisible": "0"
    }
    assert queue.count() == 0


def test_nack_gives_back_and_a_settled_message_is_settled(client: sqs.Client) -> None:
    queue = filled(client, 1)
    with client.consumer(queue.name) as consumer:
        (message,) = consumer.receive(5)
        assert len(consumer) == 1
        consumer.nack(message)
        for settle in (consumer.ack, consumer.nack):
            with pytest.raises(ConfigError, match="not in hand"):
                settle(message)
        (again,) = consumer.receive(5, wait=5)
        assert again.receive_count == 2
        consumer.ack(again)
        assert consumer.receive(1, wait=0.05) == []


def test_dead_letters_by_policy_and_by_name(client: sqs.Client) -> None:
    dead = client.create_queue("dead")
    arn = dead.attributes("QueueArn")["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 9})
    queue = filled(client, 0, RedrivePolicy=policy)
    queue.send("bad", attributes={"n": 1})
    with client.consumer(queue.name) as consumer:
        (message,) = consumer.receive()
        consumer.dead_letter(message)
    (moved,) = dead.receive(wait=2)
    assert (moved.body, moved.attributes) == ("bad", {"n": "1"})
    dead.ack(moved)
    other = filled(client, 1)
    with client.consumer(other.name, visibility=2) as consumer:
        (message,) = consumer.receive()
        with pytest.raises(ConfigError, match="no dead-letter queue"):
            consumer.dead_letter(message)
    with client.consumer(other.name, dead_letter_queue="dead") as consumer:
        (message,) = consumer.receive(wait=5)
        consumer.dead_letter(message)
    assert dead.receive(wait=2)[0].body == "0"
    assert other.count() == 0


def test_a_message_in_hand_is_kept_beyond_its_visibility(client: sqs.Client) -> None:
    queue = filled(client, 3)
    with client.consumer(queue.name, visibility=2) as consumer:
        messages: list[sqs.ReceivedMessage] = []
        while len(messages) < 3:
            messages += consumer.receive(3)
        until = time.monotonic() + 4.5
        while time.monotonic() < until:
            assert queue.receive(wait=0) == []
            time.sleep(0.2)
        for message in messages:
            consumer.ack(message)
    assert queue.receive(wait=1) == []


def test_a_lease_ends_at_its_most_and_is_told_of(client: sqs.Client) -> None:
    queue = filled(client, 1)
    lost: list[Event] = []
    client.on("lease_lost", lost.append)
    with client.consumer(queue.name, visibility=2, max_lease=3) as consumer:
        (message,) = consumer.receive()
        (again,) = consumer.receive(wait=6)
        assert again.message_id == message.message_id
        assert [event.detail for event in lost] == [message.message_id]
        with pytest.raises(ConfigError, match="lease lost"):
            consumer.ack(message)
        consumer.ack(again)


def test_what_nobody_took_is_given_back_at_once(client: sqs.Client) -> None:
    queue = filled(client, 10)
    consumer = client.consumer(queue.name, visibility=60)
    (taken,) = consumer.receive(1)
    time.sleep(0.2)
    assert consumer.close(5) == 1
    assert consumer.close(5) == 1
    back: list[sqs.ReceivedMessage] = []
    while len(back) < 9:
        back += queue.receive(wait=2)
    assert taken.body not in {message.body for message in back}
    with pytest.raises(ClosedError):
        consumer.receive()


def test_handlers_ack_what_they_return_from_and_give_back_what_they_raise_at(
    client: sqs.Client, caplog: pytest.LogCaptureFixture
) -> None:
    queue = filled(client, 40)
    lock = threading.Lock()
    tries: dict[str, int] = {}
    done: set[str] = set()
    consumer = client.consumer(queue.name, prefetch=20)

    def handle(message: sqs.ReceivedMessage) -> None:
        with lock:
            tries[message.body] = tries.get(message.body, 0) + 1
        if int(message.body) % 5 == 0 and tries[message.body] == 1:
            raise ValueError("the first try fails")
        with lock:
            done.add(message.body)
            finished = len(done) == 40
        if finished:
            threading.Thread(target=consumer.close).start()

    consumer.run(handle, concurrency=4)
    consumer.close()
    assert {body for body, count in tries.items() if count > 1} == {
        str(number) for number in range(0, 40, 5)
    }
    assert "the first try fails" in caplog.text
    assert queue.count() == 0


def test_asyncio_handlers(cloud: LocalCloud) -> None:
    async def main() -> set[str]:
        seen: set[str] = set()
        async with sqs.AsyncClient("us-east-1", endpoint=cloud.sqs_url, credentials=KEYS) as made:
            queue = await made.create_queue("aio-handlers")
            await queue.send_many([str(number) for number in range(50)])
            ends = asyncio.Event()
            async with made.consumer("aio-handlers", prefetch=50) as consumer:

                async def handle(message: sqs.ReceivedMessage) -> None:
                    await asyncio.sleep(0.001)
                    seen.add(message.body)
                    if len(seen) == 50:
                        ends.set()

                running = asyncio.ensure_future(consumer.run(handle, concurrency=20))
                await asyncio.wait_for(ends.wait(), 20)
                await consumer.close()
                await asyncio.wait_for(running, 5)
            assert await queue.count() == 0
            async with made.consumer("aio-handlers") as consumer:
                await queue.send("last")
                async for message in consumer:
                    await consumer.ack(message)
                    break
        return seen

    assert len(asyncio.run(main())) == 50


def test_a_fifo_queues_groups_are_handled_in_order(client: sqs.Client) -> None:
    queue = client.create_queue("handled.fifo", {"ContentBasedDeduplication": True})
    queue.send_many(
        [sqs.Message(f"{group}{n}", group_id=group) for n in range(8) for group in "ab"]
    )
    seen: dict[str, list[str]] = {"a": [], "b": []}
    running = {"a": 0, "b": 0}
    failed: list[str] = []
    consumer = client.consumer("handled.fifo", prefetch=20)

    def handle(message: sqs.ReceivedMessage) -> None:
        group = message.body[0]
        running[group] += 1
        assert running[group] == 1
        time.sleep(0.005)
        running[group] -= 1
        if message.body == "a3" and not failed:
            failed.append(message.body)
            raise ValueError("once")
        seen[group].append(message.body)
        if sum(map(len, seen.values())) == 16:
            threading.Thread(target=consumer.close).start()

    consumer.run(handle, concurrency=6)
    consumer.close()
    assert seen == {group: [f"{group}{n}" for n in range(8)] for group in "ab"}


def test_a_queue_that_is_not_there_ends_the_consumer(client: sqs.Client) -> None:
    with client.consumer("nowhere") as consumer:
        with pytest.raises(NotFound):
            consumer.receive(wait=5)
        with pytest.raises(NotFound):
            consumer.run(print)
        with pytest.raises(NotFound):
            for _ in consumer:
                pass


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"prefetch": 0}, "prefetch"),
        ({"visibility": 1}, "visibility"),
        ({"max_lease": 0}, "max_lease"),
        ({"dead_letter_queue": "a b"}, "queue"),
    ],
)
def test_bad_arguments_are_named(client: sqs.Client, options: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        client.consumer("q", **options)
    with client.consumer("q") as consumer, pytest.raises(ConfigError, match="handler"):
        consumer.run(7)  # type: ignore[arg-type]


def test_leases_are_due_at_half_life_and_end() -> None:
    leases = Leases(30, 50, threading.Lock())
    message = sqs.ReceivedMessage("m", "r", "b")
    leases.add(message, 100.0)
    assert leases.due(114.9) == ([], [])
    assert leases.pause(100.0, 60.0) == 15.0
    ((lease,), lost) = leases.due(115.0)
    assert not lost
    assert leases.seconds(lease, 115.0) == 30
    leases.extended(lease, 115.0, 30)
    assert (lease.ends, lease.next) == (145.0, 130.0)
    leases.extended(lease, 130.0, leases.seconds(lease, 130.0))
    assert (lease.ends, lease.next) == (150.0, 150.0)
    leases.failed(lease, 140.0, gone=False)
    assert lease.next == 142.5
    assert leases.due(150.0) == ([], [lease])
    assert not leases.settle("r")
