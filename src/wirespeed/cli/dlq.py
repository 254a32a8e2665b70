"""`wirespeed dlq URL`: a queue's dead letters, and how they come back."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from wirespeed.cli.progress import Bar
from wirespeed.cli.queues import add_url, open_queue, show
from wirespeed.errors import ConfigError, NotFound, ServiceError, TopicNotFound, WirespeedError

HELP = "show how many dead letters a queue has, or send them back to it with --redrive"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wirespeed import sqs
    from wirespeed.cli.queues import Queue, ReceivedMessage

_POLL = 0.2
_PATIENCE = 1
_UNSEEN = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_url(parser)
    parser.add_argument(
        "--redrive", action="store_true", help="send the dead letters back to the queue"
    )
    parser.add_argument(
        "--rate", type=int, metavar="N", help="messages a second at most, with --redrive"
    )


def run(args: argparse.Namespace) -> int:
    """Show the dead letters, or send them back.

    Raises:
        ConfigError: an option is wrong.
        NotFound: the queue has no dead-letter queue.
    """
    from wirespeed import sqs

    if args.rate is not None and (not args.redrive or args.rate < 1):
        raise ConfigError("--rate must be at least 1, and goes with --redrive")
    with open_queue(args.url) as queue:
        dead = queue.dead_letter_queue()
        if dead is None:
            raise NotFound(f"{queue.name} has no dead-letter queue", hint="set its policy first")
        try:
            count = dead.count()
        except TopicNotFound:
            # RocketMQ makes the topic with the first dead letter.
            count = 0
        if not args.redrive:
            if args.json:
                show({"queue": queue.name, "dead_letter_queue": dead.name, "count": count})
            else:
                print(f"{count} dead letters of {queue.name} in {dead.name}")
            return 0
        with Bar("redrive", figure=lambda amount: f"{amount:.0f}") as bar:

            def progress(moved: int) -> None:
                bar.update(moved, count)

            if isinstance(queue, sqs.Queue) and isinstance(dead, sqs.Queue):
                moved = _redrive(dead, queue, args.rate, progress)
            else:
                moved = _carry(dead, queue, args.rate, progress)
    if args.json:
        show({"queue": queue.name, "dead_letter_queue": dead.name, "moved": moved})
    else:
        print(f"{moved} messages sent back to {queue.name}")
    return 0


def _redrive(
    dead: sqs.Queue, queue: sqs.Queue, rate: int | None, progress: Callable[[int], None]
) -> int:
    """Let the service move the messages, and wait until it has.

    Raises:
        ServiceError: it could not, or the service does not tell of it.
    """
    handle = dead.redrive(queue.arn(), rate=rate)
    unseen = time.monotonic()
    while time.monotonic() - unseen < _UNSEEN:
        task = next((each for each in dead.redrives() if each.handle in (handle, "")), None)
        if task is not None:
            unseen = time.monotonic()
            progress(task.moved)
            if task.status == "FAILED":
                raise ServiceError(f"the redrive failed: {task.failure}", service="sqs")
            if task.status != "RUNNING":
                return task.moved
        time.sleep(_POLL)
    raise ServiceError(
        f"the service has not told of the redrive for {_UNSEEN} seconds",
        service="sqs",
        outcome="unknown",
        hint="count both queues: it may still be at it",
    )


def _carry(dead: Queue, queue: Queue, rate: int | None, progress: Callable[[int], None]) -> int:
    """Receive each message, send it to the queue, and settle it then."""
    moved = 0
    began = time.monotonic()
    with dead:
        while messages := dead.receive(min(10, rate or 10), wait=_PATIENCE):
            for message in messages:
                _send_again(queue, message)
                dead.ack(message)  # type: ignore[arg-type]
                moved += 1
                progress(moved)
                if rate is not None:
                    time.sleep(max(0.0, began + moved / rate - time.monotonic()))
    return moved


def _send_again(queue: Queue, message: ReceivedMessage) -> None:
    """Send a dead letter's copy, to where it was first sent.

    Raises:
        WirespeedError: it was not acknowledged.
    """
    from wirespeed import rocketmq

    if not isinstance(message, rocketmq.ReceivedMessage):
        queue.send(message.body)
        return
    (result,) = queue.send_many([message.copy()])  # type: ignore[list-item]
    if isinstance(result, WirespeedError):
        raise result
