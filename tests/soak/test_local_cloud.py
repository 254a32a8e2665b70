"""The local cloud under kills, and under clients that do nothing or do it slowly."""

from __future__ import annotations

import json
import os
import resource
import socket
import statistics
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.durable_load import KEYS, kill_at_random, serving
from wirespeed import sqs

KILLS = 50
IDLE = 5000
WITHIN = 0.050
MEMORY = 200 * 1024 * 1024


def test_nothing_acknowledged_is_lost_by_fifty_kills(tmp_path: Path) -> None:
    kill_at_random(tmp_path, KILLS)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
def test_idle_and_slow_clients_are_no_burden() -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    assert limit > IDLE + 100, "this needs some thousand descriptors"
    command = [sys.executable, "-m", "wirespeed", "serve", "--only", "sqs", "--json"]
    held: list[socket.socket] = []
    stop = threading.Event()
    with serving([*command, "--no-console"], seconds=180) as (process, line):
        url = json.loads(line)["sqs"]["url"]
        place = urlsplit(url)
        address = (str(place.hostname), int(place.port or 0))

        def occupy() -> None:
            """Open idle connections, a third with half a request, and drip bytes into some."""
            halves = (b"", b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"")
            for number in range(IDLE):
                if stop.is_set():
                    return
                made = socket.create_connection(address)
                held.append(made)
                made.sendall(halves[number % 3])
            while not stop.wait(0.2):
                for made in held[: IDLE // 10 : 3]:
                    try:
                        made.sendall(b"x")
                    except OSError:
                        continue

        holder = threading.Thread(target=occupy)
        took: list[float] = []
        with sqs.Client("r", endpoint=url, credentials=KEYS) as client:
            queue = client.create_queue("q")
            holder.start()
            end = time.monotonic() + 60
            while time.monotonic() < end:
                start = time.perf_counter()
                queue.send("x")
                (message,) = queue.receive()
                queue.ack(message)
                took.append((time.perf_counter() - start) / 3)
                time.sleep(0.005)
        stop.set()
        holder.join()
        status = Path(f"/proc/{process.pid}/status").read_text()
        memory = int(status.partition("VmRSS:")[2].split()[0]) * 1024
        for made in held:
            made.close()
    p99 = statistics.quantiles(took, n=100)[98]
    print(
        f"\n{len(held)} connections, {len(took)} rounds: p99 {p99 * 1000:.1f} ms, "
        f"{memory / 2**20:.0f} MiB"
    )
    assert p99 < WITHIN and memory < MEMORY
