"""The C core for machines that are not this one."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.proof.conftest import HERE, compile_core, run

ZIG = [sys.executable, "-m", "ziglang", "cc"]


def test_aarch64_gives_the_known_answers(tmp_path: Path) -> None:
    compiler = ["aarch64-linux-gnu-gcc", "-O3", "-static"]
    program = compile_core(compiler, tmp_path / "selftest", HERE / "selftest.c")
    assert re.fullmatch(r"ok \d+ checks\n", run(["qemu-aarch64", program, "armv8"]))


@pytest.mark.parametrize(
    "target",
    ["x86_64-windows-gnu", "aarch64-windows-gnu", "x86_64-macos", "aarch64-macos"],
)
def test_compiles_and_links_for(target: str, tmp_path: Path) -> None:
    program = compile_core([*ZIG, "-O2", "-target", target], tmp_path / "selftest.exe",
                           HERE / "selftest.c")  # fmt: skip
    magic = program.read_bytes()[:4]
    assert magic[:2] == b"MZ" if "windows" in target else magic == b"\xcf\xfa\xed\xfe"


@pytest.mark.parametrize(
    ("target", "emulator"),
    [
        ("x86_64-linux-musl", []),
        ("x86_64-linux-gnu.2.17", []),
        ("aarch64-linux-musl", ["qemu-aarch64"]),
    ],
)
def test_runs_when_built_for(target: str, emulator: list[str], tmp_path: Path) -> None:
    program = compile_core([*ZIG, "-O2", "-target", target], tmp_path / "selftest",
                           HERE / "selftest.c")  # fmt: skip
    assert re.fullmatch(r"ok \d+ checks\n", run([*emulator, program]))
