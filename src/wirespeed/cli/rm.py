"""`wirespeed rm URL...`: delete objects."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from wirespeed.cli import exits, told
from wirespeed.cli.objects import URL_HELP, add_json, objects_below, open_object, show
from wirespeed.errors import ConfigError, WirespeedError

if TYPE_CHECKING:
    from wirespeed.cli.objects import Bucket

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
            for each in keys:
                failed = delete(args, bucket, each)
                code = code or failed
    return code


def delete(args: argparse.Namespace, bucket: Bucket, key: str) -> int:
    """Delete one object; return 0, or the exit code of what kept it."""
    try:
        if not args.dry_run:
            bucket.delete(key)
    except WirespeedError as error:
        if isinstance(error, ConfigError):
            raise
        if args.json:
            show({"op": "rm", "key": key, "ok": False, "error": error.describe()})
        return told(error, key)
    if args.json:
        show({"op": "rm", "key": key, "ok": True, "dry_run": args.dry_run})
    elif args.dry_run:
        print(f"would delete {key}")
    return exits.OK
