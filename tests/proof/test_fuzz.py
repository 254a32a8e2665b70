"""Every fuzz target of tests/fuzz, for SECONDS_PER_TARGET (20) or RUNS_PER_TARGET, in libFuzzer."""

from __future__ import annotations

import os
import re
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.proof.conftest import REPOSITORY, compile_program, core_objects, run, side_by_side

FUZZ = REPOSITORY / "tests" / "fuzz"
TARGETS = sorted(path for path in FUZZ.glob("*.c") if path.name != "driver.c")
SECONDS = int(os.environ.get("SECONDS_PER_TARGET", "20"))
RUNS = int(os.environ.get("RUNS_PER_TARGET", "0"))
LONGEST = {"properties": 1024}
"""Bytes of an input, where its cost grows faster than its length."""


CLANG = ["clang", "-O2", "-g", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Future[str]]:
    """Return what libFuzzer prints of each target, being fuzzed."""
    folder = tmp_path_factory.mktemp("fuzz")
    # Compiled once, as that takes longer than the targets.
    core = core_objects([*CLANG, "-fsanitize=fuzzer-no-link,address,undefined"], folder)
    seeds = folder / "seeds"
    run([sys.executable, "-m", "tests.fuzz.make_seeds", seeds], cwd=REPOSITORY)

    def fuzz(target: Path) -> str:
        compiler = [*CLANG, "-fsanitize=fuzzer,address,undefined"]
        own = folder / f"{target.stem}-fuzzed"
        corpus = own / "corpus"
        corpus.mkdir(parents=True)
        program = compile_program(compiler, own / "program", "-I", FUZZ, target, *core)
        return run(
            [
                program,
                *([f"-runs={RUNS}"] if RUNS else [f"-max_total_time={SECONDS}"]),
                f"-artifact_prefix={own}/",
                "-timeout=10",
                "-rss_limit_mb=2048",
                f"-max_len={LONGEST.get(target.stem, 8192)}",
                corpus,
                seeds / target.stem,
            ],
            timeout=14_400 if RUNS else SECONDS + 120,
        )

    return side_by_side(fuzz, TARGETS)


def test_there_are_fuzz_targets() -> None:
    assert TARGETS


@pytest.mark.parametrize("target", TARGETS, ids=lambda path: path.stem)
def test_fuzz(target: Path, fuzzed: dict[Path, Future[str]]) -> None:
    printed = fuzzed[target].result()
    runs = re.search(r"Done (\d+) runs", printed)
    assert runs is not None and int(runs[1]) > 1000, printed[-2000:]
    print(f"{target.stem}: {runs[1]} runs")
