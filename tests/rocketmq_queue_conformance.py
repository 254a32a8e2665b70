"""A RocketMQ topic as a queue, of both kinds: on the local broker, and on a real one.

A module that imports everything from here supplies the fixture `namesrv`.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

import wirespeed
from wirespeed import rocketmq
from wirespeed.errors import ConfigError, Unsupported

numbers = itertools.count(1)


class Side:
    """Queues of one kind, called the same way."""

    def __init__(self, kind: str, namesrv: str) -> None:
        self.loop = asyncio.new_event_loop() if kind == "asyncio" else None
        self.kind = rocketmq.AsyncQueue if self.loop else rocketmq.Queue
        self.namesrv = namesrv
        self.opened: list[Any] = []

    def do(self, value: Any) -> Any:
        """Return a value, of a coroutine its result."""
        if self.loop is not None and inspect.isawaitable(value):
            return self.loop.run_until_complete(value)
        return value

    def queue(self, topic: str = "", group: str = "", **options: Any) -> Any:
        """Open a topic, by default a fresh one, for a group, by default a fresh one."""
        number = next(numbers)
        topic = topic or f"queue-{os.getpid()}-{number}"
        group = group or f"group-{os.getpid()}-{number}"
        made = self.kind(topic, group, self.namesrv, **options)
        self.opened.append(made)
        return made

    def receive(self, queue: Any, count: int, seconds: float = 30.0) -> list[Any]:
        """Receive until there are so many messages."""
        found: list[Any] = []
        limit = time.monotonic() + seconds
        while len(found) < count:
            assert time.monotonic() < limit, f"{len(found)} of {count} messages came"
            found += self.do(queue.receive(count - len(found), wait=1))
        return found

    def close(self) -> None:
        """Close what was opened, twice."""
        for queue in self.opened * 2:
            self.do(queue.close())
        if self.loop is not None:
            self.loop.close()


@pytest.fixture(params=["sync", "asyncio"])
def side(request: pytest.FixtureRequest, namesrv: str) -> Iterator[Side]:
    """Return queues of each kind."""
    made = Side(request.param, namesrv)
    yield made
    made.close()


def test_what_is_sent_is_received_and_acknowledged(side: Side) -> None:
    queue = side.queue()
    assert side.do(queue.send("one")).message_id
    sent = side.do(queue.send_many(["two", b"three", rocketmq.Message(queue.name, "four")]))
    assert all(isinstance(each, rocketmq.SendResult) for each in sent)
    found = side.receive(queue, 4)
    assert {message.body for message in found} == {b"one", b"two", b"three", b"four"}
    for message in found:
        side.do(queue.ack(message))
        with pytest.raises(ConfigError, match="not in hand"):
            side.do(queue.ack(message))
    side.do(queue.close())
    again = side.queue(queue.name, queue._group)
    assert side.do(again.count()) == 0
    assert side.do(again.receive(1, wait=1)) == []


def test_what_is_not_acknowledged_comes_to_the_next_member(side: Side) -> None:
    queue = side.queue()
    side.do(queue.send_many([str(number) for number in range(5)]))
    assert len(side.receive(queue, 5)) == 5
    side.do(queue.close())
    again = side.queue(queue.name, queue._group)
    assert side.do(again.count()) == 5
    assert len(side.receive(again, 5)) == 5


def test_a_message_given_back_comes_again(side: Side) -> None:
    queue = side.queue()
    side.do(queue.send("again"))
    (message,) = side.receive(queue, 1)
    began = time.monotonic()
    side.do(queue.nack(message, delay=1))
    (back,) = side.receive(queue, 1)
    assert time.monotonic() - began > 0.7
    assert (back.body, back.topic) == (b"again", queue.name)
    side.do(queue.ack(back))


def test_tags_choose(side: Side) -> None:
    queue = side.queue(tags="wanted")
    topic = queue.name
    side.do(queue.send_many([rocketmq.Message(topic, "a"), rocketmq.Message(topic, "b")]))
    side.do(queue.send_many([rocketmq.Message(topic, "c", tag="wanted")]))
    (message,) = side.receive(queue, 1)
    assert message.body == b"c"
    side.do(queue.ack(message))


def test_what_rocketmq_lacks_is_said(side: Side) -> None:
    queue = side.queue()
    side.do(queue.send("one"))
    (message,) = side.receive(queue, 1)
    with pytest.raises(Unsupported):
        side.do(queue.extend(message, 60))
    with pytest.raises(Unsupported):
        side.do(queue.purge())
    for delay in (-1, 7201):
        with pytest.raises(ConfigError, match="delay"):
            side.do(queue.nack(message, delay=delay))
    with pytest.raises(ConfigError, match="message"):
        side.do(queue.ack("text"))
    assert side.do(queue.dead_letter_queue()).name == f"%DLQ%{queue._group}"


def test_a_url_opens_a_topic(namesrv: str) -> None:
    topic = f"by-url-{os.getpid()}-{next(numbers)}"
    with wirespeed.connect(f"rocketmq://{namesrv}/{topic}?group=readers&tags=a||b") as queue:
        assert isinstance(queue, rocketmq.Queue)
        queue.send_many([rocketmq.Message(topic, "x", tag="a")])
        (message,) = queue.receive(1, wait=20)
        queue.ack(message)

    async def main() -> None:
        async with wirespeed.connect_async(f"rocketmq://{namesrv}/{topic}?group=others") as queue:
            assert isinstance(queue, rocketmq.AsyncQueue)
            (message,) = await queue.receive(1, wait=20)
            await queue.ack(message)

    asyncio.run(main())
