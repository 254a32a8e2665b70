"""The older SDKs' import names, over wirespeed.

Each name is a package in a folder of its own, `wirespeed/dropin/NAME/NAME`, and is imported only
under its own name, so that a class has one identity. Nothing is importable under an old name
until it is asked for:

    import wirespeed.dropin
    wirespeed.dropin.install("wcs")

    python -m wirespeed.dropin --names wcs app.py
    PYTHONPATH=$(python -m wirespeed.dropin path wcs) python app.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import ConfigError

__all__ = ["available", "differences", "folder", "install", "installed", "uninstall"]

_HOME = Path(__file__).resolve().parent


def available() -> tuple[str, ...]:
    """Return the names that there are, sorted."""
    return tuple(
        sorted(
            path.name for path in _HOME.iterdir() if (path / path.name / "__init__.py").is_file()
        )
    )


def folder(name: str) -> str:
    """Return the folder to put on `sys.path` or `PYTHONPATH` for one name.

    Raises:
        ConfigError: there is no such name.
    """
    if name not in available():
        raise ConfigError(f"no drop-in is named {name!r}; there are: {', '.join(available())}")
    return str(_HOME / name)


def differences(name: str) -> str:
    """Return the text that lists how a drop-in differs from its original.

    Args:
        name: one of `available()`, or `librocketmqclientpython`, which needs no `install`.

    Raises:
        ConfigError: there is no such name.
    """
    texts = {path.parent.name: path for path in _HOME.glob("*/DIFFERENCES.md")}
    if name not in texts:
        raise ConfigError(f"no drop-in is named {name!r}; there are: {', '.join(sorted(texts))}")
    return texts[name].read_text(encoding="utf-8")


def _is_ours(module_name: str, home: str) -> bool:
    module = sys.modules.get(module_name)
    file = getattr(module, "__file__", None)
    return bool(file) and Path(home) in Path(str(file)).resolve().parents


def install(*names: str, replace: bool = False) -> None:
    """Make old names importable. Twice is fine.

    Args:
        names: which; all there are if none is given.
        replace: whether ours comes before an original that is really installed; by default
            the original wins.

    Raises:
        ConfigError: there is no such name, or `replace` is asked for too late: the original
            is imported already.
    """
    folders = {name: folder(name) for name in names or available()}
    if replace:
        for name, home in folders.items():
            if name in sys.modules and not _is_ours(name, home):
                raise ConfigError(
                    f"{name!r} is imported already, from elsewhere; install the drop-in before that"
                )
    for home in folders.values():
        if replace:
            if home in sys.path:
                sys.path.remove(home)
            sys.path.insert(0, home)
        elif home not in sys.path:
            sys.path.append(home)


def uninstall(*names: str) -> None:
    """Take old names back, and forget their modules; what was imported from them goes on working.

    Args:
        names: which; all that are installed if none is given.

    Raises:
        ConfigError: there is no such name.
    """
    for name in names or installed():
        home = folder(name)
        while home in sys.path:
            sys.path.remove(home)
        for module_name in list(sys.modules):
            if module_name.partition(".")[0] == name and _is_ours(module_name, home):
                del sys.modules[module_name]


def installed() -> tuple[str, ...]:
    """Return the names whose folder is on `sys.path`, sorted."""
    return tuple(name for name in available() if folder(name) in sys.path)
