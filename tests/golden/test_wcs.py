"""The drop-in sends and returns what the original did, as recorded under Python 2.7."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.golden.recording import PROGRAM, record
from wirespeed import dropin


@pytest.fixture(scope="module")
def original() -> Any:
    return json.loads(PROGRAM.with_name("wcs.json").read_text())


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home: Path = tmp_path_factory.mktemp("golden")

    def run(url: str, folder: str) -> subprocess.CompletedProcess[str]:
        settings = home / "wcs.toml"
        records = home / "records"
        settings.write_text(
            f"PUT_URL = '{url}'\nMGR_URL = '{url}'\ntmp_record_folder = '{records}'\n"
        )
        environment = {
            **os.environ,
            "PYTHONPATH": dropin.folder("wcs"),
            "WIRESPEED_WCS_CONFIG": str(settings),
        }
        return subprocess.run(
            [sys.executable, str(PROGRAM), folder],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return record(run, home / "files")


def test_requests_are_the_originals(original: Any, ours: Any) -> None:
    def lines(recorded: Any) -> list[str]:
        return [json.dumps(request, sort_keys=True) for request in recorded["requests"]]

    assert lines(ours) == lines(original)
    assert len(lines(ours)) > 180


def test_results_are_the_originals(original: Any, ours: Any) -> None:
    assert [name for name, _ in ours["results"]] == [name for name, _ in original["results"]]
    for mine, theirs in zip(ours["results"], original["results"], strict=True):
        assert mine == theirs
