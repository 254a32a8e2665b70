"""Clients of both kinds at a steady rate, while every half minute something breaks."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.live.cluster import Cluster, version_asked
from tests.live.collector import eventually
from tests.live.load import SLACK, Seen, finish, rest
from tests.rocketmq_sides import KINDS, Side
from wirespeed.errors import WirespeedError
from wirespeed.rocketmq import StartFrom

SECONDS = float(os.environ.get("SECONDS_TO_RUN", "600"))
PEAK_SECONDS = 15.0
SHARE = 0.7
BETWEEN = 30.0
PAUSE = 4.0
WORKERS = 4
TIMEOUT = 3.0
CUTTER = Path(__file__).resolve().parent / "cutter.py"
GROWTH_MIB = 24.0


def usage() -> tuple[float, int, int]:
    """Return this process's resident MiB, threads and open files."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    threads = len(list(Path("/proc/self/task").iterdir()))
    files = len(list(Path("/proc/self/fd").iterdir()))
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20), threads, files


class Endurance:
    """A broker behind a proxy that cuts, producers and consumers of both kinds.

    Args:
        topic: where messages go.

    Attributes:
        sent: messages acknowledged, by sequence.
        refused: sends that raised; each was sent again until it was acknowledged.
        longest: the seconds that the slowest send took.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.sent: Counter[str] = Counter()
        self.refused = 0
        self.longest = 0.0
        self.rate = 0.0
        self._stop = threading.Event()
        self._began = 0.0
        self._failures: list[BaseException] = []

    def run(self) -> str:
        """Run for SECONDS_TO_RUN; return the figures."""
        with Cluster(version_asked(), with_broker=False) as cluster:
            # Another address of loopback, so that the broker tells of the proxy.
            broker = cluster.add_broker("broker-a", brokerIP1="127.0.0.2")
            command = [sys.executable, str(CUTTER), broker.advertised, broker.address]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as cutter:
                assert cutter.stdin is not None and cutter.stdout is not None
                assert cutter.stdout.readline() == "ready\n"
                broker.start()
                cluster.create_topic(self.topic, 4)

                def cut() -> None:
                    print(file=cutter.stdin, flush=True)

                def pause() -> None:
                    assert broker.server is not None
                    broker.server.pause()
                    time.sleep(PAUSE)
                    broker.server.go_on()

                def restart() -> None:
                    broker.stop()
                    broker.start()

                def kill() -> None:
                    broker.kill()
                    broker.start()

                try:
                    return self._endure(cluster.namesrv, [cut, pause, restart, cut, pause, kill])
                finally:
                    cutter.stdin.close()

    def _endure(self, namesrv: str, faults: list[Any]) -> str:
        sides = [Side(kind, namesrv) for kind in KINDS]
        consumers: dict[str, Seen] = {}
        threads: list[threading.Thread] = []
        try:
            for side in sides:
                seen = consumers[side.kind] = Seen(False)
                consumer = side.make(
                    "PushConsumer",
                    f"{self.topic}-{side.kind}",
                    {self.topic: "*"},
                    start_from=StartFrom.FIRST,
                )
                side.do(consumer.start, seen)
                producer = side.make("Producer", "endurance", timeout=TIMEOUT)
                side.do(producer.start)
                work = [self._send(side, producer, number) for number in range(WORKERS)]
                if side.loop is None:
                    threads += [threading.Thread(target=finish, args=(each,)) for each in work]
                else:
                    for each in work:
                        asyncio.run_coroutine_threadsafe(each, side.loop)
            for thread in threads:
                thread.start()
            time.sleep(PEAK_SECONDS)
            peak = sum(self.sent.values()) / PEAK_SECONDS
            self._began, self.rate = time.monotonic(), SHARE * peak / (WORKERS * len(sides))
            before = sum(self.sent.values())
            samples = self._break(faults)
            rate = (sum(self.sent.values()) - before) / SECONDS
            self._stop.set()
            for thread in threads:
                thread.join(30)
            time.sleep(TIMEOUT + SLACK)
            assert not self._failures, self._failures
            for kind, seen in consumers.items():
                eventually(lambda seen=seen: seen.low == self.sent, f"every message, {kind}", 120)
            assert self.longest < TIMEOUT + SLACK, self.longest
        finally:
            self._stop.set()
            for side in sides:
                side.close()
        twice = {kind: seen.twice for kind, seen in consumers.items()}
        return (
            f"{sum(self.sent.values())} messages, peak {peak:.0f}/s, held {rate:.0f}/s, "
            f"{self.refused} sends refused, longest {self.longest:.2f} s, came twice {twice}\n"
            + "\n".join(samples)
        )

    def _break(self, faults: list[Any]) -> list[str]:
        """Let the faults happen in turn until the time is over; see that nothing grows."""
        samples: list[str] = []
        seen: list[tuple[float, int, int]] = []
        upcoming = itertools.cycle(faults)
        while (now := time.monotonic() - self._began) < SECONDS:
            fault = next(upcoming)
            fault()
            ends = self._began + (now // BETWEEN + 1) * BETWEEN
            time.sleep(max(0.0, ends - time.monotonic()))
            seen.append(usage())
            name, (memory, threads, files) = fault.__name__, seen[-1]
            samples.append(
                f"{ends - self._began:4.0f} s, after {name:7}: {memory:.1f} MiB, "
                f"{threads} threads, {files} files, {sum(self.sent.values())} messages, "
                f"{self.refused} refused"
            )
            print(samples[-1], flush=True)
        half = (len(seen) + 1) // 2
        for place, limit in enumerate((GROWTH_MIB, 1, 2)):
            early = max(each[place] for each in seen[:half])
            late = max(each[place] for each in seen[half:])
            assert late - early <= limit, samples
        return samples

    async def _send(self, side: Side, producer: Any, worker: int) -> None:
        name = f"{side.kind}-{worker}"
        paced = 0
        try:
            while not self._stop.is_set():
                if self.rate:
                    early = self._began + paced / self.rate - time.monotonic()
                    paced += 1
                    if early > 0:
                        await rest(side, early)
                began = time.monotonic()
                try:
                    result = producer.send(self.topic, f"{name} {self.sent[name]}")
                    if inspect.isawaitable(result):
                        await result
                except WirespeedError:
                    self.refused += 1
                    await rest(side, 0.05)
                else:
                    self.sent[name] += 1
                self.longest = max(self.longest, time.monotonic() - began)
        except BaseException as error:
            self._failures.append(error)
