"""The queue clients and the HTTP engine beside their peers, on one server that is not the limit."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httptools
import requests

from benchmarks import peers
from benchmarks.rows import Row, alternate, row
from wirespeed.cmq import Client as CmqClient
from wirespeed.config import Credentials
from wirespeed.engine.effects import Exchange
from wirespeed.http import threads
from wirespeed.http.models import Origin, Request
from wirespeed.sqs import AsyncClient, Client

BODY = "x" * 128
CALLS = 100
KEYS = Credentials("local", "local-secret")
THREADS = 50
TASKS = 100


@contextmanager
def instant() -> Iterator[int]:
    """Run the server that answers at once, on a core of its own where there are two; its port."""
    command = [sys.executable, "-m", "benchmarks.instant"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.communicate(timeout=20)


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and not the servers it started before, on one core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu(call: Callable[[], object], calls: int = CALLS) -> Callable[[], float]:
    """Return a function that gives the CPU microseconds of this process for one call."""

    def measure() -> float:
        start = time.process_time()
        for _ in range(calls):
            call()
        return (time.process_time() - start) / calls * 1e6

    return measure


def engine() -> list[Row]:
    """Measure a bare keep-alive POST of 128 bytes."""
    body = BODY.encode()
    rows = []
    with instant() as port, threads.Transport(proxy="") as transport:
        origin = Origin("http", "127.0.0.1", port)

        def ours() -> None:
            transport.exchange(Exchange(origin, Request("POST", "/", (), body), _soon()))

        plain = http.client.HTTPConnection("127.0.0.1", port)

        def by_http_client() -> None:
            plain.request("POST", "/", body)
            plain.getresponse().read()

        with requests.Session() as session, _Raw(port, body) as raw:
            for name, peer, goal in (
                ("httptools on a raw socket", raw.call, 1 / 1.3),
                ("http.client", by_http_client, 2.0),
                (
                    f"requests {requests.__version__}",
                    lambda: session.post(f"http://127.0.0.1:{port}/", data=body),
                    15.0,
                ),
            ):
                own, other = alternate(cpu(ours), cpu(peer))
                case = "a keep-alive POST, client CPU"
                rows.append(row("http", case, own, other, "us", goal, name))
        plain.close()
    return rows


def _soon() -> float:
    return time.monotonic() + 30


class _Raw:
    """The least that a client can do: a socket, a prepared request, and llhttp."""

    def __init__(self, port: int, body: bytes) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = b"POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\n\r\n%s" % (
            port,
            len(body),
            body,
        )
        self._parser: Any = httptools.HttpResponseParser(self)
        self._done = False

    def on_message_complete(self) -> None:
        """httptools: the response is whole."""
        self._done = True

    def call(self) -> None:
        """Send and receive once."""
        self._done = False
        self._socket.send(self._request)
        while not self._done:
            self._parser.feed_data(self._socket.recv(65536))

    def __enter__(self) -> _Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def _boto3(port: int, **options: Any) -> Any:
    boto3 = peers.boto3()
    return boto3.client(
        "sqs", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="local", aws_secret_access_key="local-secret", **options,
    )  # fmt: skip


def sqs() -> list[Row]:
    """Measure sends, receives, the batching producer, asyncio, and a client's making."""
    version = f"boto3 {peers.boto3().__version__}"
    rows = []
    with instant() as port, contextlib.closing(_boto3(port)) as peer:
        url = f"http://127.0.0.1:{port}"
        address = f"{url}/0/bench"
        with Client("us-east-1", endpoint=url, credentials=KEYS) as client:
            queue = client.queue(address)

            def settle() -> None:
                queue.ack_many(queue.receive(10, wait=5))

            def settle_by_peer() -> None:
                found = peer.receive_message(
                    QueueUrl=address, WaitTimeSeconds=5, MaxNumberOfMessages=10,
                    AttributeNames=["All"], MessageAttributeNames=["All"],
                )["Messages"]  # fmt: skip
                entries = [
                    {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
                    for place, message in enumerate(found)
                ]
                peer.delete_message_batch(QueueUrl=address, Entries=entries)

            cases: list[tuple[str, Callable[[], object], Callable[[], object], float]] = [
                (
                    "send, client CPU a call",
                    lambda: queue.send(BODY),
                    lambda: peer.send_message(QueueUrl=address, MessageBody=BODY),
                    18.0,
                ),
                ("receive 10 and delete batch, client CPU", settle, settle_by_peer, 12.0),
            ]
            for case, ours, theirs, goal in cases:
                own, other = alternate(cpu(ours), cpu(theirs))
                rows.append(row("sqs", case, own, other, "us", goal, version))
            with contextlib.suppress(LookupError):
                own, other = alternate(cpu(lambda: queue.send(BODY)), cpu(_boto2(port)))
                case = "send, client CPU a call"
                rows.append(row("sqs", case, own, other, "us", 5.5, "boto 2.49.0"))
            rows.append(_producer(client, address, port, version))
        with contextlib.suppress(LookupError):
            rows.append(_asyncio(url, address))
        rows += _making(url)
    return rows


def _boto2(port: int) -> Callable[[], object]:
    boto = peers.boto2()
    region = boto.sqs.regioninfo.SQSRegionInfo(name="us-east-1", endpoint="127.0.0.1")
    connection = boto.connect_sqs(
        "local", "local-secret", is_secure=False, port=port, region=region
    )
    queue = boto.sqs.queue.Queue(connection, f"http://127.0.0.1:{port}/0/bench")
    message = boto.sqs.message.RawMessage(body=BODY)
    return lambda: queue.write(message)


def _producer(client: Client, address: str, port: int, version: str) -> Row:
    """Measure the wall time a message takes, 50 threads on one core."""
    import botocore.config

    config = botocore.config.Config(max_pool_connections=THREADS)
    peer = _boto3(port, config=config)

    def rate(send: Callable[[], object], each: int) -> float:
        def work() -> None:
            for _ in range(each):
                send()

        threads_ = [threading.Thread(target=work) for _ in range(THREADS)]
        start = time.perf_counter()
        for thread in threads_:
            thread.start()
        for thread in threads_:
            thread.join()
        return (time.perf_counter() - start) / (THREADS * each) * 1e6

    with one_core(), client.producer(address) as producer, contextlib.closing(peer):
        own, other = alternate(
            lambda: rate(lambda: producer.send(BODY), 60),
            lambda: rate(lambda: peer.send_message(QueueUrl=address, MessageBody=BODY), 6),
        )
    case = "Producer, 50 threads on one core, wall a message"
    return row("sqs", case, own, other, "us", 20.0, version)


def _asyncio(url: str, address: str) -> Row:
    """Measure the wall time a call takes, 100 tasks at a time."""
    session = peers.aiobotocore()

    async def main() -> tuple[list[float], list[float]]:
        made = session.get_session().create_client(
            "sqs", region_name="us-east-1", endpoint_url=url,
            aws_access_key_id="local", aws_secret_access_key="local-secret",
            config=__import__("aiobotocore.config", fromlist=["config"]).AioConfig(
                max_pool_connections=TASKS
            ),
        )  # fmt: skip

        async def rate(send: Callable[[], Any], each: int) -> float:
            async def work() -> None:
                for _ in range(each):
                    await send()

            start = time.perf_counter()
            await asyncio.gather(*[work() for _ in range(TASKS)])
            return (time.perf_counter() - start) / (TASKS * each) * 1e6

        own, other = [], []
        async with made as peer, AsyncClient("us-east-1", endpoint=url, credentials=KEYS) as ours:
            queue = ours.queue(address)
            for block in range(22):
                mine = await rate(lambda: queue.send(BODY), 10)
                theirs = await rate(
                    lambda: peer.send_message(QueueUrl=address, MessageBody=BODY), 2
                )
                if block:
                    own.append(mine)
                    other.append(theirs)
        return own, other

    with one_core():
        own, other = asyncio.run(main())
    import importlib.metadata

    name = f"aiobotocore {importlib.metadata.version('aiobotocore')}"
    return row("sqs", "asyncio, 100 tasks on one core, wall a call", own, other, "us", 8.0, name)


def _making(url: str) -> list[Row]:
    """Measure how long a client takes to make, and what it holds; the peer is the budget."""

    def make() -> Client:
        return Client("us-east-1", endpoint=url, credentials=KEYS)

    def microseconds() -> float:
        start = time.perf_counter()
        for _ in range(20):
            make().close()
        return (time.perf_counter() - start) / 20 * 1e6

    def kibibytes() -> float:
        gc.collect()
        tracemalloc.start()
        made = [make() for _ in range(20)]
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        for client in made:
            client.close()
        return held / 20 / 1024

    times, _ = alternate(microseconds, lambda: 0.0)
    sizes, _ = alternate(kibibytes, lambda: 0.0, 5)
    return [
        row("sqs", "a client made", times, [200.0] * len(times), "us", 1.0, "budget"),
        row("sqs", "what a client holds", sizes, [50.0] * len(sizes), "KiB", 1.0, "budget"),
    ]


def cmq() -> list[Row]:
    """Measure a CMQ send."""
    account = peers.cmq_account()
    with instant() as port:
        url = f"http://127.0.0.1:{port}"
        with CmqClient(url, KEYS) as client:
            queue = client.queue("bench")
            peer = account.Account(url, "local", "local-secret")
            peer.close_log()
            old = peer.get_queue("bench")
            message = sys.modules["cmq.queue"].Message(BODY)
            own, other = alternate(
                cpu(lambda: queue.send(BODY)), cpu(lambda: old.send_message(message))
            )
            peer.get_client().close_connection()
    name = "qcloud-cmq-sdk-py3 0.1"
    return [row("cmq", "send, client CPU a call", own, other, "us", 3.9, name)]
