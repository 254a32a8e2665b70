"""`wirespeed count URL`: about how many messages a queue has."""

from __future__ import annotations

import argparse

from wirespeed.cli.queues import add_url, open_queue, show

HELP = "print about how many messages a queue has: ready, in flight and delayed"

NAMES = {
    "ready": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_url(parser)


def run(args: argparse.Namespace) -> int:
    """Print the three numbers."""
    with open_queue(args.url) as queue:
        found = queue.attributes(*NAMES.values())
    counts = {name: int(found.get(attribute, 0)) for name, attribute in NAMES.items()}
    if args.json:
        show(counts)
    else:
        print("  ".join(f"{name} {count}" for name, count in counts.items()))
    return 0
