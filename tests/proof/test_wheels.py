"""The wheels: what cibuildwheel would build, and one built here for an old glibc."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import venv
from pathlib import Path

import pytest

from tests.proof.conftest import REPOSITORY, run

CPYTHONS = ["cp310", "cp311", "cp312", "cp313", "cp314", "cp314t"]
PLATFORMS = {
    "linux": {
        "cpython": ["manylinux_x86_64", "manylinux_aarch64", "musllinux_x86_64",
                    "musllinux_aarch64"],
        "pypy": ["manylinux_x86_64", "manylinux_aarch64"],
    },
    "macos": {
        "cpython": ["macosx_x86_64", "macosx_arm64"],
        "pypy": ["macosx_x86_64", "macosx_arm64"],
    },
    "windows": {"cpython": ["win_amd64", "win_arm64"], "pypy": ["win_amd64"]},
}  # fmt: skip


@pytest.mark.parametrize("platform", PLATFORMS)
def test_cibuildwheel_would_build_exactly(platform: str) -> None:
    printed = run(
        [sys.executable, "-m", "cibuildwheel", "--platform", platform,
         "--print-build-identifiers", REPOSITORY],
        cwd=REPOSITORY,
    )  # fmt: skip
    tags = PLATFORMS[platform]
    wanted = {f"{python}-{tag}" for python in CPYTHONS for tag in tags["cpython"]}
    wanted |= {f"pp311-{tag}" for tag in tags["pypy"]}
    found = {line for line in printed.split() if re.fullmatch(r"[a-z]{2}\d+t?-\S+", line)}
    assert {re.sub("pp311.*?-", "pp311-", name) for name in found} == wanted


def test_wheel_for_an_old_glibc(tree: Path, tmp_path: Path) -> None:
    package = importlib.util.find_spec("ziglang")
    assert package is not None and package.origin is not None, "`make proof` installs ziglang"
    # The program itself: in an isolated build this Python does not see the package.
    compiler = f"{Path(package.origin).with_name('zig')} cc -target x86_64-linux-gnu.2.17"
    wheels = tmp_path / "wheels"
    run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", wheels, tree],
        CC=compiler,
        LDSHARED=f"{compiler} -shared",
    )
    (wheel,) = wheels.glob("*.whl")
    shown = run([sys.executable, "-m", "auditwheel", "show", wheel])
    # auditwheel breaks its sentences over lines
    assert "manylinux_2_17_x86_64" in " ".join(shown.split()), shown

    elsewhere = tmp_path / "elsewhere"
    venv.create(elsewhere / "venv", with_pip=True)
    python = elsewhere / "venv" / "bin" / "python"
    no_compiler = {"PATH": str(python.parent), "CC": "/nonexistent/cc", "PYTHONPATH": ""}
    run([python, "-m", "pip", "install", "-q", wheel, "pytest", "hypothesis"], **no_compiler)
    shutil.copytree(REPOSITORY / "tests", elsewhere / "tests")
    shutil.copy(REPOSITORY / "pyproject.toml", elsewhere)
    shutil.copytree(REPOSITORY / "csrc", elsewhere / "csrc")
    printed = run(
        [python, "-m", "pytest", "-q", "tests/parity"],
        cwd=elsewhere,
        WIRESPEED_REQUIRE_BACKENDS="cython,pure",
        WIRESPEED_NO_SKIPS="",
        **no_compiler,
    )
    assert "site-packages" in run(
        [python, "-c", "import wirespeed; print(wirespeed.__file__)"], cwd=elsewhere, **no_compiler
    )
    assert re.search(r"\d+ passed", printed), printed[-2000:]
