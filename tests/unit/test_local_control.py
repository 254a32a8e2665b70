"""A cloud is looked into and controlled: by Python, by the console's HTTP, by `wirespeed cloud`."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from wirespeed import cmq, cos, rocketmq, sqs, wcs
from wirespeed.config import Credentials, Retry
from wirespeed.errors import (
    AccessDenied,
    Busy,
    ClosedError,
    ConfigError,
    IntegrityError,
    ProtocolError,
    Throttled,
    WirespeedError,
)
from wirespeed.local import LocalCloud

PAIR = ("local", "local-secret")
KEYS = Credentials(*PAIR)
ONCE = Retry(1)


@pytest.fixture(scope="module")
def running() -> Iterator[LocalCloud]:
    with LocalCloud(console=True) as made:
        yield made


@pytest.fixture
def cloud(running: LocalCloud) -> LocalCloud:
    running.reset()
    return running


def ask(
    cloud: LocalCloud, method: str, path: str, fields: object = None, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    """Ask the console; return status, JSON or text, and headers."""
    place = urlsplit(cloud.console_url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=10)
    if method != "GET":
        headers = {"x-wirespeed-token": cloud.console_token, **headers}
    body = None if fields is None else json.dumps(fields)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    is_json = answer.headers.get("content-type") == "application/json"
    return answer.status, json.loads(data) if is_json else data.decode(), dict(answer.headers)


def cos_client(cloud: LocalCloud) -> cos.Client:
    url = cloud.cos_url
    return cos.Client("10001", *PAIR, endpoint=url, download_endpoint=url, retry=ONCE)


def consuming(cloud: LocalCloud, topic: str) -> rocketmq.LitePullConsumer:
    made = rocketmq.LitePullConsumer(
        "c", namesrv=cloud.namesrv, start_from=rocketmq.StartFrom.FIRST
    )
    made.subscribe(topic)
    return made


def changed(cloud: LocalCloud, verb: str, **fields: Any) -> Any:
    status, told, _ = ask(cloud, "POST", f"/api/{verb}", fields)
    assert status == 200, told
    return told


def refused(cloud: LocalCloud, verb: str, **fields: Any) -> str:
    status, told, _ = ask(cloud, "POST", f"/api/{verb}", fields)
    assert status == 400
    return str(told["error"])


# ---- time ----


def test_the_clock_is_moved(cloud: LocalCloud) -> None:
    with (
        sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS) as client,
        cmq.Client(cloud.cmq_url, KEYS) as old,
        rocketmq.Producer("g", cloud.namesrv) as producer,
    ):
        queue, jobs = client.create_queue("q"), old.create_queue("j")
        queue.send("a", delay=900)
        queue.send("b")
        assert [each.body for each in queue.receive(10)] == ["b"]
        jobs.send("c", delay=3600)
        producer.send("t", b"d", delay=86_400)
        cloud.travel(86_400)
        assert {each.body for each in queue.receive(10)} == {"a", "b"}
        assert jobs.receive()[0].body == "c"
        with consuming(cloud, "t") as consumer:
            assert [each.body for each in consumer.poll(timeout=10)] == [b"d"]
    for seconds in (-1, 1e12):
        with pytest.raises(ConfigError, match="seconds must be from 0"):
            cloud.travel(seconds)


def test_who_waits_is_woken(cloud: LocalCloud) -> None:
    import threading

    with sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS) as client:
        queue = client.create_queue("q")
        queue.send("late", delay=600)
        timer = threading.Timer(0.5, cloud.travel, [600])
        timer.start()
        start = time.monotonic()
        assert queue.receive(wait=20)[0].body == "late"
        assert time.monotonic() - start < 10
        timer.join()


def test_a_cloud_that_does_not_run_is_not_controlled() -> None:
    cloud = LocalCloud(["rocketmq"])
    for call in (lambda: cloud.travel(1), cloud.snapshot, cloud.restore, cloud.reset):
        with pytest.raises(ClosedError):
            call()
    with pytest.raises(ClosedError, match="runs no console"):
        _ = cloud.console_url


# ---- faults ----


def test_faults_of_rocketmq(cloud: LocalCloud) -> None:
    faults = cloud.faults
    with rocketmq.Producer("g", cloud.namesrv, attempts=1, timeout=2) as producer:
        producer.send("t", b"first")
        for kind, outcome in (
            ("drop", "unknown"),
            ("cut", "unknown"),
            ("corrupt", "unknown"),
            ("throttle", "rejected"),
        ):
            fault = faults.add(kind, "rocketmq", "SEND_MESSAGE", count=1)
            with pytest.raises(WirespeedError) as caught:
                producer.send("t", kind.encode())
            assert (caught.value.outcome, fault.hits) == (outcome, 1), kind
            assert not faults.active()
        faults.add("status", "rocketmq", "SEND_MESSAGE", status=14, count=1)
        with pytest.raises(WirespeedError, match="SERVICE_NOT_AVAILABLE"):
            producer.send("t", b"x")
        faults.add("delay", "rocketmq", "other-topic", seconds=5)
        faults.add("delay", "rocketmq", "SEND_MESSAGE", seconds=0.5, count=1)
        start = time.monotonic()
        producer.send("t", b"late")
        assert 0.45 < time.monotonic() - start < 5
    codes = [(each.method, each.path, each.status, each.fault) for each in faults.requests()]
    assert ("SEND_MESSAGE_V2", "t", 14, "status") in codes
    assert ("SEND_MESSAGE_V2", "t", 0, "delay") in codes
    stored = cloud._vault.states["rocketmq"].store.messages("t")
    assert len(list(stored)) == 4, "cut and corrupt answers were carried out, the others not"


def test_throttled_and_skewed(cloud: LocalCloud) -> None:
    url = cloud.wcs_url
    with (
        sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS, retry=ONCE) as new,
        cmq.Client(cloud.cmq_url, KEYS, retry=ONCE) as old,
        cos.Client(
            "10001", *PAIR, endpoint=cloud.cos_url, download_endpoint=cloud.cos_url, retry=ONCE
        ) as store,
        wcs.Client(*PAIR, upload_url=url, manage_url=url, retry=ONCE) as films,
    ):
        for call in (
            lambda: new.create_queue("q"),
            lambda: old.create_queue("q"),
            lambda: store.bucket("b").put("k", b""),
            lambda: films.bucket("b").put("k", b""),
        ):
            cloud.faults.add("throttle", count=1)
            with pytest.raises(Throttled):
                call()
            call()
        for seconds in (-4000, 4000):
            for skewed in (lambda: old.list_queues().__next__(), lambda: new.create_queue("p")):
                cloud.faults.add("skew", seconds=seconds, count=1)
                with pytest.raises(AccessDenied):
                    skewed()
                skewed()
        cloud.faults.add("skew", "wcs", seconds=86_400, count=1)
        with pytest.raises(AccessDenied):
            films.bucket("b").put("late", b"")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "x"}, "kind must be one of"),
        ({"kind": "drop", "service": "x"}, "service must be one of"),
        ({"kind": "drop", "operation": 1}, "operation must be"),
        ({"kind": "status", "service": "rocketmq", "status": 0}, "status must be an int from 1"),
        ({"kind": "status", "status": 200}, "status must be an int from 400"),
        ({"kind": "skew", "seconds": 1e6}, "seconds must be from -86400"),
        ({"kind": "drop", "probability": 2}, "probability must be"),
        ({"kind": "drop", "count": 0}, "count must be"),
        ({"kind": "drop", "count": "x"}, "count must be"),
        ({"kind": "drop", "probability": "x"}, "each field its type"),
        ({"kind": "drop", "other": 1}, "a fault has no other"),
        ({}, "a fault needs its kind"),
    ],
)
def test_faults_that_there_are_not(cloud: LocalCloud, fields: dict[str, Any], said: str) -> None:
    assert said in refused(cloud, "faults", **fields)
    assert cloud.faults.active() == []


# ---- the console over HTTP ----


def test_who_may_ask_the_console(cloud: LocalCloud) -> None:
    port = urlsplit(cloud.console_url).port
    for host in ("evil.example", f"evil.example:{port}", "169.254.1.1", "", "127.0.0.1.evil.com"):
        for method, path in (("GET", "/"), ("GET", "/api/overview"), ("POST", "/api/reset")):
            status, told, _ = ask(cloud, method, path, {}, Host=host)
            assert (status, cloud.console_token in json.dumps(told)) in ((421, False), (400, False))
    for host in ("localhost", f"localhost:{port}", f"[::1]:{port}", f"127.0.0.1:{port}"):
        assert ask(cloud, "GET", "/api/overview", Host=host)[0] == 200
    for token in ("", "x", cloud.console_token + "x"):
        for method, path in (
            ("POST", "/api/reset"),
            ("POST", "/api/travel"),
            ("POST", "/api/send"),
            ("DELETE", "/api/faults"),
            ("DELETE", "/api/snapshots?name=x"),
        ):
            assert ask(cloud, method, path, {}, **{"x-wirespeed-token": token})[0] == 403
    status, page, headers = ask(cloud, "GET", "/")
    assert status == 200 and f'content="{cloud.console_token}"' in page
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for name in ("page.css", "page.js"):
        status, text, headers = ask(cloud, "GET", f"/{name}")
        assert status == 200 and text and "http://" not in text.replace("http://www.w3.org/", "")
    assert ask(cloud, "GET", "/api/../page.html")[0] == 404
    assert ask(cloud, "POST", "/api/nothing", {})[0] == 404


def test_the_console_shows_what_there_is(cloud: LocalCloud) -> None:
    url = cloud.wcs_url
    with (
        sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS) as new,
        cmq.Client(cloud.cmq_url, KEYS) as old,
        rocketmq.Producer("g", cloud.namesrv) as producer,
        cos.Client(
            "10001", *PAIR, endpoint=cloud.cos_url, download_endpoint=cloud.cos_url
        ) as store,
        wcs.Client(*PAIR, upload_url=url, manage_url=url) as films,
    ):
        new.create_queue("dead")
        arn = "arn:aws:sqs:us-east-1:000000000000:dead"
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})
        queue = new.create_queue("q", {"RedrivePolicy": policy})
        queue.send("a")
        queue.send("b", delay=60)
        queue.receive()
        old.create_queue("j").send("work")
        old.create_topic("news").subscribe("s", "j")
        producer.send("t", b"x", tag="T")
        with consuming(cloud, "t") as consumer:
            assert consumer.poll(timeout=10)
            consumer.commit()
        producer.send("t", b"y")
        films.bucket("b").put("k", b"123")
        store.bucket("b").put("d/k", b"12")
    told = ask(cloud, "GET", "/api/overview")[1]
    services = told["services"]
    assert services["sqs"]["queues"] == [
        {
            "name": "dead",
            "ready": 0,
            "in_flight": 0,
            "delayed": 0,
            "dead_letters_to": "",
            "dead_letters": True,
        },
        {
            "name": "q",
            "ready": 0,
            "in_flight": 1,
            "delayed": 1,
            "dead_letters_to": "dead",
            "dead_letters": False,
        },
    ]
    assert services["cmq"]["queues"][0]["ready"] == 1
    assert services["cmq"]["topics"][0]["subscriptions"][0]["endpoint"] == "j"
    (topic,) = [each for each in services["rocketmq"]["topics"] if each["name"] == "t"]
    assert (topic["messages"], topic["dead_letters"]) == (2, False)
    (group,) = [each for each in services["rocketmq"]["groups"] if each["name"] == "c"]
    assert group["topics"] == {"t": group["lag"]} and group["lag"] in (0, 1)
    assert services["wcs"]["buckets"] == [{"name": "b", "objects": 1, "bytes": 3}]
    assert services["cos"]["buckets"] == [{"name": "b-10001", "objects": 1, "bytes": 2}]
    assert told["requests"]["sqs"] >= 5
    entries = ask(cloud, "GET", "/api/requests")[1]
    assert {"SendMessage", "CreateQueue"} <= {each["operation"] for each in entries}
    last = entries[-1]["number"]
    assert ask(cloud, "GET", f"/api/requests?after={last}")[1] == []
    found = ask(cloud, "GET", "/api/messages?service=sqs&name=q")[1]
    assert [(each["body"], each["state"]) for each in found] == [
        ("a", "in flight"),
        ("b", "delayed"),
    ]
    found = ask(cloud, "GET", "/api/messages?service=rocketmq&name=t")[1]
    assert {each["body"] for each in found} == {"x", "y"}
    assert "T" in {each["properties"].get("TAGS") for each in found}
    assert ask(cloud, "GET", "/api/messages?service=cmq&name=j")[1][0]["body"] == "work"
    objects = ask(cloud, "GET", "/api/objects?service=wcs&bucket=b&prefix=k")[1]
    assert [(each["name"], each["size"]) for each in objects] == [("k", 3)]
    objects = ask(cloud, "GET", "/api/objects?service=cos&bucket=b-10001")[1]
    assert [each["name"] for each in objects] == ["/d/k"]
    for query in (
        "messages?service=sqs&name=none",
        "messages?service=x&name=q",
        "messages?service=sqs&name=q&count=9999",
        "messages?service=rocketmq&name=none",
        "objects?service=wcs&bucket=none",
        "objects?service=sqs&bucket=q",
        "requests?after=x",
    ):
        assert ask(cloud, "GET", f"/api/{query}")[0] == 400, query


def test_the_console_changes_what_there_is(cloud: LocalCloud) -> None:
    url = cloud.wcs_url
    with (
        sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS) as new,
        cmq.Client(cloud.cmq_url, KEYS) as old,
        rocketmq.Producer("g", cloud.namesrv) as producer,
        wcs.Client(*PAIR, upload_url=url, manage_url=url) as films,
        cos.Client(
            "10001", *PAIR, endpoint=cloud.cos_url, download_endpoint=cloud.cos_url
        ) as store,
    ):
        queue, fifo = new.create_queue("q"), new.create_queue("f.fifo", {"FifoQueue": "true"})
        jobs = old.create_queue("j")
        changed(cloud, "send", service="sqs", name="q", body="from the console")
        assert queue.receive()[0].body == "from the console"
        for _ in range(2):
            changed(cloud, "send", service="sqs", name="f.fifo", body="same", group="g")
        assert fifo.count() == 2
        changed(cloud, "send", service="cmq", name="j", body="work")
        assert jobs.count() == 1
        assert changed(cloud, "purge", service="cmq", name="j") == {"purged": 1}
        assert changed(cloud, "purge", service="sqs", name="f.fifo") == {"purged": 2}
        assert (jobs.count(), fifo.count()) == (0, 0)
        producer.send("t", b"before")
        with consuming(cloud, "t") as consumer:
            assert consumer.poll(timeout=10)
            changed(cloud, "send", service="rocketmq", name="t", body="b", tag="T", key="k")
            (message,) = consumer.poll(timeout=10)
            assert (message.body, message.tag, message.keys) == (b"b", "T", ("k",))
        assert changed(cloud, "skip", service="rocketmq", name="c")["skipped"] >= 0
        films.bucket("b").put("k", b"")
        store.bucket("b").put("k", b"")
        changed(cloud, "delete", service="wcs", bucket="b", name="k")
        changed(cloud, "delete", service="cos", bucket="b-10001", name="/k")
        dead = producer.send("%DLQ%c", b"dead")
        assert dead.message_id
        assert changed(cloud, "redrive", service="rocketmq", name="%DLQ%c") == {"moved": 1}
    overview = ask(cloud, "GET", "/api/overview")[1]["services"]
    assert overview["wcs"]["buckets"][0]["objects"] == overview["cos"]["buckets"][0]["objects"] == 0
    assert refused(cloud, "send", service="x", name="q", body="b").startswith("service: 'x'")
    assert refused(cloud, "send", service="wcs", name="q", body="b") == (
        "service: wcs takes no messages"
    )
    assert "must be given" in refused(cloud, "send", service="sqs", name="q")
    assert "there is no queue" in refused(cloud, "purge", service="sqs", name="none")
    assert refused(cloud, "send", service="sqs", name="none", body="b")
    assert refused(cloud, "send", service="cmq", name="none", body="b")
    assert "illegal" in refused(cloud, "send", service="rocketmq", name="a b", body="b")
    assert "holds no dead letters" in refused(cloud, "redrive", service="rocketmq", name="t")
    assert "cannot send" in refused(cloud, "redrive", service="wcs", name="t")
    assert "no groups" in refused(cloud, "skip", service="sqs", name="t")
    assert refused(cloud, "delete", service="wcs", bucket="none", name="k")
    assert refused(cloud, "delete", service="wcs", bucket="b", name="k")
    assert refused(cloud, "delete", service="cos", bucket="b-10001", name="/k")
    status, told, _ = ask(cloud, "POST", "/api/travel", {"seconds": "x"})
    assert (status, told["error"]) == (400, "seconds must be a number")
    status, told, _ = ask(cloud, "POST", "/api/reset", [])
    assert status == 200


# ---- the command ----


def run(cloud: LocalCloud, *arguments: str, code: int = 0) -> str:
    """Run `wirespeed cloud` and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "wirespeed", "cloud", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**cloud.env(), "PATH": ""},
    )
    assert done.returncode == code, done
    return done.stdout if code == 0 else done.stderr


def test_the_command_controls_a_cloud(cloud: LocalCloud) -> None:
    with sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS, retry=ONCE) as client:
        queue = client.create_queue("q")
        queue.send("a")
        assert "sqs       queue   q: ready 1, in flight 0, delayed 0\n" in run(cloud, "status")
        run(cloud, "snapshot", "then")
        options = ("--service", "sqs", "--operation", "SendMessage", "--status", "502")
        said = run(cloud, "fault", "status", *options, "--count", "1")
        assert "wirespeed cloud heal" in said
        with pytest.raises(Busy):
            queue.send("b")
        run(cloud, "fault", "drop")
        assert len(json.loads(run(cloud, "status", "--json"))["faults"]) == 1
        assert "fault " in run(cloud, "status")
        run(cloud, "heal")
        assert "POST SendMessage / -> 502" in run(cloud, "requests")
        assert json.loads(run(cloud, "requests", "--json"))[-1]["service"] == "sqs"
        queue.receive()
        assert run(cloud, "travel", "60") == "the clock is 60 seconds ahead\n"
        assert "clock: 60 seconds ahead\nsnapshots: then\n" in run(cloud, "status")
        queue.ack(queue.receive()[0])
        run(cloud, "restore", "then")
        assert queue.count() == 1
        assert "add --yes" in run(cloud, "reset", code=2)
        run(cloud, "reset", "--yes")
        assert "there is no snapshot 'now'" in run(cloud, "restore", "now", code=2)


def test_the_command_without_a_cloud() -> None:
    def fails(*arguments: str, **variables: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "wirespeed", "cloud", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": "", **variables},
        )
        return done.returncode, done.stderr

    assert fails("status")[0] == 2 and "WIRESPEED_CONSOLE_URL" in fails("status")[1]
    assert fails("status", "--url", "ftp://x")[0] == 2
    assert fails("status", "--url", "http://127.0.0.1:1")[0] == 5


def test_the_command_without_the_token(cloud: LocalCloud) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wirespeed", "cloud", "travel", "1", "--url", cloud.console_url],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "", "WIRESPEED_CONSOLE_TOKEN": "other"},
    )
    assert done.returncode == 6 and "WIRESPEED_CONSOLE_TOKEN" in done.stderr
    assert cloud._vault.clock.ahead == 0


def test_integrity_is_checked_through_a_corrupt_fault(cloud: LocalCloud) -> None:
    with sqs.Client("r", endpoint=cloud.sqs_url, credentials=KEYS, retry=ONCE) as client:
        queue = client.create_queue("q")
        queue.send("x" * 4000)
        cloud.faults.add("corrupt", "sqs", "ReceiveMessage", count=1)
        with pytest.raises((IntegrityError, ProtocolError)):
            queue.receive()
