"""`wirespeed ls URL`: list objects, a line each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from wirespeed.cli.objects import URL_HELP, add_json, described, open_object, show
from wirespeed.cli.progress import size

if TYPE_CHECKING:
    from wirespeed import cos, wcs

HELP = "list the objects whose keys begin with a prefix; on COS one folder, one level"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "url", metavar="URL", help=f"{URL_HELP}; KEY is a prefix and may be left out"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="how many at most")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print size, time and key of each object."""
    bucket, prefix = open_object(args.url, key_needed=False)
    with bucket:
        for entry in islice(entries(bucket, prefix), args.limit):
            line = described(entry)
            if args.json:
                show(line)
            else:
                when = str(line["modified"] or "-")[:19].replace("T", " ")
                print(f"{size(entry.size):>10}  {when:<19}  {entry.key}", flush=True)
    return 0


def entries(bucket: wcs.Bucket | cos.Bucket, prefix: str) -> Iterator[wcs.ObjectStat | cos.Entry]:
    """Yield what there is under a prefix."""
    from wirespeed import wcs

    if isinstance(bucket, wcs.Bucket):
        yield from bucket.list(prefix)
    else:
        folder, _, name = prefix.rpartition("/")
        yield from bucket.list(folder, name)
