"""Transfers killed at many points, and many flipped bits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.test_transfers import endure_flips, endure_kills
from wirespeed.local import LocalCloud


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    monkeypatch.setenv("WIRESPEED_STATE_DIR", str(tmp_path / "state"))
    with LocalCloud(["cos", "wcs"]) as made:
        yield made


def test_thirty_kills(cloud: LocalCloud, tmp_path: Path) -> None:
    print(endure_kills(cloud, tmp_path, 60), "kills")


def test_a_thousand_flipped_bits(cloud: LocalCloud, tmp_path: Path) -> None:
    print("right, refused:", endure_flips(cloud, tmp_path, 1000))
