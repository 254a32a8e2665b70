"""The tests that the local name server and broker pass, on real ones."""

from __future__ import annotations

import pytest

from tests.live.cluster import Cluster, version_asked
from tests.rocketmq_conformance import *  # noqa: F403

pytestmark = pytest.mark.skipif(
    version_asked().startswith("4."), reason="the local broker answers as a 5.x does"
)


@pytest.fixture(scope="module")
def namesrv(rocketmq_cluster: Cluster) -> str:
    """Where the name server under test is."""
    return rocketmq_cluster.namesrv
