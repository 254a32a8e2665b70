"""Every fuzz target of tests/fuzz, for SECONDS_PER_TARGET (20) or RUNS_PER_TARGET, in libFuzzer."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.proof.conftest import REPOSITORY, compile_program, core_objects, run

FUZZ = REPOSITORY / "tests" / "fuzz"
TARGETS = sorted(path for path in FUZZ.glob("*.c") if path.name != "driver.c")
SECONDS = int(os.environ.get("SECONDS_PER_TARGET", "20"))
RUNS = int(os.environ.get("RUNS_PER_TARGET", "0"))
LONGEST = {"properties": 1024}
"""Bytes of an input, where its cost grows faster than its length."""


CLANG = ["clang", "-O2", "-g", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return csrc compiled for fuzzing: once, as that takes longer than the targets."""
    flags = ["-fsanitize=fuzzer-no-link,address,undefined"]
    return core_objects([*CLANG, *flags], tmp_path_factory.mktemp("core"))


def test_there_are_fuzz_targets() -> None:
    assert TARGETS


@pytest.mark.parametrize("target", TARGETS, ids=lambda path: path.stem)
def test_fuzz(target: Path, core: list[Path], tmp_path: Path) -> None:
    compiler = [*CLANG, "-fsanitize=fuzzer,address,undefined"]
    program = compile_program(compiler, tmp_path / "program", "-I", FUZZ, target, *core)
    run([sys.executable, "-m", "tests.fuzz.make_seeds", tmp_path / "seeds"], cwd=REPOSITORY)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    printed = run(
        [
            program,
            *([f"-runs={RUNS}"] if RUNS else [f"-max_total_time={SECONDS}"]),
            f"-artifact_prefix={tmp_path}/",
            "-timeout=10",
            "-rss_limit_mb=2048",
            f"-max_len={LONGEST.get(target.stem, 8192)}",
            corpus,
            tmp_path / "seeds" / target.stem,
        ],
        timeout=14_400 if RUNS else SECONDS + 120,
    )
    runs = re.search(r"Done (\d+) runs", printed)
    assert runs is not None and int(runs[1]) > 1000, printed[-2000:]
    print(f"{target.stem}: {runs[1]} runs")
