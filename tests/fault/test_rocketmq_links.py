"""RocketMQ's clients on lines that break, stall, split and shuffle: nothing lost, mixed up or hung.

The numbers are those of a table of faults: F1 a broker that goes and comes, F2 one that stops for
a while, F3 cuts, F4 fragments, F5 delays, F6 dead lines, F7 name servers, F8 routes, F9 answers,
F10 replies out of order, F11 counters at their end, F12 consumers killed, F13 rebalances, F14
order.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.remoting_proxy import Proxy, Shuffled, cut_after, in_pieces, late
from tests.remoting_server import Answer, RemotingServer
from tests.rocketmq_sides import KINDS, Inbox, Side, until
from tests.scripted import Peer, closed_port
from wirespeed.errors import DeadlineExceeded, WirespeedError
from wirespeed.local import LocalCloud
from wirespeed.remoting.connection import Frame
from wirespeed.rocketmq import (
    Admin,
    Message,
    MessageQueue,
    Producer,
    PushConsumer,
    StartFrom,
)
from wirespeed.rocketmq.flow import consume, pull, route

FIRST = StartFrom.FIRST
WORKERS = 4
SLACK = 0.5
RETRIED = {1, 2, 14, 16, 17, 204, 205, 1500}
topics = (f"links-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["rocketmq"], delay_levels=(0.1,) * 18) as running:
        yield running


def lead(cloud: LocalCloud, address: str) -> None:
    """Have the name server tell of the broker at another address."""
    assert cloud._name_server is not None
    cloud._name_server.broker_address = address


def broker_of(cloud: LocalCloud) -> str:
    assert cloud._name_server is not None
    return cloud._name_server.broker_address


@pytest.fixture
def broker(cloud: LocalCloud) -> Iterator[Proxy]:
    """A proxy that clients take for the broker."""
    real = broker_of(cloud)
    with Proxy(real) as proxy:
        lead(cloud, proxy.address)
        yield proxy
        lead(cloud, real)


@pytest.fixture
def names(cloud: LocalCloud) -> Iterator[Proxy]:
    """A proxy before the name server."""
    with Proxy(cloud.namesrv) as proxy:
        yield proxy


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, broker: Proxy, names: Proxy) -> Iterator[Side]:
    made = Side(request.param, names.address)
    yield made
    for each in (broker, names):
        each.fault = lambda link, data: link.send(data)
        each.thawed.set()
    made.close()


@pytest.fixture
def topic(cloud: LocalCloud) -> str:
    name = next(topics)
    with Admin(cloud.namesrv) as admin:
        admin.create_topic(name, queues=4)
    return name


def stored(cloud: LocalCloud, topic: str) -> dict[tuple[int, int], Any]:
    """Return what the broker has, by queue number and offset."""
    found = {}
    with Admin(cloud.namesrv) as admin:
        for each in admin.topic_stats(topic):
            place = each.first
            while place < each.end:
                messages, place = admin.read(each.queue, place)
                found.update({(m.queue_id, m.queue_offset): m for m in messages})
    return found


class Sends:
    """Sends by several callers at a time, and what came of them.

    Attributes:
        acknowledged: body and result.
        failed: body and error.
        longest: seconds of the longest call.
        ended: when each send ended well.
    """

    def __init__(self, side: Side, topic: str, **options: Any) -> None:
        self.side = side
        self.topic = topic
        self.producer = side.make("Producer", "links", **options)
        side.do(self.producer.send, topic, b"first")
        self.acknowledged: dict[bytes, Any] = {}
        self.failed: dict[bytes, WirespeedError] = {}
        self.longest = 0.0
        self.ended: list[float] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def _work(self, worker: int, most: int) -> None:
        for number in range(most):
            if self._stop.is_set():
                return
            body = b"%d-%d" % (worker, number)
            began = time.monotonic()
            try:
                self.acknowledged[body] = self.side.do(self.producer.send, self.topic, body)
                self.ended.append(time.monotonic())
            except WirespeedError as error:
                self.failed[body] = error
                time.sleep(0.005)
            self.longest = max(self.longest, time.monotonic() - began)

    @contextlib.contextmanager
    def going_on(self, workers: int = WORKERS, most: int = 1 << 30) -> Iterator[None]:
        """Send as long as the block lasts, or each worker its `most`."""
        self._threads = [
            threading.Thread(target=self._work, args=(worker, most), daemon=True)
            for worker in range(workers)
        ]
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            if most == 1 << 30:
                self._stop.set()
            for thread in self._threads:
                thread.join(20)
            assert not any(thread.is_alive() for thread in self._threads)

    def check(self, cloud: LocalCloud) -> None:
        """Compare what callers were told with what the broker has."""
        kept = stored(cloud, self.topic)
        times = Counter(message.body for message in kept.values())
        for body, result in self.acknowledged.items():
            place = kept[result.queue.queue_id, result.queue_offset]
            assert (place.body, place.message_id) == (body, result.message_id)
            assert times[body] == 1 or result.possible_duplicate, body
        for body, error in self.failed.items():
            assert error.outcome in ("not_sent", "unknown"), error
            assert error.outcome == "unknown" or not times[body], (body, error)
        keys = {(message.body, message.message_id) for message in kept.values()}
        assert len(keys) == len(times)


def test_f1_a_broker_that_goes_and_comes_loses_nothing_acknowledged(
    side: Side, cloud: LocalCloud, broker: Proxy, topic: str
) -> None:
    sends = Sends(side, topic)
    futures: list[Any] = []
    ups = []
    with sends.going_on():
        for turn in range(3):
            time.sleep(0.1)
            for number in range(50):
                message = Message(topic, b"s%d-%d" % (turn, number))
                futures.append(side.do(sends.producer.submit, message))
            with contextlib.suppress(WirespeedError):
                side.do(sends.producer.send_oneway, topic, b"o%d" % turn)
            broker.down()
            time.sleep(0.05)
            broker.up()
            ups.append(time.monotonic())
            until(lambda: sends.ended[-1] > ups[-1], 5)
    side.do(sends.producer.flush, 10)
    acknowledged = 0
    for future in futures:
        try:
            assert side.result(future).message_id
            acknowledged += 1
        except WirespeedError as error:
            assert error.outcome in ("not_sent", "unknown")
    sends.check(cloud)
    assert sends.failed and len(sends.acknowledged) > 20
    submitted = {m.body for m in stored(cloud, topic).values() if m.body.startswith(b"s")}
    assert len(submitted) >= acknowledged
    for up in ups:
        assert min(end for end in sends.ended if end > up) - up < 1.5


def test_f2_a_broker_that_stops_for_a_while_holds_nobody_past_the_deadline(
    side: Side, cloud: LocalCloud, broker: Proxy, topic: str
) -> None:
    sends = Sends(side, topic, timeout=0.4)
    with sends.going_on():
        time.sleep(0.1)
        broker.thawed.clear()
        time.sleep(0.9)
        broker.thawed.set()
        thawed = time.monotonic()
        until(lambda: sends.ended[-1] > thawed, 5)
    time.sleep(0.2)
    sends.check(cloud)
    assert sends.failed and sends.longest < 0.4 + SLACK
    assert all(isinstance(error, DeadlineExceeded) for error in sends.failed.values())


def dialogue(side: Side, topic: str) -> list[tuple[bytes, Any]]:
    """Send in each way; return what was sent with its result or error."""
    producer = side.make("Producer", "links", timeout=1.0)
    told: list[tuple[bytes, Any]] = []

    def attempt(*bodies: bytes, of: Callable[[], Any]) -> None:
        began = time.monotonic()
        try:
            results = of()
        except WirespeedError as error:
            results = [error] * len(bodies)
        told.extend(zip(bodies, results, strict=True))
        assert time.monotonic() - began < 2.0

    attempt(b"a", of=lambda: [side.do(producer.send, topic, b"a")])
    many = [Message(topic, b"b%d" % number) for number in range(3)]
    attempt(b"b0", b"b1", b"b2", of=lambda: side.do(producer.send_many, many))
    submit = Message(topic, b"c")
    attempt(b"c", of=lambda: [side.result(side.do(producer.submit, submit))])
    queue = MessageQueue(topic, "broker-a", 1)
    attempt(b"d", of=lambda: [side.do(producer.send_to, Message(topic, b"d"), queue)])
    with contextlib.suppress(WirespeedError):
        side.do(producer.send_oneway, topic, b"e")
    side.do(producer.close)
    side.made.remove(producer)
    return told


def check_told(cloud: LocalCloud, topic: str, told: list[tuple[bytes, Any]]) -> int:
    """See that each result is its own message's; return how many there are."""
    kept = stored(cloud, topic)
    results = [(body, each) for body, each in told if not isinstance(each, WirespeedError)]
    for body, result in results:
        place = kept[result.queue.queue_id, result.queue_offset]
        assert (place.body, place.message_id) == (body, result.message_id)
    return len(results)


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.parametrize("replies", [False, True], ids=["requests", "replies"])
def test_f3_a_connection_cut_at_any_byte_mixes_nothing_up(
    side: Side, cloud: LocalCloud, broker: Proxy, names: Proxy, topic: str, replies: bool
) -> None:
    for proxy in (names, broker):
        proxy.links.clear()
    dialogue(side, topic)
    sizes = [max(x.count for x in p.links if x.replies is replies) for p in (names, broker)]
    before = open_files()
    told: list[tuple[bytes, Any]] = []
    chance = random.Random(3)
    for proxy, size in zip((names, broker), sizes, strict=True):
        for place in (1, 4, 8, size - 1, *chance.sample(range(2, size), 12)):
            proxy.fault = cut_after(place, replies=replies)
            told += dialogue(side, topic)
        proxy.fault = lambda link, data: link.send(data)
    assert check_told(cloud, topic, told) > len(told) * 0.8
    until(lambda: open_files() <= before + 2, 5)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let consumers try again sooner than they do."""
    monkeypatch.setattr(pull, "_ERROR_PAUSE", 0.05)
    monkeypatch.setattr(consume, "REBALANCE_PAUSE", 0.1)
    monkeypatch.setattr(route, "ROUTE_INTERVAL", 0.2)


class Reading:
    """A push consumer and a pull consumer, and what they got."""

    def __init__(self, side: Side, topic: str, name: str) -> None:
        self.side = side
        self.box = Inbox()
        pushed = side.make("PushConsumer", f"push-{topic}-{name}", {topic: "*"}, start_from=FIRST)
        side.do(pushed.start, self.box)
        self.puller = side.make(
            "LitePullConsumer", f"pull-{topic}-{name}", {topic: "*"}, start_from=FIRST
        )
        self.pulled: list[Any] = []

    def has(self, bodies: set[bytes], seconds: float = 15.0) -> None:
        """Wait until both have got these bodies, each message once and as it was sent."""

        def complete() -> bool:
            self.pulled += self.side.do(self.puller.poll, 1024, timeout=0.1)
            both = (self.box.bodies(), [message.body for message in self.pulled])
            return all(set(each) >= bodies for each in both)

        until(complete, seconds)
        for messages in (self.box.got, self.pulled):
            places = [(message.queue_id, message.queue_offset) for message in messages]
            assert len(set(places)) == len(places)


def test_f3_cuts_lose_a_consumer_no_message(
    side: Side, cloud: LocalCloud, broker: Proxy, names: Proxy, topic: str, hurried: None
) -> None:
    reading = Reading(side, topic, "cut")
    chance = random.Random(7)
    bodies: set[bytes] = set()
    with Producer("links", cloud.namesrv) as producer:
        producer.send(topic, b"before")
        for round_ in range(8):
            proxy = (broker, names)[round_ % 4 == 3]
            proxy.fault = cut_after(chance.randint(200, 4000), replies=bool(round_ % 2))
            for link in proxy.links:
                link.count = 0
            sent = {b"%d-%d" % (round_, number) for number in range(60)}
            for body in sent:
                with contextlib.suppress(WirespeedError):
                    producer.send(topic, body)
                    bodies.add(body)
            reading.has(bodies)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_f4_fragments_are_put_together(
    side: Side, cloud: LocalCloud, broker: Proxy, names: Proxy, topic: str, seed: int | None
) -> None:
    broker.fault, names.fault = in_pieces(seed), in_pieces(seed)
    told = dialogue(side, topic)
    assert check_told(cloud, topic, told) == len(told)
    reading = Reading(side, topic, "pieces")
    reading.has({body for body, _ in told} | {b"e"})
    admin = side.make("Admin")
    (found,) = side.do(admin.find_by_id, topic, told[0][1].message_id)
    assert found.body == b"a"


def test_f5_delays_and_stalls_pass_no_deadline(
    side: Side, cloud: LocalCloud, broker: Proxy, topic: str
) -> None:
    sends = Sends(side, topic, timeout=0.25)
    broker.fault = late(5, 0.02, rate=64 * 1024, stalls=0.4)
    with sends.going_on():
        time.sleep(1.2)
    broker.fault = lambda link, data: link.send(data)
    time.sleep(0.6)
    sends.check(cloud)
    assert sends.failed and sends.acknowledged
    assert sends.longest < 0.25 + SLACK


def test_f6_a_dead_line_is_left_for_a_new_one(
    side: Side, cloud: LocalCloud, broker: Proxy, names: Proxy, topic: str
) -> None:
    sends = Sends(side, topic, timeout=0.5)
    broker.lose()
    names.lose()
    lost = time.monotonic()
    with sends.going_on(workers=9):
        until(lambda: sends.ended and sends.ended[-1] > lost, 5)
        time.sleep(0.2)
    assert min(end for end in sends.ended if end > lost) - lost < 0.5 + 1.0
    assert sends.longest < 0.5 + SLACK and len(sends.failed) <= 18
    with pytest.raises(DeadlineExceeded):
        side.do(sends.producer.ping, 0.2)
    assert side.do(sends.producer.ping) < 1.0
    until(lambda: sum(not link.ended for link in broker.links) == 2, 5)


def test_f6_a_server_that_takes_connections_and_says_nothing(
    side: Side, broker: Proxy, topic: str
) -> None:
    broker.fault = lambda link, data: None
    producer = side.make("Producer", "links", timeout=0.3)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        side.do(producer.send, topic, b"x")
    assert time.monotonic() - began < 0.3 + SLACK
    broker.fault = lambda link, data: link.send(data)
    assert side.do(producer.send, topic, b"y", timeout=2.0).message_id


def test_f7_name_servers_that_are_down_are_passed_over(
    side: Side, cloud: LocalCloud, names: Proxy, topic: str
) -> None:
    servers = [names.address, *(f"127.0.0.1:{closed_port()}" for _ in range(2))]
    for number in range(3):
        turned = servers[number:] + servers[:number]
        producer = side.make("Producer", "links", namesrv=";".join(turned))
        began = time.monotonic()
        assert side.do(producer.send, topic, b"%d" % number).attempts == 1
        assert time.monotonic() - began < 3.0
    names.down()
    for _ in range(200):
        assert side.do(producer.send, topic, b"later").attempts == 1
    with pytest.raises(WirespeedError) as caught:
        side.do(producer.send, f"{topic}-unknown", b"x")
    assert caught.value.outcome == "not_sent"
    names.up()
    assert side.do(producer.send, f"{topic}-unknown", b"x").message_id


def test_f8_a_broker_that_moves_is_found(
    side: Side, cloud: LocalCloud, broker: Proxy, topic: str, request: pytest.FixtureRequest
) -> None:
    sends = Sends(side, topic)
    time.sleep(0.1)
    # The producer looks for routes when a send fails, for it began before.
    request.getfixturevalue("hurried")
    reading = Reading(side, topic, "moved")
    with Proxy(broker.target) as second:
        with sends.going_on():
            time.sleep(0.2)
            lead(cloud, second.address)
            broker.down()
            moved = time.monotonic()
            until(lambda: sends.ended[-1] > moved + 0.1, 5)
            assert sends.ended[-1] - moved < 3.0
            time.sleep(0.2)
        sends.check(cloud)
        reading.has({message.body for message in stored(cloud, topic).values()})
        broker.up()
        lead(cloud, broker.address)


@pytest.mark.parametrize("kind", KINDS)
def test_f9_every_answer_of_a_broker_is_retried_or_not_as_the_table_says(kind: str) -> None:
    told: Iterator[int] = iter(())

    def answer(server: RemotingServer, peer: Peer, frame: Frame) -> Answer:
        code, place, body = next(told, 0), *server.answer(frame)[1:]
        return code, place if code in fine else {}, body

    fine = {0, 10, 11, 12}
    with RemotingServer(on_310=answer) as server:
        side = Side(kind, server.address)
        try:
            producer = side.make("Producer", "links")
            for code in (*range(1, 30), *range(200, 216), 300, 501, 604, 1500):
                told = iter((code,))
                if code in fine or code in RETRIED:
                    result = side.do(producer.send, "t", b"x")
                    assert result.attempts == (1 if code in fine else 2), code
                    assert not result.possible_duplicate
                    continue
                with pytest.raises(WirespeedError) as caught:
                    side.do(producer.send, "t", b"x")
                assert (caught.value.code, caught.value.attempts) == (code, 1)
                assert caught.value.outcome == "rejected"
        finally:
            side.close()


def test_f10_shuffled_repeated_and_unasked_replies_reach_their_own_callers(
    side: Side, cloud: LocalCloud, broker: Proxy, names: Proxy, topic: str
) -> None:
    broker.fault = shuffled = Shuffled(10)
    names.fault = Shuffled(11)
    sends = Sends(side, topic)
    with sends.going_on(workers=16, most=25):
        pass
    sends.check(cloud)
    assert len(sends.acknowledged) == 400 and not sends.failed and shuffled.moved > 100
    reading = Reading(side, topic, "shuffled")
    reading.has({message.body for message in stored(cloud, topic).values()})


def test_f10_replies_that_come_too_late_are_nobodys(
    side: Side, cloud: LocalCloud, broker: Proxy, topic: str
) -> None:
    sends = Sends(side, topic, timeout=0.1)
    broker.fault = late(12, 0.0, stalls=0.15)
    with sends.going_on(workers=8):
        time.sleep(1.0)
    broker.fault = lambda link, data: link.send(data)
    time.sleep(0.3)
    sends.check(cloud)
    assert sends.failed and sends.acknowledged


def test_f11_numbers_begin_anew_after_the_last(side: Side, cloud: LocalCloud, topic: str) -> None:
    sends = Sends(side, topic)
    transport = sends.producer._transport
    for connection in transport._connections.values():
        connection._core._opaque = itertools.count((1 << 31) - 100)
    sends.producer._state.settings.unique_id.__self__._counter = itertools.count((1 << 16) - 300)
    with sends.going_on(workers=4, most=150):
        pass
    sends.check(cloud)
    assert len(sends.acknowledged) == 600 and not sends.failed
    assert len({result.message_id for result in sends.acknowledged.values()}) == 600


CONSUMER = r"""
import os, sys, time
from wirespeed.rocketmq import PushConsumer, StartFrom
namesrv, topic, group = sys.argv[1:]
def handle(message):
    time.sleep(0.002)
    os.write(1, message.body + b"\n")
PushConsumer(group, {topic: "*"}, namesrv, start_from=StartFrom.FIRST, concurrency=2).run(handle)
"""


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_f12_what_killed_consumers_held_is_delivered_again(
    cloud: LocalCloud, broker: Proxy, topic: str
) -> None:
    seen: list[bytes] = []

    def start() -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-c", CONSUMER, cloud.namesrv, topic, "killed"],
            stdout=subprocess.PIPE,
        )
        reader = threading.Thread(target=read, args=(child,), daemon=True)
        readers.append(reader)
        reader.start()
        return child

    def read(child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        with child.stdout:
            for line in child.stdout:
                seen.append(line.strip())

    readers: list[threading.Thread] = []
    bodies = [b"%d" % number for number in range(1500)]
    parts = [bodies[20:760], bodies[760:]]
    with Producer("links", cloud.namesrv) as producer:
        producer.send_many([Message(topic, body) for body in bodies[:20]])
        children = [start() for _ in range(2)]
        try:
            until(lambda: len(seen) >= 20, 15)
            for child, part in zip(children, parts, strict=True):
                producer.send_many([Message(topic, body) for body in part])
                count = len(seen)
                until(lambda count=count: len(seen) > count + 50, 15)
                child.send_signal(signal.SIGKILL)
            box = Inbox()
            with PushConsumer("killed", {topic: "*"}, cloud.namesrv, start_from=FIRST) as last:
                last.start(box)
                until(lambda: set(seen) | set(box.bodies()) >= set(bodies), 15)
        finally:
            for child in children:
                child.kill()
                child.wait(5)
    for reader in readers:
        reader.join(5)


def test_f13_members_that_come_and_go_share_every_queue(
    side: Side, cloud: LocalCloud, hurried: None
) -> None:
    topic = next(topics)
    with Admin(cloud.namesrv) as admin:
        admin.create_topic(topic, queues=16)
    group = f"storm-{topic}"
    every = {MessageQueue(topic, "broker-a", number) for number in range(16)}
    box = Inbox()
    back: list[Any] = []
    ended = threading.Event()

    def watch() -> None:
        highest: Counter[MessageQueue] = Counter()
        with Admin(cloud.namesrv) as watching:
            while not ended.wait(0.02):
                for queue in every:
                    now = watching.offset(group, queue) or 0
                    if now < highest[queue]:
                        back.append((queue, highest[queue], now))
                    highest[queue] = now

    watcher = threading.Thread(target=watch, daemon=True)
    members: list[Any] = []
    sent: list[bytes] = []

    def settled() -> bool:
        held = [queue for member in members for queue in member.queues()]
        return sorted(held) == sorted(every)

    chance = random.Random(13)
    with Producer("links", cloud.namesrv) as producer:
        watcher.start()
        for step in range(30):
            if len(members) < 2 or (len(members) < 5 and chance.random() < 0.6):
                member = side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST)
                side.do(member.start, box)
                members.append(member)
            else:
                side.do(members.pop(chance.randrange(len(members))).close)
            more = [b"%d-%d" % (step, number) for number in range(20)]
            for body in more:
                producer.send(topic, body)
            sent += more
            if step % 3 == 2:
                until(settled, 15)
        until(lambda: set(box.bodies()) >= set(sent), 15)
    ended.set()
    watcher.join(5)
    # Where two members held a queue for a moment, one delivered again what the other had done.
    times = Counter((message.queue, message.queue_offset) for message in box.got)
    for queue, before, now in back:
        assert all(times[queue, place] > 1 for place in range(now, before)), (queue, before, now)


def test_f14_order_is_kept_for_each_key_while_lines_break(
    side: Side, cloud: LocalCloud, broker: Proxy, topic: str, hurried: None
) -> None:
    box = Inbox()
    consumer = side.make(
        "PushConsumer", f"order-{topic}", {topic: "*"}, start_from=FIRST, ordered=True
    )
    side.do(consumer.start, box)
    producer = side.make("Producer", "links")

    def send(key: str) -> None:
        for number in range(120):
            while True:
                try:
                    message = Message(topic, b"%s:%d" % (key.encode(), number))
                    side.do(producer.send_sharded, message, key)
                    break
                except WirespeedError:
                    time.sleep(0.005)

    workers = [threading.Thread(target=send, args=(f"k{n}",), daemon=True) for n in range(8)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        broker.cut()
        time.sleep(0.05)
    wanted = {b"k%d:%d" % (key, number) for key in range(8) for number in range(120)}
    until(lambda: set(box.bodies()) >= wanted, 20)
    assert len(broker.links) > 6
    order: dict[bytes, list[int]] = {}
    for body in box.bodies():
        key, _, number = body.partition(b":")
        order.setdefault(key, []).append(int(number))
    for numbers in order.values():
        assert numbers == sorted(numbers)
