"""Objects read like files, on both stores, from threads and from asyncio."""

from __future__ import annotations

import asyncio
import io
import json
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from wirespeed import connect, connect_async
from wirespeed.errors import ConfigError, IntegrityError, ObjectNotFound
from wirespeed.local import LocalCloud

STORES = ["wcs://b", "cos4://b-10001"]
DATA = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["cos", "wcs"]) as made, pytest.MonkeyPatch.context() as patch:
        for name, value in made.env().items():
            patch.setenv(name, value)
        yield made


@pytest.mark.parametrize("url", STORES)
def test_an_object_is_a_file(cloud: LocalCloud, url: str) -> None:
    with connect(url) as bucket:
        bucket.put("key", DATA)
        with bucket.open("key", buffer_size=1000) as file:
            assert (file.readable(), file.seekable(), file.raw.name) == (True, True, "key")
            assert file.read(10) == DATA[:10]
            assert (file.seek(-20, os.SEEK_END), file.tell()) == (2_999_980, 2_999_980)
            assert file.read() == DATA[-20:]
            assert file.read(1) == b""
            file.seek(5)
            assert file.read(2_500_000) == DATA[5:2_500_005]
            file.seek(0)
            assert file.read() == DATA
            with pytest.raises(ValueError, match="cannot seek to -1"):
                file.raw.seek(-1)
        with pytest.raises(ValueError, match="closed"):
            file.read(1)
        with pytest.raises(ObjectNotFound):
            bucket.open("none")
        with pytest.raises(ConfigError, match="buffer_size"):
            bucket.open("key", buffer_size=0)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("inner.json", json.dumps({"a": 1}))
        bucket.put("archive", archive.getvalue())
        with bucket.open("archive") as file, zipfile.ZipFile(file) as packed:
            assert json.loads(packed.read("inner.json")) == {"a": 1}


@pytest.mark.parametrize("url", STORES)
def test_an_object_is_a_file_of_asyncio(cloud: LocalCloud, url: str) -> None:
    async def main() -> None:
        bucket: Any = connect_async(url)
        async with bucket:
            await bucket.put("key", DATA)
            async with await bucket.open("key", buffer_size=1000) as file:
                assert await file.read(10) == DATA[:10]
                assert (file.seek(-20, os.SEEK_END), file.tell()) == (2_999_980, 2_999_980)
                assert await file.read() == DATA[-20:]
                assert await file.read(1) == b""
                file.seek(5)
                assert await file.read(2_500_000) == DATA[5:2_500_005]
                file.seek(2_990_000)
                pieces = [piece async for piece in file]
                assert (b"".join(pieces), len(pieces)) == (DATA[2_990_000:], 10)
                with pytest.raises(ValueError, match="cannot seek to -1"):
                    file.seek(-1)
            with pytest.raises(ValueError, match="closed"):
                await file.read(1)

    asyncio.run(main())


@pytest.mark.parametrize("url", STORES)
def test_an_object_that_became_shorter_is_told(cloud: LocalCloud, url: str) -> None:
    async def main() -> None:
        bucket: Any = connect_async(url)
        async with bucket:
            await bucket.put("key", b"long enough")
            file = await bucket.open("key", buffer_size=4)
            assert await file.read(4) == b"long"
            await bucket.put("key", b"short")
            with pytest.raises(IntegrityError, match="open it again"):
                await file.read(4)

    asyncio.run(main())
    with connect(url) as bucket:
        bucket.put("key", b"long enough")
        with bucket.open("key", buffer_size=4) as file:
            assert file.read(4) == b"long"
            bucket.put("key", b"short")
            with pytest.raises(IntegrityError, match="open it again"):
                file.read(4)
