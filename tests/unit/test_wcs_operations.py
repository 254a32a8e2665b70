"""What WCS carries out by itself, buckets, recordings and downloads, on the local service."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import io
import os
import re
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer
from wirespeed import wcs
from wirespeed.errors import (
    ConfigError,
    IntegrityError,
    NotFound,
    ObjectNotFound,
)
from wirespeed.local import LocalCloud
from wirespeed.local.wcs import retrieval
from wirespeed.wcs import operations, wire

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


def ended(side: Side, identity: str, seconds: float = 10) -> wcs.OperationStatus:
    limit = time.monotonic() + seconds
    status: wcs.OperationStatus = side.do(side.client.operation_status(identity))
    while not status.done and time.monotonic() < limit:
        time.sleep(0.01)
        status = side.do(side.client.operation_status(identity))
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


def serve(peer: Peer) -> None:
    """Answer as a web server would whose paths say how."""
    while (asked := peer.read_request()) is not None:
        path = asked[0].split(b" ")[1].decode()
        if path == "/moved":
            peer.answer(302, headers="Location: /docs/page%201.txt\r\n")
        elif path == "/file":
            peer.answer(302, headers="Location: file:///etc/hostname\r\n")
        elif path == "/none":
            peer.answer(404)
        elif path == "/short":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            return
        elif path == "/drip":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
            while True:
                peer.send(b"x")
                time.sleep(0.02)
        elif path == "/silent":
            peer.wait_closed()
            return
        else:
            peer.answer(body=b"page " + path.encode(), headers="Content-Type: text/x\r\n")


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with ScriptedServer(serve) as made:
        yield made.url


def test_a_url_is_fetched(side: Side, web: str) -> None:
    bucket = side.bucket
    body = b"page /docs/page%201.txt"
    digest = hashlib.md5(body).hexdigest()
    status = ended(side, side.do(bucket.begin_fetch(f"{web}/moved", "got", md5=digest)))
    assert not status.failed and status.items[0]["fsize"] == len(body)
    assert side.do(bucket.get("got")) == body
    assert side.do(bucket.stat("got")).mime_type == "text/x"
    # The key is the last part of the path where none is given, behind the prefix where one is.
    url, films = wire.encode(f"{web}/docs/page 1.txt"), wire.encode("films")
    jobs = [f"fetchURL/{url}/bucket/{films}", f"fetchURL/{url}/bucket/{films}/prefix/cC8="]
    assert not ended(side, side.do(side.client.begin("fetch", jobs))).failed
    assert {"page 1.txt", "p/page 1.txt"} <= side.keys()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/none", "answered 404"),
        ("/short", "4 of 9 bytes"),
        ("/file", "could not be read|not allowed|302"),
        ("/drip", "everything in 0.3 s"),
        ("/silent", "timed out"),
        ("/large", "more than 3 bytes"),
        ("/other", "another MD5"),
    ],
)
def test_a_url_that_cannot_be_fetched(
    side: Side, web: str, path: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "SECONDS", 0.3)
    if path == "/large":
        monkeypatch.setattr(retrieval, "SIZE_LIMIT", 3)
    before = side.keys()
    status = ended(side, side.do(side.bucket.begin_fetch(web + path, "k", md5="0" * 32)))
    assert status.failed and re.search(words, status.items[0]["error"])
    assert side.keys() == before


def test_what_is_no_url_is_not_fetched(side: Side) -> None:
    films = wire.encode("films")
    for url in ("file:///etc/hostname", "ftp://h/x", "http://", "http://h:99999/", "gopher://h/x"):
        job = f"fetchURL/{wire.encode(url)}/bucket/{films}"
        status = ended(side, side.do(side.client.begin("fetch", [job])))
        assert status.failed and "no URL" in status.items[0]["error"], url
    job = f"fetchURL/{wire.encode('http://h/x')}/bucket/{films}/decompression/zip"
    assert ended(side, side.do(side.client.begin("fetch", [job]))).failed


def test_what_was_fetched_before_a_reset_is_not_stored(side: Side, cloud: LocalCloud) -> None:
    go_on = threading.Event()

    def wait(peer: Peer) -> None:
        peer.read_request()
        assert go_on.wait(10)
        peer.answer(body=b"late")

    with ScriptedServer(wait) as slow:
        identity = side.do(side.bucket.begin_fetch(slow.url, "late"))
        status = side.do(side.client.operation_status(identity))
        assert (status.code, status.done) == (2, False)
        cloud.reset()
        go_on.set()
        with pytest.raises(NotFound):
            side.do(side.client.operation_status(identity))
    side.do(side.bucket.put("k", b""))
    assert side.keys() == {"k"}


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_objects_are_packed(side: Side, form: str) -> None:
    large = os.urandom(5 * MIB)
    side.do(side.bucket.put("logs/ü", large))
    begun = side.bucket.begin_compress(["a", "logs/ü"], f"all.{form}", format=form)
    assert not ended(side, side.do(begun)).failed
    packed = io.BytesIO(side.do(side.bucket.get(f"all.{form}")))
    if form == "zip":
        with zipfile.ZipFile(packed) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
    else:
        with tarfile.open(fileobj=packed, mode="r:gz" if form == "tar.gz" else "r:") as tar:
            members = [(each.name, tar.extractfile(each)) for each in tar.getmembers()]
            found = {name: file.read() for name, file in members if file is not None}
    assert found == {"a": b"a", "logs/ü": large}
    status = ended(side, side.do(side.bucket.begin_compress(["a", "none"], "x")))
    assert status.failed and status.items[0]["error"] == "file not found"


def test_a_playlist_is_deleted_with_its_segments(side: Side) -> None:
    bucket = side.bucket
    side.do(bucket.put("logs/list.m3u8", b"#EXTM3U\n#EXTINF:9,\n1\nnone.ts\n2\n"))
    assert not ended(side, side.do(bucket.begin_delete_playlist("logs/list.m3u8"))).failed
    assert side.keys() == {"a", "b"}


def test_a_move_onto_itself_keeps_the_object(side: Side) -> None:
    assert not ended(side, side.do(side.bucket.begin_move("a", "a"))).failed
    assert side.do(side.bucket.get("a")) == b"a"


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
