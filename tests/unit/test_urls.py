"""Queues and buckets opened by their URLs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import wirespeed
from wirespeed import cmq, cos, queue, sqs, wcs
from wirespeed.config import Credentials
from wirespeed.errors import ConfigError
from wirespeed.local import LocalCloud


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["cmq", "cos", "sqs", "wcs"]) as made:
        yield made


def test_a_queue(cloud: LocalCloud) -> None:
    with sqs.Client(
        "r", endpoint=cloud.sqs_url, credentials=Credentials("local", "local-secret")
    ) as c:
        c.create_queue("orders")
    url = f"sqs://local:local-secret@eu-west-1/orders?endpoint={cloud.sqs_url}&timeout=5"
    with wirespeed.connect(url) as opened:
        assert isinstance(opened, sqs.Queue)
        work(opened)
    opened.close()

    async def job() -> None:
        async with wirespeed.connect_async(url) as opened:
            assert isinstance(opened, sqs.AsyncQueue)
            await work_async(opened)

    asyncio.run(job())


def work(opened: queue.Queue[Any]) -> None:
    """Use any queue."""
    opened.send("one")
    opened.send_many(["two", "three"])
    bodies = set()
    while len(bodies) < 3:
        for message in opened.receive(wait=1):
            opened.extend(message, 60)
            bodies.add(message.body)
            opened.ack(message)
    assert bodies == {"one", "two", "three"}


async def work_async(opened: queue.AsyncQueue[Any]) -> None:
    """Use any queue."""
    await opened.send("one")
    (message,) = await opened.receive(wait=1)
    await opened.nack(message)
    (message,) = await opened.receive(wait=1)
    await opened.ack(message)


def test_a_bucket(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cloud.env().items():
        monkeypatch.setenv(name, value)
    with wirespeed.connect("wcs://Photos") as bucket:
        assert isinstance(bucket, wcs.Bucket) and bucket.name == "Photos"
        assert bucket.put("key", b"data").size == 4

    async def job() -> None:
        async with wirespeed.connect_async("wcs://Photos", timeout=5) as bucket:
            assert isinstance(bucket, wcs.AsyncBucket)
            assert (await bucket.stat("key")).size == 4

    asyncio.run(job())


def test_what_is_given_goes_before_the_url(cloud: LocalCloud) -> None:
    url = "sqs://wrong:wrong@r/orders?endpoint=http://127.0.0.1:9"
    keys = Credentials("local", "local-secret")
    with wirespeed.connect(url, endpoint=cloud.sqs_url, credentials=keys) as opened:
        assert isinstance(opened, sqs.Queue)
        assert opened.count() >= 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (5, "url must be a str, not int"),
        ("kafka://h/t", "url must begin with one of cmq://, cmqs://, cos4://, rocketmq://, sqs://"),
        ("sqs://h:80/q", "url has a port"),
        ("sqs://[h/q", "url has a port or brackets"),
        ("sqs://r", "url must be sqs://REGION/QUEUE"),
        ("sqs:///q", "url must be sqs://REGION/QUEUE"),
        ("sqs://a:s3cret@r/q?waitt=5", "url has the option 'waitt': there are ambiguous"),
        ("sqs://a:s3cret@r/q?timeout=soon", "timeout must be seconds or text"),
        ("sqs://a:s3cret@r/a b", "queue must be a queue's URL, or a name"),
        ("sqs://a:@r/q", "secret_key must be a non-empty str"),
        ("wcs://", "url must be wcs://BUCKET"),
        ("wcs://a:s3cret@b/key", "url must be wcs://BUCKET"),
        ("wcs://a:s3cret@b", "upload_url must begin with http"),
        ("wcs://b?upload_url=http://h&manage_url=http://h", "access_key must be a non-empty str"),
    ],
)
def test_urls_that_are_none(url: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"WIRESPEED_WCS_{name}", raising=False)
    for connect in (wirespeed.connect, wirespeed.connect_async):
        with pytest.raises(ConfigError, match=said.replace("?", r"\?")) as caught:
            connect(url)
        assert "s3cret" not in str(caught.value)


def test_a_cmq_queue(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Credentials("local", "local-secret")
    with cmq.Client(cloud.cmq_url, keys) as client:
        client.create_queue("orders")
    url = cloud.cmq_url.replace("http://", "cmq://local:local-secret@") + "/orders?signature=sha1"
    with wirespeed.connect(url, timeout=5) as opened:
        assert isinstance(opened, cmq.Queue)
        opened.send("one")
        (message,) = opened.receive(1, wait=1)
        opened.ack(message)
    for name, value in cloud.env().items():
        monkeypatch.setenv(name, value)

    async def job() -> None:
        async with wirespeed.connect_async("cmq:///orders?timeout=5") as opened:
            assert isinstance(opened, cmq.AsyncQueue)
            await opened.send("two")
            (message,) = await opened.receive(1, wait=1)
            await opened.ack(message)

    asyncio.run(job())


def test_cmq_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "id")
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "key")
    monkeypatch.setenv("TENCENTCLOUD_TOKEN", "token")
    opened = wirespeed.connect("cmqs://cmq-queue-gz.api.qcloud.com/orders")
    assert isinstance(opened, cmq.Queue)
    settings = opened._client._settings
    assert str(settings.origin) == "https://cmq-queue-gz.api.qcloud.com:443"
    assert settings.credentials() == Credentials("id", "key", "token")
    opened.close()
    for url in ("cmq://host", "cmq:///q", "cmq://h/0", "cmq://h/q?endpoint=x", "cmq://h:x/q"):
        with pytest.raises(ConfigError):
            wirespeed.connect(url)


def test_a_cos_bucket(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cloud.env().items():
        monkeypatch.setenv(name, value)
    with wirespeed.connect("cos4://photos-10001?timeout=5") as opened:
        assert isinstance(opened, cos.Bucket)
        opened.put("a/b", b"bytes")
        assert opened.get("a/b") == b"bytes"

    async def job() -> None:
        async with wirespeed.connect_async("cos4://local:local-secret@photos-10001") as opened:
            assert isinstance(opened, cos.AsyncBucket)
            assert (await opened.stat("a/b")).size == 5

    asyncio.run(job())
    with wirespeed.connect("cos4://photos-10001?region=sh") as opened:
        assert "https://sh.file.myqcloud.com" in repr(opened._client)
    for url in (
        "cos4://photos",
        "cos4://photos-x",
        "cos4://-1",
        "cos4://p-1/key",
        "cos4://p-1?a=b",
    ):
        with pytest.raises(ConfigError):
            wirespeed.connect(url)
