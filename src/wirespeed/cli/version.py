"""`wirespeed version`."""

from __future__ import annotations

import argparse

import wirespeed

HELP = "print the version"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the version."""
    if args.json:
        import json

        print(json.dumps({"version": wirespeed.__version__}))
    else:
        print(f"wirespeed {wirespeed.__version__}")
    return 0
