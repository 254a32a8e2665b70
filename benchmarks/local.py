"""The local cloud beside real servers and others' stand-ins, asked by the same clients."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live.cluster import Cluster, version_asked
from tests.live.sqs_servers import elasticmq, moto

from benchmarks.broker import BODY_BYTES, STORED, Sender, compared, fill, sender
from benchmarks.rows import Row, row
from wirespeed.config import Credentials
from wirespeed.sqs import Client

KEYS = Credentials("local", "local-secret")
CONNECTIONS = 20
BACKLOG = 10_000
CONSUMERS = 30


@contextmanager
def served(*arguments: str) -> Iterator[tuple[dict[str, object], int, float]]:
    """Run `wirespeed serve`; yield what it tells, its process id and when it was started."""
    command = [sys.executable, "-m", "wirespeed", "serve", "--json", "--until-eof", *arguments]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()), process.pid, start
    finally:
        process.communicate(timeout=20)


def url_of(told: dict[str, object], service: str) -> str:
    """Return a service's URL."""
    place = told[service]
    assert isinstance(place, dict)
    return str(place["url"])


def client_of(url: str) -> Client:
    """Return a client of an SQS."""
    return Client("us-east-1", endpoint=url, credentials=KEYS)


def local() -> list[Row]:
    """Measure starting, sends, a backlog, RocketMQ, and memory."""
    rows = started()
    rows += sends()
    rows += backlog()
    rows += rocketmq()
    return rows


def started() -> list[Row]:
    """Measure the time from the start of a process to its first reply."""
    ours = []
    for _ in range(9):
        with served() as (told, _, start), client_of(url_of(told, "sqs")) as client:
            client.create_queue("first")
            ours.append(1e3 * (time.perf_counter() - start))
    rows = [row("local", "start to first reply, all five", ours, [300.0] * 9, "ms", 1.0, "budget")]
    for name, server in (("moto", moto), ("ElasticMQ", elasticmq)):
        took = []
        for _ in range(3):
            start = time.perf_counter()
            with server() as url, client_of(url) as client:
                client.create_queue("first")
                took.append(1e3 * (time.perf_counter() - start))
        case = "start to first reply"
        rows.append(row("local", case, ours[:3], took, "ms", 1.0, name))
    return rows


def rate(client: Client, count: int) -> float:
    """Return the microseconds a message that sends by 20 threads to a new queue take.

    A new one, for moto looks through all messages of a queue at each send.
    """
    queue = client.create_queue(f"q-{time.time_ns()}")

    def work() -> None:
        for _ in range(count // CONNECTIONS):
            queue.send("x" * BODY_BYTES)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 1e6 * (time.perf_counter() - start) / count


def sends() -> list[Row]:
    """Compare sends over 20 connections."""
    rows = []
    for name, server, count, warm, goal in (
        ("ElasticMQ", elasticmq, 4_000, 4, 1.0),
        ("moto", moto, 400, 1, 8.0),
    ):
        with contextlib.ExitStack() as stack:
            told, _, _ = stack.enter_context(served("--only", "sqs"))
            other = stack.enter_context(server())
            urls = (url_of(told, "sqs"), other)
            clients = [stack.enter_context(client_of(url)) for url in urls]
            for client in clients:
                for _ in range(warm):
                    rate(client, count)
            pairs = [(rate(clients[0], count), rate(clients[1], count)) for _ in range(5)]
        case = f"SQS sends, {CONNECTIONS} connections, wall a message"
        ours, theirs = ([pair[place] for pair in pairs] for place in (0, 1))
        rows.append(row("local", case, ours, theirs, "us", goal, name))
    return rows


def backlog() -> list[Row]:
    """Measure receives of 30 consumers from a backlog of 10,000."""
    took: list[float] = []
    with served("--only", "sqs") as (told, _, _), client_of(url_of(told, "sqs")) as client:
        queue = client.create_queue("q")
        for first in range(0, BACKLOG, 10):
            queue.send_many([f"{first + number}" for number in range(10)])

        def work() -> None:
            while True:
                start = time.perf_counter()
                messages = queue.receive(1, wait=0)
                took.append(1e3 * (time.perf_counter() - start))
                if not messages:
                    return
                queue.ack(messages[0])

        threads = [threading.Thread(target=work) for _ in range(CONSUMERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    p99 = statistics.quantiles(took, n=100)[98]
    case = f"receive, backlog of {BACKLOG}, {CONSUMERS} consumers, p99"
    return [Row("local", case, p99, 50.0, "ms", 50.0 / p99, 1.0, "budget")]


def rocketmq() -> list[Row]:
    """Compare the local broker with a real one, asked by our client; and their memory at rest."""
    rows = []
    script = [sys.executable, str(Path(__file__).with_name("sender.py"))]
    with Cluster(version_asked()) as cluster, served() as (told, pid, _):
        name = f"Apache RocketMQ {cluster.version}"
        place = told["rocketmq"]
        assert isinstance(place, dict)
        namesrvs = (str(place["namesrv"]), cluster.namesrv)
        memory = resident(pid)
        rows.append(Row("local", "memory at rest, all five", memory, 60, "MiB", 60 / memory, 1.0,
                        "budget"))  # fmt: skip
        real = sum(map(resident, processes_of(cluster)))
        rows.append(Row("local", "memory at rest", memory, real, "MiB", real / memory, None, name))
        for topic in ("bench", "stored"):
            cluster.create_topic(topic)
        for namesrv in namesrvs:
            fill(namesrv)
        for mode, case, key, count, blocks, goal in (
            ("sync", "RocketMQ sync send, p50", "p50_us", 1_000, 9, 1.0),
            ("many", "RocketMQ consume, wall a message", "wall_us", STORED, 3, 0.5),
        ):
            topic = "bench" if mode == "sync" else "stored"
            arguments = [topic, str(BODY_BYTES), mode]
            with (
                sender([*script, namesrvs[0], *arguments]) as ours,
                sender([*script, namesrvs[1], *arguments]) as theirs,
            ):
                rows.append(_beside(ours, theirs, case, key, count, blocks, goal, name))
    return rows


def _beside(
    ours: Sender, theirs: Sender, case: str, key: str, count: int, blocks: int, goal: float,
    name: str,
) -> Row:  # fmt: skip
    ours.send(count)
    theirs.send(count)
    pairs = [(ours.send(count), theirs.send(count)) for _ in range(blocks)]
    made = compared(case, key, pairs, goal, name)
    return Row("local", made.case, made.ours, made.peer, made.unit, made.ratio, goal, name)


def processes_of(cluster: Cluster) -> list[int]:
    """Return the process ids of a cluster's servers, which their guards have started."""
    servers = [*cluster.name_servers.values(), *(each.server for each in cluster.brokers)]
    guards = [server.guard.pid for server in servers if server is not None]
    children = (Path(f"/proc/{pid}/task/{pid}/children").read_text() for pid in guards)
    return [int(pid) for text in children for pid in text.split()]


def resident(pid: int) -> float:
    """Return the MiB that a process has in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
