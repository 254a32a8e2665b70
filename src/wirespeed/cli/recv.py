"""`wirespeed recv URL`: print messages, a line each, and acknowledge them."""

from __future__ import annotations

import argparse

from wirespeed.cli import exits
from wirespeed.cli.queues import add_url, as_json, body_of, open_queue, show
from wirespeed.errors import Unsupported

HELP = "receive messages from a queue: print each, then acknowledge it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_url(parser)
    parser.add_argument(
        "--count", type=int, default=1, metavar="N", help="how many at most (%(default)s)"
    )
    parser.add_argument(
        "--follow", action="store_true", help="go on until interrupted, whatever the count"
    )
    parser.add_argument(
        "--wait", type=int, default=1, metavar="N", help="seconds to wait for one (%(default)s)"
    )
    parser.add_argument(
        "--fail-if-empty", action="store_true", help="exit with 9 where no message came"
    )


def run(args: argparse.Namespace) -> int:
    """Print and acknowledge.

    Returns:
        0, or 9 where none came and that was asked to be an error.
    """
    return consume(args, keep=False)


def consume(args: argparse.Namespace, *, keep: bool) -> int:
    """Print messages; acknowledge each once it is printed, or give all back at the end."""
    from wirespeed import cmq, sqs

    kept: list[sqs.ReceivedMessage] = []
    seen = 0
    with open_queue(args.url) as queue:
        if keep and isinstance(queue, cmq.Queue):
            raise Unsupported(
                "CMQ cannot give a message back, so there is no peek", hint="see `wirespeed count`"
            )
        limit = 16 if isinstance(queue, cmq.Queue) else 10
        try:
            while args.follow or seen < args.count:
                most = limit if args.follow else min(limit, args.count - seen)
                found = queue.receive(most, wait=20 if args.follow else args.wait)
                if not found and not args.follow:
                    break
                for message in found:
                    if args.json:
                        show(as_json(message))
                    else:
                        print(body_of(message), flush=True)
                    seen += 1
                    if not keep:
                        queue.ack(message)  # type: ignore[arg-type]
                    elif isinstance(message, sqs.ReceivedMessage):
                        kept.append(message)
        finally:
            if kept and isinstance(queue, sqs.Queue):
                queue.extend_many(kept, 0)
    return exits.EMPTY if args.fail_if_empty and not seen else exits.OK
