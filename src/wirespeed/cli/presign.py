"""`wirespeed presign URL`: a URL by which anybody can download an object."""

from __future__ import annotations

import argparse

from wirespeed.cli.objects import add_json, open_object, show

HELP = "print a URL by which anybody can download an object of COS"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("url", metavar="URL", help="cos4://BUCKET-APPID/KEY")
    parser.add_argument(
        "--expires",
        type=int,
        default=300,
        metavar="N",
        help="seconds that it is good (%(default)s)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print it; nothing is sent."""
    bucket, key = open_object(args.url)
    with bucket:
        made = bucket.presign(key, args.expires)
    if args.json:
        show({"url": made, "expires": args.expires})
    else:
        print(made)
    return 0
