"""Client CPU of one SQS call, ours beside boto3's, on the same server in one run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks import peers
from benchmarks.rows import Row, alternate, row
from wirespeed.config import Credentials
from wirespeed.sqs import Client

BODY = "x" * 128
CALLS = 100


@contextmanager
def served() -> Iterator[str]:
    """Run the local SQS in a process of its own; yield its URL."""
    command = [sys.executable, "-m", "wirespeed", "serve", "--only", "sqs", "--json"]
    process = subprocess.Popen(
        [*command, "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["sqs"]["url"]
    finally:
        process.communicate(timeout=20)


def cpu(call: Callable[[], object]) -> Callable[[], float]:
    """Return a function that gives the CPU microseconds of this process for one call."""

    def measure() -> float:
        start = time.process_time()
        for _ in range(CALLS):
            call()
        return (time.process_time() - start) / CALLS * 1e6

    return measure


def sqs() -> list[Row]:
    """Measure a send, and a receive with its acknowledgement."""
    boto3 = peers.boto3()
    rows = []
    with served() as url:
        keys = Credentials("local", "local-secret")
        peer = boto3.client(
            "sqs", region_name="us-east-1", endpoint_url=url,
            aws_access_key_id="local", aws_secret_access_key="local-secret",
        )  # fmt: skip
        with Client("us-east-1", endpoint=url, credentials=keys) as client:
            queue = client.create_queue("bench", {"MessageRetentionPeriod": 60})
            address = queue.url()

            def settle() -> None:
                queue.ack(queue.receive(1, wait=5)[0])

            def settle_by_peer() -> None:
                found = peer.receive_message(QueueUrl=address, WaitTimeSeconds=5)["Messages"]
                peer.delete_message(QueueUrl=address, ReceiptHandle=found[0]["ReceiptHandle"])

            cases: list[tuple[str, Callable[[], object], Callable[[], object], float | None]] = [
                (
                    "send, client CPU a call",
                    lambda: queue.send(BODY),
                    lambda: peer.send_message(QueueUrl=address, MessageBody=BODY),
                    18.0,
                ),
                ("receive and delete, client CPU", settle, settle_by_peer, None),
            ]
            for case, ours, theirs, goal in cases:
                own, other = alternate(cpu(ours), cpu(theirs))
                rows.append(row("sqs", case, own, other, "us", goal, f"boto3 {boto3.__version__}"))
        peer.close()
    return rows
