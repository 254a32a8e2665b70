"""Run a program whose old imports are served by wirespeed.

    python -m wirespeed.dropin [--names NAME,NAME] app.py [ARGUMENT...]
    python -m wirespeed.dropin [--names NAME,NAME] -m module [ARGUMENT...]
    python -m wirespeed.dropin path [NAME...]
    python -m wirespeed.dropin differences NAME

Without --names all names there are are served. A script that is called `path` or `differences`
is run as `./path`.
"""

from __future__ import annotations

import os
import runpy
import sys

from ..errors import ConfigError
from . import available, differences, folder, install


def _say(names: list[str]) -> None:
    for name in names:
        print(
            f"wirespeed: `import {name}` is served by the drop-in; "
            f"`python -m wirespeed.dropin differences {name}` tells what differs",
            file=sys.stderr,
        )


def _run(names: list[str], arguments: list[str]) -> None:
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path[0] = os.getcwd()
        install(*names, replace=True)
        _say(names)
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    script = arguments[0]
    sys.argv = arguments
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    install(*names, replace=True)
    _say(names)
    runpy.run_path(script, run_name="__main__")


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit code, 2 for one that makes no sense."""
    names = list(available())
    try:
        if arguments[:1] == ["--names"] and len(arguments) > 1:
            names = [name for name in arguments[1].split(",") if name]
            arguments = arguments[2:]
        elif arguments and arguments[0].startswith("--names="):
            names = [name for name in arguments[0].partition("=")[2].split(",") if name]
            arguments = arguments[1:]
        for name in names:
            folder(name)
        if arguments[:1] == ["path"]:
            names = arguments[1:] or names
            print(os.pathsep.join(folder(name) for name in names))
            _say(names)
            return 0
        if arguments[:1] == ["differences"] and len(arguments) == 2:
            print(differences(arguments[1]), end="")
            return 0
        help_asked = arguments[:1] in (["-h"], ["--help"])
        incomplete = arguments in ([], ["-m"], ["differences"])
        if help_asked or incomplete or arguments[0].startswith("--"):
            print(__doc__, file=sys.stdout if help_asked else sys.stderr)
            return 0 if help_asked else 2
        if arguments[0] != "-m" and not os.path.exists(arguments[0]):
            raise ConfigError(f"there is no file {arguments[0]!r}")
    except ConfigError as error:
        print(f"wirespeed: {error}", file=sys.stderr)
        return 2
    # What the program itself raises is its own affair.
    _run(names, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
