"""`wirespeed send URL [BODY...]`: one message for each body, or for each line of standard input."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from wirespeed.cli import exits, told
from wirespeed.cli.queues import add_url, open_queue, show
from wirespeed.errors import ConfigError, WirespeedError

if TYPE_CHECKING:
    from wirespeed import cmq, rocketmq, sqs
    from wirespeed.cli.queues import Queue

HELP = "send messages to a queue, a line each"
_CHUNK = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_url(parser)
    parser.add_argument(
        "bodies", metavar="BODY", nargs="*", help="a message; without any, lines of standard input"
    )
    parser.add_argument("--delay", type=int, metavar="N", help="seconds until it can be received")
    parser.add_argument("--group", metavar="ID", help="group of a FIFO queue")


def run(args: argparse.Namespace) -> int:
    """Send all; go on after a message that was refused.

    Returns:
        0, or the exit code of the first message that failed.
    """
    code = exits.OK
    with open_queue(args.url) as queue:
        bodies = iter(args.bodies or lines())
        while chunk := list(itertools.islice(bodies, _CHUNK)):
            for body, result in zip(chunk, send_chunk(queue, chunk, args), strict=True):
                if isinstance(result, WirespeedError):
                    code = code or told(result, f"{body[:40]!r}")
                    if args.json:
                        show({"body": body, "error": result.describe()})
                elif args.json:
                    show({"body": body, "message_id": result.message_id})
    return code


def send_chunk(
    queue: Queue, bodies: list[str], args: argparse.Namespace
) -> Sequence[sqs.SendResult | cmq.SendResult | rocketmq.SendResult | WirespeedError]:
    """Send some messages; return the fate of each."""
    from wirespeed import cmq, rocketmq, sqs

    if isinstance(queue, rocketmq.Queue):
        if args.group is not None:
            raise ConfigError("--group is for a FIFO queue of SQS")
        topic = queue.name
        return queue.send_many([rocketmq.Message(topic, body, delay=args.delay) for body in bodies])
    if isinstance(queue, cmq.Queue):
        if args.group is not None:
            raise ConfigError("--group is for a FIFO queue of SQS")
        return queue.send_many(bodies, delay=args.delay or 0)
    return queue.send_many([sqs.Message(body, args.delay, group_id=args.group) for body in bodies])


def lines() -> Iterator[str]:
    """Yield the lines of standard input that are not empty, without their ends."""
    if sys.stdin is None:
        raise ConfigError("standard input is closed, and no BODY was given")
    for line in sys.stdin:
        text = line.rstrip("\r\n")
        if text:
            yield text
