"""Folders up, down and in step, names that are hostile, bars, limits, and what is told."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wirespeed import wcs
from wirespeed.cli import names, progress
from wirespeed.cli.transfers import rate_of
from wirespeed.errors import ConfigError
from wirespeed.local import LocalCloud

PROGRAM = [sys.executable, "-W", "error", "-m", "wirespeed"]
STORES = ["wcs://b", "cos4://b-10001"]
TREE = {
    "a.txt": b"a",
    "empty": b"",
    "deep/er/file.bin": bytes(range(256)) * 9000,
    "deep/два.txt": "два".encode(),
}


@pytest.fixture(scope="module")
def running() -> Iterator[LocalCloud]:
    with LocalCloud(["cos", "wcs"]) as made:
        yield made


@pytest.fixture
def cloud(running: LocalCloud) -> LocalCloud:
    running.reset()
    return running


def run(cloud: LocalCloud, *arguments: str | Path, binary: bool = False) -> Any:
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        capture_output=True,
        timeout=60,
        env={**os.environ, **cloud.env(), "PYTHONIOENCODING": "utf-8"},
        **({} if binary else {"text": True, "encoding": "utf-8"}),
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    for name, data in TREE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def found(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("store", STORES)
def test_a_folder_goes_up_and_comes_back(
    cloud: LocalCloud, store: str, tree: Path, tmp_path: Path
) -> None:
    refused = run(cloud, "cp", tree, f"{store}/backup/")
    assert (refused.returncode, "--recursive" in refused.stderr) == (2, True)
    done = run(cloud, "cp", "-r", tree, f"{store}/backup/", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["dest"] for line in lines} == {f"backup/tree/{name}" for name in TREE}
    assert run(cloud, "du", f"{store}/backup").stdout == "2.3 MB in 4 objects\n"
    counted = json.loads(run(cloud, "du", f"{store}", "--json").stdout)
    assert counted == {"prefix": "", "objects": 4, "bytes": sum(map(len, TREE.values()))}
    back = tmp_path / "back"
    assert run(cloud, "cp", "-r", f"{store}/backup/tree", back).returncode == 0
    assert found(back) == TREE
    data = run(cloud, "cat", f"{store}/backup/tree/deep/er/file.bin", binary=True)
    assert (data.returncode, data.stdout) == (0, TREE["deep/er/file.bin"])
    assert run(cloud, "rm", "-r", f"{store}/backup").returncode == 2
    assert run(cloud, "rm", "-r", f"{store}/backup/tree/deep/").returncode == 0
    assert run(cloud, "du", store).stdout == "1 B in 2 objects\n"


@pytest.mark.parametrize("store", STORES)
def test_sync_copies_what_differs_and_deletes_when_told(
    cloud: LocalCloud, store: str, tree: Path, tmp_path: Path
) -> None:
    def dests(*arguments: Any) -> list[str]:
        done = run(cloud, "sync", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return sorted(
            Path(line.get("dest") or line["key"]).name
            for line in map(json.loads, done.stdout.splitlines())
        )

    url = f"{store}/mirror"
    assert len(dests(tree, url)) == 4
    assert dests(tree, url) == []
    (tree / "a.txt").write_bytes(b"b")
    (tree / "empty").unlink()
    assert dests(tree, url, "--size-only") == []
    assert dests(tree, url, "--delete", "--dry-run") == ["a.txt", "empty"]
    assert dests(tree, url, "--delete") == ["a.txt", "empty"]
    back = tmp_path / "back"
    back.mkdir()
    (back / "old").write_text("old")
    assert len(dests(url, back)) == 3
    assert dests(url, back) == []
    assert dests(url, back, "--delete") == ["old"]
    assert found(back) == found(tree)
    assert run(cloud, "sync", tree, tmp_path / "other").returncode == 2
    assert run(cloud, "sync", tmp_path / "none", url).returncode != 0


@pytest.mark.parametrize("store", STORES)
def test_sync_deletes_nothing_it_cannot_be_sure_of(
    cloud: LocalCloud, store: str, tree: Path, tmp_path: Path
) -> None:
    assert run(cloud, "sync", tree, f"{store}/mirror").returncode == 0
    kept = found(tree)
    for mistyped in (f"{store}/miror", f"{store.replace('//b', '//none')}/mirror"):
        done = run(cloud, "sync", mistyped, tree, "--delete")
        assert (done.returncode != 0, done.stdout) == (True, ""), mistyped
    assert found(tree) == kept
    hollow = tmp_path / "hollow"
    hollow.mkdir()
    refused = run(cloud, "sync", hollow, f"{store}/mirror", "--delete")
    assert (refused.returncode, "SOURCE is empty" in refused.stderr) == (2, True)
    assert run(cloud, "sync", f"{store}/mirror", tmp_path / "new" / "folder").returncode == 0
    assert found(tmp_path / "new" / "folder") == kept

    (tree / "old").write_bytes(b"gone from the store")
    (tree / "a.txt").unlink()
    (tree / "a.txt").mkdir()
    failed = run(cloud, "sync", f"{store}/mirror", tree, "--delete")
    assert failed.returncode != 0
    assert "not all was copied" in failed.stderr
    assert (tree / "old").exists()


def test_a_folder_that_cannot_be_read_is_no_empty_one(
    monkeypatch: pytest.MonkeyPatch, tree: Path
) -> None:
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if Path(path).name == "er":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        names.files_below(str(tree))


HOSTILE = [
    "..", "../x", "a/../../x", "a/..", ".", "./x", "a/./x", "/x", "//x", "a//x", "x/", "a/",
    "C:\\x", "C:x", "\\\\host\\share", "a\\b", "..\\x", "CON", "con", "con.txt", "PRN", "aux.x",
    "NUL", "nul.tar.gz", "COM1", "com9.x", "LPT1", "lpt9", "com\u00b9", "x.", "x ", "a./x", "a /x",
    "x\0y", "\0", "x\n", "x\r\ny", "x\x01", "x\x1f", "x\x7f", "a:b", "a|b", "a<b", "a>b", 'a"b',
    "a?b", "a*b", "x" * 256, "d/" + "y" * 300, "\u0434" * 128, "link/x", "link/deep/x", "\ud800",
    "...", ". .", ".. ", " ", "a/ /b", "a/. /b", "", "\x9b\0", "CON/x", "x/NUL",
]  # fmt: skip


def test_sixty_hostile_keys_write_nothing_outside_the_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    assert len(HOSTILE) >= 60
    for key in HOSTILE:
        with pytest.raises(ConfigError):
            names.file_of(str(inside), key)
    for key in ("a", "b/c", ".hidden", "...x", "дом/中", "a b", "~x", "%2e%2e", "\u2025", "con-x"):
        made = Path(names.file_of(str(inside), key))
        assert made.is_relative_to(inside)
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(key)
    assert os.listdir(outside) == []


def test_hostile_keys_of_a_store_are_refused_before_anything_is_written(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    with wcs.Client(
        "local", "local-secret", upload_url=cloud.wcs_url, manage_url=cloud.wcs_url
    ) as client:
        for key in ("p/fine", "p/../../escaped"):
            client.bucket("b").put(key, b"x")
    done = run(cloud, "cp", "-r", "wcs://b/p/", tmp_path / "in")
    assert done.returncode == 2
    assert "../../escaped" in done.stderr
    assert not (tmp_path / "escaped").exists() and not (tmp_path / "in").exists()


def test_a_rate_is_kept(cloud: LocalCloud, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(9 * 1024 * 1024))
    with wcs.Client(
        "local", "local-secret", upload_url=cloud.wcs_url, manage_url=cloud.wcs_url
    ) as client:
        began = time.monotonic()
        client.bucket("b").upload_file(path, "k", limit_rate=8_000_000, piece_size=512 * 1024)
        spent = time.monotonic() - began
    assert 0.9 < spent < 3
    done = run(cloud, "cp", path, "wcs://b/k", "--limit-rate", "fast")
    assert (done.returncode, "--limit-rate" in done.stderr) == (2, True)
    for text, rate in (("500k", 5e5), ("10M", 1e7), ("1.5G", 1.5e9), ("7", 7), ("2MiB", 2e6)):
        limit = rate_of(text)
        assert limit is not None
        limit.delay(int(rate), 0.0)
        assert limit.delay(1, 0.0) == pytest.approx(1.0)


def test_a_failure_is_told_and_the_rest_is_copied(
    cloud: LocalCloud, tree: Path, tmp_path: Path
) -> None:
    cloud.faults.add("status", "wcs", "a.txt", status=403)
    (tree / "unreadable").symlink_to(tmp_path / "nowhere")
    done = run(cloud, "cp", "-r", tree, "wcs://b/", "--json", "--jobs", "1")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["ok"] for line in lines} >= {True}
    assert len(lines) == 4


class Screen(io.StringIO):
    """Standard error as a terminal that remembers what is on it."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError

    def lines(self) -> list[str]:
        """Return what the terminal shows."""
        shown = [""]
        row = 0
        text = self.getvalue()
        at = 0
        while at < len(text):
            if text.startswith("\x1b[J", at):
                shown = [*shown[:row], ""]
                at += 3
            elif text.startswith("\x1b[", at):
                end = text.index("A", at)
                row -= int(text[at + 2 : end])
                at = end + 1
            elif text[at] == "\n":
                row += 1
                if row == len(shown):
                    shown.append("")
                at += 1
            elif text[at] == "\r":
                at += 1
            else:
                shown[row] += text[at]
                at += 1
        return shown


def test_bars_of_many_files_tell_the_truth_and_go_away(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    now = 100.0
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress.Bars(3, 3_000_000) as bars:
        with bars.file("one", 1_000_000) as first, bars.file("two", 2_000_000) as second:
            now += 1
            first(500_000)
            shown = screen.lines()
            assert "0 of 3 files" in shown[0] and "16 % of 3.0 MB" in shown[0]
            assert "500.0 kB/s" in shown[0]
            assert shown[1].startswith("  one") and "50 % of 1.0 MB" in shown[1]
            assert shown[2].startswith("  two") and "0 % of 2.0 MB" in shown[2]
            first(1_000_000)
            second(2_000_000)
            now += 1
            second(2_000_000)
            assert "100 % of 3.0 MB" in screen.lines()[0]
        with bars.file("three", 0) as third:
            now += 1
            third(0)
            assert "2 of 3 files" in screen.lines()[0]
    with progress.Bars(1, 1_000_000) as bars, bars.file("resumed", 1_000_000) as update:
        now += 1
        update(900_000, 800_000)
        assert all("90 %" in shown and "100.0 kB/s" in shown for shown in screen.lines())
    assert screen.lines() == [""]
    assert all(len(line) < 80 for line in screen.lines())


def test_bars_are_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Bars(1, 10) as bars, bars.file("x", 10) as update:
        update(10)
    assert capsys.readouterr().err == ""


def test_many_jobs_copy_many_files(cloud: LocalCloud, tmp_path: Path) -> None:
    chance = random.Random(3)
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number:03}").write_bytes(chance.randbytes(chance.randrange(20_000)))
    assert run(cloud, "cp", "-r", folder, "wcs://b/x", "--jobs", "8").returncode == 0
    back = tmp_path / "back"
    assert run(cloud, "cp", "-r", "wcs://b/x/", back, "--jobs", "8").returncode == 0
    assert found(back) == found(folder)
