"""Client CPU of one SQS call, ours beside boto3's, on the same server in one run."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks import peers
from benchmarks.rows import Row, alternate, row
from wirespeed.cmq import Client as CmqClient
from wirespeed.config import Credentials
from wirespeed.sqs import Client, Queue

BODY = "x" * 128
CALLS = 100


@contextmanager
def served(service: str) -> Iterator[str]:
    """Run a local service in a process of its own; yield its URL."""
    command = [sys.executable, "-m", "wirespeed", "serve", "--only", service, "--json"]
    process = subprocess.Popen(
        [*command, "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())[service]["url"]
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
    with served("sqs") as url:
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
            with contextlib.suppress(LookupError):
                rows.append(_beside_boto(queue, url))
        peer.close()
    return rows


def _beside_boto(queue: Queue, url: str) -> Row:
    boto = peers.boto2()
    host, _, port = url.removeprefix("http://").rpartition(":")
    region = boto.sqs.regioninfo.SQSRegionInfo(name="us-east-1", endpoint=host)
    old = boto.connect_sqs(
        "local", "local-secret", is_secure=False, port=int(port), region=region
    ).get_queue("bench")
    message = boto.sqs.message.RawMessage(body=BODY)
    own, other = alternate(cpu(lambda: queue.send(BODY)), cpu(lambda: old.write(message)))
    return row("sqs", "send, client CPU a call", own, other, "us", 5.5, f"boto {boto.__version__}")


def cmq() -> list[Row]:
    """Measure a CMQ send, and a receive with its acknowledgement."""
    account = peers.cmq_account()
    rows = []
    keys = Credentials("local", "local-secret")
    with served("cmq") as url, CmqClient(url, keys) as client:
        queue = client.create_queue("bench", {"msgRetentionSeconds": 60})
        peer = account.Account(url, "local", "local-secret")
        peer.close_log()
        old = peer.get_queue("bench")
        message = sys.modules["cmq.queue"].Message(BODY)

        def settle() -> None:
            queue.ack(queue.receive(1, wait=5)[0])

        def settle_by_peer() -> None:
            old.delete_message(old.receive_message(5).receiptHandle)

        cases: list[tuple[str, Callable[[], object], Callable[[], object], float | None]] = [
            (
                "send, client CPU a call",
                lambda: queue.send(BODY),
                lambda: old.send_message(message),
                3.9,
            ),
            ("receive and delete, client CPU", settle, settle_by_peer, None),
        ]
        for case, ours, theirs, goal in cases:
            own, other = alternate(cpu(ours), cpu(theirs))
            rows.append(row("cmq", case, own, other, "us", goal, "qcloud-cmq-sdk-py3 0.1"))
        peer.get_client().close_connection()
    return rows
