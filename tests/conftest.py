"""What every test run says first, and no quiet skips where `WIRESPEED_NO_SKIPS` is set."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from wirespeed import _native

# Tests that live outside a test_ file still explain a failed assert.
pytest.register_assert_rewrite(
    "tests.durable_load",
    "tests.rocketmq_conformance",
    "tests.rocketmq_features",
    "tests.rocketmq_queue_conformance",
)


@pytest.fixture(autouse=True, scope="session")
def _journals_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep journals of interrupted transfers out of the user's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WIRESPEED_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield


def pytest_report_header() -> str:
    paths = ", ".join(_native.cpu_paths())
    return f"wirespeed: backend {_native.BACKEND}, cpu path {_native.cpu_path()} of {paths}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where all must run; what this CPU lacks cannot run."""
    report = yield
    if report.skipped and os.environ.get("WIRESPEED_NO_SKIPS") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "this CPU lacks" not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped, though everything must run here: {reason}"
    return report
