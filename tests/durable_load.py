"""Loads a local cloud that keeps what it holds, kills it, and looks for what it acknowledged."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.rocketmq_probe import Probe
from wirespeed import _native as codec
from wirespeed import cmq, cos, rocketmq, sqs, wcs
from wirespeed.config import Credentials, Retry
from wirespeed.errors import WirespeedError
from wirespeed.local import LocalCloud

PAIR = ("local", "local-secret")
KEYS = Credentials(*PAIR)


class Clients:
    """A client of each service.

    Args:
        env: the variables that point at a cloud.
    """

    def __init__(self, env: dict[str, str]) -> None:
        self._stack = contextlib.ExitStack()
        enter = self._stack.enter_context
        once = Retry(1)
        self.namesrv = env["NAMESRV_ADDR"]
        self.producer = enter(rocketmq.Producer("durable", namesrv=self.namesrv, attempts=1))
        self.admin = enter(rocketmq.Admin(self.namesrv))
        url = env["AWS_ENDPOINT_URL_SQS"]
        self.sqs = enter(sqs.Client("r", endpoint=url, credentials=KEYS, retry=once))
        self.cmq = enter(cmq.Client(env["WIRESPEED_CMQ_URL"], KEYS, retry=once))
        url = env["WIRESPEED_WCS_URL"]
        self.wcs = enter(
            wcs.Client(
                *PAIR,
                upload_url=url,
                manage_url=url,
                download_url=url + "/download/{bucket}",
                retry=once,
            )
        )
        url = env["WIRESPEED_COS4_URL"]
        self.cos = enter(
            cos.Client(
                "10001", "local", "local-secret", endpoint=url, download_endpoint=url, retry=once
            )
        )

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def messages_of(namesrv: str, topic: str) -> list[Any]:
    """Return every message of a topic."""
    with Probe(namesrv) as probe:
        told = probe.route(topic)
    if told.code != 0:
        return []
    route = json.loads(told.body)
    found: list[Any] = []
    with Probe(route["brokerDatas"][0]["brokerAddrs"]["0"]) as probe:
        for queue in range(route["queueDatas"][0]["readQueueNums"]):
            offset = 0
            while (answer := probe.pull("reader", topic, offset, queue=queue)).code == 0:
                found += codec.decode_messages(answer.body)
                offset = int(answer.fields["nextBeginOffset"])
    return found


@contextlib.contextmanager
def serving(command: list[str], seconds: float = 60) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a program for some seconds at most, and yield it with the first line it prints."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    watchdog = threading.Timer(seconds, process.kill)
    watchdog.start()
    try:
        with process:
            assert process.stdout is not None and process.stdin is not None
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            yield process, line
            process.kill()
    finally:
        watchdog.cancel()
        process.kill()


def kill_at_random(directory: Path, rounds: int) -> None:
    """Load a cloud, kill it, and look for everything that it acknowledged; some times."""
    command = [sys.executable, "-m", "wirespeed", "serve", "--json", "--no-console"]
    known = Known()
    for number in range(rounds):
        with serving([*command, "--dir", str(directory)]) as (process, line):
            env = json.loads(line)["env"]
            with Clients(env) as to:
                stop = threading.Event()
                work = [
                    threading.Thread(target=known.load, args=(call, number, stop))
                    for call in known.calls(to)
                ]
                for thread in work:
                    thread.start()
                time.sleep(random.uniform(0.3, 1.0))
                process.kill()
                stop.set()
                for thread in work:
                    thread.join(30)
                    assert not thread.is_alive()
        with LocalCloud(directory=directory) as cloud, Clients(cloud.env()) as to:
            known.check(cloud, to)
    assert all(len(each) > 5 * rounds for each in known.acknowledged.values()), known


class Known:
    """What a cloud acknowledged, by service."""

    def __init__(self) -> None:
        names = ("rocketmq", "sqs", "cmq", "wcs", "cos")
        self.acknowledged: dict[str, set[str]] = {name: set() for name in names}

    def __repr__(self) -> str:
        return str({name: len(each) for name, each in self.acknowledged.items()})

    def calls(self, to: Clients) -> list[tuple[str, Callable[[str], object]]]:
        """Return a call of each service that stores a name."""
        queue = to.sqs.create_queue("q")
        try:
            jobs = to.cmq.create_queue("q")
        except WirespeedError:
            jobs = to.cmq.queue("q")
        films, store = to.wcs.bucket("films"), to.cos.bucket("b")
        return [
            ("rocketmq", lambda name: to.producer.send("events", name.encode())),
            ("sqs", queue.send),
            ("cmq", jobs.send),
            ("wcs", lambda name: films.put(name, name.encode() * 1000)),
            ("cos", lambda name: store.put(name, name.encode() * 1000)),
        ]

    def load(
        self, call: tuple[str, Callable[[str], object]], number: int, stop: threading.Event
    ) -> None:
        """Store names until the cloud is gone, and take note of those it acknowledged."""
        service, store = call
        count = 0
        while not stop.is_set():
            name = f"{number}-{count}"
            count += 1
            try:
                store(name)
            except WirespeedError:
                continue
            self.acknowledged[service].add(name)

    def check(self, cloud: LocalCloud, to: Clients) -> None:
        """Look for everything."""
        wanted = self.acknowledged
        bodies = {each.body.decode() for each in messages_of(to.namesrv, "events")}
        assert not wanted["rocketmq"] - bodies
        for key in wanted["wcs"]:
            assert to.wcs.bucket("films").get(key) == key.encode() * 1000
        for key in wanted["cos"]:
            assert to.cos.bucket("b").get(key) == key.encode() * 1000
        states = cloud._vault.states
        assert not wanted["sqs"] - {e.body for e in states["sqs"].queues["q"].messages.values()}
        assert not wanted["cmq"] - {each.body for each in states["cmq"].queues["q"].messages}
