"""The C core under the sanitizers: known answers, the parity tests, and what threads share."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.proof.conftest import HERE, compile_core, run

STOP = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_known_answers_under_address_and_undefined(compiler: str, tmp_path: Path) -> None:
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = compile_core([compiler, *flags], tmp_path / "selftest", HERE / "selftest.c")
    assert re.fullmatch(r"ok \d+ checks\n", run([program], **STOP))


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_known_answers_optimised(compiler: str, tmp_path: Path) -> None:
    program = compile_core([compiler, "-O3"], tmp_path / "selftest", HERE / "selftest.c")
    assert re.fullmatch(r"ok \d+ checks\n", run([program]))


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_what_threads_share_under_thread_sanitizer(compiler: str, tmp_path: Path) -> None:
    flags = ["-O1", "-g", "-fsanitize=thread", "-pthread"]
    program = compile_core([compiler, *flags], tmp_path / "threads", HERE / "core_threads.c")
    # Without a fixed layout gcc 12's runtime refuses kernels with more address randomness.
    printed = run(["setarch", "-R", program], TSAN_OPTIONS="halt_on_error=1")
    assert printed == "0 of 9 threads saw a wrong answer\n"


def test_parity_under_address_and_undefined(tree: Path) -> None:
    run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=tree,
        WIRESPEED_SANITIZE="address,undefined",
        WIRESPEED_BUILD_CFFI="1",
    )
    libraries = [
        run(["gcc", f"-print-file-name=lib{name}.so"]).strip() for name in ("asan", "ubsan")
    ]
    # The sanitizer keeps freed memory for a while, so what a test counts of it says nothing here.
    rooms = ["tests/parity", "--ignore=tests/parity/test_rocketmq_memory.py"]
    # Not captured: what a sanitizer says before it ends the process would be lost.
    printed = run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", *rooms],
        cwd=tree,
        timeout=600,
        LD_PRELOAD=" ".join(libraries),
        ASAN_OPTIONS="detect_leaks=0",
        UBSAN_OPTIONS=STOP["UBSAN_OPTIONS"],
        PYTHONPATH=str(tree / "src"),
        PYTHONMALLOC="malloc",
        WIRESPEED_REQUIRE_BACKENDS="cython,cffi,pure",
    )
    passed = re.search(r"(\d+) passed", printed)
    assert passed is not None and int(passed[1]) > 100, printed[-2000:]
    where = run([sys.executable, "-c", "import wirespeed; print(wirespeed.__file__)"],
                PYTHONPATH=str(tree / "src"))  # fmt: skip
    assert str(tree) in where
