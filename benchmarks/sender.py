"""Sync sends from one thread, in a process of its own: ``sender.py NAMESRV TOPIC BODY_BYTES``.

Each line of standard input is a count; the answer is one JSON line with the median latency, the
CPU time of the whole process a message and the rate: what ``SendBench`` of the live tests prints
for the Java client.
"""

from __future__ import annotations

import json
import sys
import time

from wirespeed.rocketmq import Producer


def main(namesrv: str, topic: str, size: int) -> None:
    """Answer each count on standard input until it ends."""
    body = b"x" * size
    with Producer("python-bench", namesrv=namesrv, attempts=1) as producer:
        for line in sys.stdin:
            count = int(line)
            took = []
            clock = time.perf_counter_ns
            send = producer.send
            cpu = time.process_time_ns()
            start = clock()
            for _ in range(count):
                before = clock()
                send(topic, body)
                took.append(clock() - before)
            wall = clock() - start
            used = time.process_time_ns() - cpu
            took.sort()
            answer = {
                "p50_us": took[count // 2] / 1e3,
                "cpu_us": used / 1e3 / count,
                "rate": count * 1e9 / wall,
            }
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
