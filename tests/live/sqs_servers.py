"""SQS servers of others on free ports of 127.0.0.1: moto, and ElasticMQ."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live.cluster import JAVA_SOURCES, Server, fetch_jars, free_port, tool

ELASTICMQ = "elasticmq-server-1.7.1"


@contextmanager
def moto() -> Iterator[str]:
    """Run moto's server; yield its URL."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1"]
    with running([*command, "-p", str(port)], port, "moto"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def elasticmq() -> Iterator[str]:
    """Run ElasticMQ; yield its URL.

    Raises:
        LiveUnavailable: Java or Maven is missing, or the jars could not be fetched.
    """
    jars = fetch_jars(ELASTICMQ, JAVA_SOURCES / "elasticmq.xml")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="wirespeed-elasticmq-") as folder:
        configuration = Path(folder) / "elasticmq.conf"
        configuration.write_text(
            f"""include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1",
            sqs-limits = strict }}
rest-stats {{ enabled = false }}
""",
            encoding="utf-8",
        )
        command = [
            tool("java", "default-jdk-headless"), "-Xmx256m", f"-Dconfig.file={configuration}",
            "-cp", f"{jars}{os.sep}*", "org.elasticmq.server.Main",
        ]  # fmt: skip
        with running(command, port, "elasticmq"):
            yield f"http://127.0.0.1:{port}"


@contextmanager
def running(command: list[str], port: int, name: str) -> Iterator[None]:
    """Run a server until its port answers, and kill it at the end.

    Raises:
        RuntimeError: it does not answer within a minute.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"wirespeed-{name}-"))
    server = Server(command, folder / "log")
    try:
        limit = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if server.guard.poll() is not None or time.monotonic() > limit:
                    raise RuntimeError(f"{name} did not start:\n{server.output()}") from None
                time.sleep(0.05)
        yield
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
