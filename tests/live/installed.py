"""Clients of others, each installed from PyPI the first time into a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import REPOSITORY


def installed(name: str, *requirements: str) -> Path:
    """Return the folder `name` of the cache with packages in it, for PYTHONPATH.

    What cannot be installed skips the test, or fails it where CI is set.
    """
    folder = REPOSITORY / ".cache" / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{name}-"))
    command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(partial)]
    done = subprocess.run([*command, *requirements], capture_output=True, text=True, timeout=300)
    if done.returncode:
        shutil.rmtree(partial)
        message = f"{name} could not be installed: {done.stderr.strip()[-300:]}"
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    partial.rename(folder)
    return folder


def run_program(
    program: str, packages: Path, home: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> Any:
    """Run a program in a process of its own; return the JSON on the last line that it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=home,
        timeout=150,
        env={**os.environ, "PYTHONPATH": str(packages), "HOME": str(home), **(env or {})},
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])
