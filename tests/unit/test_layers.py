"""Imports go one way, and the rooms without I/O import none of its modules."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "wirespeed"
SERVICES = {"rocketmq", "cmq", "sqs", "wcs", "cos"}
SHARED = {"errors", "config", "telemetry", "_lazy", "_debug", "__init__"}
RANKS = {
    **dict.fromkeys(("dropin", "cli", "local", "urls", "__main__"), 4),
    **dict.fromkeys(SERVICES, 3),
    **dict.fromkeys(("http", "remoting", "engine", "digest", "queue", "storage"), 2),
    "_native": 1,
    **dict.fromkeys(SHARED, 0),
}
WITHIN_A_RANK = {
    ("http", "engine"),
    ("remoting", "engine"),
    ("storage", "engine"),
    ("storage", "http"),
    ("cli", "local"),
    ("cli", "dropin"),
    ("cli", "urls"),
    ("__main__", "cli"),
}
NO_IO = {"socket", "ssl", "asyncio", "threading", "time", "random", "secrets", "select"}
FILES = sorted(SOURCE.rglob("*.py"))


def room(path: Path) -> str:
    relative = path.relative_to(SOURCE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> set[str]:
    """Return the absolute names of the modules that a file imports."""
    package = ["wirespeed", *path.relative_to(SOURCE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            home = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{home}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(path: Path) -> set[str]:
    rooms = set()
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "wirespeed" and len(parts) > 1 and parts[1] in RANKS:
            rooms.add(parts[1])
    return rooms


def test_every_room_has_a_rank() -> None:
    assert {room(path) for path in FILES} <= set(RANKS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down(path: Path) -> None:
    here = room(path)
    for there in rooms_imported(path) - {here}:
        if there in SHARED and here != "_native":
            continue
        assert RANKS[there] < RANKS[here] or (here, there) in WITHIN_A_RANK, f"{here} -> {there}"


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in FILES
        if room(path) in SERVICES
        and (path.name in {"wire.py", "sign.py", "flow.py"} or path.parent.name in {"flow", "wire"})
    ],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_wire_sign_and_flow_do_no_io(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & NO_IO


def test_local_checks_http_services_with_code_of_its_own() -> None:
    for path in FILES:
        if room(path) == "local":
            assert not rooms_imported(path) & SERVICES, path


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import wirespeed", {"asyncio", "logging", "ssl", "requests", "socket", "httptools"}),
        ("from wirespeed.rocketmq import Producer", {"asyncio", "ssl", "requests", "httptools"}),
        ("from wirespeed.digest import etag", {"asyncio", "ssl", "requests", "socket"}),
        ("from wirespeed.wcs import Client", {"asyncio", "ssl", "requests"}),
        ("from wirespeed.sqs import Client", {"asyncio", "ssl", "requests"}),
        ("from wirespeed.cmq import Client", {"asyncio", "ssl", "requests"}),
        ("from wirespeed.cos import Client", {"asyncio", "ssl", "requests"}),
    ],
)
def test_imports_stay_light(statement: str, unwanted: set[str]) -> None:
    code = f"import sys; {statement}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not unwanted & set(loaded)


def test_each_module_can_be_imported_alone() -> None:
    modules = [
        ".".join(("wirespeed", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        for path in FILES
        if path.name != "__main__.py"
        and room(path) not in {"dropin"}
        and "cffi" not in path.parts
        and path.relative_to(SOURCE).parts[:2] != ("_native", "cffi")
    ]
    code = (
        "import importlib, subprocess, sys\n"
        "for name in sys.argv[1:]:\n"
        "    for loaded in [each for each in sys.modules if each.startswith('wirespeed')]:\n"
        "        if not loaded.startswith('wirespeed._native'):\n"
        "            del sys.modules[loaded]\n"
        "    importlib.import_module(name)\n"
    )
    subprocess.run([sys.executable, "-c", code, *modules], check=True)
