"""`wirespeed du URL`: how many bytes the objects below a prefix have."""

from __future__ import annotations

import argparse

from wirespeed.cli.objects import URL_HELP, add_json, objects_below, open_object, show
from wirespeed.cli.progress import size

HELP = "print how many bytes and objects there are below a prefix"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("url", metavar="URL", help=f"{URL_HELP}; KEY may be left out")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Add them up."""
    bucket, key = open_object(args.url, key_needed=False)
    prefix = key if not key or key.endswith("/") else f"{key}/"
    count = total = 0
    with bucket:
        for entry in objects_below(bucket, prefix):
            count += 1
            total += entry.size
    if args.json:
        show({"prefix": prefix, "objects": count, "bytes": total})
    else:
        print(f"{size(total)} in {count} objects")
    return 0
