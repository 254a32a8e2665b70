"""Fixtures for pytest: a local cloud for a session, empty for each test.

pytest finds them by itself where wirespeed is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import LocalCloud


@pytest.fixture(scope="session")
def wirespeed_session() -> Iterator[LocalCloud]:
    """One `LocalCloud` for the whole session; what tests leave in it stays."""
    from . import LocalCloud

    with LocalCloud() as cloud:
        yield cloud


@pytest.fixture
def wirespeed_cloud(
    wirespeed_session: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalCloud]:
    """The session's `LocalCloud`, empty, without faults, and in the environment's variables."""
    wirespeed_session.reset()
    for name, value in wirespeed_session.env().items():
        monkeypatch.setenv(name, value)
    yield wirespeed_session
    wirespeed_session.faults.clear()
