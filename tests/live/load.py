"""Numbered messages sent by many workers while brokers fail, and what came of each."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import threading
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from tests.live.cluster import Broker, Cluster
from tests.live.collector import eventually
from tests.rocketmq_sides import Side
from wirespeed.errors import WirespeedError
from wirespeed.rocketmq import (
    Admin,
    Message,
    ReceivedMessage,
    SendResult,
    SendStatus,
    StartFrom,
)

WORKERS = {"threads": 16, "asyncio": 64}
SLACK = 1.0


def finish(work: Coroutine[Any, Any, None]) -> None:
    """Run to its end what awaits nothing, since it has to do with clients for threads alone."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("a call of the client for threads was to be awaited")


async def rest(side: Side, seconds: float) -> None:
    """Sleep as programs of the side do."""
    if side.loop is None:
        time.sleep(seconds)
    else:
        await asyncio.sleep(seconds)


class Load:
    """Sends the numbers below `count` once each, by several threads or tasks at a time.

    Args:
        side: which kind of client `producer` is.
        producer: sends them.
        topic: where to.
        count: how many.
        rate: how many a second at most; 0 for as many as they can.

    Attributes:
        results: for each number its result, or the error that its send raised.
        sent: how many sends have ended.
        longest: the seconds that the slowest of them took.
    """

    def __init__(
        self, side: Side, producer: Any, topic: str, count: int, rate: float = 0.0
    ) -> None:
        self.side = side
        self.producer = producer
        self.topic = topic
        self.count = count
        self.rate = rate
        self.results: list[SendResult | WirespeedError | None] = [None] * count
        self.sent = 0
        self.longest = 0.0
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)

    def start(self) -> Load:
        """Begin, in the background."""
        self._began = time.monotonic()
        self._thread.start()
        return self

    def wait(self, sent: int, seconds: float = 60.0) -> None:
        """Wait until so many sends have ended."""
        eventually(
            lambda: self.sent >= sent or not self._thread.is_alive(), f"{sent} sends", seconds
        )

    def join(self, seconds: float = 120.0) -> None:
        """Wait for the last one, and see that none raised what it must not."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"{self.sent} of {self.count} in {seconds} s"
        assert not self._failures, self._failures
        assert None not in self.results

    def _run(self) -> None:
        workers = WORKERS[self.side.kind]
        if self.side.loop is not None:
            asyncio.run_coroutine_threadsafe(self._on_loop(workers), self.side.loop).result()
            return
        threads = [threading.Thread(target=finish, args=(self._work(),)) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    async def _on_loop(self, workers: int) -> None:
        await asyncio.gather(*(self._work() for _ in range(workers)))

    async def _work(self) -> None:
        try:
            for number in self._numbers:
                if number >= self.count:
                    return
                early = self._began + number / self.rate - time.monotonic() if self.rate else 0.0
                if early > 0:
                    await rest(self.side, early)
                began = time.monotonic()
                outcome: SendResult | WirespeedError
                try:
                    sent = self.producer.send(self.topic, b"%d" % number)
                    outcome = await sent if inspect.isawaitable(sent) else sent
                except WirespeedError as error:
                    outcome = error
                self._note(number, outcome, time.monotonic() - began)
        except BaseException as error:
            self._failures.append(error)

    def _note(self, number: int, outcome: SendResult | WirespeedError, took: float) -> None:
        with self._lock:
            self.results[number] = outcome
            self.sent += 1
            self.longest = max(self.longest, took)

    def acknowledged(self) -> set[int]:
        """Return the numbers that a broker acknowledged as safely stored."""
        return {
            number
            for number, result in enumerate(self.results)
            if isinstance(result, SendResult) and result.status is SendStatus.OK
        }

    def errors(self) -> dict[int, WirespeedError]:
        """Return what was not acknowledged."""
        return {
            number: result
            for number, result in enumerate(self.results)
            if isinstance(result, WirespeedError)
        }

    def brokers(self, first: int, last: int) -> Counter[str]:
        """Return how many of the numbers from `first` to `last` each broker stored."""
        return Counter(
            result.queue.broker_name
            for result in self.results[first:last]
            if isinstance(result, SendResult)
        )

    def check(self, stored: Counter[int], timeout: float) -> str:
        """See that what was told of each send is true of what is stored; return the figures.

        Nothing acknowledged is lost; a message that is stored more than once was marked as a
        possible duplicate, or its send failed with an unknown outcome; what "was not sent" is
        not stored; no send took longer than its deadline.
        """
        lost = self.acknowledged() - stored.keys()
        assert not lost, f"{len(lost)} acknowledged messages lost, such as {sorted(lost)[:5]}"
        doubts = duplicates = 0
        for number, result in enumerate(self.results):
            if isinstance(result, SendResult):
                doubts += result.possible_duplicate
                assert stored[number] == 1 or result.possible_duplicate, (number, result)
            else:
                assert isinstance(result, WirespeedError)
                assert result.outcome == "unknown" or not stored[number], (number, result)
            duplicates += max(0, stored[number] - 1)
        assert self.longest < timeout + SLACK, self.longest
        outcomes = Counter(error.outcome for error in self.errors().values())
        return (
            f"{self.side.kind}: {self.count} sent, {len(self.acknowledged())} acknowledged, "
            f"0 lost, {doubts} possible duplicates, {duplicates} real ones, "
            f"errors {dict(outcomes)}, longest {self.longest:.2f} s"
        )


def read_back(cluster: Cluster, topic: str) -> Counter[int]:
    """Return how often each number is stored, by all queues of a topic."""
    found: Counter[int] = Counter()
    with Admin(cluster.namesrv) as admin:
        for queue in admin.route(topic).read_queues:
            offset = 0
            while True:
                messages, following = admin.read(queue, offset)
                found.update(int(message.body) for message in messages)
                if following == offset:
                    break
                offset = following
    return found


class Numbers:
    """A handler that counts the numbers it gets."""

    def __init__(self) -> None:
        self.seen: Counter[int] = Counter()
        self._lock = threading.Lock()

    def __call__(self, message: ReceivedMessage) -> None:
        with self._lock:
            self.seen[int(message.body)] += 1

    def lacks(self, wanted: set[int]) -> int:
        """Return how many of the wanted numbers did not come yet."""
        with self._lock:
            return len(wanted - self.seen.keys())


class Seen:
    """A handler that sees whether each sequence comes whole; bodies are "NAME NUMBER".

    Args:
        ordered: whether a number may not come before the one that precedes it.

    Attributes:
        low: for each sequence, the first number that did not come yet.
        twice: how many messages came again.
        early: numbers that came too early.
    """

    def __init__(self, ordered: bool) -> None:
        self.ordered = ordered
        self.low: Counter[str] = Counter()
        self.twice = 0
        self.early: list[bytes] = []
        self._ahead: dict[str, set[int]] = {}
        self._lock = threading.Lock()

    def __call__(self, message: ReceivedMessage) -> None:
        name, _, text = message.body.decode().partition(" ")
        number = int(text)
        with self._lock:
            low, ahead = self.low[name], self._ahead.setdefault(name, set())
            if number < low or number in ahead:
                self.twice += 1
                return
            ahead.add(number)
            if number > low and self.ordered:
                self.early.append(message.body)
            while low in ahead:
                ahead.remove(low)
                low += 1
            self.low[name] = low


class Sequences:
    """Sequences sent by key, and consumers of each kind, ordered and not, of all of them.

    Args:
        sides: one of each kind.
        topic: where they are sent.
        keys: how many sequences each side sends.
    """

    def __init__(self, sides: list[Side], topic: str, keys: int = 2) -> None:
        self.topic = topic
        self.consumers: dict[str, Seen] = {}
        self.sent: Counter[str] = Counter()
        self.refused = 0
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        self._senders: list[threading.Thread] = []
        for side in sides:
            for ordered in (False, True):
                name = f"{side.kind}-{'ordered' if ordered else 'concurrent'}"
                seen = self.consumers[name] = Seen(ordered)
                consumer = side.make(
                    "PushConsumer",
                    f"{topic}-{name}",
                    {topic: "*"},
                    start_from=StartFrom.FIRST,
                    ordered=ordered,
                )
                side.do(consumer.start, seen)
            producer = side.make("Producer", "sequences", timeout=3.0)
            for number in range(keys):
                arguments = (side, producer, f"{side.kind}-{number}")
                self._senders.append(threading.Thread(target=self._send, args=arguments))

    def _send(self, side: Side, producer: Any, key: str) -> None:
        try:
            while not self._stop.wait(0.005):
                message = Message(self.topic, f"{key} {self.sent[key]}")
                try:
                    side.do(producer.send_sharded, message, key)
                except WirespeedError:
                    # Sent again until it is acknowledged, as a program would that needs it.
                    self.refused += 1
                    self._stop.wait(0.05)
                else:
                    self.sent[key] += 1
        except BaseException as error:
            self._failures.append(error)

    def endure(self, broker: Broker, restarts: int) -> str:
        """Restart the broker so often, killed and stopped in turn; return the figures.

        Every message comes to every consumer at least once, and to ordered ones in the order of
        its sequence.
        """
        for sender in self._senders:
            sender.start()
        try:
            for number in range(restarts):
                self._go_on(f"before restart {number}")
                if number % 2:
                    broker.stop()
                else:
                    broker.kill()
                broker.start()
            self._go_on("after the last restart")
        finally:
            self._stop.set()
            for sender in self._senders:
                sender.join()
        assert not self._failures, self._failures
        for name, seen in self.consumers.items():
            eventually(
                lambda seen=seen: seen.low == self.sent, f"{name}: {seen.low}, {self.sent}", 60
            )
            assert not seen.early, (name, seen.early[:5])
        twice = {name: seen.twice for name, seen in self.consumers.items()}
        return (
            f"{restarts} restarts: {sum(self.sent.values())} messages, each seen by all; "
            f"{self.refused} sends refused meanwhile; came twice: {twice}"
        )

    def _go_on(self, when: str) -> None:
        """Wait until every sequence has grown, and every consumer has seen so much of it."""
        wanted = Counter({key: count + 30 for key, count in self.sent.items()})
        eventually(
            lambda: self.sent >= wanted and len(self.sent) == len(self._senders),
            f"sends {when}: {self.sent}",
            60,
        )
        wanted = Counter(self.sent)
        for name, seen in self.consumers.items():
            eventually(lambda seen=seen: seen.low >= wanted, f"{name} {when}", 60)
