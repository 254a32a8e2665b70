"""A cloud with a directory: what was acknowledged outlives it, however it ends."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durable_load import KEYS, Clients, kill_at_random, messages_of, serving
from tests.rocketmq_probe import eventually
from tests.scripted import Peer, ScriptedServer
from wirespeed import cmq, rocketmq, sqs
from wirespeed.config import Retry
from wirespeed.errors import ConfigError, ObjectNotFound, WirespeedError
from wirespeed.local import LocalCloud
from wirespeed.local.journal import Packed
from wirespeed.local.vault import Vault
from wirespeed.local.wcs.state import Block, Piece, encode_base64

MIB = 1024 * 1024


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    data = os.urandom(5 * MIB)
    with LocalCloud(directory=tmp_path) as cloud, Clients(cloud.env()) as to:
        dead = to.sqs.create_queue("dead")
        policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}
        orders = to.sqs.create_queue(
            "orders", {"RedrivePolicy": json.dumps({**policy, "maxReceiveCount": "1"})}, {"t": "v"}
        )
        fifo = to.sqs.create_queue("f.fifo", {"FifoQueue": "true"})
        orders.send("one", attributes={"a": "b"})
        (taken,) = orders.receive()
        orders.send("two")
        dead.send("dead")
        first = fifo.send("x", group_id="g", deduplication_id="d")
        jobs = to.cmq.create_queue("jobs", {"rewindSeconds": 600})
        jobs.send("work")
        (work,) = jobs.receive()
        jobs.send("later", delay=300)
        topic = to.cmq.create_topic("news")
        topic.subscribe("s", "jobs")
        to.producer.send("events", b"now", tag="T", keys="k")
        to.producer.send("events", b"late", delay=300)
        films = to.wcs.bucket("films")
        films.put("a/b", data)
        films.set_deadline("a/b", 3)
        store = to.cos.bucket("b")
        store.put("x/y", data)
        store.put("x/empty", b"")
        cloud.travel(60)
    with LocalCloud(directory=tmp_path) as cloud, Clients(cloud.env()) as to:
        orders, dead, jobs = (to.sqs.queue("orders"), to.sqs.queue("dead"), to.cmq.queue("jobs"))
        # A minute has passed: what was in flight is ready again, and has been received once.
        assert dead.count() == 1 and to.sqs.queue("f.fifo").count() == 1
        assert orders.tags() == {"t": "v"}
        (left,) = orders.receive()
        assert left.body == "two" and dead.count() == 2
        moved = [each for each in dead.receive(10) if each.message_id == taken.message_id]
        assert moved[0].body == "one"
        again = to.sqs.queue("f.fifo").send("x", group_id="g", deduplication_id="d")
        assert again.message_id == first.message_id, "it was sent a second time"
        (back,) = jobs.receive()
        assert back.message_id == work.message_id
        jobs.ack(back)
        to.cmq.topic("news").publish("hello")
        assert jobs.receive(wait=5)[0].body == "hello"
        (now,) = messages_of(cloud.namesrv, "events")
        assert (now.body, now.property("TAGS"), now.property("KEYS")) == (b"now", "T", "k")
        assert to.wcs.bucket("films").get("a/b") == data
        assert to.cos.bucket("b").get("x/y") == data and to.cos.bucket("b").get("x/empty") == b""
        cloud.travel(300)
        assert {each.body for each in messages_of(cloud.namesrv, "events")} == {b"now", b"late"}
        assert jobs.receive(wait=5)[0].body == "later"
        cloud.travel(4 * 86_400)
        with pytest.raises(ObjectNotFound):
            to.wcs.bucket("films").get("a/b")
        cloud.reset()
    with LocalCloud(directory=tmp_path) as cloud:
        assert not any(list(state.things()) for state in cloud._vault.states.values())
    assert not list((tmp_path / "contents").iterdir()), "files of nothing are left"


def text(service: str, packed: Packed) -> str:
    """Return something that is kept, as text."""
    data = None if packed.content is None else packed.content.read()
    fields = json.dumps(packed.fields, sort_keys=True)
    return f"{service} {packed.kind} {fields} {packed.blob!r} {data!r}"


def held(cloud: LocalCloud) -> list[str]:
    """Return all that a cloud keeps."""
    return cloud._in_vault(held_in)


def held_in(vault: Vault) -> list[str]:
    states = vault.states.items()
    return sorted(text(name, each.pack()) for name, state in states for each in state.things())


def is_written(vault: Vault) -> bool:
    """Whether all that is held is written down, and nothing else."""
    vault.commit()
    return written(vault) == held_in(vault)


def written(vault: Vault) -> list[str]:
    """Return all that is written down."""
    assert vault._database is not None
    rows = [(name, packed) for name in vault.states for _, packed in vault._database.load(name)]
    return sorted(text(*row) for row in rows)


def test_every_change_is_there_after_a_restart(tmp_path: Path) -> None:
    def made(cloud: LocalCloud, to: Clients) -> Iterator[None]:
        queue = to.sqs.create_queue("q", {"VisibilityTimeout": 10}, {"a": "b", "c": "d"})
        yield
        queue.set_attributes({"DelaySeconds": 5, "VisibilityTimeout": 20})
        yield
        queue.add_permission("p", ["111111111111"], ["SendMessage"])
        yield
        queue.add_permission("gone", ["111111111111"], ["SendMessage"])
        yield
        queue.send("x", delay=0)
        yield
        to.sqs.create_queue("empty")
        yield
        to.sqs.create_queue("dead")
        policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}
        rule = json.dumps({**policy, "maxReceiveCount": "1"})
        tired = to.sqs.create_queue("tired", {"RedrivePolicy": rule, "VisibilityTimeout": 0})
        tired.send("x")
        tired.receive()
        assert not tired.receive(wait=0)
        yield
        fifo = to.sqs.create_queue("f.fifo", {"FifoQueue": "true"})
        fifo.send("x", group_id="g", deduplication_id="d")
        yield
        to.sqs.create_queue("deleted").send("x")
        yield
        jobs = to.cmq.create_queue("jobs")
        yield
        to.cmq.create_queue("dead")
        yield
        jobs.set_attributes({"visibilityTimeout": 60})
        yield
        jobs.set_dead_letter_policy(cmq.DeadLetterPolicy("dead", max_receives=3))
        yield
        jobs.send_many(["a", "b", "c"])
        yield
        topic = to.cmq.create_topic("news", {"maxMsgSize": 2048})
        yield
        topic.subscribe("kept", "jobs", tags=["t"])
        yield
        topic.subscribe("gone", "jobs")
        yield
        to.cmq.create_topic("deleted")
        yield
        to.admin.create_topic("wide", queues=3, message_type="FIFO")
        yield
        to.admin.create_topic("deleted", queues=1)
        yield
        to.admin.create_group("readers", max_attempts=3)
        yield
        to.admin.create_group("gone", max_attempts=3)
        yield
        to.producer.send("deleted", b"x")
        yield
        to.producer.send("events", b"late", delay=600)
        yield
        films, store = to.wcs.bucket("films"), to.cos.bucket("b")
        films.put("a", b"one")
        yield
        films.put("b", b"two")
        yield
        films.put("emptied", b"")
        yield
        store.put("k", b"one")
        yield
        store.put("gone", b"two")
        yield
        store.create_folder("folder/")
        yield

    def changed(cloud: LocalCloud, to: Clients) -> Iterator[None]:
        queue = to.sqs.queue("q")
        queue.untag("a")
        yield
        queue.tag({"e": "f"})
        yield
        queue.remove_permission("gone")
        yield
        (message,) = queue.receive()
        yield
        queue.extend(message, 60)
        yield
        to.sqs.queue("deleted").delete()
        yield
        to.sqs.queue("empty").purge()
        yield
        jobs = to.cmq.queue("jobs")
        jobs.ack(jobs.receive()[0])
        yield
        to.cmq.topic("news").set_attributes({"maxMsgSize": 4096})
        yield
        to.cmq.topic("news").subscription("gone").delete()
        yield
        to.cmq.topic("news").subscription("kept").set_attributes(tags=["u"])
        yield
        to.cmq.topic("deleted").delete()
        yield
        to.cmq.topic("news").publish("x", tags=["u"])
        yield
        to.admin.create_topic("wide", queues=5)
        yield
        to.admin.delete_topic("deleted")
        yield
        to.admin.delete_group("gone")
        yield
        to.admin.set_offset("readers", rocketmq.MessageQueue("wide", "broker-a", 4), 0)
        yield
        films, store = to.wcs.bucket("films"), to.cos.bucket("b")
        films.put("a", b"three", overwrite=True)
        yield
        films.move("b", "c")
        yield
        films.copy("c", "d")
        yield
        films.delete("emptied")
        yield
        films.set_deadline("c", 3)
        yield
        store.put("k", b"three", overwrite=True)
        yield
        store.update("k", biz_attr="note")
        yield
        store.copy("k", "l")
        yield
        store.delete("gone")
        yield
        to.sqs.queue("dead").redrive()
        yield
        cloud.travel(400)
        to.sqs.queue("f.fifo").send("x", group_id="g", deduplication_id="d")
        yield
        to.sqs.queue("f.fifo").send("y", group_id="g", deduplication_id="e")
        yield

    def ended(cloud: LocalCloud, to: Clients) -> Iterator[None]:
        topic = to.cmq.create_topic("short")
        topic.subscribe("s", "jobs")
        topic.subscribe("nowhere", "http://127.0.0.1:1/", protocol="http")
        topic.publish("x")
        kept = cloud._vault.states["cmq"].deliveries
        eventually(lambda: [each.tries for each in list(kept)] == [1])
        yield
        topic.delete()
        yield
        rule = cmq.DeadLetterPolicy("weary-dead", max_receives=1)
        to.cmq.create_queue("weary-dead")
        weary = to.cmq.create_queue(
            "weary", {"rewindSeconds": 3600, "visibilityTimeout": 1}, dead_letter_policy=rule
        )
        weary.send_many(["a", "b"])
        yield
        weary.ack(weary.receive(1)[0])
        yield
        weary.rewind(int(cloud._vault.clock.now()) - 600)
        yield
        assert weary.receive(10)
        yield
        cloud.travel(10)
        weary.attributes()
        yield
        assert cloud._in_vault(lambda vault: vault.states["cmq"].queues["weary-dead"].clear()) > 0
        yield
        weary.clear_dead_letter_policy()
        weary.send("x")
        weary.delete()
        yield
        films = to.wcs.bucket("films")
        large = tmp_path.with_suffix(".large")
        large.write_bytes(os.urandom(9 * MIB))
        films.upload_file(large, "big")
        yield
        identity = films.begin_compress(["a"], "a.zip")
        eventually(lambda: to.wcs.operation_status(identity).done)
        yield
        films.begin_delete("a.zip")
        yield
        message = rocketmq.Message("orders", b"half")
        with rocketmq.Producer("t", to.namesrv, checker=lambda _: None) as producer:
            with producer.transaction(message):
                pass
            yield
            with producer.transaction(message) as half:
                half.leave_unknown()
            yield
        for _ in range(20):
            cloud.travel(31)
        eventually(lambda: not list(cloud._vault.states["rocketmq"]._transactions.things()))
        yield
        eventually(lambda: len(messages_of(to.namesrv, "events")) == 1)
        yield

    def cleared(cloud: LocalCloud, to: Clients) -> Iterator[None]:
        to.cmq.queue("jobs").clear_dead_letter_policy()
        yield
        to.cmq.queue("dead").delete()
        yield
        to.cmq.topic("news").subscription("kept").clear_tags()
        yield
        to.sqs.queue("q").set_attributes({"DelaySeconds": 0})
        yield
        films, store = to.wcs.bucket("films"), to.cos.bucket("b")
        films.delete("a")
        yield
        store.delete("folder/")
        yield
        to.admin.delete_group("readers")
        yield

    before: list[str] = []
    for step in (made, changed, ended, cleared, None):
        with LocalCloud(directory=tmp_path) as cloud, Clients(cloud.env()) as to:
            assert held(cloud) == before
            if step is None:
                continue
            for _ in step(cloud, to):
                assert cloud._in_vault(is_written)
            before = held(cloud)
            cloud.snapshot(step.__name__)
    with LocalCloud(directory=tmp_path) as cloud:
        cloud.restore("changed")
        before = held(cloud)
    with LocalCloud(directory=tmp_path) as cloud:
        assert held(cloud) == before


def test_what_was_under_way_has_failed_after_a_restart(tmp_path: Path) -> None:
    over = threading.Event()

    def wait(peer: Peer) -> None:
        peer.read_request()
        over.wait(20)

    with ScriptedServer(wait) as slow:
        with LocalCloud(directory=tmp_path) as cloud, Clients(cloud.env()) as to:
            dead = to.sqs.create_queue("dead")
            arn = "arn:aws:sqs:us-east-1:000000000000:dead"
            rule = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})
            to.sqs.create_queue("q", {"RedrivePolicy": rule})
            for _ in range(5):
                dead.send("x")
            first = dead.redrive(to.sqs.create_queue("other").arn(), rate=1)
            assert cloud._in_vault(is_written)
            dead.cancel_redrive(first)
            assert cloud._in_vault(is_written)
            dead.redrive(to.sqs.queue("other").arn(), rate=1)
            identity = to.wcs.bucket("b").begin_fetch(slow.url, "k")
        over.set()
    with LocalCloud(directory=tmp_path) as cloud, Clients(cloud.env()) as to:
        assert [task.status for task in to.sqs.queue("dead").redrives()] == ["FAILED", "CANCELLED"]
        assert to.wcs.operation_status(identity).failed
        assert cloud._in_vault(is_written)


def test_transactions_and_uploads_go_on_after_a_restart(tmp_path: Path) -> None:
    checked = threading.Event()

    def check(message: rocketmq.ReceivedMessage) -> rocketmq.TransactionStatus:
        checked.set()
        return rocketmq.TransactionStatus.COMMIT

    def begin(vault: Vault) -> str:
        state = vault.states["wcs"]
        block = Block("b", "u", 0, 2000)
        piece = Piece(state, block)
        piece.take(data)
        piece.commit()
        return str(state.new_context(block))

    data = os.urandom(1000)
    with LocalCloud(["rocketmq", "wcs"], directory=tmp_path) as cloud:
        with rocketmq.Producer("t", cloud.namesrv, checker=check) as producer:
            with producer.transaction(rocketmq.Message("orders", b"half")) as half:
                half.leave_unknown()
        context = cloud._in_vault(begin)
    with LocalCloud(["rocketmq", "wcs"], directory=tmp_path) as cloud:
        (block,) = cloud._vault.states["wcs"].blocks.values()
        assert (block.context, block.content.read()) == (context, data)
        assert block.digest.checksum() == encode_base64(hashlib.sha1(data).digest())
        with rocketmq.Producer("t", cloud.namesrv, checker=check) as producer:
            producer.send("other", b"x")
            cloud.travel(40)
            assert checked.wait(20), "the half message was forgotten"
        eventually(lambda: len(messages_of(cloud.namesrv, "orders")) == 1)


def test_a_snapshot_is_gone_back_to(tmp_path: Path) -> None:
    for directory in (None, tmp_path):
        with LocalCloud(directory=directory) as cloud, Clients(cloud.env()) as to:
            queue = to.sqs.create_queue("q")
            queue.send("kept")
            to.cmq.create_queue("c").send("kept")
            to.producer.send("events", b"kept")
            to.wcs.bucket("b").put("k", b"kept")
            to.cos.bucket("b").put("k", b"kept")
            cloud.snapshot("then")
            then = held(cloud)
            queue.set_attributes({"VisibilityTimeout": 7})
            queue.purge()
            queue.send("new")
            jobs = to.cmq.queue("c")
            jobs.ack(jobs.receive()[0])
            to.producer.send("events", b"new")
            to.wcs.bucket("b").put("k", b"new", overwrite=True)
            to.cos.bucket("b").delete("k")
            for _ in range(2):
                cloud.restore("then")
                assert held(cloud) == then
                to.cos.bucket("b").update("k", headers={"Cache-Control": "no-cache"})
                queue.tag({"a": "b"})
                assert to.cos.bucket("b").get("k") == to.wcs.bucket("b").get("k") == b"kept"
                assert [each.body for each in messages_of(cloud.namesrv, "events")] == [b"kept"]
                assert to.cmq.queue("c").receive()[0].body == "kept"
                (message,) = queue.receive()
                assert message.body == "kept"
            with pytest.raises(ConfigError, match="there is no snapshot 'now'"):
                cloud.restore("now")
            with pytest.raises(ConfigError, match="1 to 100 characters"):
                cloud.snapshot("")
            if directory is None:
                continue
        with LocalCloud(directory=directory) as cloud, Clients(cloud.env()) as to:
            cloud.reset()
            cloud.restore("then")
            assert to.wcs.bucket("b").get("k") == b"kept"


def test_one_cloud_a_directory(tmp_path: Path) -> None:
    with LocalCloud(["rocketmq"], directory=tmp_path):
        with pytest.raises(ConfigError, match=f"directory: {tmp_path} cannot be used"):
            LocalCloud(["rocketmq"], directory=tmp_path).start()
    (tmp_path / "cloud.sqlite3").write_bytes(b"no database, but some other file" * 100)
    with pytest.raises(ConfigError, match="file is not a database"):
        LocalCloud(["rocketmq"], directory=tmp_path).start()
    newer = tmp_path / "newer"
    newer.mkdir()
    with contextlib.closing(sqlite3.connect(newer / "cloud.sqlite3")) as database:
        database.execute("PRAGMA user_version=99")
        database.execute("CREATE TABLE t (x)")
    with pytest.raises(ConfigError, match="is of another version, 99, or no cloud's"):
        LocalCloud(["rocketmq"], directory=newer).start()
    other = tmp_path / "other"
    other.mkdir()
    with contextlib.closing(sqlite3.connect(other / "cloud.sqlite3")) as database:
        database.execute("CREATE TABLE t (x)")
    with pytest.raises(ConfigError, match="is of another version, 0, or no cloud's"):
        LocalCloud(["rocketmq"], directory=other).start()
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        LocalCloud(["rocketmq"], directory=tmp_path / "file").start()


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "contents").mkdir()
    (tmp_path / "contents" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="contents holds files of somebody else"):
        LocalCloud(["rocketmq"], directory=tmp_path).start()
    assert (tmp_path / "contents" / "thesis.txt").read_text() == "mine"
    used = tmp_path / "used"
    with LocalCloud(["rocketmq"], directory=used):
        left = used / "contents" / ("0" * 32)
        left.write_bytes(b"an object that was never acknowledged")
        (used / "contents" / "notes.txt").write_text("mine")
    with LocalCloud(["rocketmq"], directory=used):
        assert [path.name for path in (used / "contents").iterdir()] == ["notes.txt"]


@pytest.mark.skipif(os.name != "posix", reason="a full disk is played with a limit of POSIX")
def test_what_cannot_be_written_is_not_acknowledged(tmp_path: Path) -> None:
    program = """
import resource, sys
from wirespeed.local import LocalCloud
with LocalCloud(["rocketmq", "sqs"], directory=sys.argv[1]) as cloud:
    print(cloud.namesrv, cloud.sqs_url, flush=True)
    sys.stdin.readline()
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard))
    print("full", flush=True)
    sys.stdin.readline()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print("free", flush=True)
    sys.stdin.readline()
"""
    with serving([sys.executable, "-c", program, str(tmp_path)]) as (process, line):
        namesrv, url = line.split()

        def step() -> None:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            process.stdout.readline()

        with (
            sqs.Client("r", endpoint=url, credentials=KEYS, retry=Retry(1)) as client,
            rocketmq.Producer("g", namesrv=namesrv, attempts=1) as producer,
        ):
            queue = client.create_queue("q")
            producer.send("t", b"before")
            step()
            with pytest.raises(WirespeedError):
                queue.send("x" * 200_000)
            with pytest.raises(WirespeedError):
                producer.send("t", b"x" * 200_000)
            step()
            queue.send("after")
            producer.send("t", b"after")
            bodies = [len(each.body) for each in queue.receive(10)]
            assert 5 in bodies


def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    kill_at_random(tmp_path, rounds=2)
