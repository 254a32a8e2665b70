"""What the proofs share: where the C is, and how a compiler is run.

Nothing here is skipped: a tool that is missing fails the test that needs it. ``make proof``
installs them all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
R = TypeVar("R")
HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
CSRC = REPOSITORY / "csrc"


def core_sources() -> list[Path]:
    """Return every C file of csrc."""
    return sorted(CSRC.rglob("*.c"))


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    timeout: float = 900,
    **variables: str,
) -> str:
    """Run a command with ``variables`` added to the environment; return all that it printed.

    Fails the test when the command is missing, fails, or takes more than ``timeout`` seconds.
    """
    words = [str(word) for word in command]
    if shutil.which(words[0]) is None:
        pytest.fail(f"{words[0]} is missing: `make proof` installs it", pytrace=False)
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
    )
    printed = done.stdout.decode(errors="replace")
    if done.returncode:
        pytest.fail(f"{' '.join(words)} ended with {done.returncode}:\n{printed[-6000:]}")
    return printed


STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-I", str(CSRC)]


def compile_program(compiler: Sequence[str], output: Path, *more: str | Path) -> Path:
    """Compile the files of ``more`` (options, sources and objects) into one program."""
    run([*compiler, *STRICT, *more, "-o", output])
    return output


def compile_core(compiler: Sequence[str], output: Path, *more: str | Path) -> Path:
    """Compile csrc and the files of ``more`` into one program."""
    return compile_program(compiler, output, *more, *core_sources())


def side_by_side(work: Callable[[T], R], items: Iterable[T]) -> dict[T, Future[R]]:
    """Begin ``work`` for each item, as many at a time as there are cores."""
    pool = ThreadPoolExecutor(os.cpu_count())
    futures = {item: pool.submit(work, item) for item in items}
    pool.shutdown(wait=False)
    return futures


def core_objects(compiler: Sequence[str], folder: Path) -> list[Path]:
    """Compile csrc into objects in an empty folder."""
    run([*compiler, *STRICT, "-c", *core_sources()], cwd=folder)
    return sorted(folder.glob("*.o"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of what an install needs, with nothing built in it."""
    copy = tmp_path / "tree"
    shutil.copytree(
        REPOSITORY,
        copy,
        ignore=shutil.ignore_patterns(
            ".*", "build", "dist", "*.so", "*.egg-info", "__pycache__", "_core.c",
            "build_record.txt", "out",
        ),
    )  # fmt: skip
    return copy
