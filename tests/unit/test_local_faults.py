"""The local cloud misbehaves on command, and remembers what was asked of it."""

from __future__ import annotations

import http.client
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wirespeed import sqs
from wirespeed.config import Credentials, Retry
from wirespeed.errors import (
    Busy,
    ConfigError,
    IntegrityError,
    ProtocolError,
    Throttled,
    TransportError,
)
from wirespeed.local import LocalCloud

KEYS = Credentials("local", "local-secret")


@pytest.fixture(scope="module")
def running() -> Iterator[LocalCloud]:
    with LocalCloud(["cos", "sqs"]) as made:
        yield made


@pytest.fixture
def cloud(running: LocalCloud) -> LocalCloud:
    running.reset()
    return running


@pytest.fixture
def queue(cloud: LocalCloud) -> Iterator[sqs.Queue]:
    options = {"retry": Retry(2, base=0), "ambiguous": "raise"}
    with sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS, **options) as client:
        yield client.create_queue("q")
    cloud.faults.clear()


@pytest.mark.parametrize(("kind", "stored"), [("drop", 0), ("cut", 1)])
def test_a_lost_connection(cloud: LocalCloud, queue: sqs.Queue, kind: str, stored: int) -> None:
    fault = cloud.faults.add(kind, "sqs", "SendMessage", count=1)
    with pytest.raises((TransportError, ProtocolError)) as caught:
        queue.send("x")
    assert (caught.value.outcome, fault.hits) == ("unknown", 1)
    assert queue.count() == stored
    queue.send("y")
    assert queue.count() == stored + 1, "it struck once"


def test_a_status(cloud: LocalCloud, queue: sqs.Queue) -> None:
    cloud.faults.add("status", status=429)
    with pytest.raises(Throttled):
        queue.send("x")
    cloud.faults.clear()
    cloud.faults.add("status", "sqs", "SendMessage", count=1)
    with pytest.raises(Busy):
        queue.send("x")
    assert queue.count() == 0


def test_a_delay(cloud: LocalCloud, queue: sqs.Queue) -> None:
    fault = cloud.faults.add("delay", "sqs", seconds=0.5)
    start = time.monotonic()
    queue.send("x")
    assert time.monotonic() - start > 0.45
    cloud.faults.remove(fault)
    cloud.faults.remove(fault)
    start = time.monotonic()
    queue.send("x")
    assert time.monotonic() - start < 0.45


def test_a_corrupt_byte_is_noticed(cloud: LocalCloud, queue: sqs.Queue) -> None:
    queue.send("x" * 3000)
    cloud.faults.add("corrupt", "sqs", "ReceiveMessage", count=1)
    with pytest.raises(IntegrityError):
        queue.receive(wait=0)


def test_only_what_is_named_is_struck(cloud: LocalCloud, queue: sqs.Queue) -> None:
    cloud.faults.add("drop", "cos")
    cloud.faults.add("drop", "sqs", "PurgeQueue")
    cloud.faults.add("drop", "sqs", probability=0.0)
    for _ in range(20):
        queue.send("x")
    cloud.faults.clear()
    fault = cloud.faults.add("status", "sqs", "SendMessage", probability=0.5)
    struck = 0
    for _ in range(60):
        try:
            queue.send("x")
        except Busy:
            struck += 1
    assert 0 < struck < 60 and fault.hits >= struck


def test_requests_are_logged_without_what_is_secret(cloud: LocalCloud, queue: sqs.Queue) -> None:
    cloud.faults.add("drop", "sqs", "PurgeQueue", count=1)
    queue.send("x")
    queue.purge()
    log = cloud.faults.requests()
    assert [(each.service, each.method, each.status, each.fault) for each in log[-3:]] == [
        ("sqs", "POST", 200, ""),
        ("sqs", "POST", 0, "drop"),
        ("sqs", "POST", 200, ""),
    ]
    connection = http.client.HTTPConnection(cloud.cos_url.removeprefix("http://"), timeout=5)
    connection.request("GET", "/k?sign=secret")
    connection.getresponse().read()
    connection.close()
    assert "secret" not in repr(cloud.faults.requests()[-1])
    cloud.reset()
    assert cloud.faults.requests() == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "status", "status": 200}, "status"),
        ({"kind": "drop", "probability": 2}, "probability"),
        ({"kind": "drop", "count": 0}, "count"),
        ({"kind": "delay", "seconds": -1}, "seconds"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        LocalCloud().faults.add(**arguments)  # type: ignore[arg-type]


def test_pytest_finds_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent(
            """
            import wirespeed
            from wirespeed.sqs import Client

            def test_one(wirespeed_cloud):
                with Client() as client:
                    client.create_queue("q").send("x")
                wirespeed_cloud.faults.add("drop")

            def test_two(wirespeed_cloud):
                with Client() as client:
                    assert client.list_queues().all() == []
                with wirespeed.connect("cos4://b-10001") as bucket:
                    bucket.put("k", b"v")
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
