"""Progress bars on standard error, drawn only when that is a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple, Protocol

_INTERVAL = 0.1
_MOST_LINES = 8
_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(count: float) -> str:
    """Return a number of bytes for a person: `1.5 GB`."""
    for unit in _UNITS[:-1]:
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {_UNITS[-1]}"


class Bar:
    """`with Bar("name") as bar: work(progress=bar.update)`: one line, gone at the end.

    Args:
        label: what is being done.
        shown: whether to draw; by default, whether standard error is a terminal.
        figure: turns an amount into text; bytes by default.
    """

    def __init__(
        self,
        label: str,
        *,
        shown: bool | None = None,
        figure: Callable[[float], str] = size,
    ) -> None:
        self.label = label
        self.figure = figure
        self.shown = sys.stderr.isatty() if shown is None else shown
        self._started = time.monotonic()
        self._due = self._started + _INTERVAL

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def update(self, done: int, total: int | None) -> None:
        """Draw `done` of `total`, ten times a second at most; `total` None is unknown."""
        now = time.monotonic()
        if not self.shown or now < self._due:
            return
        self._due = now + _INTERVAL
        spent = now - self._started
        text = line(self.label, done, total, done / max(spent, 1e-9), self.figure, columns())
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def columns() -> int:
    """Return how wide the terminal is."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


def line(
    label: str,
    done: int,
    total: int | None,
    rate: float,
    figure: Callable[[float], str],
    width: int,
) -> str:
    """Return one bar as text: label, bar, part done, and rate; shorter than `width`."""
    speed = f"{figure(rate)}/s"
    if total:
        figures = f" {done * 100 // total:3d} % of {figure(total)}, {speed}"
    else:
        figures = f" {figure(done)}, {speed}"
    room = width - len(figures) - 1
    label = label[: max(room // 2, 8)]
    length = min(room - len(label) - 3, 40) if total else 0
    bar = ""
    if total and length >= 5:
        full = done * length // total
        bar = f" [{'#' * full}{'.' * (length - full)}]"
    return (label + bar + figures)[: width - 1]


class _File(NamedTuple):
    label: str
    done: int
    resumed: int
    total: int
    began: float


class _Update(Protocol):
    def __call__(self, done: int, resumed: int = 0) -> None: ...


class Bars:
    """A bar for all files and one for each that is under way; gone at the end. Thread-safe.

    `with Bars(count, size) as bars: with bars.file(name, size) as update: update(bytes_done)`

    The rates leave out what was there before.

    Args:
        count: how many files there are.
        total: their bytes.
        shown: whether to draw; by default, whether standard error is a terminal.
    """

    def __init__(self, count: int, total: int, *, shown: bool | None = None) -> None:
        self.shown = sys.stderr.isatty() if shown is None else shown
        self._count = count
        self._total = total
        self._ended = 0
        self._ended_bytes = 0
        self._ended_resumed = 0
        self._active: dict[object, _File] = {}
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._due = self._started + _INTERVAL
        self._lines = 0

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    @contextlib.contextmanager
    def file(self, label: str, total: int) -> Iterator[_Update]:
        """Show a file while the block runs; it gives what takes bytes done, and resumed."""
        mark = object()
        began = time.monotonic()

        def update(done: int, resumed: int = 0) -> None:
            with self._lock:
                self._active[mark] = _File(label, done, resumed, total, began)
                self._draw()

        update(0)
        try:
            yield update
        finally:
            with self._lock:
                self._ended += 1
                file = self._active.pop(mark)
                self._ended_bytes += file.done
                self._ended_resumed += file.resumed

    def _draw(self) -> None:
        now = time.monotonic()
        if not self.shown or now < self._due:
            return
        self._due = now + _INTERVAL
        width = columns()
        active = list(self._active.values())
        done = self._ended_bytes + sum(file.done for file in active)
        carried = done - self._ended_resumed - sum(file.resumed for file in active)
        label = f"{self._ended} of {self._count} files"
        rate = carried / max(now - self._started, 1e-9)
        texts = [line(label, done, self._total, rate, size, width)]
        for file in active[:_MOST_LINES]:
            rate = (file.done - file.resumed) / max(now - file.began, 1e-9)
            texts.append(line(f"  {file.label}", file.done, file.total, rate, size, width))
        self._clear()
        sys.stderr.write("\n".join(texts))
        sys.stderr.flush()
        self._lines = len(texts)

    def _clear(self) -> None:
        if self._lines:
            up = f"\x1b[{self._lines - 1}A" if self._lines > 1 else ""
            sys.stderr.write(f"\r{up}\x1b[J")
            self._lines = 0

    def hide(self) -> None:
        """Take the bars away, so that something else can be printed."""
        with self._lock:
            if self.shown:
                self._clear()
                sys.stderr.flush()
