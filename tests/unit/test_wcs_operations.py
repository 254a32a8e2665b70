"""What WCS carries out by itself, buckets, recordings and downloads, on the local service."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wirespeed import wcs
from wirespeed.errors import (
    ConfigError,
    IntegrityError,
    ObjectNotFound,
    ServiceError,
)
from wirespeed.local import LocalCloud
from wirespeed.wcs import operations

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["wcs"]) as made:
        yield made


class Side:
    """A client of either kind, called the same way."""

    def __init__(self, kind: str, cloud: LocalCloud) -> None:
        self.loop = asyncio.new_event_loop() if kind == "asyncio" else None
        client = wcs.AsyncClient if self.loop else wcs.Client
        self.client: Any = client(
            "local",
            "local-secret",
            upload_url=cloud.wcs_url,
            manage_url=cloud.wcs_url,
            download_url=cloud.wcs_url + "/download/{bucket}",
        )
        self.bucket = self.client.bucket("films")

    def do(self, value: Any) -> Any:
        """Return a value, of a coroutine its result."""
        if self.loop is not None and inspect.isawaitable(value):
            return self.loop.run_until_complete(value)
        return value

    def keys(self) -> set[str]:
        """Return the bucket's keys."""
        return {item.key for item in self.do(self.bucket.list().all())}

    def close(self) -> None:
        """Close the client."""
        self.do(self.client.close())
        if self.loop is not None:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()


@pytest.fixture(params=["sync", "asyncio"])
def side(request: pytest.FixtureRequest, cloud: LocalCloud) -> Iterator[Side]:
    cloud.reset()
    made = Side(request.param, cloud)
    for name in ("a", "b", "logs/1", "logs/2"):
        made.do(made.bucket.put(name, name.encode()))
    yield made
    made.close()


def ended(side: Side, identity: str) -> wcs.OperationStatus:
    status: wcs.OperationStatus = side.do(side.client.operation_status(identity))
    assert status.done and status.operation_id == identity
    return status


def test_operations(side: Side) -> None:
    bucket = side.bucket
    assert not ended(side, side.do(bucket.begin_move("a", "moved"))).failed
    assert not ended(side, side.do(bucket.begin_copy("b", "copied"))).failed
    assert side.keys() == {"moved", "b", "copied", "logs/1", "logs/2"}
    assert not ended(side, side.do(bucket.begin_delete("moved", "copied"))).failed
    assert not ended(side, side.do(bucket.begin_delete_prefix("logs/"))).failed
    assert side.keys() == {"b"}
    status = ended(side, side.do(bucket.begin_delete("none", "b")))
    assert status.failed
    assert [item["code"] for item in status.items] == [4, 3]
    with pytest.raises(ObjectNotFound):
        side.do(side.client.operation_status("no-such"))
    for begin in (
        (
            bucket.begin_fetch("http://h/x", "k"),
            bucket.begin_compress(["b"], "all.zip"),
        )
        if side.loop
        else ()
    ):
        with pytest.raises(ServiceError, match="local cloud has no"):
            side.do(begin)


def test_processing_and_recordings(side: Side) -> None:
    identity = side.do(side.bucket.process("a", "avthumb/mp4;vframe/jpg", notify_url="http://h"))
    status = side.do(side.client.processing_status(identity))
    assert [item["cmd"] for item in status.items] == ["avthumb/mp4", "vframe/jpg"]
    with pytest.raises(ObjectNotFound):
        side.do(side.bucket.process("none", "avthumb/mp4"))
    found = side.do(side.bucket.list_recordings("news", "20260101000000", "20260102000000"))
    assert found["items"] == []


def test_buckets_and_what_they_hold(side: Side) -> None:
    assert [each["name"] for each in side.do(side.client.list_buckets())] == ["films"]
    found = side.do(side.client.bucket_statistics(["films"], "storage", "2026-01-01", "2026-01-02"))
    assert found["statistics"] == {"films": 14}


def test_jobs_are_written_as_the_manual_has_them() -> None:
    source, films = operations.entry("films", "a"), "ZmlsbXM="
    assert operations.transfer_job(("films", "a"), "films", "b", "p/") == (
        f"resource/{source}/bucket/{films}/key/Yg==/prefix/cC8="
    )
    assert operations.fetch_job("http://h/x", "films", "k", "0f") == (
        f"fetchURL/aHR0cDovL2gveA==/bucket/{films}/key/aw==/md5/0f"
    )
    assert operations.delete_job("films", "a") == f"bucket/{films}/key/YQ=="
    assert operations.delete_prefix_job("films", "p") == f"bucket/{films}/prefix/cA=="
    assert operations.delete_playlist_job("films", "a", segments=True).endswith("/deletets/1")
    assert operations.compress_job("films", ["a", "b"], ("films", "z"), "zip") == (
        f"bucket/{films}/key/YQ==/key/Yg==/format/zip/saveas/{operations.entry('films', 'z')}"
    )
    for call, words in (
        (lambda: operations.fetch_job("file:///x", "b", None, None), "url must begin"),
        (lambda: operations.delete_prefix_job("b", ""), "key must be"),
        (lambda: operations.compress_job("b", [], ("b", "k"), "zip"), "at least one"),
        (lambda: operations.compress_job("b", ["k"], ("b", "k"), "rar"), "format must be"),
    ):
        with pytest.raises(ConfigError, match=words):
            call()


@pytest.mark.parametrize("size", [0, 1, 4 * MIB, 9 * MIB + 5])
def test_downloads_are_verified_by_their_etag(side: Side, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path = tmp_path / "source"
    path.write_bytes(data)
    stored = side.do(side.bucket.upload_file(path, "k e/y~ü"))
    got = side.do(side.bucket.download_file("k e/y~ü", tmp_path / "target"))
    assert (tmp_path / "target").read_bytes() == data
    assert (got.hash, got.size) == (stored.hash, size)
    assert sorted(os.listdir(tmp_path)) == ["source", "target"]
    assert side.do(side.bucket.get("k e/y~ü")) == data
    if size > 10:
        assert side.do(side.bucket.get("k e/y~ü", start=3, end=9)) == data[3:9]
    with pytest.raises(ObjectNotFound):
        side.do(side.bucket.download_file("none", tmp_path / "none"))
    with pytest.raises(ConfigError, match="part_size"):
        side.do(side.bucket.download_file("k", tmp_path / "none", part_size=MIB))


def test_a_garbled_download_leaves_nothing(side: Side, cloud: LocalCloud, tmp_path: Path) -> None:
    side.do(side.bucket.put("k", os.urandom(9 * MIB)))
    (tmp_path / "target").write_text("before")
    cloud.faults.add("corrupt", "wcs", "/download/", count=1)
    with pytest.raises(IntegrityError):
        side.do(side.bucket.download_file("k", tmp_path / "target"))
    assert (tmp_path / "target").read_text() == "before"
    assert os.listdir(tmp_path) == ["target"]
