"""RocketMQ's clients and their process: forks, Ctrl-C, and programs that forget to close."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.remoting_server import Answer, RemotingServer, packed
from tests.rocketmq_interrupted import ACTIONS
from tests.rocketmq_sides import KINDS, Inbox, until
from tests.scripted import Peer
from wirespeed.errors import ClosedError
from wirespeed.local import LocalCloud
from wirespeed.remoting.connection import Frame
from wirespeed.rocketmq import (
    Admin,
    AsyncProducer,
    AsyncPushConsumer,
    LitePullConsumer,
    Message,
    Producer,
    PushConsumer,
    StartFrom,
)

FIRST = StartFrom.FIRST

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["rocketmq"], delay_levels=(0.1,) * 18) as running:
        yield running


def held(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
    """Answer nothing."""
    return None


def in_child(work: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Fork, have the child call `work`, and return what it returned or the name of its error."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(int(seconds))
        try:
            told = work()
        except BaseException as error:
            told = type(error).__name__
        os.write(writer, json.dumps(told).encode())
        os._exit(0)
    os.close(writer)
    try:
        ready, _, _ = select.select([reader], [], [], seconds)
        told = os.read(reader, 65536) if ready else b""
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert told, "the child hung or died"
    return json.loads(told)


def sent(producer: Any, body: bytes = b"x") -> str:
    identity: str = producer.send("forked", body).message_id
    return identity


@forks
@pytest.mark.parametrize("state", ["new", "idle", "sending", "submitting", "closed"])
def test_a_producer_forked(cloud: LocalCloud, state: str) -> None:
    producer = Producer("g", cloud.namesrv)
    ended = threading.Event()
    errors: list[BaseException] = []
    ids: list[str] = []

    def keep_sending() -> None:
        while not ended.is_set():
            try:
                if state == "submitting":
                    ids.append(producer.submit(Message("forked", b"x")).result(5).message_id)
                else:
                    ids.append(sent(producer))
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=keep_sending) for _ in range(3)]
    if state != "new":
        sent(producer)
    if state in ("sending", "submitting"):
        for thread in threads:
            thread.start()
        until(lambda: len(ids) > 10, 5)
    if state == "closed":
        producer.close()
    theirs: list[str] = []
    for _ in range(1 if state in ("new", "idle", "closed") else 5):
        told = in_child(lambda: [*(sent(producer) for _ in range(5)), submitted(producer)])
        if state == "closed":
            assert told == "ClosedError"
            return
        theirs += told
    ended.set()
    for thread in threads:
        if thread.ident is not None:
            thread.join(5)
    ids += [sent(producer) for _ in range(5)]
    assert not errors
    assert len({*ids, *theirs}) == len(ids) + len(theirs)
    producer.close()


def submitted(producer: Producer) -> str:
    identity: str = producer.submit(Message("forked", b"x")).result(5).message_id
    return identity


@forks
def test_a_producer_forked_in_the_middle_of_a_send() -> None:
    peers: list[Peer] = []

    def hold(server: RemotingServer, peer: Peer, frame: Frame) -> Answer | None:
        peers.append(peer)
        return None if frame.body == b"parent" else server.answer(frame)

    with RemotingServer(on_310=hold) as server, Producer("g", server.address) as producer:
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(producer.send("t", b"parent")))
        thread.start()
        (parents,) = server.wait_for(310)
        assert len(in_child(lambda: sent(producer, b"child"))) == 32
        assert len(peers) == 2 and peers[0] is not peers[1]
        place = {"queueId": "2", "queueOffset": "9", "msgId": ""}
        peers[0].send(packed(0, parents.opaque, 1, place, b""))
        thread.join(5)
        assert (results[0].queue_offset, results[0].attempts) == (9, 1)
        assert sent(producer, b"later") and peers[2] is peers[0]


@forks
def test_an_administrator_forked() -> None:
    peers: list[Peer] = []

    def topics(server: RemotingServer, peer: Peer, frame: Frame) -> Answer:
        peers.append(peer)
        return 0, {}, b'{"topicList":["forked"]}'

    with RemotingServer(on_206=topics) as server, Admin(server.address) as admin:
        assert in_child(admin.topics) == ["forked"]
        assert admin.topics() == ["forked"]
        assert in_child(admin.topics) == ["forked"]
        assert admin.topics() == ["forked"]
    assert [peers.index(peer) for peer in peers] == [0, 1, 2, 1]


def groups_messages(cloud: LocalCloud, producer: Producer, topic: str, count: int) -> set[bytes]:
    bodies = {b"%d" % number for number in range(count)}
    for body in bodies:
        producer.send(topic, body)
    return bodies


@forks
def test_a_push_consumer_forked_before_it_starts_and_while_it_runs(cloud: LocalCloud) -> None:
    topic = "forked-push"
    box = Inbox()
    with Producer("g", cloud.namesrv) as producer:
        consumer = PushConsumer("forked-push", {topic: "*"}, cloud.namesrv, start_from=FIRST)
        bodies = groups_messages(cloud, producer, topic, 20)

        def consume() -> int:
            mine = Inbox()
            consumer.start(mine)
            until(lambda: set(mine.bodies()) >= bodies, 5)
            consumer.close()
            return len(mine.got)

        assert in_child(consume) == 20
        consumer.start(box)
        more = {b"more-%d" % number for number in range(50)}
        for number, body in enumerate(sorted(more)):
            producer.send(topic, body)
            if number == 25:
                # A member's messages stay with the parent.
                assert in_child(lambda: consumer.start(print)) == "ClosedError"
                assert in_child(consumer.close) is None
        until(lambda: set(box.bodies()) >= more, 10)
        assert len(cloud_members(cloud, "forked-push")) == 1
        consumer.close()
        assert not cloud_members(cloud, "forked-push")


def cloud_members(cloud: LocalCloud, group: str) -> list[Any]:
    with Admin(cloud.namesrv) as admin:
        return admin.connections(group)


@forks
def test_a_fork_in_a_callback(cloud: LocalCloud) -> None:
    topic = "forked-callback"
    told: list[Any] = []
    with Producer("g", cloud.namesrv) as producer:

        def handle(message: Any) -> None:
            told.append(in_child(lambda: sent(producer)))

        for _ in range(3):
            producer.send(topic, b"x")
        with PushConsumer("forked-callback", {topic: "*"}, cloud.namesrv, start_from=FIRST) as one:
            one.start(handle)
            until(lambda: len(told) == 3, 10)
        assert all(len(each) == 32 for each in told) and len(set(told)) == 3


@forks
def test_a_pull_consumer_forked(cloud: LocalCloud) -> None:
    topic = "forked-pull"
    with Producer("g", cloud.namesrv) as producer:
        puller = LitePullConsumer("forked-pull", {topic: "*"}, cloud.namesrv, start_from=FIRST)
        producer.send(topic, b"first")
        assert in_child(lambda: len(puller.poll(timeout=5.0))) == 1
        assert puller.poll(timeout=5.0)
        assert in_child(lambda: len(puller.poll(timeout=5.0))) == "ClosedError"
        waiting: list[Any] = []
        thread = threading.Thread(target=lambda: waiting.extend(puller.poll(timeout=10.0)))
        thread.start()
        time.sleep(0.1)
        assert in_child(lambda: len(puller.poll(timeout=5.0))) == "ClosedError"
        producer.send(topic, b"second")
        thread.join(10)
        assert [message.body for message in waiting] == [b"second"]
        puller.close()


@forks
def test_clients_of_a_loop_forked(cloud: LocalCloud) -> None:
    async def main() -> None:
        box = Inbox()
        producer = AsyncProducer("g", cloud.namesrv)
        consumer = AsyncPushConsumer(
            "forked-loop", {"forked-loop": "*"}, cloud.namesrv, start_from=FIRST
        )
        await producer.send("forked-loop", b"parent")
        await consumer.start(box)
        under_way = [asyncio.ensure_future(producer.send("forked-loop", b"p")) for _ in range(20)]
        await asyncio.sleep(0)

        async def send() -> list[str]:
            found = [(await producer.send("forked-loop", b"child")).message_id for _ in range(5)]
            await producer.close()
            return found

        async def start() -> None:
            await consumer.start(print)

        theirs = in_child(lambda: asyncio.run(send()))
        assert len(theirs) == 5
        assert in_child(lambda: asyncio.run(start())) == ClosedError.__name__
        mine = [each.message_id for each in await asyncio.gather(*under_way)]
        assert len({*mine, *theirs}) == 25
        limit = time.monotonic() + 10
        while len(box.got) < 26:
            assert time.monotonic() < limit
            await asyncio.sleep(0.01)
        assert (await producer.send("forked-loop", b"later")).attempts == 1
        await consumer.close()
        await producer.close()

    asyncio.run(main())


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_ends_each_wait_and_the_client_can_be_closed(kind: str, cloud: LocalCloud) -> None:
    with Admin(cloud.namesrv) as admin:
        admin.create_topic("interrupted-topic")
    quiet = dict.fromkeys((310, 320, 206, 202, 200050), held)
    with RemotingServer() as silent, RemotingServer(on_105=held) as mute:
        silent.behaviours.update(quiet)
        done = subprocess.run(
            [
                sys.executable, "-m", "tests.rocketmq_interrupted", kind, cloud.namesrv,
                silent.address, mute.address,
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )  # fmt: skip
    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [line[0] for line in lines] == [action.__name__ for action in ACTIONS]
    for action, raised, took, closed, running in lines:
        assert raised == "KeyboardInterrupt", (action, raised)
        assert float(took) < 1.0, (action, took)
        assert float(closed) < 2.0, (action, closed)
        assert running == "0", (action, running)
    assert "Fatal" not in done.stderr and "never retrieved" not in done.stderr, done.stderr


FORGETFUL = {
    "Producer": "c = {a}Producer('g', n); {w} c.send('t', b'x')",
    "submitting": "c = {a}Producer('g', n); {w} c.submit(Message('t', b'x'))",
    "at rest": (
        "c = {a}Producer('g', n, checker=print); {w} c.start()"
    ),
    "PushConsumer": "c = {a}PushConsumer('g', {{'t': '*'}}, n); {w} c.start(print)",
    "LitePullConsumer": "c = {a}LitePullConsumer('g', {{'t': '*'}}, n); {w} c.poll(timeout=0.1)",
    "SimpleConsumer": "c = {a}SimpleConsumer('g', {{'t': '*'}}, n); {w} c.start()",
    "Admin": "c = {a}Admin(n); {w} c.topics()",
    "Queue": "c = {a}Queue('t', 'g', n); {w} c.send(b'x'); {w} c.receive(wait=0.1)",
}  # fmt: skip


def forgetful(kind: str, step: str, namesrv: str) -> subprocess.Popen[str]:
    """Start a program that makes a client, uses it and ends."""
    words = ("Async", "await") if kind == "asyncio" else ("", "")
    body = step.format(a=words[0], w=words[1])
    if kind == "asyncio":
        body = f"async def main():\n    {body}\nasyncio.run(main())"
    code = f"from wirespeed.rocketmq import *\nimport asyncio, sys\nn = sys.argv[1]\n{body}\n"
    return subprocess.Popen(
        [sys.executable, "-W", "always::ResourceWarning", "-c", code, namesrv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_programs_that_forget_to_close_end_cleanly(kind: str, cloud: LocalCloud) -> None:
    # One at rest ends while its threads begin: that is tried some times more.
    steps = [*FORGETFUL.items(), *[("at rest", FORGETFUL["at rest"])] * (4 * (kind == "threads"))]
    for pair in zip(steps[::2], steps[1::2], strict=False):
        running = [(name, forgetful(kind, step, cloud.namesrv)) for name, step in pair]
        try:
            for name, child in running:
                _, errors = child.communicate(timeout=10)
                assert child.returncode == 0, (name, errors)
                assert "unclosed" in errors, (name, errors)
                assert "Fatal" not in errors and "Traceback" not in errors, (name, errors)
        finally:
            for _, child in running:
                child.kill()
                child.communicate()
