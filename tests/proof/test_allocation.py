"""Each allocation fails once: an error, never a crash, and nothing is held."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from tests.proof.conftest import HERE, REPOSITORY, compile_core, run


def test_every_allocation_of_the_cython_backend(tmp_path: Path) -> None:
    library = tmp_path / "failing_allocator.so"
    headers = sysconfig.get_path("include")
    run(["gcc", "-shared", "-fPIC", "-I", headers, HERE / "failing_allocator.c", "-o", library])
    printed = run(
        [sys.executable, "-m", "tests.proof.allocation_failures", library, "cython"], cwd=REPOSITORY
    )
    assert len(printed.splitlines()) >= 30


def test_the_allocation_of_the_core(tmp_path: Path) -> None:
    program = compile_core(
        ["gcc", "-O1", "-fsanitize=address,undefined", "-Wl,--wrap=malloc"],
        tmp_path / "message_memory",
        HERE / "message_memory.c",
    )
    assert run([program]) == "0 wrong\n"
