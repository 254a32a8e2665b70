"""`wirespeed ping URL`: does a queue answer, and how fast."""

from __future__ import annotations

import argparse
import time

from wirespeed.cli.queues import add_url, open_queue, show

HELP = "ask a queue for its count once and print how long the answer took"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_url(parser)
    parser.add_argument(
        "--timeout", type=float, default=5.0, metavar="N", help="seconds to wait (%(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Ask; the exit code is 5 where there is no answer."""
    with open_queue(args.url) as queue:
        start = time.perf_counter()
        queue.count(timeout=args.timeout)
        took = time.perf_counter() - start
    if args.json:
        show({"ok": True, "seconds": round(took, 6)})
    else:
        print(f"{took * 1000:.1f} ms")
    return 0
