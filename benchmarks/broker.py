"""Our RocketMQ client beside the Java client on a real broker, in one run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live.cluster import Cluster, version_asked

from benchmarks.rows import BLOCKS, Row, row
from wirespeed.rocketmq import Message, Producer

BODY_BYTES = 128
STORED = 100_000
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

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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
def sender(command: list[str]) -> Iterator[Sender]:
    """Run one while the block lasts."""
    made = Sender(command)
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
    return rows


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
    goal: float,
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
