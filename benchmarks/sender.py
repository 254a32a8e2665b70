"""Our RocketMQ client's speed: ``sender.py NAMESRV TOPIC BODY_BYTES MODE``, a process of its own.

MODE is that of ``SendBench`` of the live tests, which does the same with the Java client, or
``asyncio``, for 100 tasks, or ``raw``, for the least that can send: a socket and bytes that were
made before. Each line of standard input is a count; the answer is one JSON line
with the median latency (sync alone), the CPU time of the whole process a message and the rate.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from wirespeed.rocketmq import (
    Admin,
    AsyncProducer,
    Message,
    Producer,
    PushConsumer,
    StartFrom,
    wire,
)

THREADS = 16
UNDER_WAY = 2000
TOGETHER = 32
TASKS = 100


class Bench:
    """What is measured."""

    def __init__(self, namesrv: str, topic: str, size: int) -> None:
        self.namesrv = namesrv
        self.topic = topic
        self.body = b"x" * size
        self.producer = Producer("python-bench", namesrv=namesrv, attempts=1, max_pending=UNDER_WAY)
        self.groups = 0

    def sync(self, count: int) -> list[int]:
        """Send one after the other; return how long each took."""
        took = []
        clock = time.perf_counter_ns
        send, topic, body = self.producer.send, self.topic, self.body
        for _ in range(count):
            before = clock()
            send(topic, body)
            took.append(clock() - before)
        return took

    def threads(self, count: int) -> None:
        """Send from 16 threads."""
        workers = [
            threading.Thread(target=self.sync, args=(count // THREADS,)) for _ in range(THREADS)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def submit(self, count: int) -> None:
        """Send with up to 2,000 under way."""
        futures = [
            self.producer.submit(Message(self.topic, self.body), timeout=30) for _ in range(count)
        ]
        self.producer.flush(30)
        for future in futures:
            future.result(30)

    def oneway(self, count: int) -> None:
        """Send without asking for an answer."""
        send, topic, body = self.producer.send_oneway, self.topic, self.body
        for _ in range(count):
            send(topic, body)

    def batch(self, count: int) -> None:
        """Send 32 together."""
        for _ in range(0, count, TOGETHER):
            messages = [Message(self.topic, self.body) for _ in range(TOGETHER)]
            for result in self.producer.send_many(messages):
                if isinstance(result, Exception):
                    raise result

    def consume(self, count: int, together: int | None) -> None:
        """Consume so many messages as a new group."""
        self.groups += 1
        done = threading.Event()
        seen = 0

        def one(_: Any) -> None:
            nonlocal seen
            seen += 1
            if seen >= count:
                done.set()

        def many(messages: list[Any]) -> None:
            nonlocal seen
            seen += len(messages)
            if seen >= count:
                done.set()

        with PushConsumer(
            f"python-bench-{time.time_ns()}-{self.groups}",
            {self.topic: "*"},
            self.namesrv,
            start_from=StartFrom.FIRST,
            handler_batch=together,
        ) as consumer:
            consumer.start(one if together is None else many)
            done.wait()

    async def tasks(self, producer: AsyncProducer, count: int) -> None:
        """Send from 100 tasks."""

        async def work() -> None:
            for _ in range(count // TASKS):
                await producer.send(self.topic, self.body)

        await asyncio.gather(*(work() for _ in range(TASKS)))


class Raw:
    """A socket that sends the same message again and again."""

    def __init__(self, namesrv: str, topic: str, size: int) -> None:
        with Admin(namesrv) as admin:
            route = admin.route(topic)
            broker = admin.brokers()[0].addresses[0]
        host, _, port = broker.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        message = Message(topic, b"x" * size)
        properties = "UNIQ_KEY\x01" + "0" * 32 + "\x02WAIT\x01true\x02"
        queue = route.write_queues[0][0]
        command = wire.send_request("raw-bench", message, properties, queue, 0, 0)
        self._frame = b"".join(command.pack(1, 0, binary=False))
        self._buffer = bytearray(65536)

    def send(self, count: int) -> list[int]:
        """Send one after the other; return how long each took."""
        took = []
        clock, write, frame = time.perf_counter_ns, self._socket.send, self._frame
        read, buffer = self._socket.recv_into, self._buffer
        for _ in range(count):
            before = clock()
            write(frame)
            got = read(buffer)
            while got < 4 + int.from_bytes(buffer[:4], "big"):
                got += read(memoryview(buffer)[got:])
            took.append(clock() - before)
        return took


def report(count: int, work: Callable[[int], Any]) -> None:
    """Do ``work`` and print how it went."""
    cpu, start = time.process_time_ns(), time.perf_counter_ns()
    took = sorted(work(count) or [0])
    wall, used = time.perf_counter_ns() - start, time.process_time_ns() - cpu
    answer = {
        "p50_us": took[len(took) // 2] / 1e3,
        "cpu_us": used / 1e3 / count,
        "rate": count * 1e9 / wall,
    }
    print(json.dumps(answer), flush=True)


def main(namesrv: str, topic: str, size: int, mode: str) -> None:
    """Answer each count on standard input until it ends."""
    if mode == "raw":
        raw = Raw(namesrv, topic, size)
        for line in sys.stdin:
            report(int(line), raw.send)
        return
    bench = Bench(namesrv, topic, size)
    if mode == "asyncio":
        run = asyncio.new_event_loop().run_until_complete
        producer = AsyncProducer("python-bench", namesrv, attempts=1)
        for line in sys.stdin:
            report(int(line), lambda count: run(bench.tasks(producer, count)))
        run(producer.close())
        return
    work: dict[str, Callable[[int], Any]] = {
        "sync": bench.sync,
        "threads": bench.threads,
        "async": bench.submit,
        "batch": bench.batch,
        "oneway": bench.oneway,
        "one": lambda count: bench.consume(count, None),
        "many": lambda count: bench.consume(count, TOGETHER),
    }
    with bench.producer:
        for line in sys.stdin:
            report(int(line), work[mode])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
