"""The commands on queues, each as a process of its own, on the local SQS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.scripted import closed_port
from wirespeed import cmq, rocketmq
from wirespeed.config import Credentials
from wirespeed.local import LocalCloud
from wirespeed.sqs import Client

PROGRAM = [sys.executable, "-W", "error", "-m", "wirespeed"]


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["cmq", "rocketmq", "sqs"]) as made:
        yield made


@pytest.fixture
def url(cloud: LocalCloud) -> Iterator[str]:
    cloud.reset()
    keys = Credentials(cloud.access_key, cloud.secret_key)
    with Client("r", endpoint=cloud.sqs_url, credentials=keys) as client:
        client.create_queue("orders")
        client.create_queue("orders.fifo", {"ContentBasedDeduplication": True})
    yield f"sqs://r/orders?endpoint={cloud.sqs_url}"


def run(cloud: LocalCloud, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        env={**os.environ, **cloud.env(), "PYTHONIOENCODING": "utf-8"},
    )


def test_lines_in_and_lines_out(cloud: LocalCloud, url: str) -> None:
    done = run(cloud, "send", url, given="one\n\nдва 中\nthree\r\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run(cloud, "count", url).stdout == "ready 3  in_flight 0  delayed 0\n"
    peeked = run(cloud, "peek", url).stdout.splitlines()
    assert sorted(peeked) == ["one", "three", "два 中"]
    received = run(cloud, "recv", url, "--count", "5").stdout.splitlines()
    assert sorted(received) == ["one", "three", "два 中"]
    done = run(cloud, "recv", url, "--wait", "0", "--fail-if-empty")
    assert (done.returncode, done.stdout) == (9, "")


def test_json(cloud: LocalCloud, url: str) -> None:
    done = run(cloud, "send", url, "a", "b", "--json")
    sent = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["body"] for line in sent] == ["a", "b"]
    done = run(cloud, "recv", url, "--count", "2", "--json")
    received = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["message_id"] for line in received} == {line["message_id"] for line in sent}
    assert received[0]["system"]["ApproximateReceiveCount"] == "1"
    counts = json.loads(run(cloud, "count", url, "--json").stdout)
    assert counts == {"ready": 0, "in_flight": 0, "delayed": 0}
    assert json.loads(run(cloud, "ping", url, "--json").stdout)["ok"] is True


def test_a_fifo_queue_wants_a_group(cloud: LocalCloud, url: str) -> None:
    fifo = url.replace("/orders?", "/orders.fifo?")
    done = run(cloud, "send", fifo, "x")
    assert done.returncode == 2 and "group_id must be given" in done.stderr
    assert run(cloud, "send", fifo, "x", "y", "--group", "g").returncode == 0
    assert run(cloud, "recv", fifo, "--count", "2").stdout == "x\ny\n"


def test_a_message_that_is_refused_does_not_stop_the_others(cloud: LocalCloud, url: str) -> None:
    keys = Credentials(cloud.access_key, cloud.secret_key)
    with Client("r", endpoint=cloud.sqs_url, credentials=keys) as client:
        client.queue("orders").set_attributes({"MaximumMessageSize": 1024})
    done = run(cloud, "send", url, "x" * 2000, "small", "--json")
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 6 and done.stderr.count("\n") == 1
    assert first["error"]["outcome"] == "rejected" and second["body"] == "small"


def test_purge_wants_a_yes(cloud: LocalCloud, url: str) -> None:
    run(cloud, "send", url, "x")
    done = run(cloud, "purge", url)
    assert done.returncode == 2 and "--yes" in done.stderr
    assert run(cloud, "purge", url, "--yes", "--json").stdout == '{"purged": "orders"}\n'
    assert run(cloud, "recv", url, "--wait", "0").stdout == ""


@pytest.mark.skipif(os.name != "posix", reason="signals are sent")
def test_follow_ends_on_a_signal(cloud: LocalCloud, url: str) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "recv", url, "--follow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **cloud.env()},
    )
    with process:
        assert process.stdout is not None and process.stderr is not None
        run(cloud, "send", url, "now")
        assert process.stdout.readline() == "now\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == "wirespeed: interrupted\n"


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("sqs://r/none?endpoint={}", 3, "does not exist"),
        ("sqs://local:wrong@r/orders?endpoint={}", 6, "SignatureDoesNotMatch"),
        ("sqs://r/orders?endpoint=http://127.0.0.1:{closed}", 5, "cannot connect"),
        ("wcs://a:b@bucket?upload_url={}&manage_url={}", 2, "a bucket, not a queue"),
        ("kafka://h/t", 2, "url must begin with"),
    ],
)
def test_exit_codes(cloud: LocalCloud, url: str, code: int, said: str) -> None:
    address = cloud.sqs_url
    text = url.replace("{closed}", str(closed_port())).replace("{}", address)
    for command in ("ping", "count"):
        done = run(cloud, command, text)
        assert done.returncode == code, done.stderr
        assert said in done.stderr and done.stderr.count("\n") == 1
        assert "wrong" not in done.stderr and "local-secret" not in done.stderr


def test_a_queue_of_cmq(cloud: LocalCloud) -> None:
    keys = Credentials(cloud.access_key, cloud.secret_key)
    with cmq.Client(cloud.cmq_url, keys) as client:
        client.create_queue("jobs")
    url = cloud.cmq_url.replace("http", "cmq") + "/jobs"
    done = run(cloud, "send", url, given="one\nдва\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run(cloud, "count", url, "--json").stdout == (
        '{"ready": 2, "in_flight": 0, "delayed": 0}\n'
    )
    shown = json.loads(run(cloud, "recv", url, "--json").stdout)
    assert (shown["body"], shown["receive_count"]) == ("one", 1)
    assert run(cloud, "recv", url).stdout == "два\n"
    assert run(cloud, "ping", url).returncode == 0
    for command, words in (
        (["peek", url], "no peek"),
        (["purge", url, "--yes"], "cannot purge"),
        (["send", "--group", "g", url, "x"], "--group is for a FIFO queue"),
    ):
        done = run(cloud, *command)
        assert done.returncode != 0 and words in done.stderr


def test_dead_letters_are_shown_and_sent_back(cloud: LocalCloud, url: str) -> None:
    keys = Credentials(cloud.access_key, cloud.secret_key)
    with Client("r", endpoint=cloud.sqs_url, credentials=keys) as client:
        dead = client.create_queue("dead")
        policy = {"deadLetterTargetArn": dead.arn(), "maxReceiveCount": 1}
        client.queue("orders").set_attributes({"RedrivePolicy": json.dumps(policy)})
        dead.send_many(["one", "two"])
    assert run(cloud, "dlq", url).stdout == "2 dead letters of orders in dead\n"
    done = run(cloud, "dlq", url, "--json")
    assert json.loads(done.stdout) == {"queue": "orders", "dead_letter_queue": "dead", "count": 2}
    assert run(cloud, "dlq", url, "--redrive").stdout == "2 messages sent back to orders\n"
    assert sorted(run(cloud, "peek", url).stdout.split()) == ["one", "two"]
    assert run(cloud, "dlq", url, "--rate", "5").returncode == 2
    done = run(cloud, "dlq", url.replace("/orders?", "/orders.fifo?"))
    assert done.returncode == 3
    assert "no dead-letter queue" in done.stderr


def test_dead_letters_of_cmq(cloud: LocalCloud) -> None:
    cloud.reset()
    keys = Credentials(cloud.access_key, cloud.secret_key)
    with cmq.Client(cloud.cmq_url, keys) as client:
        dead = client.create_queue("dead")
        client.create_queue("orders", dead_letter_policy=cmq.DeadLetterPolicy("dead", 3))
        dead.send_many(["one", "two", "three"])
    assert run(cloud, "dlq", "cmq:///orders").stdout == "3 dead letters of orders in dead\n"
    done = run(cloud, "dlq", "cmq:///orders", "--redrive", "--rate", "100", "--json")
    assert json.loads(done.stdout)["moved"] == 3
    assert run(cloud, "count", "cmq:///orders").stdout.startswith("ready 3")
    assert run(cloud, "count", "cmq:///dead").stdout.startswith("ready 0")


def test_a_topic_of_rocketmq(cloud: LocalCloud) -> None:
    cloud.reset()
    url = "rocketmq:///orders?group=shop"
    sent = run(cloud, "send", url, "one", "два", "--json")
    assert [json.loads(line)["body"] for line in sent.stdout.splitlines()] == ["one", "два"]
    assert run(cloud, "count", url).stdout == "ready 2\n"
    assert sorted(run(cloud, "peek", url).stdout.split()) == ["one", "два"]
    received = run(cloud, "recv", url, "--count", "2", "--json").stdout.splitlines()
    assert {json.loads(line)["body"] for line in received} == {"one", "два"}
    assert json.loads(run(cloud, "count", url, "--json").stdout) == {"ready": 0}
    assert run(cloud, "dlq", url).stdout == "0 dead letters of orders in %DLQ%shop\n"
    assert run(cloud, "ping", url).returncode == 0
    refused = run(cloud, "purge", url, "--yes")
    assert (refused.returncode, "cannot purge" in refused.stderr) == (6, True)


def test_dead_letters_of_rocketmq_keep_what_their_senders_set(cloud: LocalCloud) -> None:
    cloud.reset()
    given = {"TAGS": "red", "KEYS": "k1 k2", "by": "eve", "RETRY_TOPIC": "orders"}
    dead = rocketmq.Message.from_parts("%DLQ%shop", b"one", given)
    dead.flag = 7
    with rocketmq.Producer("other", namesrv=cloud.namesrv) as producer:
        producer.send_message(dead)
    url = "rocketmq:///orders?group=shop"
    assert run(cloud, "dlq", url).stdout == "1 dead letters of orders in %DLQ%shop\n"
    assert run(cloud, "dlq", url, "--redrive").stdout == "1 messages sent back to orders\n"
    with rocketmq.Queue("orders", "shop", cloud.namesrv) as queue:
        (message,) = queue.receive(wait=10)
    assert (message.body, message.tag, message.keys) == (b"one", "red", ("k1", "k2"))
    assert (message.properties["by"], message.native.flag) == ("eve", 7)
    assert "RETRY_TOPIC" not in message.properties
    assert run(cloud, "dlq", url).stdout == "0 dead letters of orders in %DLQ%shop\n"
