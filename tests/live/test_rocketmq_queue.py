"""RocketMQ topics as queues, on a real broker."""

from __future__ import annotations

import pytest

from tests.live.cluster import Cluster
from tests.rocketmq_queue_conformance import *  # noqa: F403


@pytest.fixture(scope="module")
def namesrv(rocketmq_cluster: Cluster) -> str:
    """Where the name server under test is."""
    return rocketmq_cluster.namesrv
