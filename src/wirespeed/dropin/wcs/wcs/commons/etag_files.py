"""The command `wcs_etag_cal`."""

from __future__ import annotations

import argparse

from .util import etag


def main() -> None:
    """Print the names of the files as a list, then their etags, on two lines."""
    parser = argparse.ArgumentParser(prog="WCS Python SDK")
    commands = parser.add_subparsers()
    command = commands.add_parser(
        "etag", description="calculate the etag of the file", help="etag [file...]"
    )
    command.add_argument("etag_files", metavar="N", nargs="+", help="the file list for calculate")
    files = getattr(parser.parse_args(), "etag_files", None)
    if files:
        print(files)
        print(" ".join(etag(file) for file in files))


if __name__ == "__main__":
    main()
