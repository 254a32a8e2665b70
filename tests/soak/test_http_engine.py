"""The HTTP engine against many more closes and cancellations than a quick test has time for."""

from __future__ import annotations

import pytest

from tests.fault.test_http_engine import endure_cancellations, endure_closes
from tests.fault.test_http_transport import KINDS


@pytest.mark.parametrize("kind", ["threads", "aio"])
def test_a_hundred_thousand_closes(kind: str) -> None:
    endure_closes(KINDS[kind], 100_000)


def test_twenty_thousand_cancellations() -> None:
    print(endure_cancellations(3500), "calls cancelled")
