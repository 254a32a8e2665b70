"""What the commands on objects share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from wirespeed.cli import exits, told
from wirespeed.errors import ConfigError, ObjectNotFound, WirespeedError

if TYPE_CHECKING:
    from wirespeed import cos, wcs

    Bucket = wcs.Bucket | cos.Bucket

SCHEMES = ("wcs", "cos4")
URL_HELP = (
    "wcs://BUCKET/KEY or cos4://BUCKET-APPID/KEY, special characters percent-encoded; keys and "
    "addresses from the environment"
)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare the argument of every command on objects."""
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")


def is_url(text: str) -> bool:
    """Whether an argument names an object rather than a file."""
    return text.partition("://")[0] in SCHEMES and "://" in text


def open_object(url: str, *, key_needed: bool = True) -> tuple[Bucket, str]:
    """Open the bucket of a URL; return it and the key.

    Raises:
        ConfigError: it names no object.
    """
    from wirespeed import cos, wcs
    from wirespeed.urls import connect

    if not is_url(url):
        raise ConfigError(f"{url!r} names no object: begin it with wcs:// or cos4://")
    parts = urlsplit(url)
    key = unquote(parts.path[1:])
    if key_needed and not key:
        raise ConfigError("url names a bucket, not an object: add /KEY")
    bucket = connect(urlunsplit(parts._replace(path="")))
    assert isinstance(bucket, (wcs.Bucket, cos.Bucket))
    return bucket, key


def objects_below(bucket: Bucket, prefix: str) -> Iterator[wcs.ObjectStat | cos.Entry]:
    """Yield every object whose key begins with a prefix that is "" or ends in "/".

    Raises:
        ObjectNotFound: there is no such bucket.
    """
    from wirespeed import wcs

    if isinstance(bucket, wcs.Bucket):
        yield from bucket.list(prefix)
        return
    folders = [prefix]
    while folders:
        try:
            for entry in bucket.list(folders.pop()):
                if entry.is_folder:
                    folders.append(entry.key)
                else:
                    yield entry
        except ObjectNotFound:
            # A folder of COS may not be there yet; the bucket must.
            next(iter(bucket.list()), None)


def delete_all(
    args: argparse.Namespace, op: str, names: Iterable[str], delete: Callable[[str], object]
) -> int:
    """Delete objects or files and tell of each; go on after one that cannot be deleted.

    Returns:
        0, or the exit code of the first that failed.

    Raises:
        ConfigError: an argument is wrong.
    """
    code = exits.OK
    for name in names:
        try:
            if not args.dry_run:
                delete(name)
        except ConfigError:
            raise
        except (OSError, WirespeedError) as error:
            failed = told(error, name if isinstance(error, WirespeedError) else "")
            code = code or failed
            if args.json:
                reason = error.describe() if isinstance(error, WirespeedError) else str(error)
                show({"op": op, "key": name, "ok": False, "error": reason})
            continue
        if args.json:
            show({"op": op, "key": name, "ok": True, "dry_run": args.dry_run})
        elif args.dry_run:
            print(f"would delete {name}")
    return code


def show(line: Mapping[str, object]) -> None:
    """Print one JSON line."""
    print(json.dumps(line, ensure_ascii=False), flush=True)


def described(entry: wcs.ObjectStat | cos.Entry) -> dict[str, object]:
    """Return an object's attributes as JSON values."""
    from wirespeed import wcs

    if isinstance(entry, wcs.ObjectStat):
        hashed, changed = {"hash": entry.hash}, entry.put_time
    else:
        hashed, changed = {"sha1": entry.sha1}, entry.modified
    return {
        "key": entry.key,
        "size": entry.size,
        **hashed,
        "modified": changed.isoformat() if changed else None,
    }
