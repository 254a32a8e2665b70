"""Write each service's sync client (`client.py`) from its asyncio source (`aio.py`).

A source that is a folder (`aio/`) becomes a folder (`client/`).

    python .github/scripts/generate_sync.py            write the files
    python .github/scripts/generate_sync.py --check    fail where a file differs from its source

The source's tokens are mapped by the tables below. A mapping that no source uses is an error.
"""

from __future__ import annotations

import difflib
import io
import re
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("cmq", "cos", "http/service", "rocketmq", "sqs", "storage/spool", "wcs")
SOURCES = sorted(
    path
    for service in SERVICES
    for pattern in ("aio.py", "aio/*.py")
    for path in (ROOT / "src" / "wirespeed" / service).glob(pattern)
)

NAMES = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "AsyncIterator": "Iterator",
}
MODULES = {
    "engine": "threads",
    "remoting": "threads",
    "http": "threads",
    "opened": "client",
    "service": "client",
    "spool": "client",
}
DROPPED = {"async", "await"}
CLASS = re.compile(r"Async([A-Z]\w*)")
HEADER = "# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.\n"


def convert(source: str, used: set[str]) -> str:
    """Return the sync twin of `source`; add each mapping that was used to `used`."""
    output: list[str] = []
    row, column = 1, 0
    lines = source.splitlines(keepends=True)
    skip_space = False
    previous: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.ENDMARKER:
            break
        gap = between(lines, (row, column), token.start)
        if skip_space:
            gap = gap.lstrip(" ")
            skip_space = False
        output.append(gap)
        text = token.string
        if token.type == tokenize.NAME:
            if text in DROPPED:
                used.add(text)
                text, skip_space = "", True
            else:
                text = rename(text, previous, used)
        elif token.type in STRINGS:
            text = CLASS.sub(r"\1", text)
        output.append(text)
        row, column = token.end
        if token.type not in (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT):
            previous = [*previous[-3:], token.string]
    return "".join(output)


STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the source text from one (row, column) to another."""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]] if start[0] <= len(lines) else ""
    parts = [lines[start[0] - 1][start[1] :]]
    parts += lines[start[0] : end[0] - 1]
    if end[0] <= len(lines):
        parts.append(lines[end[0] - 1][: end[1]])
    return "".join(parts)


def rename(name: str, previous: list[str], used: set[str]) -> str:
    """Return a name's sync form. `previous` are the tokens before it."""
    if name in NAMES:
        used.add(name)
        return NAMES[name]
    if name == "aio" and previous[-1:] == ["import"]:
        home = previous[-2] if len(previous) > 1 else ""
        if home in MODULES:
            used.add(home)
            return MODULES[home]
    match = CLASS.fullmatch(name)
    return match.group(1) if match else name


def first_docstring(text: str) -> str:
    """Replace the source's module docstring, which tells of asyncio."""
    return re.sub(r'^"""(.*?) for asyncio\..*?"""', r'"""\1."""', text, count=1, flags=re.DOTALL)


def sync_path(source: Path) -> Path:
    """Return where the sync twin of a source goes."""
    if source.name == "aio.py":
        return source.with_name("client.py")
    return source.parent.with_name("client") / source.name


def main(arguments: list[str]) -> int:
    check = arguments == ["--check"]
    if arguments and not check:
        print(__doc__)
        return 2
    used: set[str] = set()
    stale = 0
    for source in SOURCES:
        target = sync_path(source)
        target.parent.mkdir(exist_ok=True)
        text = HEADER + first_docstring(convert(source.read_text(), used))
        current = target.read_text() if target.exists() else ""
        if text == current:
            continue
        if check:
            stale += 1
            name = str(target.relative_to(ROOT))
            print(
                "".join(
                    difflib.unified_diff(
                        current.splitlines(True), text.splitlines(True), name, f"{name} (generated)"
                    )
                )
            )
        else:
            target.write_text(text)
            print(f"wrote {target.relative_to(ROOT)}")
    if check:
        unused = {*NAMES, *MODULES, *DROPPED} - used
        for name in sorted(unused):
            print(f"mapping {name!r} is not used by any source: remove it")
        stale += len(unused)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
