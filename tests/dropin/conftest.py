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
    with LocalCloud(["cmq", "cos"]) as made:
        yield made


@pytest.fixture
def cmq(cloud: LocalCloud) -> Iterator[ModuleType]:
    """Yield the module `cmq.account`; its service is `cloud`."""
    cloud.reset()
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
