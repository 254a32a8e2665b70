"""The drop-in's operations are the original's, as recorded under Python 2.7."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.golden.operations_recording import PROGRAM, record
from wirespeed import dropin


def test_requests_and_results_are_the_originals(tmp_path: Path) -> None:
    original: Any = json.loads(PROGRAM.with_name("wcs_operations.json").read_text())

    def run(url: str) -> subprocess.CompletedProcess[str]:
        settings = tmp_path / "wcs.toml"
        settings.write_text(f"PUT_URL = '{url}'\nMGR_URL = '{url}'\n")
        return subprocess.run(
            [sys.executable, str(PROGRAM)],
            env={
                **os.environ,
                "PYTHONPATH": dropin.folder("wcs"),
                "WIRESPEED_WCS_CONFIG": str(settings),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )

    ours = record(run)
    assert len(original["requests"]) > 130
    assert ours["requests"] == original["requests"]
    assert ours["results"] == original["results"]
