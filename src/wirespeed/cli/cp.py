"""`wirespeed cp SOURCE... TARGET`: upload files, or download an object."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from wirespeed.cli import exits, told
from wirespeed.cli.objects import URL_HELP, add_json, is_url, open_object, show
from wirespeed.cli.progress import Bar
from wirespeed.errors import ConfigError, WirespeedError
from wirespeed.storage import Progress

HELP = "upload files to an object store, or download an object of COS, verified"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("sources", metavar="SOURCE", nargs="+", help="files, or one object's URL")
    parser.add_argument("target", metavar="TARGET", help=f"{URL_HELP}; or a file or folder")
    parser.add_argument(
        "--jobs", type=int, default=4, metavar="N", help="parts at a time (%(default)s)"
    )
    parser.add_argument(
        "--no-overwrite", action="store_true", help="fail where there is an object of the key"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be copied")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Copy all; go on after one that fails.

    Returns:
        0, or the exit code of the first that failed.
    """
    if is_url(args.target):
        return upload(args)
    if len(args.sources) != 1 or not is_url(args.sources[0]):
        raise ConfigError("either SOURCE or TARGET must be a URL, and one object is downloaded")
    return download(args)


def upload(args: argparse.Namespace) -> int:
    """Upload files; a target that ends in "/" or has no key gets each file's name."""
    bucket, key = open_object(args.target, key_needed=False)
    folder = not key or key.endswith("/")
    if len(args.sources) > 1 and not folder:
        raise ConfigError("TARGET must end in / where there are several SOURCEs")
    code = exits.OK
    with bucket:
        for source in args.sources:
            if is_url(source):
                raise ConfigError("objects are not copied between stores: download it first")
            name = key + os.path.basename(source) if folder else key
            try:
                size = os.stat(source).st_size
                if not args.dry_run:
                    with Bar(source) as bar:
                        size = bucket.upload_file(
                            source, name, workers=args.jobs, overwrite=not args.no_overwrite,
                            progress=follow(bar),
                        ).size  # fmt: skip
            except (OSError, WirespeedError) as error:
                if isinstance(error, ConfigError):
                    raise
                code = code or told(error, "" if isinstance(error, OSError) else source)
                if args.json:
                    show({"op": "cp", "source": source, "dest": name, "ok": False})
                continue
            tell(args, source, name, size)
    return code


def download(args: argparse.Namespace) -> int:
    """Download one object into a file, or under its name into a folder."""
    bucket, key = open_object(args.sources[0])
    target = args.target
    if os.path.isdir(target):
        name = key.rpartition("/")[2]
        if name in ("", ".", "..") or os.sep in name or "\\" in name or "\0" in name:
            raise ConfigError(f"the key {key!r} is no file's name here: name the file")
        target = os.path.join(target, name)
    with bucket:
        if args.no_overwrite and os.path.exists(target):
            raise FileExistsError(17, "File exists", target)
        if args.dry_run:
            size = bucket.stat(key).size
        else:
            with Bar(key) as bar:
                size = bucket.download_file(
                    key, target, workers=args.jobs, progress=follow(bar)
                ).size
    tell(args, key, target, size)
    return exits.OK


def follow(bar: Bar) -> Callable[[Progress], None]:
    """Return what gives a transfer's progress to a bar."""

    def update(progress: Progress) -> None:
        bar.update(progress.done, progress.total)

    return update


def tell(args: argparse.Namespace, source: str, target: str, size: int) -> None:
    """Print that one was copied, where that was asked for."""
    if args.json:
        line = {"op": "cp", "source": source, "dest": target, "ok": True, "bytes": size}
        show({**line, "dry_run": args.dry_run})
    elif args.dry_run:
        print(f"would copy {source} to {target}")
