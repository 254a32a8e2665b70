"""Fixtures of the live tests: a real Apache RocketMQ, and a fresh topic and group for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.cluster import Cluster, LiveUnavailable, version_asked

HERE = Path(__file__).resolve().parent
numbers = itertools.count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark everything in this folder as live; leave out what is newer than the server."""
    major = int(version_asked().split(".")[0])
    newer: list[pytest.Item] = []
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)
            if any(mark.args[0] > major for mark in item.iter_markers("since")):
                newer.append(item)
    if newer:
        config.hook.pytest_deselected(items=newer)
        items[:] = [item for item in items if item not in newer]


@pytest.fixture(scope="session")
def rocketmq_cluster() -> Iterator[Cluster]:
    """Yield a running name server and broker; without Java skip, or fail where CI is set."""
    try:
        cluster = Cluster(version_asked())
    except LiveUnavailable as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    with cluster:
        yield cluster


@pytest.fixture
def new_topic(rocketmq_cluster: Cluster) -> Callable[..., str]:
    """Return a function that creates a topic of a fresh name, with 4 queues unless told."""

    def create(queues: int = 4) -> str:
        topic = f"live-{os.getpid()}-{next(numbers)}"
        rocketmq_cluster.create_topic(topic, queues)
        return topic

    return create


@pytest.fixture
def topic(new_topic: Callable[..., str]) -> str:
    """Return a fresh topic with 4 queues."""
    return new_topic()


@pytest.fixture
def group() -> str:
    """Return a fresh consumer group's name."""
    return f"group-{os.getpid()}-{next(numbers)}"
