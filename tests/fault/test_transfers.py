"""Uploads and downloads that are killed, garbled, cut short, or whose disk is full."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import random
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wirespeed import cos, wcs
from wirespeed.config import Retry
from wirespeed.digest import etag_file
from wirespeed.errors import SourceChanged, WirespeedError
from wirespeed.local import LocalCloud
from wirespeed.storage import state_folder

MIB = 1024 * 1024
BLOCK = 4 * MIB


@pytest.fixture(scope="module")
def running() -> Iterator[LocalCloud]:
    with LocalCloud(["cos", "wcs"]) as made:
        yield made


@pytest.fixture
def cloud(running: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalCloud:
    monkeypatch.setenv("WIRESPEED_STATE_DIR", str(tmp_path / "state"))
    running.reset()
    running.faults.clear()
    return running


def wcs_client(url: str, **options: Any) -> wcs.Client:
    settings = {"proxy": "", "retry": Retry(3, 0.001), "timeout": 5, **options}
    return wcs.Client(
        "local",
        "local-secret",
        upload_url=url,
        manage_url=url,
        download_url=url + "/download/{bucket}",
        **settings,
    )


def cos_client(url: str, **options: Any) -> cos.Client:
    settings = {"proxy": "", "retry": Retry(3, 0.001), "timeout": 5, **options}
    return cos.Client(1, "local", "local-secret", endpoint=url, download_endpoint=url, **settings)


def journals() -> list[Path]:
    return sorted((state_folder() / "transfers").glob("*.jsonl"))


PROGRAM = """
import sys
from wirespeed import wcs, cos
store, url, way, path, rate = sys.argv[1:]
if store == "wcs":
    client = wcs.Client("local", "local-secret", upload_url=url, manage_url=url,
                        download_url=url + "/download/{bucket}", proxy="")
else:
    client = cos.Client(1, "local", "local-secret", endpoint=url, download_endpoint=url, proxy="")
with client:
    bucket = client.bucket("b")
    print("begun", flush=True)
    if way == "up":
        bucket.upload_file(path, "k", workers=2, limit_rate=int(rate))
    else:
        bucket.download_file("k", path, workers=2, limit_rate=int(rate))
"""


def killed_until_done(
    store: str, url: str, way: str, path: Path, chance: random.Random, kills: int
) -> int:
    """Run a transfer that is killed `kills` times at random points, then to its end."""
    killed = 0
    for turn in range(kills + 1):
        rate = 60_000_000 if turn < kills else 1 << 40
        command = [sys.executable, "-c", PROGRAM, store, url, way, str(path), str(rate)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        if turn < kills:
            time.sleep(chance.uniform(0.02, 0.5))
            process.send_signal(signal.SIGKILL)
        ended = process.wait(60)
        process.stdout.close()
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        killed += 1
    return killed


def endure_kills(cloud: LocalCloud, folder: Path, points: int) -> int:
    """Kill uploads and downloads of both stores at random points; every one ends right."""
    chance = random.Random(points)
    killed = 0
    for turn in range(-(-points // 6)):
        data = random.Random(turn).randbytes(32 * MIB + 5)
        source = folder / f"source-{turn}"
        source.write_bytes(data)
        for store, url in (("wcs", cloud.wcs_url), ("cos", cloud.cos_url)):
            cloud.faults.clear()
            killed += killed_until_done(store, url, "up", source, chance, 2)
            made = wcs_client(url) if store == "wcs" else cos_client(url)
            with made:
                found = made.bucket("b").stat("k")
            if store == "wcs":
                assert isinstance(found, wcs.ObjectStat)
                assert found.hash == etag_file(str(source))
                sent = [each for each in cloud.faults.requests() if each.path.startswith("/mkblk")]
                # 9 blocks, and for each kill at most those that two workers had under way.
                assert 9 <= len(sent) <= 9 + 2 * 2
            else:
                assert isinstance(found, cos.Entry)
                assert found.sha1 == hashlib.sha1(data).hexdigest()
            target = folder / f"target-{store}-{turn}"
            killed += killed_until_done(store, url, "down", target, chance, 1)
            assert target.read_bytes() == data
        assert journals() == []
        assert not [name for name in os.listdir(folder) if name.startswith(".wirespeed")]
    return killed


def test_killed_transfers_go_on_where_they_were(cloud: LocalCloud, tmp_path: Path) -> None:
    assert endure_kills(cloud, tmp_path, 6) >= 3


def interrupted(cloud: LocalCloud, path: Path, after: int = 2 * BLOCK) -> None:
    """Upload a file and stop it on the way."""

    class Stop(Exception):
        pass

    def stop(progress: wcs.Progress) -> None:
        if progress.done >= after:
            raise Stop

    with wcs_client(cloud.wcs_url) as client, pytest.raises(Stop):
        client.bucket("b").upload_file(path, "k", workers=1, progress=stop, limit_rate=40_000_000)


def blocks_sent(cloud: LocalCloud) -> int:
    return sum(each.path.startswith("/mkblk") for each in cloud.faults.requests())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(4 * BLOCK + 1))
    return path


def test_a_journal_is_private_and_goes_with_the_upload(cloud: LocalCloud, source: Path) -> None:
    before = os.umask(0)
    try:
        interrupted(cloud, source)
    finally:
        os.umask(before)
    (journal,) = journals()
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.parent.stat().st_mode) == 0o700
    assert b"local-secret" not in journal.read_bytes()
    seen: list[int] = []
    with wcs_client(cloud.wcs_url) as client:
        cloud.faults.clear()
        client.bucket("b").upload_file(
            source, "k", workers=1, progress=lambda each: seen.append(each.done)
        )
        assert client.bucket("b").stat("k").hash == etag_file(str(source))
    assert 1 <= blocks_sent(cloud) <= 4
    assert seen == sorted(seen) and seen[-1] == 4 * BLOCK + 1
    assert journals() == []


def test_a_cut_line_of_a_journal_is_not_counted(cloud: LocalCloud, source: Path) -> None:
    interrupted(cloud, source)
    (journal,) = journals()
    journal.write_bytes(journal.read_bytes() + b'[4,["ctx","00')
    with wcs_client(cloud.wcs_url) as client:
        client.bucket("b").upload_file(source, "k")
        assert client.bucket("b").stat("k").hash == etag_file(str(source))


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"[1,2]\n", b"\xff\n", b'{"header":{}}\n[0,1]\n'])
def test_a_journal_of_something_else_is_begun_anew(
    cloud: LocalCloud, source: Path, damage: bytes
) -> None:
    interrupted(cloud, source)
    (journal,) = journals()
    journal.write_bytes(damage)
    with wcs_client(cloud.wcs_url) as client:
        client.bucket("b").upload_file(source, "k")
        assert client.bucket("b").stat("k").hash == etag_file(str(source))
    assert journals() == []


def test_a_changed_source_begins_anew(cloud: LocalCloud, source: Path) -> None:
    interrupted(cloud, source)
    source.write_bytes(os.urandom(4 * BLOCK + 1))
    cloud.faults.clear()
    with wcs_client(cloud.wcs_url) as client:
        client.bucket("b").upload_file(source, "k")
        assert client.bucket("b").stat("k").hash == etag_file(str(source))
    assert blocks_sent(cloud) == 5


def test_contexts_that_have_ended_are_made_again(cloud: LocalCloud, source: Path) -> None:
    interrupted(cloud, source)
    cloud.reset()
    with wcs_client(cloud.wcs_url) as client:
        client.bucket("b").upload_file(source, "k")
        assert client.bucket("b").stat("k").hash == etag_file(str(source))
    assert journals() == []


def test_two_uploads_of_one_file_do_not_share_a_journal(cloud: LocalCloud, source: Path) -> None:
    results: list[str] = []

    def upload() -> None:
        with wcs_client(cloud.wcs_url) as client:
            results.append(client.bucket("b").upload_file(source, "k").hash)

    threads = [threading.Thread(target=upload) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [etag_file(str(source))] * 3
    assert journals() == []


def test_no_journal_where_none_is_wanted_or_can_be_kept(
    cloud: LocalCloud, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("WIRESPEED_STATE_DIR", str(tmp_path / "file"))
    with wcs_client(cloud.wcs_url) as client:
        client.bucket("b").upload_file(source, "k")
        client.bucket("b").upload_file(source, "k", resume=False)


def become_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


CHANGES: dict[str, Callable[[Path], Any]] = {
    "truncated": lambda path: os.truncate(path, BLOCK),
    "grown": lambda path: os.truncate(path, 5 * BLOCK),
    "rewritten": lambda path: path.write_bytes(bytes(4 * BLOCK + 1)),
    "replaced by a link": become_a_link,
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("store", ["wcs", "cos"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_source_that_changes_is_never_stored(
    cloud: LocalCloud, source: Path, store: str, change: str
) -> None:
    done = False

    def interfere(progress: Any) -> None:
        nonlocal done
        if progress.done > 0 and not done:
            done = True
            CHANGES[change](source)

    made = wcs_client(cloud.wcs_url) if store == "wcs" else cos_client(cloud.cos_url)
    with made:
        bucket: Any = made.bucket("b")
        with pytest.raises(SourceChanged):
            bucket.upload_file(source, "k", workers=1, progress=interfere)
        with pytest.raises(WirespeedError):
            bucket.stat("k")
    assert journals() == []


# ---- bits that flip on the wire ----


class Flipper:
    """A proxy that turns one bit of what comes from the client, at a place of the stream."""

    def __init__(self, port: int, places: list[int], back: bool = False) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._upstream = port
        self._left = sorted(places)
        self._back = back
        self._passed = 0
        self._lock = threading.Lock()
        self.flipped = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError, IndexError), sock:
            with socket.create_connection(("127.0.0.1", self._upstream)) as upstream:
                pairs = {sock: upstream, upstream: sock}
                while True:
                    for ready in select.select(list(pairs), [], [], 10)[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        if (ready is upstream) == self._back:
                            data = self._pass(data)
                        pairs[ready].sendall(data)

    def _pass(self, data: bytes) -> bytes:
        with self._lock:
            changed = bytearray(data)
            while self._left and self._left[0] < self._passed + len(data):
                place = self._left.pop(0) - self._passed
                changed[max(0, place)] ^= 1 << (place % 8)
                self.flipped += 1
            self._passed += len(data)
            return bytes(changed)

    def close(self) -> None:
        self._listener.close()


def endure_flips(cloud: LocalCloud, folder: Path, turns: int) -> tuple[int, int]:
    """Flip a bit of each transfer: the object is right, or an error says it is not there."""
    chance = random.Random(turns)
    source = folder / "source"
    right = refused = 0
    for turn in range(turns):
        data = chance.randbytes(chance.choice([100, 70_000, BLOCK + 9]))
        source.write_bytes(data)
        sha1, etag = hashlib.sha1(data).hexdigest(), etag_file(str(source))
        store, down = ("wcs", "cos")[turn % 2], turn % 4 >= 2
        url = cloud.wcs_url if store == "wcs" else cloud.cos_url
        key = f"k{turn}"
        direct = wcs_client(url) if store == "wcs" else cos_client(url)
        flipper = Flipper(
            int(url.rpartition(":")[2]), [chance.randrange(len(data) + 200)], back=down
        )
        options: dict[str, Any] = {"timeout": 2, "retry": Retry(2, 0.001)}
        through = (
            wcs_client(flipper.url, **options)
            if store == "wcs"
            else cos_client(flipper.url, **options)
        )
        with direct, through:
            bucket: Any = through.bucket("b")
            try:
                if down:
                    stored: Any = direct.bucket("b")
                    stored.upload_file(source, key)
                    target = folder / "target"
                    target.unlink(missing_ok=True)
                    bucket.download_file(key, target)
                    assert target.read_bytes() == data, turn
                else:
                    bucket.upload_file(source, key)
                    found: Any = direct.bucket("b").stat(key)
                    assert getattr(found, "sha1", sha1) == sha1, turn
                    assert getattr(found, "hash", etag) == etag, turn
                right += 1
            except WirespeedError:
                refused += 1
                if down:
                    assert not (folder / "target").exists()
                else:
                    with contextlib.suppress(WirespeedError):
                        found = direct.bucket("b").stat(key)
                        # The answer may be what was garbled; the object never is.
                        assert getattr(found, "sha1", sha1) == sha1, turn
                        assert getattr(found, "hash", etag) == etag, turn
        flipper.close()
    return right, refused


def test_a_flipped_bit_is_never_stored(cloud: LocalCloud, tmp_path: Path) -> None:
    right, refused = endure_flips(cloud, tmp_path, 60)
    assert right + refused == 60


# ---- disks ----


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("name", ["pwrite", "preadv", "ftruncate", "replace", "open", "write"])
def test_a_disk_that_fails_leaves_what_was_there(
    cloud: LocalCloud,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    code: int,
) -> None:
    original = getattr(os, name)
    folder = tmp_path / "in"
    folder.mkdir()
    target = folder / "target"
    target.write_text("before")
    with wcs_client(cloud.wcs_url) as client:
        bucket = client.bucket("b")
        bucket.upload_file(source, "k", resume=False)
        for failing in range(1, 6):
            calls = 0

            def fail(*args: Any, failing: int = failing) -> Any:
                nonlocal calls
                calls += 1
                if calls == failing:
                    raise OSError(code, os.strerror(code))
                return original(*args)

            with monkeypatch.context() as patch:
                patch.setattr(os, name, fail)
                try:
                    bucket.download_file("k", target, workers=2)
                except OSError as error:
                    assert error.errno == code or isinstance(error, WirespeedError)
                    assert target.read_text() == "before"
                    continue
            assert target.read_bytes() == source.read_bytes()
            target.write_text("before")
        bucket.download_file("k", target)
        assert target.read_bytes() == source.read_bytes()
    assert os.listdir(folder) == ["target"]


def test_a_disk_that_fails_under_an_upload(
    cloud: LocalCloud, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os.preadv

    def fail(*args: Any) -> int:
        if args[2] >= BLOCK:
            raise OSError(errno.EIO, "Input/output error")
        return original(*args)

    with wcs_client(cloud.wcs_url) as client:
        with monkeypatch.context() as patch:
            patch.setattr(os, "preadv", fail)
            with pytest.raises(OSError, match="Input/output"):
                client.bucket("b").upload_file(source, "k")
        with pytest.raises(WirespeedError):
            client.bucket("b").stat("k")
        client.bucket("b").upload_file(source, "k")


def test_a_full_disk_costs_the_journal_and_not_the_upload(
    cloud: LocalCloud, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with wcs_client(cloud.wcs_url) as client, monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        client.bucket("b").upload_file(source, "k")
        assert client.bucket("b").stat("k").hash == etag_file(str(source))


def test_a_planted_link_is_not_written_through(
    cloud: LocalCloud, source: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("victim")
    folder = tmp_path / "in"
    folder.mkdir()
    with wcs_client(cloud.wcs_url) as client:
        bucket = client.bucket("b")
        bucket.upload_file(source, "k", resume=False)

        class Stop(Exception):
            pass

        def stop(progress: wcs.Progress) -> None:
            if progress.done:
                raise Stop

        with pytest.raises(Stop):
            bucket.download_file("k", folder / "target", workers=1, progress=stop)
        (part,) = [name for name in os.listdir(folder) if name.endswith(".part")]
        for plant in (
            lambda: (folder / part).symlink_to(victim),
            lambda: os.link(victim, folder / part),
        ):
            (folder / part).unlink(missing_ok=True)
            plant()
            bucket.download_file("k", folder / "target")
            assert victim.read_text() == "victim"
            assert (folder / "target").read_bytes() == source.read_bytes()


def test_an_interrupted_download_asks_for_the_rest_alone(
    cloud: LocalCloud, source: Path, tmp_path: Path
) -> None:
    class Stop(Exception):
        pass

    def stop(progress: wcs.Progress) -> None:
        if progress.done >= 2 * BLOCK:
            raise Stop

    with wcs_client(cloud.wcs_url) as client:
        bucket = client.bucket("b")
        bucket.upload_file(source, "k", resume=False)
        with pytest.raises(Stop):
            bucket.download_file(
                "k", tmp_path / "target", workers=1, progress=stop, limit_rate=40_000_000
            )
        assert not (tmp_path / "target").exists()
        cloud.faults.clear()
        bucket.download_file("k", tmp_path / "target", workers=1)
        asked = [each for each in cloud.faults.requests() if each.path.startswith("/download")]
        assert 1 <= len(asked) <= 4
        assert (tmp_path / "target").read_bytes() == source.read_bytes()
        # Another object under the same key does not go on with what is left of the old one.
        with pytest.raises(Stop):
            bucket.download_file(
                "k", tmp_path / "again", workers=1, progress=stop, limit_rate=40_000_000
            )
        source.write_bytes(os.urandom(4 * BLOCK + 1))
        bucket.upload_file(source, "k", resume=False)
        bucket.download_file("k", tmp_path / "again", workers=1)
        assert (tmp_path / "again").read_bytes() == source.read_bytes()


# ---- any size, any failure ----


SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5]


@pytest.mark.parametrize("store", ["wcs", "cos"])
def test_any_failure_gives_the_right_object_or_none(
    cloud: LocalCloud, tmp_path: Path, store: str
) -> None:
    chance = random.Random(store)
    path = tmp_path / "file"
    ends = {"stored": 0, "refused": 0}
    for turn in range(40):
        data = chance.randbytes(chance.choice(SIZES))
        path.write_bytes(data)
        cloud.reset()
        cloud.faults.clear()
        for _ in range(chance.randint(0, 4)):
            kind = chance.choice(["drop", "cut", "status", "corrupt", "delay"])
            options: dict[str, Any] = {"count": chance.randint(1, 2), "probability": 0.7}
            if kind == "status":
                options["status"] = chance.choice([403, 500, 503])
            if kind == "delay":
                options["seconds"] = 0.01
            cloud.faults.add(kind, store, "", **options)
        made = wcs_client(cloud.wcs_url) if store == "wcs" else cos_client(cloud.cos_url)
        with made:
            bucket: Any = made.bucket("b")
            pieces = {"piece_size": chance.choice([None, MIB, 700_001])} if store == "wcs" else {}
            try:
                bucket.upload_file(path, "k", workers=chance.randint(1, 4), **pieces)
                ends["stored"] += 1
            except WirespeedError:
                ends["refused"] += 1
            cloud.faults.clear()
            try:
                found = bucket.stat("k")
            except WirespeedError:
                assert ends["refused"], turn
                continue
            if store == "wcs":
                assert found.hash == etag_file(str(path)), turn
            else:
                assert found.sha1 == hashlib.sha1(data).hexdigest(), turn
    assert ends["stored"] >= 10 and sum(ends.values()) == 40, json.dumps(ends)
