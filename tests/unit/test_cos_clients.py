"""The COS v4 clients, of both kinds, on the local service."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer
from wirespeed import cos
from wirespeed.config import Clock, Credentials, Retry
from wirespeed.cos import flow, sign, wire
from wirespeed.errors import (
    AccessDenied,
    Busy,
    ConfigError,
    Conflict,
    IntegrityError,
    ObjectNotFound,
    ProtocolError,
    ServiceError,
    SourceChanged,
    Throttled,
    TransportError,
)
from wirespeed.http.models import Response
from wirespeed.local import LocalCloud

MIB = 1 << 20


@pytest.fixture(scope="module")
def running() -> Iterator[LocalCloud]:
    with LocalCloud(["cos"]) as made:
        yield made


@pytest.fixture
def cloud(running: LocalCloud) -> LocalCloud:
    running.reset()
    return running


class Side:
    """A bucket of either kind, called the same way."""

    def __init__(self, kind: str, url: str, **options: Any) -> None:
        self.loop = asyncio.new_event_loop() if kind == "asyncio" else None
        client = cos.AsyncClient if kind == "asyncio" else cos.Client
        settings = {"endpoint": url, "download_endpoint": url, **options}
        self.client: Any = client(10001, "local", "local-secret", **settings)
        self.bucket: Any = self.client.bucket("b")

    def do(self, value: Any) -> Any:
        """Return a value, of a coroutine its result, of a listing a list."""
        if hasattr(value, "pages"):
            value = value.all()
        if self.loop is not None and inspect.isawaitable(value):
            return self.loop.run_until_complete(value)
        return value

    def close(self) -> None:
        """Close the client, twice."""
        for _ in range(2):
            self.do(self.client.close())
        if self.loop is not None:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()


@pytest.fixture(params=["sync", "asyncio"])
def side(request: pytest.FixtureRequest, cloud: LocalCloud) -> Iterator[Side]:
    made = Side(request.param, cloud.cos_url)
    yield made
    made.close()


def test_the_golden_signature() -> None:
    pair = Credentials("sid", "skey")
    path = sign.path_of("dir/a b.txt")
    made = sign.signature(
        pair, "10001", "bkt", path, now=1500000000, nonce=123456789, expires=1500000300
    )
    assert made == (
        "kiNy+lRr44q9ZDwgIjfq1coyjbhhPTEwMDAxJms9c2lkJmU9MTUwMDAwMDMwMCZ0PTE1MDAwMDAwMDAmcj0xMjM0"
        "NTY3ODkmZj0vMTAwMDEvYmt0L2Rpci9hJTIwYi50eHQmYj1ia3Q="
    )


KEYS = ["a", "dir/b.txt", "中文/ключ é.bin", "a b+c&d=e%41~", "deep/er/and/deeper"]


@pytest.mark.parametrize("key", KEYS)
def test_put_get_stat_delete(side: Side, key: str) -> None:
    data = os.urandom(1000)
    stored = side.do(side.bucket.put(key, data, biz_attr="é attr"))
    sha1 = hashlib.sha1(data).hexdigest()
    assert (stored.sha1, stored.size, stored.verified, stored.instant) == (sha1, 1000, True, False)
    assert side.do(side.bucket.get(key)) == data
    assert side.do(side.bucket.get(key, start=10, end=20)) == data[10:20]
    assert side.do(side.bucket.get(key, start=990)) == data[990:]
    entry = side.do(side.bucket.stat(key))
    assert (entry.key, entry.size, entry.sha1, entry.biz_attr) == (key, 1000, sha1, "é attr")
    assert entry.created is not None and not entry.is_folder
    with pytest.raises(Conflict) as caught:
        side.do(side.bucket.put(key, b"x", overwrite=False))
    assert caught.value.code == -177 and "overwrite=True" in str(caught.value)
    side.do(side.bucket.put(key, memoryview(b"new")))
    assert side.do(side.bucket.get(key)) == b"new"
    side.do(side.bucket.delete(key))
    for call in (side.bucket.stat, side.bucket.delete, side.bucket.get):
        with pytest.raises(ObjectNotFound) as missing:
            side.do(call(key))
        assert isinstance(missing.value, FileNotFoundError)


def test_a_presigned_url_downloads(side: Side) -> None:
    side.do(side.bucket.put("a b/中", b"bytes"))
    url = side.bucket.presign("a b/中", 60)
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert answer.read() == b"bytes"
    other = side.bucket.presign("other", 60)
    wrong = url.partition("?")[0] + "?" + other.partition("?")[2]
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(wrong, timeout=5)
    caught.value.close()
    assert caught.value.code == 401


def test_folders(side: Side) -> None:
    bucket = side.bucket
    side.do(bucket.create_folder("docs", biz_attr="all"))
    with pytest.raises(Conflict):
        side.do(bucket.create_folder("docs/"))
    entry = side.do(bucket.stat("docs/"))
    assert (entry.is_folder, entry.biz_attr, entry.size) == (True, "all", 0)
    side.do(bucket.update("docs/", biz_attr="some"))
    assert side.do(bucket.stat("docs/")).biz_attr == "some"
    side.do(bucket.put("docs/a", b"1"))
    with pytest.raises(Conflict, match="in the folder first"):
        side.do(bucket.delete("docs/"))
    side.do(bucket.delete("docs/a"))
    side.do(bucket.delete("docs/"))
    with pytest.raises(ObjectNotFound):
        side.do(bucket.stat("docs/"))


def test_listings(side: Side) -> None:
    bucket = side.bucket
    for key in ("f/a1", "f/a2", "f/b", "f/sub/x", "f/sub/y", "top"):
        side.do(bucket.put(key, key.encode()))
    assert [each.key for each in side.do(bucket.list())] == ["f/", "top"]
    inside = side.do(bucket.list("f", page_size=2))
    assert [each.key for each in inside] == ["f/a1", "f/a2", "f/b", "f/sub/"]
    assert [each.is_folder for each in inside] == [False, False, False, True]
    assert inside[0].size == 4 and inside[0].sha1
    assert [each.key for each in side.do(bucket.list("f/", "a"))] == ["f/a1", "f/a2"]


def test_move_copy_and_update(side: Side) -> None:
    bucket = side.bucket
    side.do(bucket.put("from", b"bytes"))
    side.do(bucket.copy("from", "d/copy"))
    side.do(bucket.move("from", "d/moved"))
    assert [each.key for each in side.do(bucket.list("d"))] == ["d/copy", "d/moved"]
    with pytest.raises(ObjectNotFound):
        side.do(bucket.stat("from"))
    with pytest.raises(Conflict):
        side.do(bucket.move("d/copy", "d/moved"))
    side.do(bucket.move("d/copy", "d/moved", overwrite=True))
    headers = {"Content-Type": "text/plain", "x-cos-meta-a": "1"}
    side.do(bucket.update("d/moved", authority="eWPrivateRPublic", headers=headers))
    entry = side.do(bucket.stat("d/moved"))
    assert (entry.authority, entry.headers) == ("eWPrivateRPublic", headers)


@pytest.mark.parametrize("size", [0, 1, 512 * 1024, MIB - 1, MIB, MIB + 1, 5 * MIB + 17])
def test_files_are_uploaded_by_slices(side: Side, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    seen: list[int] = []
    stored = side.do(
        side.bucket.upload_file(
            path, "k", slice_size=512 * 1024, progress=lambda p: seen.append(p.done)
        )
    )
    assert stored.verified and stored.sha1 == hashlib.sha1(data).hexdigest()
    assert side.do(side.bucket.get("k")) == data
    assert seen == sorted(seen) and seen[0] == 0
    if size:
        assert seen[-1] == size
        again = side.do(side.bucket.upload_file(path, "other"))
        assert again.instant and side.do(side.bucket.get("other")) == data


def test_an_upload_goes_on_where_it_ended(side: Side, cloud: LocalCloud, tmp_path: Path) -> None:
    data = os.urandom(4 * MIB)
    path = tmp_path / "file"
    path.write_bytes(data)

    def stop(progress: cos.Progress) -> None:
        if progress.done >= 2 * MIB:
            raise RuntimeError("enough")

    upload = side.bucket.upload_file
    with pytest.raises(RuntimeError, match="enough"):
        side.do(upload(path, "k", workers=1, progress=stop))
    (unfinished,) = cloud._vault.states["cos"].bucket("b-10001").uploads.values()
    before = dict(unfinished.parts)
    assert len(before) >= 1
    assert side.do(upload(path, "k")).verified
    assert side.do(side.bucket.get("k")) == data
    after = unfinished.parts
    assert all(after[offset] is part for offset, part in before.items()), "sent once"


def test_another_file_does_not_go_on_with_it(side: Side, cloud: LocalCloud, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 2 * MIB)

    def stop(progress: cos.Progress) -> None:
        if progress.done:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError):
        side.do(side.bucket.upload_file(path, "k", workers=1, progress=stop))
    path.write_bytes(b"y" * 2 * MIB)
    with pytest.raises(ServiceError) as caught:
        side.do(side.bucket.upload_file(path, "k"))
    assert caught.value.code == -29094
    side.do(side.bucket.delete("k"))
    assert side.do(side.bucket.upload_file(path, "k")).verified


def test_a_file_that_changes_is_not_stored(side: Side, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 2 * MIB)

    def change(progress: cos.Progress) -> None:
        if progress.done == 2 * MIB:
            path.write_bytes(b"y" * 2 * MIB)

    with pytest.raises(SourceChanged):
        side.do(side.bucket.upload_file(path, "k", workers=1, progress=change))
    with pytest.raises(ObjectNotFound):
        side.do(side.bucket.stat("k"))
    for wrong, kind in ((tmp_path / "none", FileNotFoundError), (tmp_path, IsADirectoryError)):
        with pytest.raises(kind):
            side.do(side.bucket.upload_file(wrong, "k"))


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 300_000])
def test_files_are_downloaded_by_ranges(side: Side, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    side.do(side.bucket.put("k", data))
    path = tmp_path / "out"
    path.write_text("before")
    seen: list[int] = []
    got = side.do(
        side.bucket.download_file(
            "k", path, part_size=64 * 1024, progress=lambda p: seen.append(p.done)
        )
    )
    assert path.read_bytes() == data and os.listdir(tmp_path) == ["out"]
    assert (got.size, got.verified) == (size, True)
    assert got.sha1 == hashlib.sha1(data).hexdigest()
    assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == size


def test_a_download_that_fails_changes_nothing(
    side: Side, cloud: LocalCloud, tmp_path: Path
) -> None:
    path = tmp_path / "out"
    path.write_text("before")
    side.do(side.bucket.put("k", bytes(200_000)))
    cloud.faults.add("corrupt", "cos", "/k ", count=2)

    def stop(progress: cos.Progress) -> None:
        raise RuntimeError("enough")

    download = side.bucket.download_file
    with pytest.raises((IntegrityError, ProtocolError)):
        side.do(download("k", path))
    with pytest.raises(RuntimeError, match="enough"):
        side.do(download("k", path, progress=stop))
    with pytest.raises(ObjectNotFound):
        side.do(download("none", path))
    with pytest.raises(FileNotFoundError):
        side.do(download("k", tmp_path / "no" / "folder"))
    with pytest.raises(ConfigError, match="directory"):
        side.do(download("k", tmp_path))
    with pytest.raises(ConfigError, match="part_size"):
        side.do(download("k", path, part_size=1))
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["out"]


def test_wrong_keys_are_denied(cloud: LocalCloud) -> None:
    with cos.Client(
        1, "local", "s3cret-x", endpoint=cloud.cos_url, download_endpoint=cloud.cos_url
    ) as client:
        for call in (client.bucket("b").stat, client.bucket("b").get):
            with pytest.raises(AccessDenied) as caught:
                call("k")
            assert isinstance(caught.value, PermissionError) and "s3cret" not in repr(caught.value)


def test_arguments_are_checked(side: Side, tmp_path: Path) -> None:
    bucket = side.bucket
    wrong: list[tuple[Callable[[], Any], str]] = [
        (lambda: side.client.bucket("A_B"), "bucket must be"),
        (lambda: bucket.put("", b""), "key must be"),
        (lambda: bucket.put("/a", b""), "key must not hold"),
        (lambda: bucket.put("a//b", b""), "key must not hold"),
        (lambda: bucket.put("a?b", b""), "key must not hold"),
        (lambda: bucket.put("a/", b""), "end in /"),
        (lambda: bucket.put("a", "text"), "data must begin with http"),
        (lambda: bucket.put("a", 5), "data must be bytes-like"),
        (lambda: bucket.put("a", [b"a", "b"]), "data gave str"),
        (lambda: bucket.put("a", b"", biz_attr=1), "biz_attr must be"),
        (lambda: bucket.upload_file("x", "a", slice_size=1000), "slice_size must be"),
        (lambda: bucket.upload_file("x", "a", workers=0), "workers must be"),
        (lambda: bucket.upload_file("x", "a", progress=1), "progress must be"),
        (lambda: bucket.upload_file(os.devnull, "a"), "regular file"),
        (lambda: bucket.get("a", start=5, end=5), "end must be"),
        (lambda: bucket.presign("a", 0), "expires must be"),
        (lambda: bucket.update("a"), "must be given"),
        (lambda: bucket.update("a", authority="public"), "authority must be"),
        (lambda: bucket.update("a", headers={"X-Other": "1"}), "does not keep"),
        (lambda: bucket.move("a", "a"), "another key"),
        (lambda: bucket.create_folder(""), "root is always there"),
        (lambda: bucket.list("f", "a/b"), "prefix must be"),
        (lambda: bucket.list(page_size=200), "page_size must be"),
    ]
    for call, words in wrong:
        with pytest.raises(ConfigError, match=words):
            side.do(call())
    for options in ({}, {"region": "a b"}, {"endpoint": "http://h"}, {"region": "sh", "tls": 1}):
        with pytest.raises(ConfigError):
            cos.Client(1, "a", "b", **options)
    with pytest.raises(ConfigError, match="appid"):
        cos.Client("x", "a", "b", region="sh")
    with cos.Client(1, "a", "b", region="shanghai") as client:
        assert "https://sh.file.myqcloud.com" in repr(client)
        assert client.bucket("p").presign("k").startswith("https://p-1.cossh.myqcloud.com/k?sign=")


def answering(*answers: tuple[int, Any]) -> tuple[ScriptedServer, list[bytes]]:
    """Return a server that gives these answers in turn; None cuts the connection."""
    left = list(answers)
    seen: list[bytes] = []

    def handler(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            seen.append(request[0].partition(b"\r\n")[0])
            status, body = left.pop(0)
            if body is None:
                return
            peer.answer(status, body if isinstance(body, bytes) else json.dumps(body).encode())

    return ScriptedServer(handler), seen


def bucket_of(server: ScriptedServer) -> cos.Bucket:
    client = cos.Client(
        1, "a", "b", endpoint=server.url, download_endpoint=server.url, retry=Retry(3, base=0)
    )
    return client.open_bucket("b")


OK = {"code": 0, "message": "", "data": {}}
GONE = {"code": -197, "message": "none"}
SHA = hashlib.sha1(b"x").hexdigest()
STORED = {"code": 0, "data": {"sha": SHA, "filesize": 1}}


def test_a_deletion_whose_answer_was_lost_is_done() -> None:
    server, seen = answering((200, None), (404, GONE))
    with server, bucket_of(server) as bucket:
        bucket.delete("k")
    assert len(seen) == 2


def test_a_put_whose_answer_was_lost_is_done() -> None:
    exists = {"code": -177, "message": "there"}
    server, _ = answering((200, None), (400, exists), (200, STORED))
    with server, bucket_of(server) as bucket:
        assert bucket.put("k", b"x", overwrite=False).verified
    server, _ = answering((200, OK), (200, {"code": 0, "data": {"sha": "0" * 40, "filesize": 1}}))
    with server, bucket_of(server) as bucket, pytest.raises(IntegrityError):
        bucket.put("k", b"x")
    server, _ = answering((200, OK), (200, {"code": 0, "data": {"filesize": 1}}))
    with server, bucket_of(server) as bucket:
        assert not bucket.put("k", b"x").verified
    server, _ = answering((200, OK), (200, OK))
    with server, bucket_of(server) as bucket, pytest.raises(ProtocolError, match="no filesize"):
        bucket.put("k", b"x")


@pytest.mark.parametrize(
    ("answers", "done"),
    [
        ([(200, STORED), (200, None), (200, STORED), (404, GONE)], True),
        ([(200, STORED), (200, None), (404, GONE)], False),
        ([(200, STORED), (200, None), (200, STORED), (200, STORED)], False),
        ([(200, STORED), (502, b"x"), (200, OK)], False),
    ],
)
def test_a_move_whose_answer_was_lost(answers: list[tuple[int, Any]], done: bool) -> None:
    server, seen = answering(*answers)
    with server, bucket_of(server) as bucket:
        if done:
            bucket.move("k", "l")
        else:
            with pytest.raises((TransportError, Busy)) as caught:
                bucket.move("k", "l")
            assert caught.value.outcome == "unknown"
    assert len([line for line in seen if line.startswith(b"POST")]) == 1, "it is not sent again"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"code": -71, "message": "slow"}, Throttled),
        (401, {"code": -97, "message": "no"}, AccessDenied),
        (400, {"code": -178, "message": "no"}, Conflict),
        (400, {"code": -999, "message": "no"}, ServiceError),
        (200, {"code": -197, "message": "no"}, ObjectNotFound),
        (404, b"<Error>NoSuchBucket</Error>", ObjectNotFound),
        (503, b"<html>", Busy),
        (200, b"<html>", ProtocolError),
        (200, [1], ProtocolError),
        (200, {"code": 0, "data": {"filesize": "x"}}, ProtocolError),
    ],
)
def test_answers_become_typed_errors(status: int, body: Any, kind: type[Exception]) -> None:
    answers = [(status, body)] * 3
    server, _ = answering(*answers)
    with server, bucket_of(server) as bucket, pytest.raises(kind) as caught:
        bucket.stat("k")
    assert type(caught.value) is kind


def test_a_server_may_ask_for_another_slice_size_and_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 2500)
    begun = {"session": "s", "slice_size": 1000, "serial_upload": 1}
    sha1 = hashlib.sha1(b"x" * 2500).hexdigest()
    server, seen = answering(
        (200, {"code": 0, "data": begun}),
        *[(200, OK)] * 3,
        (200, {"code": 0, "data": {"access_url": "http://u"}}),
        (200, {"code": 0, "data": {"sha": sha1, "filesize": 1}}),
    )
    with server, bucket_of(server) as bucket:
        assert bucket.upload_file(path, "k").access_url == "http://u"
    assert len(seen) == 6


def test_a_listing_that_does_not_advance_is_an_error() -> None:
    page = {"code": 0, "data": {"infos": [], "listover": False, "context": "c"}}
    server, _ = answering((200, page), (200, page))
    with server, bucket_of(server) as bucket, pytest.raises(ProtocolError, match="advance"):
        bucket.list("f").all()


@pytest.mark.parametrize(
    "data",
    [{}, {"session": ""}, {"session": "s", "slice_size": 0}, {"session": "s", "listparts": 1}],
)
def test_a_beginning_that_cannot_be_read(data: Any) -> None:
    body = json.dumps({"code": 0, "data": data}).encode()
    if data.get("slice_size") == 0:
        assert wire.parse_session(Response(200, "", [], body), MIB).slice_size == MIB
        return
    with pytest.raises(ProtocolError):
        wire.parse_session(Response(200, "", [], body), MIB)


def test_the_clock_and_the_nonce_come_from_the_settings() -> None:
    from wirespeed.http.models import Origin

    settings = flow.Settings(
        credentials=Credentials("a", "b"), appid="1", origin=Origin("http", "h", 80),
        nonce=lambda: 7, boundary=lambda: "B", timeout=1.0, retry=Retry(),
        clock=Clock(wall=lambda: 1000.5),
    )  # fmt: skip
    place = flow.Place(settings, "b", "k")
    assert place.signature() == sign.signature(
        Credentials("a", "b"), "1", "b", "/k", now=1000, nonce=7, expires=1300
    )
    assert place.signature(once=True) != place.signature()
