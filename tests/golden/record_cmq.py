"""Record the original cmq-python-sdk: what `cmq.json` holds.

    python -m tests.golden.record_cmq PYTHON27 ORIGINAL

PYTHON27 is a Python 2.7 and ORIGINAL a checkout of the SDK's branch master.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

from tests.golden.cmq_recording import PROGRAM, record


def main(python: str, original: str) -> None:
    """Run the program on the original and write the record."""
    with tempfile.TemporaryDirectory() as home:

        def run(url: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [python, str(PROGRAM), url],
                env={**os.environ, "PYTHONPATH": os.path.abspath(original)},
                cwd=home,
                capture_output=True,
                text=True,
                timeout=120,
            )

        recorded = record(run)
    path = PROGRAM.with_name("cmq.json")
    path.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
    print(f"{len(recorded['requests'])} requests, {len(recorded['results'])} results")


if __name__ == "__main__":
    main(*sys.argv[1:3])
