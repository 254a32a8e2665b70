"""Which file an object becomes: never one outside the folder it is copied to."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from wirespeed.errors import ConfigError

_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_LONGEST = 255
_CASE_MATTERS = sys.platform not in ("win32", "darwin")


def file_of(folder: str, key: str) -> str:
    """Return the file within `folder` that an object of that key, below a prefix, becomes.

    The names that Windows does not take are refused everywhere, so that a folder can be carried
    from one machine to another.

    Raises:
        ConfigError: the key is no file's name, or leads out of the folder by a link.
    """
    parts = key.split("/")
    for part in parts:
        if part in ("", ".", ".."):
            raise ConfigError(f"the key {key!r} is no file's name: a part is empty, . or ..")
        if _FORBIDDEN.search(part) or _RESERVED.fullmatch(part) or part[-1] in ". ":
            raise ConfigError(f"the key {key!r} is no file's name on every system")
        try:
            size = len(part.encode())
        except UnicodeEncodeError:
            raise ConfigError(f"the key {key!r} holds a lone surrogate") from None
        if size > _LONGEST:
            raise ConfigError(f"the key {key[:40]!r}... has a part of more than {_LONGEST} bytes")
    root = Path(folder).resolve()
    place = root.joinpath(*parts)
    # A link within the folder must not lead out of it.
    if place.parent.resolve() != place.parent or not place.parent.is_relative_to(root):
        raise ConfigError(f"the key {key!r} leads out of {folder!r} by a link")
    return str(place)


def clashes(keys: list[str]) -> set[str]:
    """Return the keys that would overwrite another where names differ in case alone."""
    if _CASE_MATTERS:
        return set()
    seen: dict[str, str] = {}
    return {key for key in keys if seen.setdefault(key.casefold(), key) != key}


def files_below(folder: str) -> list[tuple[str, str]]:
    """Return the regular files below a folder: path, and name relative to it with "/".

    Links to folders are not followed.

    Raises:
        OSError: a folder cannot be read, so that its files would seem not to be there.
    """

    def unreadable(error: OSError) -> None:
        raise error

    found = []
    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            if os.path.isfile(path):
                relative = os.path.relpath(path, folder)
                found.append((path, relative.replace(os.sep, "/")))
    return found
