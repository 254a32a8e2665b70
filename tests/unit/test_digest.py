"""The public digest room: files, streams, progress, and what goes wrong."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from wirespeed import digest, errors

MIB = 1 << 20
NOISE = random.Random(7).randbytes(MIB + 1)


def expected_etag(data: bytes) -> str:
    blocks = [hashlib.sha1(data[at : at + 4 * MIB]).digest() for at in range(0, len(data), 4 * MIB)]
    if len(blocks) > 1:
        tagged = b"\x96" + hashlib.sha1(b"".join(blocks)).digest()
    else:
        tagged = b"\x16" + hashlib.sha1(data).digest()
    return base64.urlsafe_b64encode(tagged).decode()


def content(size: int) -> bytes:
    return (NOISE * (size // len(NOISE) + 1))[:size]


SIZES = [0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 8 * MIB, 20 * MIB + 3, 34 * MIB]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("threads", [None, 1, 5, 32])
def test_etag_file(tmp_path: Path, size: int, threads: int | None) -> None:
    data = content(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    assert digest.etag_file(path, threads=threads) == expected_etag(data) == digest.etag(data)
    assert digest.etag_file(os.fspath(path)) == expected_etag(data)


@pytest.mark.parametrize("size", SIZES)
def test_etag_stream(size: int) -> None:
    data = content(size)

    class OnlyRead:
        def __init__(self) -> None:
            self.inner = io.BytesIO(data)

        def read(self, count: int) -> bytes:
            return self.inner.read(min(count, 700_001))

    seen: list[int] = []
    assert digest.etag_stream(io.BytesIO(data)) == expected_etag(data)
    etag = digest.etag_stream(
        OnlyRead(),  # type: ignore[arg-type]
        progress=lambda done, total: seen.append(done) if total is None else seen.clear(),
    )
    assert etag == expected_etag(data)
    assert seen == sorted(seen) and (seen[-1:] == [size] or not size)


def test_etag_stream_refuses_text_and_empty_non_blocking_sources() -> None:
    with pytest.raises(TypeError, match="source gives str: open it in binary mode"):
        digest.etag_stream(io.StringIO("text"))  # type: ignore[arg-type]
    reader, writer = os.pipe()
    try:
        os.set_blocking(reader, False)
        with (
            open(reader, "rb", buffering=0, closefd=False) as source,
            pytest.raises(BlockingIOError, match="non-blocking"),
        ):
            digest.etag_stream(source)
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no pipes in folders")
def test_etag_file_of_a_pipe_and_of_a_file_that_hides_its_size(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"UMUTech@qq.com",))
    writer.start()
    assert digest.etag_file(path) == "FpAEzHGOWdh-QAYhattxl1vqHLMw"
    writer.join(10)
    if Path("/proc/version").exists():
        version = Path("/proc/version").read_bytes()
        assert digest.etag_file("/proc/version") == expected_etag(version)


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are counted in KiB on Linux")
def test_etag_file_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(700 * MIB + 1)
    code = """
import resource, sys
from wirespeed import digest
digest.etag_file(sys.executable)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(digest.etag_file(sys.argv[1], threads=32))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    etag, grown = run.stdout.split()
    zeros = hashlib.sha1(bytes(4 * MIB)).digest() * 175 + hashlib.sha1(bytes(1)).digest()
    tagged = b"\x96" + hashlib.sha1(zeros).digest()
    assert etag == base64.urlsafe_b64encode(tagged).decode()
    assert int(grown) < 64 << 10


def test_progress_only_grows_and_comes_from_one_thread_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content(41 * MIB))
    seen: list[int] = []
    inside = threading.Lock()

    def progress(done: int, total: int | None) -> None:
        assert inside.acquire(blocking=False), "two threads at once"
        assert total == 41 * MIB
        seen.append(done)
        inside.release()

    digest.etag_file(path, threads=4, progress=progress)
    assert seen == sorted(set(seen)) and seen[-1] == 41 * MIB


@pytest.mark.parametrize("kind", [errors.Cancelled, KeyboardInterrupt, ZeroDivisionError])
def test_an_exception_from_progress_stops_the_work(
    tmp_path: Path, kind: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content(64 * MIB))
    calls: list[int] = []

    def progress(done: int, total: int | None) -> None:
        calls.append(done)
        if done > 2 * MIB:
            raise kind

    with pytest.raises(kind):
        digest.etag_file(path, threads=3, progress=progress)
    # How many bytes a busy machine has hashed by then is chance; that it was the end is not.
    assert [done > 2 * MIB for done in calls].count(True) == 1
    assert calls[-1] < 64 * MIB
    assert not [t for t in threading.enumerate() if t.name == "wirespeed-etag"]


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_file_that_changes_is_noticed(tmp_path: Path, change: str, threads: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(content(40 * MIB))
    os.utime(path, (1, 1))
    changed: list[bool] = []

    def progress(done: int, total: int | None) -> None:
        if changed:
            return
        changed.append(True)
        with path.open("r+b") as file:
            if change == "grow":
                file.seek(0, os.SEEK_END)
            elif change == "shrink":
                file.truncate(MIB)
            file.write(b"x")

    with pytest.raises(errors.SourceChanged, match=r"file changed while it was read$") as caught:
        digest.etag_file(path, threads=threads, progress=progress)
    assert caught.value.retryable


def test_what_cannot_be_read_is_an_ordinary_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        digest.etag_file(tmp_path / "nothing")
    assert caught.value.filename == str(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError) as caught_folder:
        digest.etag_file(tmp_path)
    assert caught_folder.value.filename == str(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this platform has no permission bits")
def test_an_unreadable_file_is_a_permission_error(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    path.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.owner() == path.owner() and "pytest" in str(folder):
            folder.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError):
            digest.etag_file(path)
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("threads", [0, -1, 33])
def test_threads_out_of_their_limits_are_named(tmp_path: Path, threads: int) -> None:
    with pytest.raises(errors.ConfigError, match=f"^threads is {threads}: it must be 1 to 32$"):
        digest.etag_file(tmp_path / "nothing", threads=threads)


def test_a_bad_block_size_is_a_config_error() -> None:
    assert digest.sha1_blocks(b"abcd", 2) == (
        hashlib.sha1(b"ab").digest() + hashlib.sha1(b"cd").digest()
    )
    with pytest.raises(errors.ConfigError, match=r"^block_size is 0: it must be at least 1$"):
        digest.sha1_blocks(b"", 0)


def test_the_small_ones_are_shown() -> None:
    assert digest.hmac_sha1(b"Jefe", b"what do ya want for nothing?").hex().startswith("effcdf6a")
    assert digest.hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex().startswith("5bdcc1")
    assert digest.crc32(b"123456789") == 0xCBF43926
    assert digest.crc64(b"123456789") == 0x995DC9BBDF1939FA
    assert digest.sha1_many([b"abc"]) == [digest.Sha1(b"abc").digest()]
    assert digest.hmac_sha1_many(b"k", [b"abc"]) == [digest.hmac_sha1(b"k", b"abc")]
    assert digest.Sha256(b"abc").hexdigest() == hashlib.sha256(b"abc").hexdigest()
    assert digest.sha1_states(b"abc", 64) == [hashlib.sha1(b"abc").digest()]
    with pytest.raises(errors.ConfigError, match=r"^part_size is 65: it must be a positive multi"):
        digest.sha1_states(b"", 65)


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="this is how it runs without preadv anyway")
def test_without_preadv_the_result_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    path = tmp_path / "file"
    data = content(21 * MIB)
    path.write_bytes(data)
    monkeypatch.delattr(os, "preadv")
    monkeypatch.delitem(sys.modules, "wirespeed.digest")
    bare = importlib.import_module("wirespeed.digest")
    assert bare is not digest
    assert bare.etag_file(path, threads=3) == expected_etag(data)
