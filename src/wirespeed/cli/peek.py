"""`wirespeed peek URL`: print messages, a line each, and leave them in the queue."""

from __future__ import annotations

import argparse

from wirespeed.cli.queues import add_url
from wirespeed.cli.recv import consume

HELP = "print messages of a queue and leave them there; each counts as received once more"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_url(parser)
    parser.add_argument(
        "--count", type=int, default=10, metavar="N", help="how many at most (%(default)s)"
    )
    parser.add_argument(
        "--wait", type=int, default=0, metavar="N", help="seconds to wait for one (%(default)s)"
    )
    parser.add_argument(
        "--fail-if-empty", action="store_true", help="exit with 9 where there is no message"
    )
    parser.set_defaults(follow=False)


def run(args: argparse.Namespace) -> int:
    """Print, then give all back.

    Returns:
        0, or 9 where there is none and that was asked to be an error.
    """
    return consume(args, keep=True)
