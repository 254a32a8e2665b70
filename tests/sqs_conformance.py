"""What any SQS server must do for our clients: run on the local one, and on real ones.

A module that imports everything from here supplies the fixture `endpoint`: the server's URL.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from wirespeed import sqs
from wirespeed.config import Credentials, Retry
from wirespeed.errors import NotFound, ServiceError, WirespeedError

numbers = itertools.count(1)
KEYS = Credentials("local", "local-secret")


class Side:
    """A client of either kind, called the same way."""

    def __init__(self, kind: str, endpoint: str, **options: Any) -> None:
        settings = {"endpoint": endpoint, "credentials": KEYS, "retry": Retry(2), **options}
        self.loop = asyncio.new_event_loop() if kind == "asyncio" else None
        client = sqs.AsyncClient if kind == "asyncio" else sqs.Client
        self.client: Any = client("us-east-1", **settings)

    def do(self, value: Any) -> Any:
        """Return a value, of a coroutine its result."""
        if self.loop is not None and inspect.isawaitable(value):
            return self.loop.run_until_complete(value)
        return value

    def queue(self, suffix: str = "", **attributes: Any) -> Any:
        """Create a queue of a fresh name."""
        name = f"queue-{os.getpid()}-{next(numbers)}{suffix}"
        return self.do(self.client.create_queue(name, attributes))

    def receive(self, queue: Any, count: int, seconds: float = 10.0) -> list[sqs.ReceivedMessage]:
        """Receive until there are so many messages."""
        found: list[sqs.ReceivedMessage] = []
        limit = time.monotonic() + seconds
        while len(found) < count:
            assert time.monotonic() < limit, f"{len(found)} of {count} messages came"
            found += self.do(queue.receive(wait=1))
        return found

    def close(self) -> None:
        """Close the client, twice."""
        for _ in range(2):
            self.do(self.client.close())
        if self.loop is not None:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()


@pytest.fixture(params=["sync-json", "asyncio-json", "sync-query", "asyncio-query"])
def side(request: pytest.FixtureRequest, endpoint: str) -> Iterator[Side]:
    """Return a client of each kind, in each protocol."""
    kind, _, protocol = request.param.partition("-")
    made = Side(kind, endpoint, protocol=protocol)
    yield made
    made.close()


def test_send_receive_ack(side: Side) -> None:
    queue = side.queue(VisibilityTimeout=30)
    sent = side.do(
        queue.send("é中😀 & <text>\r\n", attributes={"n": 1.5, "b": b"\0\xff", "s": "значение"})
    )
    assert sent.message_id and (sent.attempts, sent.possible_duplicate) == (1, False)
    (message,) = side.receive(queue, 1)
    assert message.body == "é中😀 & <text>\r\n"
    assert message.message_id == sent.message_id
    assert message.attributes == {"n": "1.5", "b": b"\0\xff", "s": "значение"}
    assert message.receive_count == 1
    assert message.sent_at is not None and abs(message.sent_at.timestamp() - time.time()) < 60
    side.do(queue.ack(message))
    assert side.do(queue.receive(wait=0)) == []


def test_the_url_is_found_by_name(side: Side) -> None:
    queue = side.queue()
    again = side.client.queue(queue.name)
    assert side.do(again.url()) == side.do(queue.url())
    side.do(again.send("x"))
    by_url = side.client.queue(side.do(queue.url()))
    assert side.receive(by_url, 1)[0].body == "x"


def test_create_again_gives_the_same_queue(side: Side) -> None:
    queue = side.queue(VisibilityTimeout=33)
    again = side.do(side.client.create_queue(queue.name, {"VisibilityTimeout": 33}))
    assert side.do(again.url()) == side.do(queue.url())


def test_batches(side: Side) -> None:
    queue = side.queue()
    messages = [sqs.Message(f"body {n}", attributes={"n": n}) for n in range(23)]
    results = side.do(queue.send_many([*messages, "alone"]))
    assert all(isinstance(result, sqs.SendResult) for result in results)
    assert len({result.message_id for result in results}) == 24
    received = side.receive(queue, 24)
    assert {each.message_id for each in received} == {each.message_id for each in results}
    assert side.do(queue.extend_many(received, 60)) == [None] * 24
    assert side.do(queue.ack_many(received)) == [None] * 24
    assert side.do(queue.receive(wait=0)) == []


def test_nack_gives_back_and_extend_keeps(side: Side) -> None:
    queue = side.queue(VisibilityTimeout=30)
    side.do(queue.send("x"))
    (message,) = side.receive(queue, 1)
    side.do(queue.nack(message))
    (again,) = side.do(queue.receive(wait=5, visibility=3))
    assert again.receive_count == 2
    side.do(queue.extend(again, 600))
    time.sleep(3.2)
    assert side.do(queue.receive(wait=0)) == []
    side.do(queue.ack(again))


def test_what_is_not_acknowledged_comes_back(side: Side) -> None:
    queue = side.queue(VisibilityTimeout=1)
    side.do(queue.send("x"))
    first = side.receive(queue, 1)[0]
    second = side.receive(queue, 1)[0]
    assert (second.message_id, second.receive_count) == (first.message_id, 2)


def test_a_delayed_message_comes_later(side: Side) -> None:
    queue = side.queue()
    start = time.monotonic()
    side.do(queue.send("later", delay=2))
    assert side.do(queue.receive(wait=0)) == []
    assert side.receive(queue, 1)[0].body == "later"
    assert time.monotonic() - start > 1.9


def test_a_long_poll_ends_when_a_message_comes(side: Side, endpoint: str) -> None:
    queue = side.queue()
    other = Side("sync", endpoint)
    try:
        twin = other.client.queue(side.do(queue.url()))
        timer = threading.Timer(0.5, twin.send, ["now"])
        timer.start()
        start = time.monotonic()
        (message,) = side.do(queue.receive(wait=20))
        assert message.body == "now" and time.monotonic() - start < 10
        timer.join()
    finally:
        other.close()


def test_messages_are_iterated(side: Side) -> None:
    queue = side.queue()
    side.do(queue.send_many(["x"] * 3))
    seen = []
    if side.loop is None:
        for message in queue:
            seen.append(message.body)
            queue.ack(message)
            if len(seen) == 3:
                break
    else:
        messages = aiter(queue)
        while len(seen) < 3:
            message = side.do(anext(messages))
            seen.append(message.body)
            side.do(queue.ack(message))
        side.do(messages.aclose())
    assert seen == ["x"] * 3


def test_a_fifo_queue_keeps_the_order_and_stores_once(side: Side) -> None:
    queue = side.queue(".fifo", VisibilityTimeout=30)
    results = side.do(
        queue.send_many([sqs.Message(f"{n}", group_id=f"g{n % 2}") for n in range(10)])
    )
    assert all(isinstance(result, sqs.SendResult) for result in results)
    for _ in range(2):
        side.do(queue.send("once", group_id="g0", deduplication_id="d"))
    bodies: dict[str | None, list[str]] = {"g0": [], "g1": []}
    while sum(map(len, bodies.values())) < 11:
        for message in side.receive(queue, 1):
            bodies[message.group_id].append(message.body)
            side.do(queue.ack(message))
    assert bodies == {"g0": ["0", "2", "4", "6", "8", "once"], "g1": ["1", "3", "5", "7", "9"]}


def test_content_may_be_the_deduplication_id(side: Side) -> None:
    queue = side.queue(".fifo", ContentBasedDeduplication=True)
    for _ in range(3):
        side.do(queue.send("same", group_id="g"))
    (message,) = side.receive(queue, 1)
    side.do(queue.ack(message))
    assert side.do(queue.receive(wait=0)) == []


def test_dead_letters(side: Side) -> None:
    dead = side.queue()
    arn = side.do(dead.attributes("QueueArn"))["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    queue = side.queue(RedrivePolicy=policy, VisibilityTimeout=30)
    side.do(queue.send("bad", attributes={"a": "b"}))
    (message,) = side.receive(queue, 1)
    side.do(queue.nack(message))
    assert side.do(queue.receive(wait=1)) == []
    (found,) = side.receive(dead, 1)
    assert (found.body, found.attributes) == ("bad", {"a": "b"})


def test_attributes_and_tags(side: Side) -> None:
    queue = side.queue(VisibilityTimeout=7)
    assert side.do(queue.attributes("VisibilityTimeout")) == {"VisibilityTimeout": "7"}
    side.do(queue.set_attributes({"VisibilityTimeout": 8, "DelaySeconds": 0}))
    everything = side.do(queue.attributes())
    assert everything["VisibilityTimeout"] == "8" and everything["QueueArn"]
    side.do(queue.tag({"team": "blue", "x": "y"}))
    side.do(queue.untag("x"))
    assert side.do(queue.tags()) == {"team": "blue"}


def test_count_and_purge(side: Side) -> None:
    queue = side.queue()
    side.do(queue.send_many(["x"] * 12))
    limit = time.monotonic() + 10
    while side.do(queue.count()) != 12:
        assert time.monotonic() < limit
        time.sleep(0.05)
    side.do(queue.purge())
    assert side.do(queue.receive(wait=1)) == []


def test_queues_are_listed(side: Side) -> None:
    queues = [side.queue() for _ in range(3)]
    wanted = {side.do(queue.url()) for queue in queues}
    prefix = f"queue-{os.getpid()}-"
    assert wanted <= set(side.do(side.client.list_queues(prefix).all()))
    assert side.do(side.client.list_queues("no-such-prefix").all()) == []


def test_a_deleted_queue_is_not_found(side: Side) -> None:
    queue = side.queue()
    side.do(queue.delete())
    with pytest.raises(NotFound) as caught:
        side.do(side.client.queue(queue.name).send("x"))
    error = caught.value
    assert (error.service, error.outcome, error.attempts) == ("sqs", "rejected", 1)


def test_what_the_service_refuses(side: Side) -> None:
    queue = side.queue()
    with pytest.raises(ServiceError):
        side.do(queue.ack("no receipt handle"))
    results = side.do(queue.ack_many(["no receipt handle"]))
    assert isinstance(results[0], WirespeedError)


def test_ping(side: Side) -> None:
    assert 0 < side.do(side.client.ping(timeout=10)) < 10
