"""The commands on objects, each as a process of its own, on the local WCS and COS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from wirespeed.local import LocalCloud

PROGRAM = [sys.executable, "-W", "error", "-m", "wirespeed"]
STORES = ["wcs://b", "cos4://b-10001"]


@pytest.fixture(scope="module")
def running() -> Iterator[LocalCloud]:
    with LocalCloud(["cos", "wcs"]) as made:
        yield made


@pytest.fixture
def cloud(running: LocalCloud) -> LocalCloud:
    running.reset()
    return running


def run(cloud: LocalCloud, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        env={**os.environ, **cloud.env(), "PYTHONIOENCODING": "utf-8"},
    )


@pytest.mark.parametrize("store", STORES)
def test_files_go_up_and_are_seen(cloud: LocalCloud, store: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "два"
    one.write_bytes(b"1" * 2_000_000)
    two.write_bytes(b"2")
    done = run(cloud, "cp", one, two, f"{store}/dir/")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    listed = run(cloud, "ls", f"{store}/dir/").stdout.splitlines()
    assert [line.split()[-1] for line in listed] == ["dir/one.txt", "dir/два"]
    assert "2.0 MB" in listed[0]
    (line,) = run(cloud, "ls", f"{store}/dir/o", "--json", "--limit", "5").stdout.splitlines()
    assert json.loads(line)["size"] == 2_000_000
    shown = json.loads(run(cloud, "stat", f"{store}/dir/one.txt", "--json").stdout)
    assert shown["key"] == "dir/one.txt" and shown["modified"]
    assert "size      1\n" in run(cloud, "stat", f"{store}/dir/%D0%B4%D0%B2%D0%B0").stdout
    assert run(cloud, "mv", f"{store}/dir/one.txt", "moved").returncode == 0
    assert run(cloud, "mv", "--copy", f"{store}/moved", "again").returncode == 0
    assert run(cloud, "stat", f"{store}/dir/one.txt").returncode == 4
    assert "would delete moved" in run(cloud, "rm", "--dry-run", f"{store}/moved").stdout
    done = run(cloud, "rm", f"{store}/moved", f"{store}/none", f"{store}/again")
    assert done.returncode == 4 and "none" in done.stderr
    assert run(cloud, "stat", f"{store}/again").returncode == 4


@pytest.mark.parametrize("store", STORES)
def test_what_is_there_can_be_kept(cloud: LocalCloud, store: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first")
    assert run(cloud, "cp", path, f"{store}/k").returncode == 0
    path.write_bytes(b"second")
    assert run(cloud, "cp", "--no-overwrite", path, f"{store}/k").returncode == 6
    done = run(cloud, "cp", "--dry-run", "--json", path, tmp_path / "missing", f"{store}/x/")
    assert done.returncode == 4 and "missing" in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["dest"], line["ok"]) for line in lines] == [
        ("x/file", True),
        ("x/missing", False),
    ]
    assert run(cloud, "stat", f"{store}/x/file").returncode == 4


def test_an_object_comes_down(cloud: LocalCloud, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "up").write_bytes(data)
    url = "cos4://b-10001/dir/object"
    assert run(cloud, "cp", tmp_path / "up", url).returncode == 0
    assert run(cloud, "cp", url, tmp_path).returncode == 0
    assert (tmp_path / "object").read_bytes() == data
    assert run(cloud, "cp", "--jobs", "2", url, tmp_path / "named").returncode == 0
    assert (tmp_path / "named").read_bytes() == data
    done = run(cloud, "cp", "--no-overwrite", url, tmp_path / "named")
    assert done.returncode != 0 and "File exists" in done.stderr
    made = run(cloud, "presign", url, "--expires", "60").stdout.strip()
    with urllib.request.urlopen(made, timeout=5) as answer:
        assert answer.read() == data
    assert json.loads(run(cloud, "presign", url, "--json").stdout)["expires"] == 300


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cp", "a", "b"], "must be a URL"),
        (["cp", "a", "b", "wcs://b/k"], "must end in /"),
        (["cp", "wcs://b/k", "cos4://b-1/"], "download it first"),
        (["cp", "-r", "wcs://b/k", "cos4://b-1/"], "download it first"),
        (["stat", "wcs://b"], "add /KEY"),
        (["rm", "sqs://r/q"], "names no object"),
        (["presign", "wcs://b/k"], "no signed URLs"),
        (["ls", "cos4://nope"], "BUCKET-APPID"),
    ],
)
def test_what_cannot_be_done_is_told(cloud: LocalCloud, arguments: list[str], words: str) -> None:
    done = run(cloud, *arguments)
    assert done.returncode in (2, 6) and words in done.stderr and "Traceback" not in done.stderr
