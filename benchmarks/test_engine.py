"""What a flow costs over the bare exchange; the peer is the budget of 1 microsecond."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.rows import BLOCKS, row
from wirespeed.engine import threads
from wirespeed.engine.effects import Exchange, Flow

CALLS = 20_000
BUDGET_US = 1.0


class Echo:
    """A transport whose reply is there at once."""

    def exchange(self, effect: Exchange) -> Any:
        return effect.request


def inner(deadline: float) -> Flow[int]:
    reply = yield Exchange("endpoint", 1, deadline)
    return int(reply)


def outer(deadline: float) -> Flow[int]:
    return (yield from inner(deadline))


def test_flow_over_bare_exchange(benchmark: Any) -> None:
    """A warm call: one effect, two generators deep."""
    transport = Echo()
    bare: list[float] = []

    def time_bare_exchange() -> None:
        start = time.perf_counter()
        for _ in range(CALLS):
            transport.exchange(Exchange("endpoint", 1, 5.0))
        bare.append(time.perf_counter() - start)

    def run_flows() -> None:
        for _ in range(CALLS):
            threads.run(outer(5.0), transport)

    assert threads.run(outer(5.0), transport) == 1
    benchmark.group = "engine"
    benchmark.pedantic(
        run_flows, setup=time_bare_exchange, rounds=BLOCKS, iterations=1, warmup_rounds=1
    )
    own = list(benchmark.stats.stats.data)
    over = [(a - b) / CALLS * 1e6 for a, b in zip(own, bare[-len(own) :], strict=True)]
    result = row("engine", "flow over the bare exchange", over, [BUDGET_US] * len(over), "us", 1.0,
                 "budget")  # fmt: skip
    benchmark.extra_info.update(result.as_json())
