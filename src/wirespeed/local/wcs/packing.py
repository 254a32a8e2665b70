"""Packs objects into one archive, for the operation "compress"."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping

from ..content import Content
from .replies import Refusal
from .state import BlockDigest, StoredObject, fold

_TYPES = {"zip": "application/zip", "tar": "application/x-tar", "tar.gz": "application/gzip"}


def pack(objects: Mapping[str, StoredObject], form: str) -> StoredObject:
    """Return an archive of objects, each under its key; it blocks.

    Args:
        objects: the objects by key.
        form: "zip", "tar" or "tar.gz".

    Raises:
        Refusal: there is no such form.
    """
    if form not in _TYPES:
        raise Refusal(400, f"format is none of {', '.join(_TYPES)}")
    made = io.BytesIO()
    if form == "zip":
        _write_zip(made, objects)
    else:
        _write_tar(made, objects, "w" if form == "tar" else "w:gz")
    data = made.getvalue()
    digest = BlockDigest()
    digest.update(data)
    return StoredObject(Content([data]), fold(digest.blocks()), _TYPES[form])


def _write_zip(target: io.BytesIO, objects: Mapping[str, StoredObject]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, stored in objects.items():
            with archive.open(key, "w", force_zip64=stored.size >= 1 << 31) as member:
                for chunk in stored.content.chunks():
                    member.write(chunk)


def _write_tar(target: io.BytesIO, objects: Mapping[str, StoredObject], mode: str) -> None:
    with tarfile.open(fileobj=target, mode=mode) as archive:  # type: ignore[call-overload]
        for key, stored in objects.items():
            member = tarfile.TarInfo(key)
            member.size, member.mtime = stored.size, stored.put_time // 1000
            archive.addfile(member, io.BytesIO(stored.content.read()))
