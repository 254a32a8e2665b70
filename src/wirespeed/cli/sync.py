"""`wirespeed sync SOURCE TARGET`: copy what differs between a folder and an object store."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from wirespeed.cli.names import clashes, file_of, files_below
from wirespeed.cli.objects import (
    URL_HELP,
    add_json,
    delete_all,
    is_url,
    objects_below,
    open_object,
)
from wirespeed.cli.transfers import Job, add_transfer_arguments, copy_all
from wirespeed.errors import ConfigError, ObjectNotFound

if TYPE_CHECKING:
    from wirespeed import cos, wcs
    from wirespeed.cli.objects import Bucket

    Known = wcs.ObjectStat | cos.Entry

HELP = "copy what is missing or differs between a folder and an object store, one way"
_CHUNK = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", metavar="SOURCE", help="a folder or a URL")
    parser.add_argument("target", metavar="TARGET", help=f"{URL_HELP}; or a folder")
    parser.add_argument(
        "--delete", action="store_true", help="delete from TARGET what SOURCE does not have"
    )
    parser.add_argument(
        "--size-only", action="store_true", help="take what has the same size for the same"
    )
    add_transfer_arguments(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Copy what differs; go on after one that fails.

    Returns:
        0, or the exit code of the first that failed.
    """
    up = is_url(args.target)
    if up == is_url(args.source):
        raise ConfigError("one of SOURCE and TARGET must be a URL, the other a folder")
    bucket, prefix = open_object(args.target if up else args.source, key_needed=False)
    prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    folder = args.source if up else args.target
    if up and not os.path.isdir(folder):
        raise NotADirectoryError(20, "Not a directory", folder)
    with bucket:
        there = {}
        # A target need not be there yet; a source must.
        with contextlib.suppress(ObjectNotFound) if up else contextlib.nullcontext():
            there = {entry.key[len(prefix) :]: entry for entry in objects_below(bucket, prefix)}
        here = {}
        if up or os.path.isdir(folder):
            here = {relative: path for path, relative in files_below(folder)}
        if up:
            jobs = [
                Job(path, prefix + name, os.stat(path).st_size, True)
                for name, path in here.items()
                if not same(path, there.get(name), args.size_only)
            ]
            gone = [prefix + name for name in there if name not in here] if args.delete else []
            return in_step(args, bucket, jobs, gone, bool(here), bucket.delete)
        twice = clashes(list(there))
        if twice:
            raise ConfigError(f"{sorted(twice)[0]!r} and another key differ in case alone")
        jobs = [
            Job(entry.key, file_of(folder, name), entry.size, False)
            for name, entry in there.items()
            if not same(here.get(name, ""), entry, args.size_only)
        ]
        gone = [path for name, path in here.items() if name not in there] if args.delete else []
        return in_step(args, bucket, jobs, gone, bool(there), os.unlink)


def in_step(
    args: argparse.Namespace,
    bucket: Bucket,
    jobs: list[Job],
    gone: list[str],
    any_source: bool,
    delete: Callable[[str], object],
) -> int:
    """Copy, and then delete what is gone from the source, unless a copy failed.

    Args:
        args: the command's arguments.
        bucket: the bucket.
        jobs: what is to be copied.
        gone: what is to be deleted.
        any_source: whether the source has anything at all.
        delete: deletes one of them.

    Returns:
        0, or the exit code of the first that failed.

    Raises:
        ConfigError: the source is empty, and everything would be deleted.
    """
    if gone and not any_source:
        raise ConfigError(
            f"SOURCE is empty: --delete would delete all of TARGET, which is {len(gone)} files"
        )
    code = copy_all(args, bucket, jobs, "sync", overwrite=True)
    if code and gone:
        print(f"wirespeed: not all was copied, so nothing of {len(gone)} deleted", file=sys.stderr)
    if code:
        return code
    return delete_all(args, "delete", gone, delete)


def same(path: str, entry: Known | None, size_only: bool) -> bool:
    """Whether a file and an object have the same bytes."""
    if entry is None or not path or not os.path.isfile(path):
        return False
    if os.stat(path).st_size != entry.size:
        return False
    if size_only:
        return True
    from wirespeed import wcs

    if isinstance(entry, wcs.ObjectStat):
        from wirespeed.digest import etag_file

        return etag_file(path) == entry.hash
    digest = hashlib.sha1(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == entry.sha1.lower()
