"""The contract itself: header, .pxd files, backends and parity tests name the same things."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.parity.conftest import load
from wirespeed import _native
from wirespeed._native import contract

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "src/wirespeed/_native"
IN_SOURCE_TREE = pytest.mark.skipif(
    not (NATIVE / "cython").is_dir(), reason="an installed wheel has no .pxd files"
)
HALVES = {
    "digest": contract.DIGEST_NAMES,
    "sign": contract.SIGN_NAMES,
    "rocketmq": contract.ROCKETMQ_NAMES,
}


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*|#(?!define)[^\n]*", "", text, flags=re.S)


def c_prototypes(text: str) -> dict[str, str]:
    """Each function of a header or .pxd: its name and its types, in one spelling."""
    found = {}
    for result, name, arguments in re.findall(
        r"^\s*((?:const )?[a-z_0-9]+ \**)(ws_\w+)\(([^)]*)\)", without_comments(text), flags=re.M
    ):
        types = [re.sub(r"\w+$", "", part.strip()) for part in arguments.split(",")]
        spelled = ",".join(types) if arguments.strip() not in ("", "void") else ""
        found[name] = re.sub(r"\s", "", f"{result}({spelled})")
    return found


def c_constants(text: str) -> set[str]:
    return set(re.findall(r"^\s*(?:#define|enum:) (WS_\w+)", without_comments(text), flags=re.M))


def c_types(text: str) -> set[str]:
    plain = without_comments(text)
    return set(re.findall(r"\} (ws_\w+);", plain)) | set(
        re.findall(r"ctypedef (?:struct|enum) (ws_\w+)", plain)
    )


@pytest.fixture(scope="module")
def header() -> str:
    return (ROOT / "csrc/wirespeed.h").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pxd() -> str:
    files = sorted((NATIVE / "cython").glob("*.pxd"))
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@IN_SOURCE_TREE
def test_the_pxd_files_name_what_the_header_names(header: str, pxd: str) -> None:
    assert len(c_prototypes(header)) >= 15
    assert c_prototypes(pxd) == c_prototypes(header)
    assert c_constants(pxd) <= c_constants(header)
    assert c_types(pxd) == c_types(header)


def test_the_header_is_what_cffi_parses(header: str) -> None:
    cffi = pytest.importorskip("cffi")
    cffi.FFI().cdef(header)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("backend", contract.BACKENDS)
def test_a_backend_has_the_names_and_parameters_of_the_pure_twin(backend: str, half: str) -> None:
    module, twin = load(backend, half), load("pure", half)
    for name in HALVES[half]:
        ours, reference = getattr(module, name), getattr(twin, name)
        if inspect.isfunction(reference):
            parameters = inspect.signature(reference).parameters.values()
            expected = [(p.name, p.kind, p.default) for p in parameters]
            given = inspect.signature(ours).parameters.values()
            assert [(p.name, p.kind, p.default) for p in given] == expected, name
        else:
            public = {each for each in vars(reference) if not each.startswith("_")}
            slots = {each for each in getattr(reference, "__slots__", ()) if each[0] != "_"}
            missing = (public | slots) - set(dir(ours))
            assert not missing, f"{name} lacks {missing}"


def test_the_selector_passes_every_name_on() -> None:
    for name in (name for names in HALVES.values() for name in names):
        assert getattr(_native, name).__module__.startswith("wirespeed._native"), name
        assert name in _native.__all__


@pytest.mark.parametrize("half", HALVES)
def test_every_function_has_a_parity_test(half: str) -> None:
    used = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                used.add((node.value.id, node.attr))
    assert {name for name in HALVES[half] if (half, name) not in used} == set()


def imported(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"from wirespeed import _native; {code}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("backend", contract.BACKENDS)
def test_the_backend_asked_for_is_the_one_that_runs(backend: str) -> None:
    load(backend, "rocketmq")
    run = imported("print(_native.BACKEND)", WIRESPEED_BACKEND=backend, WIRESPEED_CPU="")
    assert run.stdout.strip() == backend, run.stderr


def test_an_unknown_backend_is_an_error() -> None:
    run = imported("", WIRESPEED_BACKEND="rust")
    assert run.returncode == 1
    assert run.stderr.strip().endswith(
        "WIRESPEED_BACKEND is 'rust': it must be one of ('cython', 'cffi', 'pure')"
    )


def test_a_missing_backend_is_an_error_that_tells_the_way_out(tmp_path: Path) -> None:
    shut = tmp_path / "sitecustomize.py"
    shut.write_text("import sys\nsys.modules['wirespeed._native.cython.digest'] = None\n")
    run = imported("", WIRESPEED_BACKEND="cython", PYTHONPATH=str(tmp_path))
    assert run.returncode == 1
    assert "the cython backend of wirespeed cannot be loaded" in run.stderr
    assert "WIRESPEED_BACKEND=pure" in run.stderr


@pytest.mark.parametrize("backend", ["cython", "cffi"])
def test_the_cpu_path_asked_for_is_the_one_that_runs(backend: str) -> None:
    module: ModuleType = load(backend, "digest")
    load(backend, "rocketmq")
    for path in module.cpu_paths():
        run = imported("print(_native.cpu_path())", WIRESPEED_BACKEND=backend, WIRESPEED_CPU=path)
        assert run.stdout.strip() == path, run.stderr
    run = imported("", WIRESPEED_BACKEND=backend, WIRESPEED_CPU="sse9")
    assert run.returncode == 1
    assert "ImportError: WIRESPEED_CPU is 'sse9': this machine can run" in run.stderr
