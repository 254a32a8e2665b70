"""What is shipped, and that it works where the source is not."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import DERIVED, REPOSITORY, Installed, build, install

LIFE_CYCLE = """
import librocketmqclientpython as lib
message = lib.CreateMessage("topic")
lib.SetMessageTags(message, "TagA")
lib.SetMessageBody(message, "body")
assert lib.GetMessageBody(message) == "body"
assert lib.DestroyMessage(message) == 0
import wirespeed.rocketmq, wirespeed.digest
print(wirespeed.digest.etag(b""))
"""
NOT_SHIPPED = (".ci/", ".git", "Makefile", "benchmarks/")


def test_the_source_archive_holds_every_tracked_file(sdist: Path) -> None:
    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        pytest.skip("only a git checkout knows what is tracked")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    tracked = {
        name
        for name in listed.stdout.splitlines()
        if not name.startswith(NOT_SHIPPED) and (REPOSITORY / name).is_file()
    }
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert tracked - held == set()


def test_the_source_archive_holds_nothing_derived(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    assert [n for n in names if n.endswith((".so", ".pyd", ".pyc", ".o", "build_record.txt"))] == []
    assert [n for n in names if "/." in n or "/build/" in n] == []


def test_the_wheel_owns_two_names_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.split("/")[0] for name in names}
    assert {n for n in top if not n.endswith(".dist-info")} == {
        "wirespeed",
        "librocketmqclientpython.py",
    }
    assert "wirespeed/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert any(name.endswith("/DIFFERENCES.md") for name in names)
    assert not [n for n in names if n.endswith((".c", ".h", ".pyx", ".pxd"))]


def test_the_wheel_works_alone(installed: Installed) -> None:
    done = installed.code(LIFE_CYCLE)
    assert (done.code, done.printed) == (0, "Fto5o-5ea0sNMlW_75VgGJCv2AcJ\n")
    where = installed.code("import wirespeed; print(wirespeed.__file__)")
    assert str(installed.folder) in where.printed


def test_the_commands_work(installed: Installed) -> None:
    sample = installed.folder / "sample"
    sample.write_bytes(b"")
    assert installed.script("wirespeed", "version").code == 0
    done = installed.script("wirespeed", "etag", sample)
    assert (done.code, done.printed.split()[0]) == (0, "Fto5o-5ea0sNMlW_75VgGJCv2AcJ")
    assert installed.script("wcs_etag_cal", sample).code == 0
    doctor = installed.script("wirespeed", "doctor")
    assert doctor.code == 0 and "cython" in doctor.printed, doctor.printed


def test_an_install_without_extensions_says_so(unpacked: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(unpacked, source, ignore=DERIVED)
    done = build("build_wheel", source, tmp_path / "out", WIRESPEED_EXTENSIONS="no", CC="/no/cc")
    assert done.code == 0, done.printed
    (wheel,) = (tmp_path / "out").glob("*.whl")
    pure = install(wheel, tmp_path)
    assert pure.code(LIFE_CYCLE).printed == "Fto5o-5ea0sNMlW_75VgGJCv2AcJ\n"
    doctor = pure.script("wirespeed", "doctor")
    assert doctor.code == 0 and "pure" in doctor.printed, doctor.printed
    asked = pure.code("import wirespeed.digest as d; d.etag(b'')", WIRESPEED_BACKEND="cython")
    assert asked.code == 1 and "ImportError" in asked.printed


def test_without_a_compiler_the_last_line_says_what_to_do(unpacked: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(unpacked, source, ignore=DERIVED)
    done = build("build_wheel", source, tmp_path / "out", CC="/no/cc")
    last = done.printed.strip().splitlines()[-1]
    assert done.code == 1
    assert "/no/cc" in last and "WIRESPEED_EXTENSIONS=no" in last, done.printed[-2000:]


def test_an_unknown_choice_is_refused(unpacked: Path, tmp_path: Path) -> None:
    done = build("build_wheel", unpacked, tmp_path, WIRESPEED_EXTENSIONS="maybe")
    assert done.code == 1
    assert "WIRESPEED_EXTENSIONS" in done.printed.strip().splitlines()[-1]
