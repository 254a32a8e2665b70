"""The tests that the local name server and broker pass, on real ones."""

from __future__ import annotations

import pytest

from tests.live.cluster import Cluster
from tests.rocketmq_conformance import *  # noqa: F403


@pytest.fixture(scope="module")
def namesrv(rocketmq_cluster: Cluster) -> str:
    """Where the name server under test is."""
    return rocketmq_cluster.namesrv
