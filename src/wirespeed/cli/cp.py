"""`wirespeed cp SOURCE... TARGET`: upload files, or download objects."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wirespeed.cli.names import clashes, file_of, files_below
from wirespeed.cli.objects import URL_HELP, add_json, is_url, objects_below, open_object
from wirespeed.cli.transfers import Job, add_transfer_arguments, copy_all
from wirespeed.errors import ConfigError, ObjectNotFound

if TYPE_CHECKING:
    from wirespeed.cli.objects import Bucket

HELP = "copy files to an object store, or objects to files, verified"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "sources", metavar="SOURCE", nargs="+", help="files and folders, or one URL"
    )
    parser.add_argument("target", metavar="TARGET", help=f"{URL_HELP}; or a file or folder")
    parser.add_argument(
        "-r", "--recursive", action="store_true", help="folders, and all below a URL"
    )
    parser.add_argument(
        "--no-overwrite", action="store_true", help="fail where there is one of the name"
    )
    add_transfer_arguments(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Copy all; go on after one that fails.

    Returns:
        0, or the exit code of the first that failed.
    """
    if is_url(args.target):
        bucket, key = open_object(args.target, key_needed=False)
        with bucket:
            jobs = list(uploads(args.sources, key, args.recursive))
            return copy_all(args, bucket, jobs, "cp", overwrite=not args.no_overwrite)
    if len(args.sources) != 1 or not is_url(args.sources[0]):
        raise ConfigError("either SOURCE or TARGET must be a URL, and one URL is downloaded")
    bucket, key = open_object(args.sources[0], key_needed=not args.recursive)
    with bucket:
        jobs = list(downloads(bucket, key, args.target, args.recursive))
        return copy_all(args, bucket, jobs, "cp", overwrite=not args.no_overwrite)


def uploads(sources: list[str], key: str, recursive: bool) -> Iterator[Job]:
    """Yield what is to be uploaded.

    A target that ends in "/" or has no key gets each file's or folder's name; a folder's files
    keep their places within it.

    Raises:
        ConfigError: the arguments do not go together.
        OSError: a source is missing.
    """
    folder = not key or key.endswith("/")
    if len(sources) > 1 and not folder:
        raise ConfigError("TARGET must end in / where there are several SOURCEs")
    for source in sources:
        if is_url(source):
            raise ConfigError("objects are not copied between stores: download it first")
        if os.path.isdir(source):
            if not recursive:
                raise ConfigError(f"{source!r} is a folder: add --recursive")
            name = os.path.basename(os.path.abspath(source))
            prefix = f"{key}{name}/" if folder else f"{key}/"
            for path, relative in files_below(source):
                yield Job(path, prefix + relative, os.stat(path).st_size, True)
        else:
            name = key + os.path.basename(source) if folder else key
            # One that is missing fails in its turn, and the others are copied.
            size = os.stat(source).st_size if os.path.exists(source) else 0
            yield Job(source, name, size, True)


def downloads(bucket: Bucket, key: str, target: str, recursive: bool) -> Iterator[Job]:
    """Yield what is to be downloaded.

    Raises:
        ConfigError: a key is no file's name.
    """
    if not recursive:
        if os.path.isdir(target):
            target = file_of(target, key.rpartition("/")[2])
        yield Job(key, target, bucket.stat(key).size, False)
        return
    prefix = key if not key or key.endswith("/") else f"{key}/"
    found = [(entry.key, entry.size) for entry in objects_below(bucket, prefix)]
    if not found:
        raise ObjectNotFound(f"there is no object below {prefix or 'the bucket'!r}")
    twice = clashes([each for each, _ in found])
    if twice:
        raise ConfigError(f"{sorted(twice)[0]!r} and another key differ in case alone")
    for each, size in found:
        yield Job(each, file_of(target, each[len(prefix) :]), size, False)
