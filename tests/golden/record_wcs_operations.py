"""Record the operations of wcs-python-sdk 2.0.11: what `wcs_operations.json` holds.

    python -m tests.golden.record_wcs_operations PYTHON27 ORIGINAL

PYTHON27 is a Python 2.7 and ORIGINAL a checkout of the SDK's tag v2.0.11; what it needs
(requests, requests-toolbelt, lockfile) is installed for that Python or in ORIGINAL/deps.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.golden.operations_recording import PROGRAM, record


def main(python: str, original: str) -> None:
    """Run the program on a copy of the original and write the record."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        shutil.copytree(Path(original) / "wcs", home / "sdk" / "wcs")
        config = home / "sdk" / "wcs" / "commons" / "config.py"

        def run(url: str) -> subprocess.CompletedProcess[str]:
            text = re.sub(r"(PUT_URL|MGR_URL) = '.*'", rf"\1 = '{url}'", config.read_text())
            config.write_text(text.replace("/tmp/logger/", f"{home}/log/"))
            paths = os.pathsep.join((str(home / "sdk"), str(Path(original) / "deps")))
            return subprocess.run(
                [python, str(PROGRAM)],
                env={**os.environ, "PYTHONPATH": paths},
                capture_output=True,
                text=True,
                timeout=120,
            )

        recorded = record(run)
    path = PROGRAM.with_name("wcs_operations.json")
    path.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
    print(f"{len(recorded['requests'])} requests, {len(recorded['results'])} results")


if __name__ == "__main__":
    main(*sys.argv[1:3])
