"""`wirespeed rm URL...`: delete objects."""

from __future__ import annotations

import argparse

from wirespeed.cli import exits, told
from wirespeed.cli.objects import URL_HELP, add_json, open_object, show
from wirespeed.errors import ConfigError, WirespeedError

HELP = "delete objects"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("urls", metavar="URL", nargs="+", help=URL_HELP)
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
        with bucket:
            try:
                if not args.dry_run:
                    bucket.delete(key)
            except WirespeedError as error:
                if isinstance(error, ConfigError):
                    raise
                code = code or told(error, key)
                if args.json:
                    show({"op": "rm", "key": key, "ok": False, "error": error.describe()})
                continue
        if args.json:
            show({"op": "rm", "key": key, "ok": True, "dry_run": args.dry_run})
        elif args.dry_run:
            print(f"would delete {key}")
    return code
