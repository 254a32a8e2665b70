"""`wirespeed count URL`: about how many messages a queue has."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from wirespeed.cli.queues import add_url, open_queue, show

HELP = "print about how many messages a queue has: ready, in flight and delayed"

SQS_NAMES = {
    "ready": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}
CMQ_NAMES = {"ready": "activeMsgNum", "in_flight": "inactiveMsgNum", "delayed": "delayMsgNum"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_url(parser)


def run(args: argparse.Namespace) -> int:
    """Print the three numbers."""
    from wirespeed import cmq, rocketmq

    found: Mapping[str, str | int]
    with open_queue(args.url) as queue:
        if isinstance(queue, rocketmq.Queue):
            names, found = {"ready": "ready"}, {"ready": queue.count()}
        elif isinstance(queue, cmq.Queue):
            names, found = CMQ_NAMES, queue.attributes()
        else:
            names, found = SQS_NAMES, queue.attributes(*SQS_NAMES.values())
    counts = {name: int(found.get(attribute, 0)) for name, attribute in names.items()}
    if args.json:
        show(counts)
    else:
        print("  ".join(f"{name} {count}" for name, count in counts.items()))
    return 0
