"""`wirespeed serve` and `wirespeed demo`, each as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fault.test_http_certificates import issue, trusting
from tests.rocketmq_probe import Probe
from wirespeed import cmq, sqs
from wirespeed.cli import demo, serve_config
from wirespeed.config import Credentials
from wirespeed.errors import AccessDenied, ConfigError, IntegrityError, WirespeedError
from wirespeed.local import LocalCloud
from wirespeed.rocketmq import Producer

PROGRAM = [sys.executable, "-W", "error", "-m", "wirespeed"]


@contextmanager
def serving(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*PROGRAM, "serve", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(20, process.kill)
    watchdog.start()
    try:
        with process:
            yield process
    finally:
        watchdog.cancel()
        process.kill()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=60)


def test_serve_announces_itself_in_json_and_ends_with_its_input() -> None:
    with serving("--json", "--until-eof") as process:
        assert process.stdout is not None and process.stdin is not None
        report = json.loads(process.stdout.readline())
        assert report["env"]["NAMESRV_ADDR"] == report["rocketmq"]["namesrv"]
        assert report["env"]["WIRESPEED_WCS_URL"] == report["wcs"]["url"]
        with Probe(report["rocketmq"]["namesrv"]) as probe:
            assert probe.route("TBW102").code == 0
        process.stdin.close()
        assert process.wait(10) == 0
        assert process.stderr is not None and process.stderr.read() == ""


def test_serve_has_users_and_speaks_tls(tmp_path: Path) -> None:
    authority = issue(None, "Test Authority", authority=True)
    file = issue(authority, addresses=("127.0.0.1",)).save(tmp_path / "server.pem", authority)
    options = ["--rocketmq-certificate", file, "--rocketmq-key", file, "--rocketmq-tls-only"]
    options += ["--rocketmq-user", "amy:a:b", "--rocketmq-user", "bob:c"]
    tls = trusting(authority, tmp_path)
    with serving("--only", "rocketmq", "--json", "--until-eof", *options) as process:
        assert process.stdout is not None and process.stdin is not None
        namesrv = json.loads(process.stdout.readline())["rocketmq"]["namesrv"]
        for user in (Credentials("amy", "a:b"), Credentials("bob", "c")):
            with Producer("cli", namesrv, credentials=user, tls=tls) as producer:
                producer.send("served", b"x")
        with Producer("cli", namesrv, tls=tls) as producer, pytest.raises(AccessDenied):
            producer.send("served", b"x")
        with Probe(namesrv) as probe, pytest.raises(ConnectionResetError):
            probe.route("TBW102")
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_serve_ends_cleanly_on_a_signal(number: signal.Signals, code: int) -> None:
    with serving("--only", "rocketmq") as process:
        assert process.stdout is not None and process.stderr is not None
        lines = []
        while not lines or not lines[-1].startswith("  export "):
            lines.append(process.stdout.readline())
            assert lines[-1], "it ended early"
        namesrv = lines[-1].strip().removeprefix("export NAMESRV_ADDR=")
        assert any(line == f"  RocketMQ name server   {namesrv}\n" for line in lines)
        assert "WCS " not in "".join(lines)
        with Probe(namesrv):
            process.send_signal(number)
            assert process.wait(10) == code
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "kafka"], "services: 'kafka' is none of rocketmq, cmq, cos, sqs, wcs"),
        (["--only", ","], "--only names no service"),
        (["--wcs-port", "70000"], "ports: wcs must be within 0..65535, not 70000"),
        (["--sqs-port", "-1"], "ports: sqs must be within 0..65535, not -1"),
        (["--only", "wcs", "--host", "a..b"], "host: 'a..b' has no address"),
        (["--only", "rocketmq", "--host", "a..b"], "host: 'a..b' has no address"),
        (["--host", "0.0.0.0"], "host: name an address that clients reach, not '0.0.0.0'"),
        (["--host", "192.0.2.1"], "host: '192.0.2.1' lets other machines in (say public"),
        (["--config", os.devnull, "--only", ","], "--only names no service"),
        (["--rocketmq-user", "amy"], "--rocketmq-user must be KEY:SECRET, not 'amy'"),
        (["--rocketmq-user", "amy:"], "--rocketmq-user must be KEY:SECRET, not 'amy:'"),
        (["--rocketmq-key", "x"], "--rocketmq-certificate and --rocketmq-key need each other"),
        (["--rocketmq-tls-only"], "rocketmq_tls_only needs rocketmq_tls"),
        (
            ["--rocketmq-certificate", os.devnull, "--rocketmq-key", os.devnull],
            "rocketmq_tls: ",
        ),
    ],
)
def test_serve_refuses(arguments: list[str], said: str) -> None:
    done = run("serve", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"wirespeed: {said}")
    assert len(done.stderr.splitlines()) == 1


CONFIG = """
only = ["rocketmq", "sqs", "cmq"]
dir = "{folder}"
[rocketmq]
users = {{ amy = "secret" }}
[queues.sqs]
orders = {{ VisibilityTimeout = 60 }}
[queues.cmq]
jobs = {{ visibilityTimeout = 60 }}
[topics.rocketmq]
events = {{ queues = 3 }}
"""


def test_serve_reads_a_file_and_finds_its_folder_again(tmp_path: Path) -> None:
    file = tmp_path / "cloud.toml"
    file.write_text(CONFIG.format(folder=(tmp_path / "data").as_posix()))
    for _ in range(2):
        with serving("--config", str(file), "--json", "--until-eof") as process:
            assert process.stdout is not None and process.stdin is not None
            report = json.loads(process.stdout.readline())
            assert "wcs" not in report and report["console"]["url"].startswith("http://127.0.0.1:")
            with Probe(report["rocketmq"]["namesrv"]) as probe:
                route = json.loads(probe.route("events").body)
            assert route["queueDatas"][0]["readQueueNums"] == 3
            keys = Credentials("local", "local-secret")
            with sqs.Client("r", endpoint=report["sqs"]["url"], credentials=keys) as client:
                assert client.queue("orders").attributes()["VisibilityTimeout"] == "60"
            with cmq.Client(report["cmq"]["url"], keys) as old:
                assert list(old.list_queues()) == ["jobs"]
            process.stdin.close()
            assert process.wait(10) == 0
            assert process.stderr is not None and process.stderr.read() == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "cloud.toml"),
        ("nothing = 1", "'nothing' is none of only, dir, host"),
        ("public = 1", "public must be a boolean, not 1"),
        ("[rocketmq]\nuser = 1", "rocketmq: 'user' is none of users"),
        ("[queues.kafka]", "queues: 'kafka' is none of cmq, sqs"),
        ("[queues.sqs]\nq = 1", "queues.sqs: q must be a table, not 1"),
        ("[ports]\nx = 1", "ports: 'x' is none of"),
        ("[topics.rocketmq]\nt = { x = 1 }", "topics.rocketmq.t: there is queues alone"),
    ],
)
def test_serve_refuses_a_file(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "cloud.toml"
    file.write_text(text)
    done = run("serve", "--config", str(file))
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr, done.stderr


def test_serve_prints_a_file_that_it_reads(tmp_path: Path) -> None:
    file = tmp_path / "cloud.toml"
    file.write_text(run("serve", "--example-config").stdout)
    found = serve_config.read(str(file))
    assert set(found) == set(serve_config._KINDS)
    assert set(found["rocketmq"]) == set(serve_config._ROCKETMQ_KINDS)


def test_a_public_cloud_has_a_new_secret() -> None:
    with LocalCloud(public=True, console=True) as cloud, LocalCloud(public=True) as other:
        assert cloud.secret_key not in ("local-secret", other.secret_key)
        assert cloud.env()["AWS_SECRET_ACCESS_KEY"] == cloud.secret_key
        keys = Credentials("local", "local-secret")
        with sqs.Client("r", endpoint=cloud.sqs_url, credentials=keys) as client:
            with pytest.raises(AccessDenied):
                client.create_queue("q")
        with Producer("g", cloud.namesrv, attempts=1) as producer:
            with pytest.raises(WirespeedError):
                producer.send("t", b"x")
        with Producer("g", cloud.namesrv, credentials=cloud.rocketmq_credentials) as producer:
            producer.send("t", b"x")


@pytest.mark.parametrize("option", ["--rocketmq-port", "--broker-port", "--wcs-port"])
def test_serve_tells_of_a_port_that_is_taken(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", option, port)
    assert done.returncode == 1
    assert "ddress already in use" in done.stderr
    assert port in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_demo_ends_with_its_table() -> None:
    done = run("demo", "--messages", "100", "--size", "5")
    assert done.stderr == ""
    assert done.returncode == 0
    table = done.stdout.split("  step ")[1].splitlines()
    assert table[0].split() == ["what", "time", "rate", "p50"]
    assert [line[2:12].strip() for line in table[2:8]] == [
        "send",
        "consume",
        "make file",
        "etag",
        "upload",
        "list, stat",
    ]
    assert re.search(
        r"100 messages, each acknowledged +\d+\.\d\d s +[\d,]+ msg/s +[\d,]+ us", table[2]
    )
    assert "5.2 MB, 2 blocks, 10 pieces" in table[6]
    assert "all of it checked, in " in done.stdout
    assert "CPU path " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_demo_in_json() -> None:
    done = run("demo", "--messages", "1", "--size", "1", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["steps"][0]["step"] == "send"
    assert report["steps"][0]["p50_us"] > 0
    assert report["backend"] in ("cython", "cffi", "pure")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--messages", "0"], "--messages must be within 1..1000000, not 0"),
        (["--size", "4096"], "--size must be within 1..2048 MiB, not 4096"),
    ],
)
def test_demo_refuses(arguments: list[str], said: str) -> None:
    done = run("demo", *arguments)
    assert (done.returncode, done.stderr) == (2, f"wirespeed: {said}\n")


class Fake:
    """A received message of any content."""

    def __init__(self, number: str, body: bytes, tag: str, keys: tuple[str, ...]) -> None:
        self.properties = {"number": number}
        self.body, self.tag, self.keys = body, tag, keys


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (Fake("1", demo.body_of(1), "sent", ("order-1",)), ""),
        (Fake("1", demo.body_of(2), "sent", ("order-1",)), "the body of message 1"),
        (Fake("1", demo.body_of(1), "paid", ("order-1",)), "the tag or the keys of message 1"),
        (Fake("1", demo.body_of(1), "sent", ()), "the tag or the keys of message 1"),
        (Fake("9", demo.body_of(9), "paid", ("order-9",)), "the number '9'"),
        (Fake("", demo.body_of(1), "sent", ("order-1",)), "the number ''"),
    ],
)
def test_demo_sees_a_wrong_message(message: Fake, fault: str) -> None:
    found = demo.fault_of(message, 3)  # type: ignore[arg-type]
    assert fault in found
    assert bool(fault) == bool(found)


def test_demo_sees_a_wrong_answer() -> None:
    demo.check("the size", 1, 1)
    with pytest.raises(IntegrityError, match="the size is 1 and should be 2"):
        demo.check("the size", 1, 2)


def test_demo_tells_why_the_cloud_did_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIRESPEED_BACKEND", "none-such")
    with pytest.raises(ConfigError, match=r"did not start.*none-such"), demo.local_cloud():
        pass
