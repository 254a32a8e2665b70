"""The fixture that measures us and a peer in alternating rounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from benchmarks.rows import BLOCKS, Row, row

UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


class Compare(Protocol):
    """What the ``compare`` fixture is."""

    def __call__(
        self,
        group: str,
        case: str,
        ours: Callable[[], object],
        peer: Callable[[], object],
        *,
        against: str,
        goal: float | None = None,
        unit: str = "us",
        calls: int = 1000,
        rounds: int = BLOCKS,
    ) -> Row: ...


@pytest.fixture
def compare(benchmark: Any) -> Compare:
    """Return a function that times ``calls`` calls of ours and of the peer, round by round."""

    def measure(
        group: str,
        case: str,
        ours: Callable[[], object],
        peer: Callable[[], object],
        *,
        against: str,
        goal: float | None = None,
        unit: str = "us",
        calls: int = 1000,
        rounds: int = BLOCKS,
    ) -> Row:
        repeat = range(calls)
        peers: list[float] = []

        def time_the_peer() -> None:
            start = time.perf_counter()
            for _ in repeat:
                peer()
            peers.append(time.perf_counter() - start)

        def run_ours() -> None:
            for _ in repeat:
                ours()

        benchmark.group = group
        benchmark.name = case
        benchmark.pedantic(
            run_ours, setup=time_the_peer, rounds=rounds, iterations=1, warmup_rounds=1
        )
        own = list(benchmark.stats.stats.data)
        scale = UNITS[unit] / calls
        result = row(
            group,
            case,
            [value * scale for value in own],
            [value * scale for value in peers[-len(own) :]],
            unit,
            goal,
            against,
        )
        benchmark.extra_info.update(result.as_json())
        return result

    return measure
