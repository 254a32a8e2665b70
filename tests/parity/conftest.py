"""Fixtures that give one half of each backend in turn.

A backend that is not built is skipped, unless `WIRESPEED_REQUIRE_BACKENDS` lists it, as CI does;
so is a CPU path that this machine lacks, unless `WIRESPEED_REQUIRE_CPU` lists it.
"""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Iterator
from types import ModuleType

import pytest

from wirespeed._native.contract import BACKENDS


def load(backend: str, half: str) -> ModuleType:
    try:
        return importlib.import_module(f"wirespeed._native.{backend}.{half}")
    except ImportError as failure:
        if backend in os.environ.get("WIRESPEED_REQUIRE_BACKENDS", "").split(","):
            raise
        pytest.skip(f"the {backend} backend is not built: {failure}")


@pytest.fixture(scope="session", params=BACKENDS)
def rocketmq(request: pytest.FixtureRequest) -> ModuleType:
    """The RocketMQ half of one backend."""
    return load(request.param, "rocketmq")


ARM = platform.machine().lower() in ("aarch64", "arm64")
CPU_PATHS = ("armv8", "portable") if ARM else ("avx512", "sha-ni", "avx2", "portable")
DIGEST_PATHS = [
    *((backend, path) for backend in ("cython", "cffi") for path in CPU_PATHS),
    ("pure", "hashlib"),
]


@pytest.fixture(params=DIGEST_PATHS, ids="-".join)
def digest(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The digest half of one backend, forced onto one CPU path."""
    backend, path = request.param
    module = load(backend, "digest")
    before = module.cpu_path()
    if path not in module.cpu_paths():
        if path in os.environ.get("WIRESPEED_REQUIRE_CPU", "").split(","):
            raise AssertionError(f"this CPU lacks {path}: it has {module.cpu_paths()}")
        pytest.skip(f"this CPU lacks {path}")
    module.set_cpu_path(path)
    yield module
    module.set_cpu_path(before)
