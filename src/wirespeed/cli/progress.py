"""A progress bar on standard error, drawn only when that is a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType

_INTERVAL = 0.1
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
        rate = f"{self.figure(done / (now - self._started))}/s"
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except OSError:
            columns = 80
        if total:
            figures = f" {done * 100 // total:3d} % of {self.figure(total)}, {rate}"
        else:
            figures = f" {self.figure(done)}, {rate}"
        room = columns - len(figures) - 1
        label = self.label[: max(room // 2, 8)]
        width = min(room - len(label) - 3, 40) if total else 0
        bar = ""
        if total and width >= 5:
            full = done * width // total
            bar = f" [{'#' * full}{'.' * (width - full)}]"
        sys.stderr.write(f"\r\x1b[K{(label + bar + figures)[: columns - 1]}")
        sys.stderr.flush()
