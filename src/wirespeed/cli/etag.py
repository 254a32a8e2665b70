"""`wirespeed etag FILE...`: one line `ETAG  FILE` each."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wirespeed.cli import plain, told
from wirespeed.cli.progress import Bar

if TYPE_CHECKING:
    import argparse

HELP = "print the etag of files, or of standard input"


class Names:
    """A command line of names alone, as `add_arguments` would have it."""

    json = False
    threads: int | None = None

    def __init__(self, files: list[str]) -> None:
        self.files = files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="a file; - is standard input")
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads a file, 1 to 32 (one for each CPU)"
    )


def run(args: argparse.Namespace | Names) -> int:
    """Print the etag of each file; go on after one that cannot be read.

    Returns:
        0, or the exit code of the first file that failed.
    """
    code = 0
    for name, etag in etags(args.files, args.threads):
        if isinstance(etag, str):
            if args.json:
                show({"file": name, "etag": etag})
            else:
                print(f"{etag}  {name}")
            continue
        sys.stdout.flush()
        failed = told(etag)
        code = code or failed
        if args.json:
            show({"file": name, "error": {"type": type(etag).__name__, "text": plain(etag)}})
    sys.stdout.flush()
    return code


def etags(files: list[str], threads: int | None) -> Iterator[tuple[str, str | Exception]]:
    """Yield each file's name and etag, or what kept it; large ones are behind a bar."""
    from wirespeed.digest import etag_files
    from wirespeed.errors import ConfigError, WirespeedError

    if len(files) > 1 and threads is None and "-" not in files and not sys.stderr.isatty():
        yield from etag_files(files)
        return
    for name in files:
        try:
            etag = of(name, threads)
        except (OSError, WirespeedError) as error:
            if isinstance(error, ConfigError):
                raise
            yield name, error
        else:
            yield name, etag
            sys.stdout.flush()


def of(name: str, threads: int | None = None) -> str:
    """Return the etag of the file `name`, or of standard input for `-`, behind a progress bar."""
    from wirespeed.digest import etag_file, etag_stream

    with Bar(name) as bar:
        progress = bar.update if bar.shown else None
        if name == "-":
            if sys.stdin is None:
                raise OSError(errno.EBADF, "standard input is closed", name)
            return etag_stream(sys.stdin.buffer, progress=progress)
        return etag_file(name, threads=threads, progress=progress)


def show(line: dict[str, object]) -> None:
    """Print one JSON line."""
    import json

    print(json.dumps(line))
