"""The C extensions of wirespeed; everything else is in pyproject.toml.

Environment:
    WIRESPEED_EXTENSIONS  require (default): build them, or fail. no: build none; the install
                          records that choice and runs the pure-Python backend.
    WIRESPEED_BUILD_CFFI  1: build the cffi backend on CPython too, beside the Cython one.
    WIRESPEED_SANITIZE    address,undefined or thread: instrument the C code (gcc or clang).
"""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CCompilerError, ExecError, PlatformError

ROOT = Path(__file__).resolve().parent
CFFI_SOURCE = "src/wirespeed/_native/cffi/_core.c"
HEADER = "csrc/wirespeed.h"
RECORD = "build_record.txt"
ON_CPYTHON = platform.python_implementation() == "CPython"


def choice() -> str:
    """Return WIRESPEED_EXTENSIONS, checked."""
    value = os.environ.get("WIRESPEED_EXTENSIONS", "require")
    if value not in ("require", "no"):
        raise SystemExit(f"WIRESPEED_EXTENSIONS is {value!r}: it must be 'require' or 'no'")
    return value


def sanitizers() -> list[str]:
    """Return the compiler's sanitizer flags, if any were asked for."""
    names = os.environ.get("WIRESPEED_SANITIZE", "")
    return [f"-fsanitize={names}", "-fno-omit-frame-pointer", "-g"] if names else []


def sources(*rooms: str) -> list[str]:
    """Return the C files of the rooms of csrc, relative to this file, sorted."""
    found = [p for room in rooms for p in sorted((ROOT / "csrc" / room).glob("*.c"))]
    return [p.relative_to(ROOT).as_posix() for p in found]


def extension(name: str, files: list[str]) -> Extension:
    """Return an extension that sees csrc and is rebuilt when a header changes."""
    headers = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "csrc").rglob("*.h"))
    return Extension(name, files, include_dirs=["csrc"], depends=headers)


def extensions() -> list[Extension]:
    """Return what is to be built: Cython on CPython, cffi elsewhere or when asked for."""
    if choice() == "no":
        return []
    found = []
    if ON_CPYTHON:
        room = "src/wirespeed/_native/cython/"
        native = "wirespeed._native.cython."
        digest_files = sources("cpu", "digest", "encode", "sign")
        rocketmq_files = [*sources("rocketmq"), "csrc/digest/crc32.c"]
        found.append(extension(native + "digest", [room + "digest.pyx", *digest_files]))
        found.append(extension(native + "rocketmq", [room + "rocketmq.pyx", *rocketmq_files]))
    if not ON_CPYTHON or os.environ.get("WIRESPEED_BUILD_CFFI") == "1":
        files = sources("cpu", "digest", "encode", "sign", "rocketmq")
        found.append(extension("wirespeed._native.cffi._core", [CFFI_SOURCE, *files]))
    return found


class BuildExtensions(build_ext):
    """Generates the glue, sets the compiler's flags, and says plainly when there is no compiler."""

    def finalize_options(self) -> None:
        asked: list[Extension] = self.distribution.ext_modules or []
        glued = [item for item in asked if any(s.endswith(".pyx") for s in item.sources)]
        plain = [item for item in asked if item not in glued]
        if plain:
            self.write_cffi_source()
        if glued:
            from Cython.Build import cythonize

            glued = cythonize(
                glued,
                include_path=["src"],
                build_dir="build/cython",
                compiler_directives={
                    "language_level": 3,
                    "freethreading_compatible": True,
                    "embedsignature": True,
                    "boundscheck": False,
                    "wraparound": False,
                },
            )
        self.distribution.ext_modules = [*glued, *plain]
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count()

    def build_extensions(self) -> None:
        if self.compiler.compiler_type == "msvc":
            compile_flags, link_flags = ["/O2", "/std:c11"], []
        else:
            compile_flags = ["-O3", "-std=c11", "-fvisibility=hidden", "-Wall", "-Wextra"]
            compile_flags += ["-Wno-unused-parameter", *(sanitizers() or ["-g0"])]
            link_flags = sanitizers()
        for item in self.extensions:
            item.extra_compile_args += compile_flags
            item.extra_link_args += link_flags
        try:
            super().build_extensions()
        except (CCompilerError, ExecError, PlatformError) as failure:
            raise SystemExit(self.explain(failure)) from None

    def explain(self, failure: Exception) -> str:
        command = getattr(self.compiler, "compiler_so", None) or ["cl"]
        if self.compiler.compiler_type == "msvc" or shutil.which(command[0]):
            problem = f"the C extensions did not compile: {str(failure).splitlines()[0]}"
        else:
            problem = f"there is no C compiler ({command[0]!r} was not found): install gcc or clang"
        return f"wirespeed: {problem}; or set WIRESPEED_EXTENSIONS=no for the slow pure-Python one"

    def write_cffi_source(self) -> None:
        import cffi

        builder = cffi.FFI()
        builder.cdef((ROOT / HEADER).read_text(encoding="utf-8"))
        builder.set_source("wirespeed._native.cffi._core", '#include "port.h"')
        builder.emit_c_code(str(ROOT / CFFI_SOURCE))


class BuildPython(build_py):
    """Records beside the native selector what was asked of this build."""

    def record_path(self) -> Path:
        if self.editable_mode:
            return ROOT / "src/wirespeed/_native" / RECORD
        return Path(self.build_lib) / "wirespeed/_native" / RECORD

    def run(self) -> None:
        super().run()
        backends = dict.fromkeys(e.name.split(".")[2] for e in extensions())
        path = self.record_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"extensions={choice()}", f"backends={','.join(backends) or 'pure'}"]
        if sanitizers():
            lines.append(f"sanitize={os.environ['WIRESPEED_SANITIZE']}")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), str(self.record_path())]


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildExtensions, "build_py": BuildPython},
)
