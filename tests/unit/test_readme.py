"""The code that the READMEs show runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.zh-CN.md")
BLOCKS = [
    (name, number, code)
    for name in READMES
    for number, code in enumerate(
        re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    )
]


def test_each_readme_shows_the_same_kinds_of_code() -> None:
    assert [number for _, number, _ in BLOCKS] == [0, 1, 2, 3, 0, 1, 2, 3]


@pytest.mark.parametrize(
    "code", [code for *_, code in BLOCKS], ids=[f"{name}-{number}" for name, number, _ in BLOCKS]
)
def test_code_runs(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_two_languages_link_to_each_other() -> None:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in READMES]
    assert READMES[1] in texts[0] and READMES[0] in texts[1]
