"""Producers and push consumers, sync and asyncio, on the local cloud."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import librocketmqclientpython as old
from wirespeed.errors import ConfigError
from wirespeed.local import LocalCloud
from wirespeed.rocketmq import (
    AsyncProducer,
    AsyncPushConsumer,
    ConsumeResult,
    Message,
    Producer,
    PushConsumer,
    ReceivedMessage,
    StartFrom,
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(services=("rocketmq",), delay_levels=(0.1,) * 18) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(cloud: LocalCloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "wirespeed.rocketmq")
    cloud.reset()


class Collector:
    """A handler that keeps what it gets and tells when it has enough."""

    def __init__(self, wanted: int) -> None:
        self.messages: list[ReceivedMessage] = []
        self._wanted = wanted
        self._enough = threading.Event()

    def __call__(self, message: ReceivedMessage) -> None:
        self.messages.append(message)
        if len(self.messages) >= self._wanted:
            self._enough.set()

    def wait(self, timeout: float = 10.0) -> list[ReceivedMessage]:
        assert self._enough.wait(timeout), f"{len(self.messages)} of {self._wanted}"
        return self.messages


def consumer(cloud: LocalCloud, subscriptions: dict[str, str], **options: Any) -> PushConsumer:
    options.setdefault("start_from", StartFrom.FIRST)
    return PushConsumer(options.pop("group", "group"), subscriptions, cloud.namesrv, **options)


def test_what_is_sent_is_received(cloud: LocalCloud) -> None:
    collector = Collector(1)
    body = bytes(range(256)) * 8
    with Producer("group", cloud.namesrv) as producer, consumer(cloud, {"t": "*"}) as receiver:
        result = producer.send("t", body, tag="a", keys=["k1", "k2"], properties={"p": "ü"})
        receiver.start(collector)
        (message,) = collector.wait()
    assert message.body == body
    assert (message.topic, message.tag, message.keys) == ("t", "a", ("k1", "k2"))
    assert message.properties["p"] == "ü"
    assert message.message_id == result.message_id
    assert message.offset_message_id == result.offset_message_id
    assert (message.queue, message.queue_offset) == (result.queue, result.queue_offset)
    assert message.reconsume_times == 0 and abs(message.born_timestamp / 1000 - time.time()) < 60


def test_ten_thousand_messages_all_arrive_once(cloud: LocalCloud) -> None:
    collector = Collector(10_000)
    with Producer("group", cloud.namesrv) as producer, consumer(cloud, {"t": "*"}) as receiver:
        producer.send("t", b"0")
        receiver.start(collector)

        def work(first: int) -> None:
            for number in range(first, 10_000, 4):
                if number:
                    producer.send("t", str(number))

        threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        messages = collector.wait(30)
    assert sorted(int(message.body) for message in messages) == list(range(10_000))


def switches(threads: Iterable[threading.Thread]) -> int:
    """Return how often these threads were switched to."""
    lines = [
        line
        for thread in threads
        for line in Path(f"/proc/self/task/{thread.native_id}/status").read_text().splitlines()
    ]
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell of switches")
def test_a_lone_caller_wakes_no_other_thread(cloud: LocalCloud) -> None:
    others = set(threading.enumerate())
    with Producer("group", cloud.namesrv) as producer:
        producer.send("t", b"first")
        # One for each connection.
        own = [each for each in set(threading.enumerate()) - others if "127.0" in each.name]
        before = switches(own)
        for _ in range(1000):
            producer.send("t", b"x")
        assert len(own) == 2 and switches(own) - before < 50


def test_tags_are_filtered(cloud: LocalCloud) -> None:
    collector = Collector(2)
    with (
        Producer("group", cloud.namesrv) as producer,
        consumer(cloud, {"t": "a || c"}) as receiver,
    ):
        for tag in ("a", "b", "c", None):
            producer.send("t", b"x", tag=tag)
        receiver.start(collector)
        collector.wait()
        time.sleep(0.2)
    assert sorted(str(message.tag) for message in collector.messages) == ["a", "c"]


@pytest.mark.parametrize("failure", ["raises", "asks for a retry", "returns nonsense", "exits"])
def test_failed_message_comes_again(cloud: LocalCloud, failure: str) -> None:
    seen: list[int] = []
    again = threading.Event()

    def handle(message: ReceivedMessage) -> Any:
        seen.append(message.reconsume_times)
        if message.reconsume_times:
            assert message.topic == "t" and message.queue.topic.startswith("%RETRY%")
            again.set()
            return ConsumeResult.SUCCESS
        if failure == "raises":
            raise ValueError("no")
        if failure == "exits":
            raise SystemExit(1)
        return ConsumeResult.RETRY if failure == "asks for a retry" else 7

    with Producer("group", cloud.namesrv) as producer, consumer(cloud, {"t": "*"}) as receiver:
        producer.send("t", b"x")
        receiver.start(handle)
        assert again.wait(10)
    assert seen == [0, 1]


def test_offsets_survive_a_restart(cloud: LocalCloud) -> None:
    with Producer("group", cloud.namesrv) as producer:
        for number in range(20):
            producer.send("t", str(number))
        first = Collector(20)
        with consumer(cloud, {"t": "*"}) as receiver:
            receiver.start(first)
            first.wait()
        producer.send("t", b"later")
        second = Collector(1)
        with consumer(cloud, {"t": "*"}) as receiver:
            receiver.start(second)
            assert [message.body for message in second.wait()] == [b"later"]
            time.sleep(0.2)
    assert len(second.messages) == 1


def test_queues_are_shared_by_the_members_and_taken_over(cloud: LocalCloud) -> None:
    both = Collector(40)
    one, two = consumer(cloud, {"t": "*"}), consumer(cloud, {"t": "*"})
    deadline = time.monotonic() + 15

    def shares() -> list[int]:
        return [len(each.queues()) for each in (one, two)]

    def bodies() -> set[bytes]:
        return {message.body for message in both.messages}

    with Producer("group", cloud.namesrv) as producer, one, two:
        producer.send("t", b"first")
        one.start(both)
        two.start(both)
        while shares() != [2, 2]:
            assert time.monotonic() < deadline, shares()
            time.sleep(0.02)
        for number in range(39):
            producer.send("t", str(number))
        # A queue that changes hands may bring a message twice.
        while len(bodies()) < 40:
            assert time.monotonic() < deadline, bodies()
            time.sleep(0.02)
        one.close()
        while shares()[1] != 4:
            assert time.monotonic() < deadline, shares()
            time.sleep(0.02)


def test_ordered_consumer_keeps_each_queues_order(cloud: LocalCloud) -> None:
    seen: dict[int, list[int]] = {}
    running: set[int] = set()
    overlaps, failed = [], []
    enough = threading.Event()

    def handle(message: ReceivedMessage) -> Any:
        queue = message.queue_id
        if queue in running:
            overlaps.append(queue)
        running.add(queue)
        try:
            if message.body == b"41" and not failed:
                failed.append(message.reconsume_times)
                return ConsumeResult.RETRY
            if message.body == b"42" and len(failed) == 1:
                failed.append(message.reconsume_times)
                raise ValueError("no")
            seen.setdefault(queue, []).append(int(message.body))
            if sum(map(len, seen.values())) == 400:
                enough.set()
            return None
        finally:
            running.discard(queue)

    with Producer("group", cloud.namesrv) as producer:
        for number in range(400):
            producer.send_selected(Message("t", str(number)), lambda queues, n=number: n % 4)
        with consumer(cloud, {"t": "*"}, ordered=True, concurrency=8) as receiver:
            receiver.start(handle)
            assert enough.wait(15)
            start = time.monotonic()
        assert time.monotonic() - start < 3
    assert not overlaps and failed == [0, 0]
    assert seen == {queue: list(range(queue, 400, 4)) for queue in range(4)}


def test_ordered_message_that_always_fails_becomes_a_dead_letter(cloud: LocalCloud) -> None:
    attempts: list[tuple[bytes, int]] = []
    passed = threading.Event()

    def handle(message: ReceivedMessage) -> Any:
        attempts.append((message.body, message.reconsume_times))
        if message.body == b"bad":
            return ConsumeResult.RETRY
        passed.set()
        return None

    with Producer("group", cloud.namesrv) as producer:
        for body in (b"bad", b"good"):
            producer.send_selected(Message("t", body), lambda queues: 0)
        with consumer(cloud, {"t": "*"}, ordered=True, max_attempts=2) as receiver:
            receiver.start(handle)
            assert passed.wait(15)
        assert attempts == [(b"bad", 0), (b"bad", 1), (b"good", 0)]
        letters = Collector(1)
        with consumer(cloud, {"%DLQ%group": "*"}, group="undertaker") as receiver:
            receiver.start(letters)
            assert letters.wait()[0].body == b"bad"


def test_closing_lets_slow_handlers_finish(cloud: LocalCloud) -> None:
    started, finished = threading.Event(), threading.Event()

    def slow(message: ReceivedMessage) -> None:
        started.set()
        time.sleep(0.3)
        finished.set()

    with Producer("group", cloud.namesrv) as producer:
        producer.send("t", b"x")
        receiver = consumer(cloud, {"t": "*"})
        receiver.start(slow)
        assert started.wait(10)
        receiver.close()
        assert finished.is_set()
        second = consumer(cloud, {"t": "*"})
        again = Collector(1)
        second.start(again)
        time.sleep(0.5)
        second.close()
    assert not again.messages


def test_run_returns_after_close(cloud: LocalCloud) -> None:
    receiver = consumer(cloud, {"t": "*"})
    thread = threading.Thread(target=receiver.run, args=(print,))
    thread.start()
    time.sleep(0.2)
    receiver.close()
    thread.join(5)
    assert not thread.is_alive()


def test_asyncio_twins_do_the_same() -> None:
    async def main() -> None:
        async with LocalCloud(services=("rocketmq",), delay_levels=(0.1,) * 18) as cloud:
            seen: list[tuple[bytes, int]] = []
            enough = asyncio.Event()

            async def handle(message: ReceivedMessage) -> Any:
                await asyncio.sleep(0)
                seen.append((message.body, message.reconsume_times))
                if len(seen) == 102:
                    enough.set()
                if message.body == b"7" and not message.reconsume_times:
                    return ConsumeResult.RETRY
                if message.body == b"8" and not message.reconsume_times:
                    raise ValueError("no")
                return None

            async with AsyncProducer("group", cloud.namesrv) as producer:
                sends = [producer.send("t", str(number)) for number in range(100)]
                results = await asyncio.gather(*sends)
                await producer.send_oneway("other", b"x")
                assert len({result.message_id for result in results}) == 100
                async with AsyncPushConsumer(
                    "group", {"t": "*"}, cloud.namesrv, start_from=StartFrom.FIRST
                ) as receiver:
                    await receiver.start(handle)
                    await asyncio.wait_for(enough.wait(), 10)
            assert sorted(seen)[-1] == (b"99", 0)
            assert {each for each in seen if each[1]} == {(b"7", 1), (b"8", 1)}

    asyncio.run(main())


def test_plain_function_is_a_handler_on_the_loop_too() -> None:
    async def main() -> None:
        async with LocalCloud(services=("rocketmq",)) as cloud:
            collector = Collector(3)
            async with AsyncProducer("group", cloud.namesrv) as producer:
                for _ in range(3):
                    await producer.send("t", b"x")
            receiver = AsyncPushConsumer(
                "group", {"t": "*"}, cloud.namesrv, start_from=StartFrom.FIRST
            )
            task = asyncio.ensure_future(receiver.run(collector))
            while len(collector.messages) < 3:
                await asyncio.sleep(0.01)
            await receiver.close()
            await task

    asyncio.run(asyncio.wait_for(main(), 10))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"concurrency": 0}, "concurrency"),
        ({"batch": 33}, "batch"),
        ({"cache_messages": 0}, "cache_messages"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"concurrency": "20"}, "concurrency"),
        ({"start_from": "first"}, "start_from must be StartFrom, not str"),
        ({"credentials": ("a", "b")}, "credentials must be Credentials, not tuple"),
    ],
)
def test_bad_consumer_settings_are_named(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        PushConsumer("group", {"t": "*"}, "127.0.0.1:1", **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"attempts": 0}, "attempts"),
        ({"attempts": "3"}, "attempts"),
        ({"max_body": 0}, "max_body"),
        ({"compress_above": -1}, "compress_above"),
        ({"credentials": ("a", "b")}, "credentials must be Credentials, not tuple"),
        ({"namesrv": "host"}, "namesrv: .*'host'"),
        ({"namesrv": "host:99999"}, "namesrv: .*1..65535"),
    ],
)
def test_bad_producer_settings_are_named(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Producer("group", **{"namesrv": "127.0.0.1:1", **options})


def test_an_address_with_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="namesrv") as caught:
        Producer("group", "user:hush@127.0.0.1:1")
    assert "hush" not in str(caught.value)


def test_consumer_needs_a_topic_and_starts_once(cloud: LocalCloud) -> None:
    with pytest.raises(ConfigError, match="subscriptions"):
        PushConsumer("group", {}, cloud.namesrv)
    with pytest.raises(ConfigError, match="subscriptions must be Mapping, not str"):
        PushConsumer("group", "topic", cloud.namesrv)  # type: ignore[arg-type]
    with consumer(cloud, {"t": "*"}) as receiver:
        with pytest.raises(ConfigError, match="handler"):
            receiver.start(None)  # type: ignore[arg-type]
        receiver.start(print)
        with pytest.raises(ConfigError, match="started already"):
            receiver.start(print)


def test_old_module_consumes(cloud: LocalCloud) -> None:
    got: list[Any] = []
    enough = threading.Event()

    def callback(message: Any, args: Any) -> int:
        got.append((old.GetMessageBody(message), old.GetMessageTags(message), args))
        if len(got) == 2:
            enough.set()
        return 1 if len(got) == 1 else 0

    producer = old.CreateProducer("group")
    old.SetProducerNameServerAddress(producer, cloud.namesrv)
    assert old.StartProducer(producer) == 0
    message = old.CreateMessage("t")
    old.SetMessageBody(message, "hello")
    old.SetMessageTags(message, "tag")
    old.SendMessageSync(producer, message)
    receiver = old.CreatePushConsumer("old")
    old.SetPushConsumerNameServerAddress(receiver, cloud.namesrv)
    old.Subscribe(receiver, "t", "*")
    old.SetPushConsumerThreadCount(receiver, 2)
    old.RegisterMessageCallback(receiver, callback, "args")
    assert old.StartPushConsumer(receiver) == 0
    assert enough.wait(10)
    old.ShutdownPushConsumer(receiver)
    old.DestroyPushConsumer(receiver)
    old.DestroyProducer(producer)
    assert got == [("hello", "tag", "args")] * 2
