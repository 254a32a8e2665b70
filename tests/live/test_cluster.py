"""The harness leaves nothing running, however the test run ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.collector import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = """
import time
from tests.live.cluster import Cluster, version_asked
cluster = Cluster(version_asked(), with_broker=False)
print(cluster.namesrv, cluster.home, flush=True)
time.sleep(600)
"""


def listens(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_servers_end_with_their_owner(rocketmq_cluster: object, name: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout is not None
    address, home = owner.stdout.readline().split()
    assert listens(address)
    owner.send_signal(getattr(signal, name))
    owner.communicate(timeout=20)
    eventually(lambda: not listens(address), "the name server's end", 10)
    eventually(lambda: not Path(home).exists(), "the removal of its files", 10)
