"""The C++ client's speed, through `rocketmq` 0.4.4: ``cpp_sender.py NAMESRV TOPIC BODY_BYTES``.

It stands alone, in a process whose PYTHONPATH has that package. Each line of standard input is a
count; the answer is one JSON line with the median latency, the CPU time of the whole process a
message and the rate.
"""

import json
import os
import sys
import time

from rocketmq.client import Message, Producer


def main(namesrv: str, topic: str, size: int) -> None:
    """Answer each count on standard input until it ends."""
    producer = Producer("cpp-bench")
    producer.set_namesrv_addr(namesrv)
    producer.start()
    body = b"x" * size
    for line in sys.stdin:
        count = int(line)
        took = []
        cpu, start = time.process_time_ns(), time.perf_counter_ns()
        for _ in range(count):
            before = time.perf_counter_ns()
            message = Message(topic)
            message.set_body(body)
            producer.send_sync(message)
            took.append(time.perf_counter_ns() - before)
        wall, used = time.perf_counter_ns() - start, time.process_time_ns() - cpu
        answer = {
            "p50_us": sorted(took)[count // 2] / 1e3,
            "cpu_us": used / 1e3 / count,
            "rate": count * 1e9 / wall,
        }
        print(json.dumps(answer), flush=True)
    # Its threads do not end by themselves.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
