"""Our RocketMQ client beside the Java client on a real broker, in one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live.cluster import Cluster, version_asked

from benchmarks import peers
from benchmarks.rows import BLOCKS, Row, row
from wirespeed.rocketmq import Admin, Message, Producer

BODY_BYTES = 128
STORED = 100_000
ONE_WAY = 200_000
MODES = {
    # mode: (what it is, messages of a block, blocks, goals of rate and of CPU)
    "sync": ("sync send, one thread", 1_000, BLOCKS, 1.0, 3.5),
    "threads": ("sync send, 16 threads", 16_000, 9, 1.0, 1.0),
    "async": ("2,000 under way", 40_000, 9, 1.0, 3.0),
    "batch": ("batches of 32, one thread", 64_000, 9, 1.0, 2.0),
    "many": ("push consume, by batches", STORED, 5, 1.0, 2.0),
    "one": ("push consume, one by one", STORED, 5, 0.8, 1.5),
}


class Sender:
    """A process that handles as many messages as it is told, and says how it went."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def send(self, count: int) -> dict[str, float]:
        """Handle ``count`` messages; return ``p50_us``, ``cpu_us`` (a message) and ``rate``."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                answer: dict[str, float] = json.loads(line)
                return answer
        raise RuntimeError(f"{self.process.args} ended with {self.process.wait()}")

    def close(self) -> None:
        """Let the process end."""
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


@contextmanager
def sender(command: list[str], environment: dict[str, str] | None = None) -> Iterator[Sender]:
    """Run one while the block lasts."""
    made = Sender(command, environment)
    try:
        yield made
    finally:
        made.close()


def rocketmq() -> list[Row]:
    """Measure sends and consuming: rate, latency and client CPU a message."""
    rows: list[Row] = []
    script = [sys.executable, str(Path(__file__).with_name("sender.py"))]
    with Cluster(version_asked()) as cluster:
        against = f"Java client {cluster.version}"
        cluster.create_topic("bench")
        cluster.create_topic("stored")
        fill(cluster.namesrv)
        for mode, (case, count, blocks, rate, cpu) in MODES.items():
            topic = "stored" if mode in ("one", "many") else "bench"
            arguments = [cluster.namesrv, topic, str(BODY_BYTES), mode]
            with (
                sender([*script, *arguments]) as ours,
                sender(cluster.java_peer("SendBench", *arguments)) as java,
            ):
                for _ in range(3):
                    java.send(count)
                ours.send(count)
                pairs = [(ours.send(count), java.send(count)) for _ in range(blocks)]
            if mode == "sync":
                rows.append(compared(f"{case}, p50", "p50_us", pairs, 1.0, against))
            rows.append(compared(f"{case}, wall a message", "wall_us", pairs, rate, against))
            rows.append(compared(f"{case}, client CPU a message", "cpu_us", pairs, cpu, against))
        rows.append(loops(cluster.namesrv, script))
        rows += large(cluster, script, against)
        rows += oneway(cluster, script, against)
        rows += others(cluster, script)
        rows += at_rest(cluster)
        rows += many_queues(cluster)
    return rows


def large(cluster: Cluster, script: list[str], against: str) -> list[Row]:
    """Compare sends of 4 KiB."""
    rows = []
    for mode, (count, blocks) in {"sync": (1_000, 9), "threads": (8_000, 5)}.items():
        arguments = [cluster.namesrv, "bench", "4095", mode]
        with (
            sender([*script, *arguments]) as ours,
            sender(cluster.java_peer("SendBench", *arguments)) as java,
        ):
            java.send(count)
            java.send(count)
            ours.send(count)
            pairs = [(ours.send(count), java.send(count)) for _ in range(blocks)]
        case = f"{MODES[mode][0]}, 4 KiB"
        rows.append(compared(f"{case}, wall a message", "wall_us", pairs, None, against))
        rows.append(compared(f"{case}, client CPU a message", "cpu_us", pairs, None, against))
    return rows


def oneway(cluster: Cluster, script: list[str], against: str) -> list[Row]:
    """Compare one-way sends by when the last of them is stored; tell how many never are."""
    pairs: list[tuple[dict[str, float], dict[str, float]]] = []
    lost = [0, 0]
    for block in range(4):
        figures = []
        for place, is_java in enumerate((False, True)):
            topic = f"one-way-{block}-{place}"
            cluster.create_topic(topic)
            arguments = [cluster.namesrv, topic, str(BODY_BYTES), "oneway"]
            with (
                Admin(cluster.namesrv) as admin,
                sender(
                    cluster.java_peer("SendBench", *arguments) if is_java else [*script, *arguments]
                ) as peer,
            ):
                peer.send(2_000)
                before = _settled(admin, topic)[0]
                start = time.perf_counter()
                figure = peer.send(ONE_WAY)
                stored, last = _settled(admin, topic)
            figure["rate"] = (stored - before) / (last - start)
            figures.append(figure)
            lost[place] += ONE_WAY - (stored - before)
        # The first block warms the broker up.
        pairs += [(figures[0], figures[1])] if block else []
    print(f"one-way: of {4 * ONE_WAY} ours lost {lost[0]}, Java's {lost[1]}", file=sys.stderr)
    case = "one-way, to the last that is stored"
    return [
        compared(f"{case}, wall a message", "wall_us", pairs, 1.0, against),
        compared("one-way, client CPU a message", "cpu_us", pairs, None, against),
    ]


def _settled(admin: Admin, topic: str) -> tuple[int, float]:
    """Return how much a topic holds once that no longer changes, and since when."""
    count, since = -1, time.perf_counter()
    while time.perf_counter() < since + 1.0:
        held = sum(each.end for each in admin.topic_stats(topic))
        if held != count:
            count, since = held, time.perf_counter()
        time.sleep(0.005)
    return count, since


def others(cluster: Cluster, script: list[str]) -> list[Row]:
    """Compare a sync send with the least that can send, and with the C++ client."""
    rows = []
    arguments = [cluster.namesrv, "bench", str(BODY_BYTES)]
    with (
        sender([*script, *arguments, "sync"]) as ours,
        sender([*script, *arguments, "raw"]) as raw,
    ):
        ours.send(1_000)
        raw.send(1_000)
        pairs = [(ours.send(1_000), raw.send(1_000)) for _ in range(BLOCKS)]
    case = "sync send, one thread"
    rows.append(compared(f"{case}, p50", "p50_us", pairs, 1 / 1.2, "a raw socket"))
    folder = peers.folder_of("rocketmq", "rocketmq==0.4.4")
    program = [sys.executable, str(Path(__file__).with_name("cpp_sender.py"))]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    with (
        sender([*script, *arguments, "sync"]) as ours,
        sender([*program, *arguments], environment) as cpp,
    ):
        ours.send(1_000)
        cpp.send(1_000)
        pairs = [(ours.send(1_000), cpp.send(1_000)) for _ in range(9)]
    name = "rocketmq 0.4.4 (C++)"
    rows.append(compared(f"{case}, wall a message", "wall_us", pairs, None, name))
    rows.append(compared(f"{case}, client CPU a message", "cpu_us", pairs, 5.0, name))
    return rows


RESTING = """
import sys, time
kind, namesrv, topics = sys.argv[1:]
if kind != "nothing":
    from wirespeed.rocketmq import Producer, PushConsumer
names = topics.split(",")
if kind == "producer":
    client = Producer("resting", namesrv)
    client.send(names[0], b"x")
elif kind == "consumer":
    client = PushConsumer("resting-" + str(time.time_ns()), dict.fromkeys(names, "*"), namesrv)
    client.start(lambda message: None)
print(flush=True)
sys.stdin.read()
if kind != "nothing":
    client.close()
"""


def resting(cluster: Cluster, kind: str, topics: list[str], seconds: float) -> dict[str, float]:
    """Return what a client at rest takes: ``cpu`` (of a core), ``mib`` and ``threads``."""
    process = subprocess.Popen(
        [sys.executable, "-c", RESTING, kind, cluster.namesrv, ",".join(topics)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(5.0)
        before = _ticks(process.pid)
        time.sleep(seconds)
        used = (_ticks(process.pid) - before) / os.sysconf("SC_CLK_TCK")
        status = Path(f"/proc/{process.pid}/status").read_text()
    finally:
        process.communicate(timeout=30)
    return {
        "cpu": used / seconds,
        "mib": int(status.partition("VmRSS:")[2].split()[0]) / 1024,
        "threads": float(status.partition("Threads:")[2].split()[0]),
    }


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def at_rest(cluster: Cluster) -> list[Row]:
    """Measure what a producer and a consumer take that have nothing to do."""
    rows = []
    # A topic of its own: a new group may begin with all that a topic holds in memory.
    cluster.create_topic("resting")
    bare = resting(cluster, "nothing", ["resting"], 0.1)
    for kind in ("producer", "consumer"):
        took = resting(cluster, kind, ["resting"], 30.0)
        case = f"a {kind} at rest"
        rows.append(budget(f"{case}, percent of a core", 100 * took["cpu"], 0.2, "%"))
        rows.append(budget(f"{case}, over the interpreter", took["mib"] - bare["mib"], 25, "MiB"))
    return rows


def many_queues(cluster: Cluster) -> list[Row]:
    """Measure a consumer of 64 topics of 8 queues beside one of a single topic."""
    topics = [f"wide-{number}" for number in range(64)]
    for topic in topics:
        cluster.create_topic(topic, queues=8)
    one = resting(cluster, "consumer", topics[:1], 20.0)
    all_of_them = resting(cluster, "consumer", topics, 20.0)
    grown = all_of_them["threads"] - one["threads"]
    queues = 8 * (len(topics) - 1)
    extra = 1e6 * (all_of_them["cpu"] - one["cpu"]) / queues
    return [
        budget("64 topics of 8 queues, threads more than for one", grown, 1, "threads"),
        budget("64 topics of 8 queues, CPU a second a queue more", max(extra, 0.0), 100, "us"),
    ]


def budget(case: str, found: float, most: float, unit: str) -> Row:
    """Return the row of a figure beside what it may be; a thousandth of that is the least told."""
    ratio = most / max(found, most / 1000)
    return Row("rocketmq", case, found, most, unit, ratio, 1.0, "the budget")


def fill(namesrv: str) -> None:
    """Store what is to be consumed."""
    with Producer("python-fill", namesrv) as producer:
        for _ in range(STORED // 100):
            producer.send_many([Message("stored", b"x" * BODY_BYTES) for _ in range(100)])
    # Consumers read what the broker has dispatched.
    time.sleep(1.0)


def compared(
    case: str,
    key: str,
    pairs: list[tuple[dict[str, float], dict[str, float]]],
    goal: float | None,
    against: str,
) -> Row:
    """Return the row of one figure."""
    for pair in pairs:
        for each in pair:
            each["wall_us"] = 1e6 / each["rate"]
    own = [mine[key] for mine, _ in pairs]
    other = [theirs[key] for _, theirs in pairs]
    return row("rocketmq", case, own, other, "us", goal, against)


def loops(namesrv: str, script: list[str]) -> Row:
    """Compare 100 tasks of asyncio with our 16 threads."""
    arguments = [namesrv, "bench", str(BODY_BYTES)]
    with (
        sender([*script, *arguments, "asyncio"]) as tasks,
        sender([*script, *arguments, "threads"]) as threads,
    ):
        tasks.send(4_000)
        threads.send(4_000)
        pairs = [(tasks.send(16_000), threads.send(16_000)) for _ in range(9)]
    case = "asyncio send, 100 tasks, wall a message"
    return compared(case, "wall_us", pairs, 1.0, "our 16 threads")
