"""Record the original boto 2.49.0: what `boto.json` holds.

    python -m tests.golden.record_boto PYTHON311 ORIGINAL

PYTHON311 is a Python 3.11, the last that can import it, and ORIGINAL a folder with boto 2.49.0.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.golden.boto_recording import PROGRAM, record


def main(python: str, original: str) -> None:
    """Run the program on the original and write the record."""
    with tempfile.TemporaryDirectory() as home:

        def run(port: int, folder: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [python, str(PROGRAM), str(port), folder],
                env={**os.environ, "PYTHONPATH": os.path.abspath(original)},
                cwd=home,
                capture_output=True,
                text=True,
                timeout=120,
            )

        recorded = record(run, Path(home) / "files")
    path = PROGRAM.with_name("boto.json")
    path.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
    print(f"{len(recorded['requests'])} requests, {len(recorded['results'])} results")


if __name__ == "__main__":
    main(*sys.argv[1:3])
