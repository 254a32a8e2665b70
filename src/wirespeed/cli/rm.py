"""`wirespeed rm URL...`: delete objects."""

from __future__ import annotations

import argparse

from wirespeed.cli import exits
from wirespeed.cli.objects import URL_HELP, add_json, delete_all, objects_below, open_object
from wirespeed.errors import ConfigError

HELP = "delete objects"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("urls", metavar="URL", nargs="+", help=URL_HELP)
    parser.add_argument(
        "-r", "--recursive", action="store_true", help="all below each URL, which must end in /"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be deleted")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Delete all; go on after one that cannot be deleted.

    Returns:
        0, or the exit code of the first that failed.
    """
    code = exits.OK
    for url in args.urls:
        bucket, key = open_object(url)
        if args.recursive and not key.endswith("/"):
            bucket.close()
            raise ConfigError(f"{url!r} must end in / where --recursive deletes all below it")
        with bucket:
            keys = [key]
            if args.recursive:
                keys = [entry.key for entry in objects_below(bucket, key)]
            failed = delete_all(args, "rm", keys, bucket.delete)
            code = code or failed
    return code
