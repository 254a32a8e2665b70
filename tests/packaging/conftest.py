"""The distribution, built once: source archive, wheel made from it, and installs of the wheels."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
HOOK = (
    "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
)
DERIVED = shutil.ignore_patterns(
    ".*", "build", "dist", "out", "*.so", "*.pyd", "*.egg-info", "__pycache__", "_core.c",
    "build_record.txt",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    printed: str


def run(command: list[str | Path], cwd: Path, **variables: str) -> Outcome:
    """Run a command with nothing of this environment's wirespeed settings, and ``variables``."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WIRESPEED_", "PYTHON"))
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**clean, "CFLAGS": "-O1", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return Outcome(done.returncode, done.stdout)


def build(hook: str, source: Path, output: Path, **variables: str) -> Outcome:
    """Call a PEP 517 hook of setuptools in ``source``."""
    output.mkdir(exist_ok=True)
    return run([sys.executable, "-c", HOOK, hook, output], source, **variables)


@dataclass(frozen=True)
class Installed:
    """A virtual environment that holds nothing but a wheel, and a folder to work in."""

    python: Path
    folder: Path

    def script(self, *arguments: str | Path) -> Outcome:
        """Run one of the wheel's commands."""
        name, *rest = arguments
        return run([self.python.with_name(str(name)), *rest], self.folder)

    def code(self, text: str, **variables: str) -> Outcome:
        """Run Python code."""
        return run([self.python, "-W", "error", "-c", text], self.folder, **variables)


def install(wheel: Path, folder: Path) -> Installed:
    """Install a wheel, without what it depends on, where there is nothing else."""
    venv.create(folder / "venv", with_pip=False, symlinks=os.name == "posix")
    scripts = "bin" if os.name == "posix" else "Scripts"
    python = folder / "venv" / scripts / "python"
    done = run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index",
         "--no-warn-script-location", wheel],
        folder,
    )  # fmt: skip
    assert done.code == 0, done.printed
    return Installed(python, folder)


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the source archive, made from a copy of this tree."""
    folder = tmp_path_factory.mktemp("sdist")
    shutil.copytree(REPOSITORY, folder / "tree", ignore=DERIVED)
    done = build("build_sdist", folder / "tree", folder / "out")
    assert done.code == 0, done.printed
    (archive,) = (folder / "out").glob("*.tar.gz")
    return archive


@pytest.fixture(scope="session")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the unpacked source archive."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder, filter="data")
        else:
            archive.extractall(folder)
    (root,) = folder.iterdir()
    return root


@pytest.fixture(scope="session")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that the source archive makes."""
    output = tmp_path_factory.mktemp("wheel")
    done = build("build_wheel", unpacked, output)
    assert done.code == 0, done.printed
    (path,) = output.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return the wheel's install."""
    return install(wheel, tmp_path_factory.mktemp("installed"))
