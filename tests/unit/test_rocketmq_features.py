"""The features of RocketMQ's clients on the local cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rocketmq_features import *  # noqa: F403
from wirespeed.local import LocalCloud


@pytest.fixture(scope="module")
def namesrv() -> Iterator[str]:
    """Where the name server under test is."""
    with LocalCloud(["rocketmq"], delay_levels=(0.2,) * 18) as cloud:
        yield cloud.namesrv
