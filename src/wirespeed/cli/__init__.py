"""The `wirespeed` command.

Each command is a module of this package with `HELP` (one line), `add_arguments(parser)` and
`run(args) -> int`, which returns an exit code of `exits` or raises. Only the module of the command
that runs is imported.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import argparse

COMMANDS = (
    "etag", "send", "recv", "peek", "count", "purge", "dlq", "ping", "cp", "sync",
    "ls", "du", "stat", "cat", "rm", "mv",
    "presign", "serve", "cloud", "demo", "doctor", "version",
)  # fmt: skip


class Command(Protocol):
    """What the module of a command holds."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work and return the exit code; errors are raised."""


def command(name: str) -> Command:
    """Return the module of the command `name`."""
    return cast(Command, importlib.import_module(f"wirespeed.cli.{name}"))


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        argv: the arguments without the program's name; `sys.argv[1:]` by default.
    """
    try:
        return dispatch(sys.argv[1:] if argv is None else argv)
    except ImportError as error:
        return unloadable(error)


def dispatch(arguments: list[str]) -> int:
    """Parse one command line, run its command, and return the exit code."""
    if arguments[:1] == ["--version"]:
        arguments = ["version"]
    if arguments[:1] == ["etag"] and len(arguments) > 1 and not any(map(is_option, arguments[1:])):
        # argparse takes longer to import than many a file takes to hash.
        from wirespeed.cli import etag

        return guarded(cast(Command, etag), etag.Names(arguments[1:]))
    import argparse

    if arguments and arguments[0] in COMMANDS:
        module = command(arguments[0])
        parser = argparse.ArgumentParser(
            prog=f"wirespeed {arguments[0]}", description=module.HELP, allow_abbrev=False
        )
        module.add_arguments(parser)
        return guarded(module, parser.parse_args(arguments[1:]))
    parser = argparse.ArgumentParser(
        prog="wirespeed",
        description="Message queues and object stores, fast.",
        epilog="wirespeed COMMAND --help tells more.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    choices = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        choices.add_parser(name, help=command(name).HELP)
    parser.parse_args(arguments)
    return 0


def is_option(argument: str) -> bool:
    """Tell whether an argument is an option; `-` alone is standard input."""
    return argument.startswith("-") and argument != "-"


def guarded(module: Command, args: Any) -> int:
    """Run a command; tell an expected error in one line on standard error."""
    if hasattr(sys.stdout, "reconfigure"):
        # File names are bytes that need not be text.
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        code = module.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader went away: what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except KeyboardInterrupt as interruption:
        return told(interruption)
    except ImportError as error:
        return unloadable(error)
    except Exception as error:
        from wirespeed.errors import WirespeedError

        if not isinstance(error, OSError | WirespeedError):
            raise
        return told(error)


def unloadable(error: ImportError) -> int:
    """Tell of a backend that cannot be loaded, in one line, and return 2; raise any other error."""
    if error.name != "wirespeed._native":
        raise error
    print(f"wirespeed: {error}", file=sys.stderr)
    return 2


def told(error: BaseException, subject: str = "") -> int:
    """Print one line about `error` on standard error and return its exit code."""
    from wirespeed.cli import exits

    text = "interrupted" if isinstance(error, KeyboardInterrupt) else plain(error)
    print(f"wirespeed: {subject}{': ' if subject else ''}{text}", file=sys.stderr)
    return exits.code_of(error)


def plain(error: BaseException) -> str:
    """Return an error's text without its number: `name: Is a directory`."""
    if isinstance(error, OSError) and error.strerror and type(error).__module__ == "builtins":
        if error.filename is None:
            return error.strerror
        return f"{error.filename or repr(error.filename)}: {error.strerror}"
    return str(error) or type(error).__name__
