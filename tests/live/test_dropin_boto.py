"""Programs written for boto 2.49, on servers of others."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.live.test_sqs import endpoint  # noqa: F401 - a fixture
from wirespeed import dropin


@pytest.fixture
def connection(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # noqa: F811
    """Return a connection of the drop-in."""
    monkeypatch.setenv("BOTO_CONFIG", "/nonexistent")
    dropin.install("boto", replace=True)
    sqs = importlib.import_module("boto.sqs.connection")
    parts = urlsplit(endpoint)
    region = sqs.SQSRegionInfo(name="us-east-1", endpoint=parts.hostname)
    made = sqs.SQSConnection("local", "secret", is_secure=False, port=parts.port, region=region)
    yield made
    made.close()
    dropin.uninstall("boto")


def test_queues_and_messages(connection: Any) -> None:
    queue = connection.create_queue("golden", 40)
    assert connection.get_queue("golden").id == queue.id
    assert connection.get_queue("missing") is None
    assert queue.id in [each.id for each in connection.get_all_queues("gold")]
    assert queue.get_timeout() == 40 and queue.set_timeout(50) and queue.get_timeout() == 50
    message = queue.new_message("é 中 <&>")
    message.message_attributes = {"a": {"data_type": "String", "string_value": "v"}}
    assert queue.write(message).id
    (read,) = queue.get_messages(1, attributes="All", message_attributes=["All"])
    assert read.get_body() == "é 中 <&>"
    assert read.message_attributes["a"]["string_value"] == "v"
    assert read.attributes["ApproximateReceiveCount"] == "1"
    read.change_visibility(0)
    assert queue.read().delete()
    assert queue.read() is None
    sent = queue.write_batch([(str(n), f"body {n}", 0) for n in range(10)])
    assert len(sent.results) == 10 and not sent.errors
    raw = importlib.import_module("boto.sqs.message").RawMessage
    queue.set_message_class(raw)
    found: list[Any] = []
    while len(found) < 10:
        found += queue.get_messages(10, wait_time_seconds=5)
    assert {each.get_body() for each in found} == {f"body {n}" for n in range(10)}
    assert len(queue.change_message_visibility_batch([(each, 60) for each in found]).results) == 10
    assert len(queue.delete_message_batch(found).results) == 10
    assert queue.count() == 0
    assert queue.delete()
    with pytest.raises(importlib.import_module("boto.exception").SQSError) as caught:
        queue.read()
    assert "NonExistentQueue" in caught.value.code or "QueueDoesNotExist" in caught.value.code
