"""`wirespeed cat URL...`: write objects to standard output."""

from __future__ import annotations

import argparse
import sys

from wirespeed.cli.objects import URL_HELP, open_object

HELP = "write objects to standard output, one after the other"
_PART = 8 * 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("urls", metavar="URL", nargs="+", help=URL_HELP)


def run(args: argparse.Namespace) -> int:
    """Write them."""
    for url in args.urls:
        bucket, key = open_object(url)
        with bucket:
            size = bucket.stat(key).size
            for start in range(0, size, _PART):
                part = bucket.get(key, start=start, end=min(size, start + _PART))
                sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()
    return 0
