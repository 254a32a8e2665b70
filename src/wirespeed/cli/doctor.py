"""`wirespeed doctor`: what is installed and which kernels run; made to be pasted into a report."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import wirespeed
from wirespeed import _native

HELP = "tell versions, backend, CPU kernels and optional packages"

EXTRAS = {
    "httptools": "HTTP on CPython",
    "h11": "HTTP on PyPy",
    "requests": "sessions of your own",
    "starlette": "wirespeed[local]",
    "uvicorn": "wirespeed[local]",
    "lz4": "wirespeed[compression]",
    "zstandard": "wirespeed[compression]",
}
SWITCHES = ("WIRESPEED_BACKEND", "WIRESPEED_CPU", "WIRESPEED_DEBUG")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.add_argument(
        "--measure",
        action="store_true",
        help="measure each kernel, in GB/s on one core, and check the plan",
    )


def run(args: argparse.Namespace) -> int:
    """Print the report."""
    report = examine()
    if args.measure:
        report["measured_gb_per_s"] = measure()
        report["lanes_gb_per_s"] = measure_lanes()
        report["plan_disagrees"] = disagreements(report["lanes_gb_per_s"])
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        print("\n".join(lines(report)))
    return 0


def examine() -> dict[str, Any]:
    """Return the facts about this installation; nothing secret is among them."""
    record = _native.build_record()
    return {
        "wirespeed": wirespeed.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "free_threaded": not getattr(sys, "_is_gil_enabled", lambda: True)(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "backend": _native.BACKEND,
        "backend_note": note(record),
        "build_record": record,
        "cpu_path": _native.cpu_path(),
        "cpu_paths": list(_native.cpu_paths()),
        "plan": [{"from": first, "kernel": kernel} for first, kernel in _native.cpu_plan()],
        "packages": {name: installed(name) for name in EXTRAS},
        "environment": {name: os.environ[name] for name in SWITCHES if name in os.environ},
    }


def note(record: dict[str, str]) -> str:
    """Return why the pure backend runs, or nothing where a native one does."""
    if _native.BACKEND != "pure":
        return ""
    if record.get("extensions") == "no":
        return "built with WIRESPEED_EXTENSIONS=no: slow; reinstall without it for the C core"
    return "chosen by WIRESPEED_BACKEND: slow"


def installed(name: str) -> str | None:
    """Return the version of a package, or None where it is missing."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def measure() -> dict[str, dict[str, float]]:
    """Return the rate of each digest on each CPU path, in GB/s on one core."""
    data = os.urandom(1 << 20) * 64
    message, key = data[:200], b"key"
    messages = [message] * 1000
    before = _native.cpu_path()
    rates: dict[str, dict[str, float]] = {}
    try:
        for path in _native.cpu_paths():
            _native.set_cpu_path(path)
            rates[path] = {
                "sha1": rate(lambda: _native.sha1(data[: 4 << 20]), 4 << 20),
                "sha1_blocks of 4 MiB": rate(lambda: _native.sha1_blocks(data, 4 << 20), len(data)),
                "sha256": rate(lambda: _native.sha256(data[: 4 << 20]), 4 << 20),
                "crc32": rate(lambda: _native.crc32(data[: 4 << 20]), 4 << 20),
                "hmac_sha1 of 200 bytes": rate(
                    lambda: [_native.hmac_sha1(key, message) for message in messages], 200_000
                ),
                "hmac_sha1_many of those": rate(
                    lambda: _native.hmac_sha1_many(key, messages), 200_000
                ),
            }
    finally:
        _native.set_cpu_path(before)
    return rates


LANES = (1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 16, 20, 24, 28, 32)
PIECE = 64 << 10
PLANNED = "as planned"
NOISE = 1.1


def measure_lanes() -> dict[int, dict[str, float]]:
    """Return the rate of SHA-1 of some inputs side by side, in GB/s: as planned and by kernel."""
    stride = PIECE + 64
    data = memoryview(os.urandom(PIECE) * (LANES[-1] + 1))
    kernels: list[str | None] = [None, *(name for name, _ in _native.sha1_kernels())]
    rates: dict[int, dict[str, float]] = {}
    for count in LANES:
        pieces = data[: (count - 1) * stride + PIECE]
        for kernel in kernels:
            lanes = _native.Sha1Lanes(count, kernel)
            rates.setdefault(count, {})[kernel or PLANNED] = rate(
                lambda lanes=lanes, pieces=pieces: lanes.update(pieces, stride),  # type: ignore[misc]
                count * PIECE,
                7,
            )
    return rates


def disagreements(rates: dict[int, dict[str, float]]) -> list[str]:
    """Return a sentence for each number of inputs that another kernel serves clearly faster."""
    found = []
    for count, by_kernel in rates.items():
        planned = by_kernel[PLANNED]
        best = max(by_kernel, key=lambda name: by_kernel[name])
        if by_kernel[best] > planned * NOISE:
            found.append(
                f"{count} inputs: {best} reaches {by_kernel[best]:.2f} GB/s, the plan {planned:.2f}"
            )
    return found


def rate(work: Callable[[], object], size: int, runs: int = 3) -> float:
    """Return the best of some runs of `work` over `size` bytes, in GB/s."""
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return round(size / best / 1e9, 3)


def lines(report: dict[str, Any]) -> list[str]:
    """Return the report for a person."""
    record = report["build_record"] or {"nothing": "recorded"}
    rows = [
        ("wirespeed", report["wirespeed"]),
        ("python", report["python"] + (", free-threaded" if report["free_threaded"] else "")),
        ("platform", f"{report['platform']}, {report['cpus']} CPUs"),
        ("backend", " - ".join(filter(None, (report["backend"], report["backend_note"])))),
        ("build", ", ".join(f"{key} {value}" for key, value in record.items())),
        ("cpu path", f"{report['cpu_path']} (this CPU runs {', '.join(report['cpu_paths'])})"),
        ("sha-1 plan", ", ".join(f"{row['kernel']} from {row['from']}" for row in report["plan"])),
        *((name, value) for name, value in report["environment"].items()),
        *(
            (name, f"{version or 'not installed'} ({EXTRAS[name]})")
            for name, version in report["packages"].items()
        ),
    ]
    text = [f"{name:<18} {value}" for name, value in rows]
    for path, rates in report.get("measured_gb_per_s", {}).items():
        text += ["", f"{path}, GB/s on one core"]
        text += [f"  {name:<24} {value:8.3f}" for name, value in rates.items()]
    if "lanes_gb_per_s" in report:
        text += ["", "SHA-1 of inputs side by side, GB/s on one core"]
        for count, rates in report["lanes_gb_per_s"].items():
            best = max(rates, key=lambda name: rates[name])
            text.append(f"  {count:<24} {rates[PLANNED]:8.3f} {best} {rates[best]:.3f}")
        text += [
            f"the plan does not fit this CPU: {line}" for line in report["plan_disagrees"]
        ] or ["the plan fits this CPU"]
    return text
