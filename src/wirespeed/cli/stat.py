"""`wirespeed stat URL`: what the service knows of an object."""

from __future__ import annotations

import argparse

from wirespeed.cli.objects import URL_HELP, add_json, described, open_object, show

HELP = "print what the service knows of an object"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("url", metavar="URL", help=URL_HELP)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print it, a line for each attribute; the exit code is 4 where there is no such object."""
    bucket, key = open_object(args.url)
    with bucket:
        line = described(bucket.stat(key))
    if args.json:
        show(line)
    else:
        for name, value in line.items():
            print(f"{name:<9} {value}")
    return 0
