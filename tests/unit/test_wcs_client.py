"""The WCS clients, sync and asyncio, on the local face."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import closed_port
from tests.wcs_server import WcsServer
from tests.wcs_sides import FAST, Side
from wirespeed import digest, wcs
from wirespeed.errors import (
    AccessDenied,
    ClosedError,
    ConfigError,
    Conflict,
    ConnectError,
    ObjectNotFound,
)

BLOCK = 4 << 20


@pytest.fixture(scope="module")
def server() -> Iterator[WcsServer]:
    made = WcsServer()
    yield made
    made.close()


@pytest.fixture(params=["sync", "asyncio"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def side(kind: str, server: WcsServer) -> Iterator[Side]:
    server.state.clear()
    made = Side(kind, server.url)
    yield made
    made.close()


@pytest.mark.parametrize("size", [0, 1, 70_000, 5_000_000])
def test_put_stat_delete(side: Side, server: WcsServer, size: int) -> None:
    data = os.urandom(size)
    result = side.call(lambda bucket: bucket.put("dir/ключ 中", data, mime_type="text/x"))
    assert result == wcs.UploadResult("dir/ключ 中", digest.etag(data), size)
    assert server.content("b", "dir/ключ 中") == data
    stat = side.call(lambda bucket: bucket.stat("dir/ключ 中"))
    assert (stat.key, stat.size, stat.hash) == (result.key, size, result.hash)
    assert stat.mime_type == "text/x"
    assert stat.put_time is not None
    side.call(lambda bucket: bucket.delete("dir/ключ 中"))
    with pytest.raises(ObjectNotFound) as caught:
        side.call(lambda bucket: bucket.stat("dir/ключ 中"))
    assert isinstance(caught.value, FileNotFoundError)
    assert (caught.value.code, caught.value.outcome) == (404, "rejected")


@pytest.mark.parametrize("data", [bytearray(b"abc"), memoryview(b"xabcx")[1:4]])
def test_put_takes_buffers(side: Side, server: WcsServer, data: Any) -> None:
    side.call(lambda bucket: bucket.put("k", data))
    assert server.content("b", "k") == b"abc"


@pytest.mark.parametrize("piece_size", [None, 512 * 1024, 3_000_000])
@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1, 5 * BLOCK + 12345])
def test_upload_file(
    side: Side, server: WcsServer, tmp_path: Path, size: int, piece_size: int | None
) -> None:
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    seen: list[wcs.Progress] = []
    result = side.call(
        lambda bucket: bucket.upload_file(
            path, "k", workers=3, piece_size=piece_size, progress=seen.append, mime_type="a/b"
        )
    )
    assert result == wcs.UploadResult("k", digest.etag(data), size)
    assert server.content("b", "k") == data
    assert server.state.buckets["b"]["k"].mime_type == "a/b"
    assert server.state.blocks == {}
    done = [progress.done for progress in seen]
    assert done[0] == 0
    assert done[-1] == size
    assert done == sorted(done)
    assert {(progress.total, progress.key) for progress in seen} == {(size, "k")}


def test_upload_by_large_blocks(side: Side, server: WcsServer, tmp_path: Path) -> None:
    data = os.urandom(2 * BLOCK + 7) * 2
    path = tmp_path / "file"
    path.write_bytes(data)
    result = side.call(lambda bucket: bucket.upload_file(str(path), "k", block_size=2 * BLOCK))
    assert result.hash == digest.etag(data)
    assert server.content("b", "k") == data


def test_overwrite(side: Side, server: WcsServer, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"second")
    side.call(lambda bucket: bucket.put("k", b"first"))
    with pytest.raises(Conflict, match="overwrite=True"):
        side.call(lambda bucket: bucket.put("k", b"second", overwrite=False))
    with pytest.raises(Conflict):
        side.call(lambda bucket: bucket.upload_file(path, "k", overwrite=False))
    assert server.content("b", "k") == b"first"
    side.call(lambda bucket: bucket.upload_file(path, "k"))
    assert server.content("b", "k") == b"second"


def test_lists_are_lazy_and_paged(side: Side, server: WcsServer) -> None:
    keys = sorted([f"a/{n:02}" for n in range(7)] + ["b", "a/x/y"])
    for key in keys:
        side.call(lambda bucket, key=key: bucket.put(key, key.encode()))
    listing = side.call(lambda bucket: bucket.list(page_size=2).all())
    assert [item.key for item in listing] == keys
    assert listing[0].hash == digest.etag(b"a/00")
    assert [item.key for item in side.call(lambda bucket: bucket.list("a/", 3).all())] == keys[:3]
    lazy = side.finish(side.client.bucket("b").list(page_size=4).pages())
    assert [len(page.items) for page in lazy] == [4, 4, 1]
    (page,) = side.finish(side.client.bucket("b").list("a/", delimiter="/").pages())
    assert page.prefixes == ("a/x/",)
    assert [item.key for item in page.items] == keys[:7]
    assert side.call(lambda bucket: bucket.list("zzz").all()) == []
    assert side.call(lambda bucket: bucket.list("a/", 0).all()) == []
    with pytest.raises(ObjectNotFound):
        side.call(lambda bucket: bucket.list().all(), "none")


def test_lists_iterate(side: Side) -> None:
    side.call(lambda bucket: bucket.put("k", b""))
    assert [item.key for item in side.finish(side.client.bucket("b").list())] == ["k"]


def test_bad_arguments_name_themselves_and_send_nothing(kind: str, tmp_path: Path) -> None:
    side = Side(kind, f"http://127.0.0.1:{closed_port()}")
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    bad: list[tuple[str, Any]] = [
        ("bucket", lambda _: side.client.bucket("a:b")),
        ("key", lambda bucket: bucket.put("", b"")),
        ("key", lambda bucket: bucket.put("\ud800", b"")),
        ("data", lambda bucket: bucket.put("k", "text")),
        ("data", lambda bucket: bucket.put("k", memoryview(b"abcd")[::2])),
        ("mime_type", lambda bucket: bucket.put("k", b"", mime_type="a\r\nb")),
        ("timeout", lambda bucket: bucket.put("k", b"", timeout=0)),
        ("timeout", lambda bucket: bucket.stat("k", timeout="soon")),
        ("key", lambda bucket: bucket.stat(None)),
        ("key", lambda bucket: bucket.delete(b"k")),
        ("workers", lambda bucket: bucket.upload_file(path, "k", workers=0)),
        ("workers", lambda bucket: bucket.upload_file(path, "k", workers=True)),
        ("block_size", lambda bucket: bucket.upload_file(path, "k", block_size=BLOCK + 1)),
        ("block_size", lambda bucket: bucket.upload_file(path, "k", block_size=0)),
        ("piece_size", lambda bucket: bucket.upload_file(path, "k", piece_size=BLOCK + 1)),
        ("progress", lambda bucket: bucket.upload_file(path, "k", progress=3)),
        ("limit", lambda bucket: bucket.list(limit=-1)),
        ("page_size", lambda bucket: bucket.list(page_size=1001)),
        ("delimiter", lambda bucket: bucket.list(delimiter="x")),
        ("prefix", lambda bucket: bucket.list(3)),
    ]
    for name, function in bad:
        with pytest.raises(ConfigError, match=name):
            side.call(function)
    with pytest.raises(FileNotFoundError, match="absent"):
        side.call(lambda bucket: bucket.upload_file(tmp_path / "absent", "k"))
    with pytest.raises(OSError, match=tmp_path.name):
        side.call(lambda bucket: bucket.upload_file(tmp_path, "k"))
    side.close()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("access_key", {"access_key": ""}),
        ("secret_key", {"secret_key": ""}),
        ("upload_url", {"upload_url": "host"}),
        ("manage_url", {"manage_url": "ftp://host"}),
        ("timeout", {"timeout": -1}),
        ("retry", {"retry": 3}),
        ("tls", {"tls": True}),
    ],
)
def test_bad_clients(kind: str, name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=name):
        Side(kind, "http://127.0.0.1:9", **changes)


def test_a_wrong_key_is_denied_with_a_hint_and_no_secret(
    kind: str, server: WcsServer, tmp_path: Path
) -> None:
    side = Side(kind, server.url, secret_key="sesame")
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * BLOCK))
    for function in (
        lambda bucket: bucket.put("k", b"abc"),
        lambda bucket: bucket.upload_file(path, "k"),
        lambda bucket: bucket.stat("k"),
        lambda bucket: bucket.list().all(),
        lambda bucket: bucket.delete("k"),
    ):
        with pytest.raises(AccessDenied, match="secret_key") as caught:
            side.call(function)
        error = caught.value
        assert isinstance(error, PermissionError)
        assert (error.status, error.outcome, error.attempts) == (401, "rejected", 1)
        assert error.endpoint == server.url
        assert "sesame" not in f"{error} {error!r} {error.describe()} {side.client!r}"
    side.close()


def test_a_closed_port_is_a_connect_error(kind: str, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    side = Side(kind, url)
    path = tmp_path / "file"
    path.write_bytes(bytes(BLOCK + 1))
    for function in (
        lambda bucket: bucket.put("k", b"abc"),
        lambda bucket: bucket.upload_file(path, "k"),
        lambda bucket: bucket.stat("k"),
    ):
        with pytest.raises(ConnectError) as caught:
            side.call(function)
        assert (caught.value.outcome, caught.value.attempts) == ("not_sent", 3)
        assert (caught.value.service, caught.value.endpoint) == ("wcs", url)
    side.close()


def test_a_closed_client_refuses(kind: str, server: WcsServer) -> None:
    side = Side(kind, server.url)
    side.call(lambda bucket: bucket.put("k", b""))
    side.finish(side.client.close())
    with pytest.raises(ClosedError):
        side.call(lambda bucket: bucket.stat("k"))
    side.close()


def test_an_exception_of_the_progress_callback_cancels(side: Side, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def stop(progress: wcs.Progress) -> None:
        if progress.done:
            raise Enough

    path = tmp_path / "file"
    path.write_bytes(bytes(40 << 20))
    with pytest.raises(Enough):
        side.call(lambda bucket: bucket.upload_file(path, "k", progress=stop))
    with pytest.raises(ObjectNotFound):
        side.call(lambda bucket: bucket.stat("k"))


def test_context_managers(server: WcsServer) -> None:
    options = {"upload_url": server.url, "manage_url": server.url}
    with wcs.Client("local", "local-secret", **options) as client:
        client.bucket("b").put("k", b"sync")
    assert client._transport.idle_connections == 0

    async def main() -> int:
        async with wcs.AsyncClient("local", "local-secret", **options) as client:
            await client.bucket("b").put("k", b"asyncio")
        return client._transport.idle_connections

    assert asyncio.run(main()) == 0


def test_an_unclosed_client_warns(server: WcsServer) -> None:
    side = Side("sync", server.url)
    side.call(lambda bucket: bucket.put("k", b""))
    with pytest.warns(ResourceWarning, match="unclosed Client"):
        side.client = None
        gc.collect()


def test_a_cancelled_asyncio_upload_ends_clean(server: WcsServer, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(40 << 20))
    options = {"upload_url": server.url, "manage_url": server.url, "retry": FAST}

    async def main() -> None:
        async with wcs.AsyncClient("local", "local-secret", **options) as client:
            bucket = client.bucket("cancelled")
            for turn in range(8):
                task = asyncio.ensure_future(bucket.upload_file(path, "k"))
                await asyncio.sleep(turn * 0.004)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await bucket.put("other", b"fine")
            assert [item.key async for item in bucket.list()] == ["other"]

    asyncio.run(main())
    gc.collect()


def test_debug_logs_hide_tokens(server: WcsServer) -> None:
    script = (
        "import sys; from wirespeed import wcs\n"
        "with wcs.Client('local', 'local-secret', upload_url=sys.argv[1],"
        " manage_url=sys.argv[1]) as client:\n"
        "    client.bucket('b').put('k', b'')\n"
        "    client.bucket('b').list('prefix').all()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, server.url],
        env={**os.environ, "WIRESPEED_DEBUG": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "/file/upload" in done.stderr
    assert "secret" not in done.stderr
    assert "local:" not in done.stderr


def test_the_sync_client_imports_neither_asyncio_nor_ssl_nor_requests() -> None:
    script = (
        "import sys; from wirespeed import wcs\n"
        "wcs.Client('a', 'b', upload_url='http://h', manage_url='http://h').close()\n"
        "print(sorted({'asyncio', 'ssl', 'requests', 'h11'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"
