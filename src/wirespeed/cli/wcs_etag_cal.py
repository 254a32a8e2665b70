"""`wcs_etag_cal`, under the name and with the output of the older WCS SDK's command.

With the word `etag` first: the list of names on one line, their etags joined by a space on the
next. Without it: as `wirespeed etag`; `wcs_etag_cal -- etag` is a file of that name.
"""

from __future__ import annotations

import argparse
import sys

from wirespeed.cli import etag, guarded

HELP = "etag [file...]"


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit code, one of `wirespeed.cli.exits`."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] and arguments[0] in ("etag", "-h", "--help"):
        parser = argparse.ArgumentParser(prog="WCS-Python-SDK", allow_abbrev=False)
        choices = parser.add_subparsers(metavar="{etag}")
        add_arguments(choices.add_parser("etag", help=HELP, description="etags of files"))
        return guarded(sys.modules[__name__], parser.parse_args(arguments))
    parser = argparse.ArgumentParser(prog="wcs_etag_cal", description=etag.HELP, allow_abbrev=False)
    etag.add_arguments(parser)
    return guarded(etag, parser.parse_args(arguments))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the older command."""
    parser.add_argument("files", metavar="N", nargs="+", help="the files to calculate")


def run(args: argparse.Namespace) -> int:
    """Print what the older command prints."""
    from wirespeed.digest import etag_file

    print(args.files, flush=True)
    print(" ".join(etag_file(name) for name in args.files))
    return 0
