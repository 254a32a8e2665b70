"""Record the original cos-python-sdk-v4: what `cos.json` holds.

    python -m tests.golden.record_cos PYTHON27 ORIGINAL

PYTHON27 is a Python 2.7 and ORIGINAL a checkout of the SDK's master; requests is installed for that
Python or in ORIGINAL/deps.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.golden.cos_recording import PROGRAM, record


def main(python: str, original: str) -> None:
    """Run the program on the original and write the record."""
    with tempfile.TemporaryDirectory() as home:

        def run(host: str, folder: str) -> subprocess.CompletedProcess[str]:
            paths = os.pathsep.join(
                (os.path.abspath(original), os.path.abspath(original) + "/deps")
            )
            return subprocess.run(
                [python, str(PROGRAM), host, folder],
                env={**os.environ, "PYTHONPATH": paths},
                cwd=home,
                capture_output=True,
                text=True,
                timeout=120,
            )

        recorded = record(run, Path(home) / "files")
    path = PROGRAM.with_name("cos.json")
    path.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
    print(f"{len(recorded['requests'])} requests, {len(recorded['results'])} results")


if __name__ == "__main__":
    main(*sys.argv[1:3])
