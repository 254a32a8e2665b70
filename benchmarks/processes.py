"""Whole processes: imports beside the bare interpreter, and the etag of a file beside its peers."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

from benchmarks import peers as peers_of
from benchmarks.rows import Row, alternate, row

GIB = 1 << 30
BLOCK = 4 << 20


def seconds(command: list[str], expected: str | None = None) -> float:
    """Run a command; return how long it took.

    Raises:
        AssertionError: it failed, or its first word is not ``expected``.
    """
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    took = time.perf_counter() - start
    assert done.returncode == 0, (command, done.stderr)
    if expected is not None:
        assert done.stdout.split()[0].decode() == expected, command
    return took


def imports() -> list[Row]:
    """Measure what an import adds to the bare interpreter; the peer is the budget."""
    rows = []
    for module, budget in (
        ("wirespeed", 20.0),
        ("wirespeed.sqs.client.client", 60.0),
        ("wirespeed.rocketmq", 60.0),
    ):
        ours, bare = alternate(
            lambda module=module: seconds([sys.executable, "-c", f"import {module}"]),  # type: ignore[misc]
            lambda: seconds([sys.executable, "-c", "pass"]),
            31,
        )
        over = [max(a - b, 1e-4) * 1e3 for a, b in zip(ours, bare, strict=True)]
        rows.append(
            row("import", f"import {module}, over the bare interpreter", over,
                [budget] * len(over), "ms", 1.0, "budget")
        )  # fmt: skip
    return rows


def etag() -> list[Row]:
    """Measure the etag of a file of 1 GiB in the page cache, by whole processes."""
    script = str(Path(sys.executable).with_name("wirespeed"))
    rows = []
    with tempfile.TemporaryDirectory(prefix="wirespeed-bench-") as folder:
        path = Path(folder) / "file"
        outer = hashlib.sha1()
        whole = hashlib.sha1()
        with path.open("wb") as file:
            for _ in range(GIB // BLOCK):
                block = os.urandom(BLOCK)
                outer.update(hashlib.sha1(block).digest())
                whole.update(block)
                file.write(block)
        expected = urlsafe_b64encode(b"\x96" + outer.digest()).decode()

        def ours() -> float:
            return seconds([script, "etag", str(path)], expected)

        cat = ["sh", "-c", f"cat '{path}' > /dev/null"]
        imports = [sys.executable, "-c", "import wirespeed.cli.etag, wirespeed.digest"]
        peers: list[tuple[str, Callable[[], float], float | None]] = [
            ("cat", lambda: seconds(cat), None),
            ("interpreter, import, 1.25 cat", lambda: seconds(imports) + 1.25 * seconds(cat), 1.0),
        ]
        if shutil.which("sha1sum"):
            checksum = whole.hexdigest()
            peers.append(("sha1sum", lambda: seconds(["sha1sum", str(path)], checksum), 2.0))
        try:
            sdk = peers_of.wcs_etag(str(path))
        except LookupError as missing:
            print(f"left out the WCS SDK: {missing}", file=sys.stderr)
        else:
            peers.append(("wcs SDK 5.0.36", lambda: seconds(sdk, expected), 6.0))
        for name, peer, goal in peers:
            own, theirs = alternate(ours, peer)
            rows.append(row("etag", "etag of a file of 1 GiB, whole process", own, theirs, "s",
                            goal, name))  # fmt: skip
    return rows
