"""What each compiler makes of the kernels, side by side: it matters up to twice, either way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proof.conftest import HERE, compile_core, run

COMPILERS = ("gcc", "clang")


def test_rate_of_every_kernel_by_compiler(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates: dict[str, list[float]] = {}
    for compiler in COMPILERS:
        flags = ["-O3", "-D_POSIX_C_SOURCE=199309L"]
        program = compile_core([compiler, *flags], tmp_path / compiler, HERE / "kernel_rates.c")
        for line in run([program]).splitlines():
            name, rate = line.rsplit(maxsplit=1)
            rates.setdefault(name.strip(), []).append(float(rate))
    with capsys.disabled():
        print(f"\n{'SHA-1, GB/s of one core':<24}" + "".join(f"{name:>8}" for name in COMPILERS))
        for name, by_compiler in rates.items():
            print(f"{name:<24}" + "".join(f"{rate:8.2f}" for rate in by_compiler))
    assert "portable" in rates
    assert all(len(by_compiler) == 2 and min(by_compiler) > 0 for by_compiler in rates.values())
