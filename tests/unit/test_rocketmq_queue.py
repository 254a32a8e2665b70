"""RocketMQ topics as queues, on the local broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import wirespeed
from tests.rocketmq_queue_conformance import *  # noqa: F403
from wirespeed.errors import ConfigError
from wirespeed.local import LocalCloud


@pytest.fixture(scope="module")
def namesrv() -> Iterator[str]:
    """Where the name server under test is."""
    with LocalCloud(["rocketmq"]) as cloud:
        yield cloud.namesrv


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("rocketmq://h:1", "TOPIC"),
        ("rocketmq://h:1/a/b", "TOPIC"),
        ("rocketmq://h:1/t?wait=1", "wait"),
        ("rocketmq://h/t", "port"),
        ("rocketmq://h:1/t?group=a%20b", "group"),
        ("rocketmq://h:1/a%20b", "topic"),
    ],
)
def test_bad_urls_are_refused(url: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        wirespeed.connect(url)
