"""What every benchmark ends as: one row, made from alternating blocks of us and the peer."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

BLOCKS = 21


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        group: what the case belongs to.
        case: what was measured.
        ours: our median, in ``unit``; less is better.
        peer: the peer's median, or the budget.
        unit: of both.
        ratio: the median of peer / ours over the blocks: how many times better we are.
        goal: the ratio to reach, or None where there is none.
        against: the peer's name.
        spread: the first and third quartile of the blocks' ratios; zeros where there was one.
    """

    group: str
    case: str
    ours: float
    peer: float
    unit: str
    ratio: float
    goal: float | None
    against: str
    spread: tuple[float, float] = field(default=(0.0, 0.0))

    def as_json(self) -> dict[str, object]:
        """Return the row as JSON values."""
        return asdict(self)


def row(
    group: str,
    case: str,
    ours: list[float],
    peer: list[float],
    unit: str,
    goal: float | None,
    against: str,
) -> Row:
    """Return the row of blocks measured in turn: ``ours[i]`` beside ``peer[i]``."""
    ratios = [theirs / max(own, 1e-12) for own, theirs in zip(ours, peer, strict=True)]
    first, _, third = statistics.quantiles(ratios, n=4)
    return Row(
        group,
        case,
        statistics.median(ours),
        statistics.median(peer),
        unit,
        statistics.median(ratios),
        goal,
        against,
        (first, third),
    )


def alternate(
    ours: Callable[[], float], peer: Callable[[], float], blocks: int = BLOCKS
) -> tuple[list[float], list[float]]:
    """Call both in turn, each first once to warm up; return what they measured."""
    ours()
    peer()
    pairs = [(ours(), peer()) for _ in range(blocks)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def table(rows: list[Row]) -> str:
    """Return the rows as a table for a terminal."""
    head = ("group", "case", "ours", "peer", "unit", "times better", "goal", "against")
    lines = [head]
    for item in rows:
        goal = "" if item.goal is None else f"{item.goal:g} {'met' if met(item) else 'MISSED'}"
        times = f"{item.ratio:.2f}"
        close = item.ratio <= 1.2 or (item.goal is not None and item.goal <= 1.2)
        if close and any(item.spread):
            times += f" ({item.spread[0]:.2f}-{item.spread[1]:.2f})"
        lines.append(
            (item.group, item.case, f"{item.ours:.4g}", f"{item.peer:.4g}", item.unit, times, goal,
             item.against)
        )  # fmt: skip
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def met(item: Row) -> bool:
    """Tell whether the row reached its goal, if it has one."""
    return item.goal is None or item.ratio >= item.goal
