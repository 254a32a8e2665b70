"""The SQS producer: batches of many callers, each with its own result; order; limits; the end."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer
from wirespeed import sqs
from wirespeed.config import Retry
from wirespeed.errors import ClosedError, ConfigError, DeadlineExceeded, SendError, WirespeedError
from wirespeed.local import LocalCloud
from wirespeed.sqs.client.gather import Gatherer
from wirespeed.sqs.wire import body_digest

KEYS = sqs.Credentials("local", "local-secret")


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["sqs"]) as made:
        yield made


class Service:
    """A scripted SQS: `fate(body)` returns None for stored, or an error code."""

    def __init__(self, fate: Callable[[str], str | None], pause: float = 0.0) -> None:
        self.batches: list[list[str]] = []
        self.fate = fate
        self.pause = pause
        self.lock = threading.Lock()

    def __call__(self, peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            head, body = request
            fields = json.loads(body)
            if b"SendMessageBatch" not in head:
                peer.answer(200, json.dumps({"Attributes": {}}).encode())
                continue
            with self.lock:
                self.batches.append([entry["MessageBody"] for entry in fields["Entries"]])
            time.sleep(self.pause)
            reply: dict[str, list[Any]] = {"Successful": [], "Failed": []}
            for entry in fields["Entries"]:
                code = self.fate(entry["MessageBody"])
                if code is None:
                    reply["Successful"].append(
                        {
                            "Id": entry["Id"],
                            "MessageId": f"id-{entry['MessageBody']}",
                            "MD5OfMessageBody": body_digest(entry["MessageBody"]),
                        }
                    )
                else:
                    reply["Failed"].append(
                        {"Id": entry["Id"], "Code": code, "SenderFault": True, "Message": "no"}
                    )
            peer.answer(200, json.dumps(reply).encode())


def client(url: str, **options: Any) -> sqs.Client:
    return sqs.Client("us-east-1", endpoint=url, credentials=KEYS, **{"retry": Retry(1), **options})


QUEUE = "http://h/1/q"


def test_fifty_threads_share_requests_and_each_gets_its_own_result() -> None:
    service = Service(lambda body: "InvalidMessageContents" if body.endswith("7") else None, 0.003)
    results: dict[str, Any] = {}

    def work(producer: sqs.Producer, name: int) -> None:
        for turn in range(20):
            body = f"{name}-{turn}"
            try:
                results[body] = producer.send(body).message_id
            except WirespeedError as error:
                results[body] = error

    with ScriptedServer(service) as server, client(server.url) as made:
        with made.producer(QUEUE) as producer:
            threads = [threading.Thread(target=work, args=(producer, n)) for n in range(50)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(producer) == 0
    assert len(results) == 1000
    for body, result in results.items():
        if body.endswith("7"):
            assert isinstance(result, WirespeedError)
            assert (result.code, result.outcome) == ("InvalidMessageContents", "rejected")
        else:
            assert result == f"id-{body}"
    assert len(service.batches) < 400
    assert max(map(len, service.batches)) == 10


def test_a_lone_message_goes_at_once() -> None:
    service = Service(lambda _: None)
    with ScriptedServer(service) as server, client(server.url) as made:
        with made.producer(QUEUE) as producer:
            for turn in range(5):
                assert producer.send(str(turn)).message_id == f"id-{turn}"
    assert service.batches == [[str(turn)] for turn in range(5)]
    assert threading.active_count() < 20


def test_linger_gathers() -> None:
    service = Service(lambda _: None)
    with ScriptedServer(service) as server, client(server.url) as made:
        with made.producer(QUEUE, linger=0.1, concurrency=1) as producer:
            futures = [producer.submit(str(number)) for number in range(4)]
            assert [future.result(5).message_id for future in futures] == [
                f"id-{number}" for number in range(4)
            ]
    assert service.batches == [["0", "1", "2", "3"]]


def test_asyncio_shares_requests_too(cloud: LocalCloud) -> None:
    async def main() -> tuple[int, float]:
        async with sqs.AsyncClient("us-east-1", endpoint=cloud.sqs_url, credentials=KEYS) as made:
            queue = await made.create_queue("shared-aio")
            async with made.producer("shared-aio") as producer:
                assert inspect.iscoroutinefunction(producer.send)
                results = await asyncio.gather(*[producer.send(str(n)) for n in range(200)])
                future = await producer.submit("one more")
                assert (await future).message_id
                assert await producer.flush() == 0
            assert len({result.message_id for result in results}) == 200
            return await queue.count(), made.metrics.snapshot()["requests"]

    count, requests = asyncio.run(main())
    assert count == 201
    assert requests < 60


def test_a_cancelled_caller_leaves_the_others_alone(cloud: LocalCloud) -> None:
    async def main() -> int:
        async with sqs.AsyncClient("us-east-1", endpoint=cloud.sqs_url, credentials=KEYS) as made:
            queue = await made.create_queue("cancelled")
            async with made.producer("cancelled") as producer:
                tasks = [asyncio.ensure_future(producer.send(str(n))) for n in range(100)]
                await asyncio.sleep(0.002)
                for task in tasks[::2]:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(isinstance(result, sqs.SendResult) for result in results[1::2])
                assert await producer.flush() == 0
            return await queue.count()

    assert 50 <= asyncio.run(main()) <= 100


def test_a_fifo_queue_keeps_each_groups_order(cloud: LocalCloud) -> None:
    with client(cloud.sqs_url) as made:
        queue = made.create_queue("order.fifo", {"ContentBasedDeduplication": True})
        with made.producer("order.fifo") as producer:
            futures = [
                producer.submit(f"{group}:{number}", group_id=group)
                for number in range(30)
                for group in "abc"
            ]
            for future in futures:
                assert future.result(10).sequence_number
        seen: dict[str, list[int]] = {"a": [], "b": [], "c": []}
        while sum(map(len, seen.values())) < 90:
            for message in queue.receive(wait=2):
                group, _, number = message.body.partition(":")
                seen[group].append(int(number))
                queue.ack(message)
        assert all(numbers == list(range(30)) for numbers in seen.values())
        with made.producer("order.fifo") as producer:
            with pytest.raises(ConfigError, match="group_id"):
                producer.send("x")
            with pytest.raises(ConfigError, match="delay"):
                producer.send("x", group_id="a", delay=1)


def test_a_failed_message_fails_those_of_its_group_that_wait_behind_it() -> None:
    service = Service(lambda body: "InternalError" if body == "a0" else None, 0.05)
    with ScriptedServer(service) as server, client(server.url) as made:
        with made.producer("http://h/1/q.fifo", concurrency=1) as producer:
            futures = [producer.submit("a0", group_id="a")]
            while not service.batches:
                time.sleep(0.001)
            futures += [producer.submit(body, group_id=body[0]) for body in ("a1", "b1", "a2")]
            errors = [future.exception(5) for future in futures]
            assert errors[2] is None
            assert isinstance(errors[1], SendError)
            assert errors[1].outcome == "not_sent"
            assert isinstance(errors[3], SendError)
            assert producer.send("a3", group_id="a").message_id == "id-a3"
    assert [body for batch in service.batches for body in batch] == ["a0", "b1", "a3"]


def test_a_full_producer_raises_or_waits() -> None:
    service = Service(lambda _: None, 0.2)
    with ScriptedServer(service) as server, client(server.url) as made:
        with made.producer(QUEUE, concurrency=1, max_pending=2, when_full="raise") as producer:
            futures = [producer.submit("1"), producer.submit("2")]
            began = time.monotonic()
            with pytest.raises(DeadlineExceeded, match="no room") as caught:
                producer.submit("3")
            assert time.monotonic() - began < 0.1
            assert caught.value.outcome == "not_sent"
            assert len(producer) == 2
            assert all(future.result(5) for future in futures)
        with made.producer(QUEUE, concurrency=1, max_pending_bytes=10) as producer:
            producer.submit("123456")
            began = time.monotonic()
            producer.submit("12345", timeout=5)
            assert time.monotonic() - began > 0.1
            with pytest.raises(DeadlineExceeded):
                producer.submit("123456", timeout=0.01)


def test_deadlines_say_whether_the_message_left() -> None:
    gate = threading.Event()

    def hold(_: str) -> None:
        gate.wait(5)

    with ScriptedServer(Service(hold)) as server, client(server.url) as made:
        producer = made.producer(QUEUE, concurrency=1)
        first = producer.submit("first")
        time.sleep(0.1)
        with pytest.raises(DeadlineExceeded) as waiting:
            producer.send("second", timeout=0.1)
        assert waiting.value.outcome == "not_sent"
        assert len(producer) == 1
        assert producer.flush(0.05) == 1
        assert producer.close(0.05) == 1
        gate.set()
        assert first.result(5).message_id == "id-first"
        assert producer.close() == 0
        with pytest.raises(ClosedError):
            producer.send("third")


def test_a_call_that_is_broken_off_tells_the_others() -> None:
    def carry_out(batch: list[dict[str, Any]], deadline: float) -> list[Any]:
        raise KeyboardInterrupt

    gatherer = Gatherer(
        carry_out, linger=0.0, concurrency=1, most=10, most_bytes=100, name="producer"
    )
    first, second = (gatherer.put({}, 1, None, float("inf"), 1.0) for _ in range(2))
    with pytest.raises(KeyboardInterrupt):
        gatherer.result(first)
    for entry in (first, second):
        with pytest.raises(SendError) as caught:
            gatherer.result(entry)
        assert caught.value.outcome == "unknown"
    assert gatherer.close(1) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_sends_its_own(cloud: LocalCloud) -> None:
    with client(cloud.sqs_url) as made:
        queue = made.create_queue("forked")
        with made.producer("forked") as producer:
            producer.submit("parent").result(5)
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    producer.submit("child").result(5)
                    code = 0
                finally:
                    os._exit(code)
            assert os.waitpid(child, 0)[1] == 0
            producer.submit("parent again").result(5)
        assert {message.body for message in queue.receive()} == {"parent", "child", "parent again"}


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"linger": -1}, "linger"),
        ({"linger": "x"}, "linger"),
        ({"concurrency": 0}, "concurrency"),
        ({"max_pending": 0}, "max_pending"),
        ({"max_pending_bytes": 0}, "max_pending_bytes"),
        ({"when_full": "drop"}, "when_full"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, Any], name: str) -> None:
    with client("http://h") as made, pytest.raises(ConfigError, match=name):
        made.producer(QUEUE, **options)


def test_bad_messages_send_nothing() -> None:
    service = Service(lambda _: None)
    with ScriptedServer(service) as server, client(server.url) as made:
        with made.producer(QUEUE) as producer:
            for body in ("", "\0", 7):
                with pytest.raises(ConfigError, match="body"):
                    producer.send(body)  # type: ignore[arg-type]
            assert len(producer) == 0
    assert service.batches == []
