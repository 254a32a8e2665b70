"""What the local cloud's page says, held against the local cloud."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wirespeed.local
from tests.rocketmq_probe import Probe
from tests.sqs_observations import OTHERS
from wirespeed.local import LocalCloud

PAGE = Path(wirespeed.local.__file__).with_name("README.md").read_text(encoding="utf-8")


def codes() -> list[int]:
    """Return the request codes that the page says are not there."""
    table = PAGE.split("| not there | codes |")[1].split("\n\n")[0]
    found: list[int] = []
    for line in table.strip().splitlines()[1:]:
        numbers = [int(each) for each in re.findall(r"\d+", line.rstrip("|").rpartition("|")[2])]
        if " to " in line:
            numbers = list(range(numbers[0], numbers[1] + 1))
        found += numbers
    return found


def test_what_is_not_there_is_not_there() -> None:
    missing = codes()
    assert len(missing) > 20 and 200050 in missing and 3010 in missing
    with LocalCloud(["rocketmq"]) as cloud, Probe(cloud.namesrv) as names:
        route = names.route("TBW102").body.decode()
        address = re.search(r'"0":"([^"]+)"', route)
        assert address is not None
        with Probe(address[1]) as broker:
            for code in missing:
                assert (broker.ask(code).code, names.ask(code).code) == (3, 3), code


@pytest.mark.parametrize("server", OTHERS)
def test_each_difference_is_listed(server: str) -> None:
    column = 2 + list(OTHERS).index(server)
    rows = {
        cells[0]: cells
        for line in PAGE.splitlines()
        if line.startswith("| ") and len(cells := [c.strip() for c in line[1:-1].split("|")]) == 4
    }
    observed = {name for known in OTHERS.values() for name in known}
    listed = {name for name, cells in rows.items() if name in observed and cells[column]}
    assert listed == set(OTHERS[server])


def test_the_readmes_lead_to_the_page() -> None:
    root = Path(__file__).resolve().parents[2]
    for name in ("README.md", "README.zh-CN.md"):
        assert "(src/wirespeed/local/README.md)" in (root / name).read_text(encoding="utf-8")
