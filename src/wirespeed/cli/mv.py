"""`wirespeed mv URL KEY`: give an object another key."""

from __future__ import annotations

import argparse

from wirespeed.cli.objects import URL_HELP, add_json, open_object, show

HELP = "give an object another key of its bucket"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("url", metavar="URL", help=URL_HELP)
    parser.add_argument("key", metavar="KEY", help="the new key, as it is")
    parser.add_argument(
        "--copy", action="store_true", help="leave the object under its old key too"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Move or copy it; the exit code is 6 where there is an object of the new key."""
    bucket, key = open_object(args.url)
    with bucket:
        (bucket.copy if args.copy else bucket.move)(key, args.key)
    if args.json:
        show({"op": "copy" if args.copy else "mv", "source": key, "dest": args.key, "ok": True})
    return 0
