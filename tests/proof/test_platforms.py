"""The C core for machines that are not this one."""

from __future__ import annotations

import re
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.proof.conftest import HERE, compile_core, run, side_by_side

ZIG = [sys.executable, "-m", "ziglang", "cc"]
LINKED = ["x86_64-windows-gnu", "aarch64-windows-gnu", "x86_64-macos", "aarch64-macos"]
RUN: dict[str, list[str]] = {
    "x86_64-linux-musl": [],
    "x86_64-linux-gnu.2.17": [],
    "aarch64-linux-musl": ["qemu-aarch64"],
}
"""Target to the emulator that it needs here."""


def test_aarch64_gives_the_known_answers(tmp_path: Path) -> None:
    compiler = ["aarch64-linux-gnu-gcc", "-O3", "-static"]
    program = compile_core(compiler, tmp_path / "selftest", HERE / "selftest.c")
    assert re.fullmatch(r"ok \d+ checks\n", run(["qemu-aarch64", program, "armv8"]))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Path]]:
    """Return the selftest, being compiled for each target."""
    folder = tmp_path_factory.mktemp("programs")

    def build(target: str) -> Path:
        return compile_core(
            [*ZIG, "-O2", "-target", target], folder / f"{target}.exe", HERE / "selftest.c"
        )

    return side_by_side(build, [*LINKED, *RUN])


@pytest.mark.parametrize("target", LINKED)
def test_compiles_and_links_for(target: str, programs: dict[str, Future[Path]]) -> None:
    magic = programs[target].result().read_bytes()[:4]
    assert magic[:2] == b"MZ" if "windows" in target else magic == b"\xcf\xfa\xed\xfe"


@pytest.mark.parametrize("target", RUN)
def test_runs_when_built_for(target: str, programs: dict[str, Future[Path]]) -> None:
    assert re.fullmatch(r"ok \d+ checks\n", run([*RUN[target], programs[target].result()]))
