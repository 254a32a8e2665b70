"""The object stores beside the living WCS SDK, curl and sha1sum, on a server that is fast."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.processes import seconds
from benchmarks.rows import Row, alternate, row
from wirespeed import wcs

MIB = 1 << 20
LARGE = 1 << 30
SMALL = 10 * 1024
FILES = 1000
BLOCKS = 5


@contextmanager
def depot() -> Iterator[int]:
    """Run the server; yield its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.depot"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.communicate(timeout=20)


def client(port: int) -> wcs.Client:
    """Return a client of ours."""
    url = f"http://127.0.0.1:{port}"
    return wcs.Client(
        "local", "local-secret", upload_url=url, manage_url=url, download_url=url, proxy=""
    )


def wall(call: Callable[[], object]) -> Callable[[], float]:
    """Return a function that gives the seconds a call takes."""

    def measure() -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return measure


def cpu(call: Callable[[], object]) -> Callable[[], float]:
    """Return a function that gives the CPU seconds of this process that a call takes."""

    def measure() -> float:
        start = time.process_time()
        call()
        return time.process_time() - start

    return measure


def storage() -> list[Row]:
    """Measure uploads, listings and downloads."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="wirespeed-bench-") as name, depot() as port:
        folder = Path(name)
        os.environ["WIRESPEED_STATE_DIR"] = str(folder / "state")
        large = folder / "large"
        piece = os.urandom(MIB)
        with large.open("wb") as file:
            for _ in range(LARGE // MIB):
                file.write(piece)
        with client(port) as ours:
            try:
                sdk = peers.wcs_client(f"http://127.0.0.1:{port}", str(folder / "records/"))
            except LookupError as missing:
                print(f"left out the WCS SDK: {missing}", file=sys.stderr)
            else:
                rows += _beside_sdk(ours, sdk, folder, large)
            rows += _beside_socket(ours, large, port)
            rows += _memory(port, large)
            rows += _downloads(ours, folder, port)
        rows += _etags(folder)
    return rows


def _beside_sdk(ours: wcs.Client, sdk: Any, folder: Path, large: Path) -> list[Row]:
    name = "wcs-python3-sdk 5.0.36"
    bucket = ours.bucket("b")

    def quietly(call: Callable[[], object]) -> Callable[[], object]:
        def run() -> None:
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
                call()

        return run

    own, other = alternate(
        wall(lambda: bucket.upload_file(large, "k", workers=4)),
        wall(quietly(lambda: sdk.multipart_upload(str(large), "b", "k"))),
        BLOCKS,
    )
    rows = [row("storage", "1 GiB by blocks, 4 workers", own, other, "s", 3.0, name)]
    many = folder / "many"
    many.mkdir()
    data = os.urandom(SMALL)
    paths = []
    for number in range(FILES):
        path = many / f"{number:05}"
        path.write_bytes(data)
        paths.append(path)

    def alone() -> None:
        for path in paths:
            bucket.put(path.name, path.read_bytes())

    def together() -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda path: bucket.put(path.name, path.read_bytes()), paths))

    def theirs() -> None:
        for path in paths[:100]:
            sdk.simple_upload(str(path), "b", path.name)

    def scaled() -> float:
        return wall(quietly(theirs))() * FILES / 100

    for case, call, goal in (
        (f"{FILES} files of 10 KiB, one worker", alone, 5.0),
        (f"{FILES} files of 10 KiB, 4 workers", together, 10.0),
    ):
        own, other = alternate(wall(call), scaled, BLOCKS)
        rows.append(row("storage", case, own, other, "s", goal, name))

    def listing() -> None:
        assert sum(1 for _ in bucket.list()) == 100_000

    def listing_by_sdk() -> None:
        assert len(sdk.bucket_listAll("b", limit=1000)[1]["items"]) == 100_000

    own, other = alternate(cpu(listing), cpu(quietly(listing_by_sdk)), BLOCKS)
    rows.append(row("storage", "list 100,000 keys, client CPU", own, other, "s", 5.0, name))
    return rows


def _beside_socket(ours: wcs.Client, large: Path, port: int) -> list[Row]:
    """Compare our client's CPU with that of the same bytes through a bare socket, unhashed."""
    bucket = ours.bucket("b")

    def bare() -> None:
        block = bytearray(4 * MIB)
        with (
            large.open("rb", buffering=0) as file,
            socket.create_connection(("127.0.0.1", port)) as sock,
        ):
            head = b"POST /mkblk/4194304/0 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(
                block
            )
            while file.readinto(block):
                sock.sendall(head)
                sock.sendall(block)
                sock.recv(65536)

    own, other = alternate(
        cpu(lambda: bucket.upload_file(large, "k", workers=4, resume=False)), cpu(bare), BLOCKS
    )
    case = "1 GiB by blocks, client CPU with hashing"
    return [row("storage", case, own, other, "s", 0.5, "a bare socket, no hash")]


def _memory(port: int, large: Path) -> list[Row]:
    """Measure what an upload of 1 GiB adds to the interpreter's memory; the peer is the budget."""
    program = (
        "import re, sys; from benchmarks.storage import client\n"
        "def peak():\n"
        "    status = open('/proc/self/status').read()\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+)', status)[1])\n"
        "made = client(int(sys.argv[1])); bucket = made.bucket('b'); before = peak()\n"
        "bucket.upload_file(sys.argv[2], 'k', workers=4, resume=False)\n"
        "print(peak() - before); made.close()"
    )

    def added() -> float:
        done = subprocess.run(
            [sys.executable, "-c", program, str(port), str(large)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return int(done.stdout) / 1024

    if not os.path.exists("/proc/self/status"):
        return []
    sizes = [added() for _ in range(3)]
    case = "1 GiB by blocks, 4 workers, memory added"
    return [row("storage", case, sizes, [64.0] * 3, "MiB", 1.0, "budget")]


def _downloads(ours: wcs.Client, folder: Path, port: int) -> list[Row]:
    if shutil.which("curl") is None:
        print("left out curl: it is not installed", file=sys.stderr)
        return []
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"/grow/{LARGE // MIB}")
    connection.getresponse().read()
    connection.close()
    target = folder / "down"
    bucket = ours.bucket("b")
    command = ["curl", "-s", "-o", str(target), f"http://127.0.0.1:{port}/k"]
    own, other = alternate(
        wall(lambda: bucket.download_file("k", target, workers=4)),
        lambda: seconds(command),
        BLOCKS,
    )
    case = "download 1 GiB, verified"
    return [row("storage", case, own, other, "s", 1 / 1.5, "curl -o, not verified")]


def _etags(folder: Path) -> list[Row]:
    if shutil.which("sha1sum") is None:
        return []
    many = folder / "etags"
    many.mkdir()
    names = []
    for number in range(10_000):
        path = many / str(number)
        path.write_bytes(os.urandom(SMALL))
        names.append(str(path))
    script = str(Path(sys.executable).with_name("wirespeed"))
    own, other = alternate(
        lambda: seconds([script, "etag", *names]), lambda: seconds(["sha1sum", *names])
    )
    case = "etag of 10,000 files of 10 KiB, whole process"
    return [row("storage", case, own, other, "s", 1.0, "sha1sum, all names")]
