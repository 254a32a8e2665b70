"""Runs the groups named on the command line, or all, and prints and writes the table."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.live.cluster import LiveUnavailable, version_asked

import wirespeed
from benchmarks import broker, local, processes, queues, storage
from benchmarks.rows import Row, met, table
from wirespeed import _native

HERE = Path(__file__).resolve().parent
OUT = HERE / "out" / "latest.json"


def small(group: str) -> list[Row]:
    """Run a group of pytest-benchmark cases."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += [f"--benchmark-json={report}", "--benchmark-columns=median", "--no-header"]
        done = subprocess.run(
            [*command, str(HERE / f"test_{group}.py")],
            cwd=HERE.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(done.stdout)
        for line in done.stdout.splitlines():
            if line.startswith("SKIPPED"):
                print(line, file=sys.stderr)
        cases = json.loads(report.read_text()) if report.stat().st_size else {"benchmarks": []}
    return [Row(**case["extra_info"]) for case in cases["benchmarks"]]


GROUPS: dict[str, Callable[[], list[Row]]] = {
    "digest": lambda: small("digest"),
    "sign": lambda: small("sign"),
    "codec": lambda: small("codec"),
    "message": lambda: small("message"),
    "engine": lambda: small("engine"),
    "import": processes.imports,
    "etag": processes.etag,
    "http": queues.engine,
    "cmq": queues.cmq,
    "sqs": queues.sqs,
    "storage": storage.storage,
    "rocketmq": broker.rocketmq,
    "local": local.local,
}


def cpu_model() -> str:
    """Return the CPU's name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def main(names: list[str]) -> int:
    """Run the groups; return an exit code: 0, or 2 for a group that does not exist."""
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        print(f"no benchmark group {unknown[0]!r}: there are {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or GROUPS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            rows += GROUPS[name]()
        except (LiveUnavailable, LookupError) as missing:
            print(f"left out {name}: {missing}", file=sys.stderr)
    report = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {
            "cpu": cpu_model(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.release()}",
        },
        "versions": {
            "wirespeed": wirespeed.__version__,
            "backend": _native.BACKEND,
            "cpu_path": _native.cpu_path(),
            "python": platform.python_version(),
            "rocketmq": version_asked(),
        },
        "rows": [item.as_json() for item in rows],
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    machine, versions = report["machine"], report["versions"]
    print(table(rows))
    print(f"\nless is better; medians of alternating blocks. {machine}, {versions}")
    print(
        f"written to {OUT.relative_to(HERE.parent)}; goals missed: {sum(not met(r) for r in rows)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
