"""A program whose calls are interrupted by Ctrl-C, one after the other.

``python -m tests.rocketmq_interrupted KIND CLOUD SILENT MUTE`` makes each call of `ACTIONS`, sends
SIGINT to itself while it waits, and closes the client. It prints a line for each: the action, what
came of the call, the seconds from the signal to that, the seconds that closing took, and how many
background threads it left. `CLOUD` is a healthy name server with a broker; `SILENT` one whose
broker answers no send, no receive and no question; `MUTE` answers nothing.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator
from typing import Any

from wirespeed import rocketmq
from wirespeed.rocketmq import Message, StartFrom

WAIT = 0.15

Steps = Generator[Any, Any, None]


class Program:
    """Clients of one kind; the steps of an action are made, or awaited, one after the other."""

    def __init__(self, kind: str, cloud: str, silent: str, mute: str) -> None:
        self.prefix = "Async" if kind == "asyncio" else ""
        self.cloud = cloud
        self.silent = silent
        self.mute = mute
        self.client: Any = None

    def make(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Return a client, which is closed in the end."""
        options.setdefault("namesrv", self.silent)
        self.client = getattr(rocketmq, self.prefix + name)(*arguments, **options)
        return self.client

    def producer(self, **options: Any) -> Any:
        """Return a producer of the silent broker."""
        return self.make("Producer", "interrupted", timeout=60, **options)


def send(program: Program) -> Steps:
    yield program.producer().send("t", b"x")


def send_many(program: Program) -> Steps:
    yield program.producer().send_many([Message("t", b"x"), Message("t", b"y")])


def submit(program: Program) -> Steps:
    producer = program.producer(max_pending=1)
    yield producer.submit(Message("t", b"x"))
    yield producer.submit(Message("t", b"y"))


def result(program: Program) -> Steps:
    future = yield program.producer().submit(Message("t", b"x"))
    yield future if program.prefix else future.result(60)


def flush(program: Program) -> Steps:
    producer = program.producer()
    yield producer.submit(Message("t", b"x"))
    yield producer.flush()


def close(program: Program) -> Steps:
    producer = program.producer()
    yield producer.submit(Message("t", b"x"))
    yield producer.close(timeout=60)


def request(program: Program) -> Steps:
    producer = program.make("Producer", "interrupted", namesrv=program.cloud)
    yield producer.request(Message("interrupted-topic", b"x"), timeout=60)


def start(program: Program) -> Steps:
    yield program.make("Producer", "interrupted", timeout=60, namesrv=program.mute).start()


def start_consumer(program: Program) -> Steps:
    consumer = program.make("PushConsumer", "interrupted", {"t": "*"}, namesrv=program.mute)
    yield consumer.start(print)


def run(program: Program) -> Steps:
    yield program.make("PushConsumer", "interrupted", {"t": "*"}, namesrv=program.cloud).run(print)


def close_consumer(program: Program) -> Steps:
    entered = threading.Event()

    def stay(message: Any) -> None:
        entered.set()
        time.sleep(30)

    async def stay_on_loop(message: Any) -> None:
        entered.set()
        await asyncio.sleep(30)

    producer = program.make("Producer", "interrupted", namesrv=program.cloud)
    yield producer.send("interrupted-topic", b"x")
    yield producer.close()
    consumer = program.make(
        "PushConsumer", f"interrupted-{program.prefix}", {"interrupted-topic": "*"},
        namesrv=program.cloud, start_from=StartFrom.FIRST,
    )  # fmt: skip
    yield consumer.start(stay_on_loop if program.prefix else stay)
    while not entered.is_set():
        yield asyncio.sleep(0.01) if program.prefix else time.sleep(0.01)
    yield consumer.close(timeout=60)


def poll(program: Program) -> Steps:
    puller = program.make("LitePullConsumer", "interrupted", {"t": "*"}, namesrv=program.cloud)
    yield puller.poll(timeout=None)


def iterate(program: Program) -> Steps:
    puller = program.make("LitePullConsumer", "interrupted", {"t": "*"}, namesrv=program.cloud)
    yield program.first(puller) if isinstance(program, OnLoop) else next(iter(puller))


def receive(program: Program) -> Steps:
    yield program.make("SimpleConsumer", "interrupted", {"t": "*"}).receive(wait=60)


def iterate_simple(program: Program) -> Steps:
    simple = program.make("SimpleConsumer", "interrupted", {"t": "*"})
    yield program.first(simple) if isinstance(program, OnLoop) else next(iter(simple))


def admin_topics(program: Program) -> Steps:
    yield program.make("Admin").topics()


def admin_stats(program: Program) -> Steps:
    yield program.make("Admin").topic_stats("t")


class OnLoop(Program):
    """A program of asyncio."""

    async def first(self, iterable: Any) -> Any:
        """Return the first item."""
        async for item in iterable:
            return item


ACTIONS: tuple[Callable[[Program], Steps], ...] = (
    send,
    send_many,
    submit,
    result,
    flush,
    close,
    request,
    start,
    start_consumer,
    run,
    close_consumer,
    poll,
    iterate,
    receive,
    iterate_simple,
    admin_topics,
    admin_stats,
)
"""The last step of each is the one that waits."""


def main(kind: str, *servers: str) -> None:
    """Make and interrupt every call."""
    warnings.simplefilter("ignore", ResourceWarning)
    for name in ("Producer", "PushConsumer", "LitePullConsumer", "SimpleConsumer", "Admin"):
        # What is imported at the first use is not to be interrupted.
        getattr(rocketmq, f"Async{name}"), getattr(rocketmq, name)
    for action in ACTIONS:
        program = (OnLoop if kind == "asyncio" else Program)(kind, *servers)
        interrupted: list[float] = []

        def interrupt(interrupted: list[float] = interrupted) -> None:
            interrupted.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(WAIT, interrupt)
        raised, took = "nothing", 0.0
        closed: list[float] = []
        try:
            if kind == "asyncio":
                asyncio.run(on_loop(program, action(program), timer, closed))
            else:
                carry_out(action(program), timer)
        except BaseException as error:
            took = time.monotonic() - interrupted[0]
            raised = type(error).__name__
        if kind != "asyncio":
            began = time.monotonic()
            program.client.close(**options(program))
            closed.append(time.monotonic() - began)
        timer.cancel()
        print(
            action.__name__, raised, f"{took:.2f}", f"{closed[0]:.2f}", still_running(), flush=True
        )


def still_running() -> int:
    """Return how many background threads live on a moment after closing."""
    limit = time.monotonic() + 1.0
    while True:
        count = sum(thread.name.endswith("-timers") for thread in threading.enumerate())
        if not count or time.monotonic() > limit:
            return count
        time.sleep(0.01)


def options(program: Program) -> dict[str, float]:
    """Return the arguments of `close`: what is pending is not waited for."""
    accepted = inspect.signature(program.client.close).parameters
    return {"timeout": 0.1} if "timeout" in accepted else {}


def carry_out(steps: Steps, timer: threading.Timer) -> None:
    """Make the calls; the timer starts with the first."""
    timer.start()
    outcome: Any = None
    while True:
        try:
            outcome = steps.send(outcome)
        except StopIteration:
            return


async def on_loop(
    program: Program, steps: Steps, timer: threading.Timer, closed: list[float]
) -> None:
    """Await the calls, and close the client; note the seconds that took."""
    timer.start()
    outcome: Any = None
    try:
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration:
                return
            outcome = await step if inspect.isawaitable(step) else step
    finally:
        began = time.monotonic()
        await program.client.close(**options(program))
        closed.append(time.monotonic() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
