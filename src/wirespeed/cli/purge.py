"""`wirespeed purge URL --yes`: delete all messages of a queue."""

from __future__ import annotations

import argparse

from wirespeed.cli.queues import add_url, open_queue, show
from wirespeed.errors import ConfigError

HELP = "delete all messages of a queue"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_url(parser)
    parser.add_argument("--yes", action="store_true", help="do it; nothing is asked")


def run(args: argparse.Namespace) -> int:
    """Delete them.

    Raises:
        ConfigError: `--yes` is missing.
    """
    if not args.yes:
        raise ConfigError("purge deletes every message of the queue: add --yes to do it")
    with open_queue(args.url) as queue:
        queue.purge()
        if args.json:
            show({"purged": queue.name})
    return 0
