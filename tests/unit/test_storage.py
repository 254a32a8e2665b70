"""Files read by blocks, and progress."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from wirespeed import digest
from wirespeed.engine import threads
from wirespeed.engine.effects import Flow, Sleep
from wirespeed.errors import ConfigError, SourceChanged
from wirespeed.storage import BufferSource, FileSource, Progress, ProgressReporter
from wirespeed.storage.transfer import Part, carry, plan

BLOCK = 4 << 20


def make(tmp_path: Path, size: int) -> tuple[Path, bytes]:
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    return path, data


@pytest.mark.parametrize("piece_size", [None, 1 << 20, 1_000_003])
@pytest.mark.parametrize("block_size", [BLOCK, 2 * BLOCK])
def test_blocks_have_the_bytes_and_digests_of_the_file(
    tmp_path: Path, piece_size: int | None, block_size: int
) -> None:
    path, data = make(tmp_path, 9 * 1024 * 1024 + 5)
    source = FileSource(path, block_size, piece_size)
    digests = b""
    for index in range(-(-len(data) // block_size)):
        block = source.load(index)
        want = data[index * block_size :][:block_size]
        assert block.size == len(want)
        assert b"".join(bytes(piece.data) for piece in block.pieces) == want
        for piece in block.pieces:
            end = piece.offset + len(piece.data)
            assert piece.checksum == hashlib.sha1(want[:end]).digest()
        digests += block.digests
        source.release(block)
    want_digests = [
        hashlib.sha1(data[at : at + BLOCK]).digest() for at in range(0, len(data), BLOCK)
    ]
    assert digests == b"".join(want_digests)
    assert digest.etag(data) == digest.etag_file(path)
    source.verify()
    source.close()
    source.close()


def test_an_empty_file_has_one_empty_piece_to_load(tmp_path: Path) -> None:
    path, _ = make(tmp_path, 0)
    source = FileSource(path, BLOCK, None)
    block = source.load(0)
    assert (block.size, block.digests) == (0, b"")
    assert [piece.checksum for piece in block.pieces] == [hashlib.sha1(b"").digest()]
    source.close()


@pytest.mark.parametrize(("workers", "together"), [(1, 1), (2, 2), (4, 4), (8, 2), (64, 1)])
def test_blocks_read_together_stay_within_64_mib(
    tmp_path: Path, workers: int, together: int
) -> None:
    path, data = make(tmp_path, 9 * BLOCK + 5)
    source = FileSource(path, BLOCK, None, workers)
    loaded = [source.load(index) for index in range(10)]
    for block in loaded:
        part = data[block.index * BLOCK : (block.index + 1) * BLOCK]
        assert block.pieces[0].data == part
        assert block.digests == block.pieces[0].checksum == hashlib.sha1(part).digest()
    buffers = {id(block.buffer): len(block.buffer) for block in loaded}
    assert len(buffers) == -(-10 // together)
    assert min(workers, 16) * max(buffers.values()) <= 64 * 1024 * 1024
    for block in loaded:
        source.release(block)
    assert id(source.load(0).buffer) in buffers
    source.close()


def test_buffers_in_memory_are_not_copied() -> None:
    data = os.urandom(BLOCK + 7)
    source = BufferSource(memoryview(data), BLOCK)
    blocks = [source.load(0), source.load(1)]
    assert [block.pieces[0].data.obj is data for block in blocks] == [True, True]
    assert [block.size for block in blocks] == [BLOCK, 7]
    assert blocks[1].digests == hashlib.sha1(data[BLOCK:]).digest()


def test_buffers_are_used_again(tmp_path: Path) -> None:
    path, _ = make(tmp_path, 3 * BLOCK)
    source = FileSource(path, BLOCK, None)
    first = source.load(0)
    second = source.load(1)
    assert first.buffer is not second.buffer
    source.release(first)
    assert source.load(2).buffer is first.buffer
    source.close()


def test_blocks_are_read_without_preadv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "preadv", raising=False)
    path, data = make(tmp_path, 4 * BLOCK + 3)
    source = FileSource(path, BLOCK, None)
    read: dict[int, bytes] = {}

    def load(index: int) -> None:
        read[index] = bytes(source.load(index).pieces[0].data)

    threads = [threading.Thread(target=load, args=(index,)) for index in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"".join(read[index] for index in range(5)) == data
    source.close()


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        FileSource(tmp_path / "absent", BLOCK, None)
    with pytest.raises(OSError, match=tmp_path.name):
        FileSource(tmp_path, BLOCK, None)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ConfigError, match="path must be a regular file"):
            FileSource(tmp_path / "pipe", BLOCK, None)


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    def touched(path: Path) -> None:
        os.utime(path, ns=(1, 1))

    def grown(path: Path) -> None:
        with path.open("ab") as file:
            file.write(b"x")

    def shrunk(path: Path) -> None:
        os.truncate(path, 10)

    def replaced(path: Path) -> None:
        other = path.with_suffix(".new")
        other.write_bytes(path.read_bytes())
        status = path.stat()
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(other, path)

    def removed(path: Path) -> None:
        path.unlink()

    for change in (touched, grown, shrunk, replaced, removed):
        path, _ = make(tmp_path, 1000)
        source = FileSource(path, BLOCK, None)
        source.verify()
        change(path)
        with pytest.raises(SourceChanged, match="file"):
            source.verify()
        source.close()


def test_a_file_that_shrinks_is_noticed_while_read(tmp_path: Path) -> None:
    path, _ = make(tmp_path, BLOCK + 100)
    source = FileSource(path, BLOCK, None)
    os.truncate(path, BLOCK + 1)
    with pytest.raises(SourceChanged, match="shorter"):
        source.load(1)
    source.close()


def test_close_waits_for_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, data = make(tmp_path, 100)
    source = FileSource(path, BLOCK, None)
    entered, go = threading.Event(), threading.Event()
    read = source._read

    def slow(view: memoryview, offset: int) -> None:
        entered.set()
        go.wait(5)
        read(view, offset)

    monkeypatch.setattr(source, "_read", slow)
    loaded: list[Any] = []
    thread = threading.Thread(target=lambda: loaded.append(source.load(0)))
    thread.start()
    entered.wait(5)
    source.close()
    go.set()
    thread.join()
    assert bytes(loaded[0].pieces[0].data) == data
    assert source._file.closed
    with pytest.raises(SourceChanged):
        source.load(0)


def test_progress_is_monotonic_and_not_too_often() -> None:
    seen: list[Progress] = []
    now = [0.0]
    reporter = ProgressReporter(seen.append, "k", 100, lambda: now[0])
    reporter.start()
    for offset in range(1, 51):
        now[0] += 0.01
        reporter.reach(0, offset)
        reporter.reach(0, offset - 1)
    reporter.reach(1, 49)
    reporter.reach(0, 0)
    reporter.reach(1, 50)
    done = [progress.done for progress in seen]
    assert done[0] == 0
    assert done[-1] == 100
    assert done == sorted(set(done))
    assert len(done) <= 2 + 6
    assert seen[-1].elapsed == pytest.approx(0.5)


def test_progress_tells_resumed_bytes_apart() -> None:
    seen: list[Progress] = []
    reporter = ProgressReporter(seen.append, "k", 100, lambda: 0.0)
    parts = plan(100, 40)

    def send(part: Part) -> Flow[str]:
        yield Sleep(0.0)
        return "sent"

    had = {1: "had"}
    carried = carry(parts, send, 1, reporter=reporter, done=lambda part: had.get(part.index))
    assert threads.run(carried, None) == ["sent", "had", "sent"]  # type: ignore[arg-type]
    assert seen == [Progress(100, 100, "k", 0.0, resumed=40)]


def test_progress_runs_in_one_thread_at_a_time() -> None:
    busy = [0]
    most = [0]

    def slow(progress: Progress) -> None:
        busy[0] += 1
        most[0] = max(most[0], busy[0])
        time.sleep(0.002)
        busy[0] -= 1

    clock = [0.0]

    def later() -> float:
        clock[0] += 1
        return clock[0]

    reporter = ProgressReporter(slow, "k", 400, later)
    threads = [
        threading.Thread(target=lambda n=n: [reporter.reach(n, at) for at in range(1, 11)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1


def test_a_progress_bar_gets_increments() -> None:
    class Bar:
        def __init__(self) -> None:
            self.n = 0

        def update(self, n: int) -> None:
            assert n > 0
            self.n += n

    bar = Bar()
    reporter = ProgressReporter(bar, "k", 10, time.monotonic)
    reporter.start()
    reporter.reach(0, 4)
    reporter.reach(1, 6)
    assert bar.n == 10


def test_what_takes_no_progress_is_refused() -> None:
    with pytest.raises(ConfigError, match="progress"):
        ProgressReporter(3, "k", 10, time.monotonic)  # type: ignore[arg-type]
