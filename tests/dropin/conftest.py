"""The drop-ins, importable under their own names within these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.wcs_server import WcsServer
from wirespeed import dropin
from wirespeed.local import LocalCloud


@pytest.fixture(scope="module")
def server() -> Iterator[WcsServer]:
    made = WcsServer()
    yield made
    made.close()


@pytest.fixture
def wcs(server: WcsServer, tmp_path: Path) -> Iterator[ModuleType]:
    """Yield the module `wcs`, set up for the local service."""
    server.state.clear()
    dropin.install("wcs", replace=True)
    import wcs  # type: ignore[import-not-found]
    import wcs.commons.config as config  # type: ignore[import-not-found]

    config.PUT_URL = config.MGR_URL = server.url
    config.tmp_record_folder = str(tmp_path / "records")
    yield wcs
    wcs.commons.http.transport.close()
    dropin.uninstall("wcs")


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["cmq", "cos", "sqs"]) as made:
        yield made


@pytest.fixture
def cmq(cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Yield the module `cmq.account`; its service is `cloud`, its log in a folder of its own."""
    cloud.reset()
    monkeypatch.chdir(tmp_path)
    dropin.install("cmq", replace=True)
    import cmq.account  # type: ignore[import-not-found]

    yield cmq.account
    dropin.uninstall("cmq")


@pytest.fixture
def qcloud_cos(cloud: LocalCloud) -> Iterator[ModuleType]:
    """Yield the module `qcloud_cos`; its service is `cloud`."""
    cloud.reset()
    dropin.install("qcloud_cos", replace=True)
    import qcloud_cos  # type: ignore[import-not-found]

    yield qcloud_cos
    dropin.uninstall("qcloud_cos")


@pytest.fixture
def boto(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Yield the module `boto`; its service is `cloud`, and nothing of this machine is read."""
    cloud.reset()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("BOTO_CONFIG", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    dropin.install("boto", replace=True)
    import boto  # type: ignore[import-not-found]
    import boto.sqs.connection

    yield boto
    dropin.uninstall("boto")
