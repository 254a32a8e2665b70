"""Sends to a real broker, ours beside the Java client's, in one run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.live.cluster import Cluster, version_asked

from benchmarks.rows import BLOCKS, Row, row

BODY_BYTES = 128
WARM_UP = 20_000
BLOCK = 1_000


class Sender:
    """A process that sends as many messages as it is told, and says how it went."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def send(self, count: int) -> dict[str, float]:
        """Send ``count`` messages; return ``p50_us``, ``cpu_us`` (a message) and ``rate``."""
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


def send() -> list[Row]:
    """Measure lone sync sends: median latency and client CPU a message."""
    with Cluster(version_asked()) as cluster:
        cluster.create_topic("bench")
        arguments = [cluster.namesrv, "bench", str(BODY_BYTES)]
        script = str(Path(__file__).with_name("sender.py"))
        ours = Sender([sys.executable, script, *arguments])
        java = Sender(cluster.java_peer("SendBench", *arguments))
        try:
            java.send(WARM_UP)
            ours.send(WARM_UP // 4)
            pairs = [(ours.send(BLOCK), java.send(BLOCK)) for _ in range(BLOCKS)]
        finally:
            ours.close()
            java.close()
    against = f"Java client {cluster.version}"
    return [
        row("send", case, [own[key] for own, _ in pairs], [other[key] for _, other in pairs],
            "us", goal, against)
        for case, key, goal in (
            ("sync send, one thread, p50", "p50_us", 1.0),
            ("sync send, one thread, client CPU a message", "cpu_us", 2.0),
        )
    ]  # fmt: skip
