"""The state machines of tests/property, for a fifth of SECONDS_TO_RUN (default 60) each."""

from __future__ import annotations

import importlib
import os
import time

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

SECONDS = float(os.environ.get("SECONDS_TO_RUN", "60")) / 5


@pytest.mark.parametrize("service", ["cmq", "cos", "rocketmq", "sqs", "wcs"])
def test_a_local_service_is_as_its_model(service: str) -> None:
    machine = importlib.import_module(f"tests.property.test_state_{service}").Machine
    longer = settings(
        machine.TestCase.settings, max_examples=50, stateful_step_count=100, database=None
    )
    end = time.monotonic() + SECONDS
    runs = 0
    while time.monotonic() < end or not runs:
        run_state_machine_as_test(machine, settings=longer)
        runs += 1
    print(f"{service}: {50 * runs} examples")
