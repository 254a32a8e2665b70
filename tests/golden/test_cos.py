"""The drop-in sends and returns what the original did, as recorded under Python 2.7."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.golden.cos_recording import PROGRAM, record
from wirespeed import dropin


@pytest.fixture(scope="module")
def original() -> Any:
    return json.loads(PROGRAM.with_name("cos.json").read_text())


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home: Path = tmp_path_factory.mktemp("golden")

    def run(host: str, folder: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(PROGRAM), host, folder],
            env={**os.environ, "PYTHONPATH": dropin.folder("qcloud_cos")},
            cwd=home,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return record(run, home / "files")


def test_requests_are_the_originals(original: Any, ours: Any) -> None:
    assert len(original["requests"]) > 300
    assert ours["requests"] == original["requests"]


def test_results_are_the_originals(original: Any, ours: Any) -> None:
    for mine, theirs in zip(ours["results"], original["results"], strict=True):
        assert mine == theirs
