"""`wirespeed demo`: the main job from end to end, on a local cloud in a process of its own."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from wirespeed.cli import exits
from wirespeed.cli.progress import Bar, size
from wirespeed.errors import (
    ConfigError,
    DeadlineExceeded,
    IntegrityError,
    TransportError,
)

if TYPE_CHECKING:
    from wirespeed.rocketmq import ReceivedMessage

HELP = "send and consume messages and upload a file, on a local cloud, and check everything"

_TOPIC = "demo-orders"
_TAGS = ("paid", "sent", "done")
_BUCKET = "demo"
_KEY = "demo/file.bin"
_MIB = 1 << 20
_BLOCK = 4 * _MIB
_PIECE = 512 * 1024
_STATS = 20
_CONSUME_SECONDS = 120.0
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Row:
    """One line of the table at the end.

    Attributes:
        step: a word for it.
        what: what was done.
        seconds: how long it took.
        rate: how much of it in a second, as text, or "".
        p50: the median of one call in seconds, or None.
    """

    step: str
    what: str
    seconds: float
    rate: str = ""
    p50: float | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--messages", type=int, default=10_000, metavar="N", help="messages (%(default)s)"
    )
    parser.add_argument(
        "--size", type=int, default=256, metavar="MIB", help="MiB of the file (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object at the end")


def run(args: argparse.Namespace) -> int:
    """Run every step; 0 only if all of it was checked and right."""
    if not 1 <= args.messages <= 1_000_000:
        raise ConfigError(f"--messages must be within 1..1000000, not {args.messages}")
    if not 1 <= args.size <= 2048:
        raise ConfigError(f"--size must be within 1..2048 MiB, not {args.size}")
    say: Callable[[str], None] = (lambda text: None) if args.json else _say
    began = time.perf_counter()
    with local_cloud() as places:
        namesrv, url = places["rocketmq"]["namesrv"], places["wcs"]["url"]
        say("wirespeed demo: a local cloud in a process of its own, every result checked\n")
        say(f"  RocketMQ name server  {namesrv}")
        say(f"  WCS                   {url}\n")
        rows = [*messages(namesrv, args.messages, say), *objects(places, args.size, say)]
    total = time.perf_counter() - began
    if args.json:
        print(json.dumps(report(rows, total)))
    else:
        print_table(rows, total)
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


@contextlib.contextmanager
def local_cloud() -> Iterator[dict[str, Any]]:
    """Run `wirespeed serve` beside us; yields what it announced.

    It ends with its standard input, so it cannot outlive this process.
    """
    command = [sys.executable, "-m", "wirespeed", "serve", "--json", "--until-eof"]
    # Ctrl-C is for this process, which then ends the other in good order.
    apart: dict[str, Any] = (
        {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        if os.name == "nt"
        else {"start_new_session": True}
    )
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **apart
    )
    assert process.stdin and process.stdout and process.stderr
    watchdog = threading.Timer(_START_SECONDS, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline()
        watchdog.cancel()
        if not line:
            reason = process.stderr.read().decode(errors="replace").strip()
            said = reason.splitlines()[-1] if reason else "it ended without a word"
            kind = ConfigError if process.wait() == exits.USAGE else TransportError
            raise kind(f"the local cloud did not start: {said.removeprefix('wirespeed: ')}")
        yield json.loads(line)
    finally:
        watchdog.cancel()
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


# -- messages --


def body_of(number: int) -> bytes:
    """Return the body of message `number`: 128 bytes that tell it apart from any other."""
    return hashlib.sha512(b"wirespeed demo %d" % number).digest() * 2


def messages(namesrv: str, count: int, say: Callable[[str], None]) -> list[Row]:
    """Send `count` messages one by one, then consume and check them all."""
    sent = send(namesrv, count)
    say(f"  sent      {count:,} messages of 128 bytes, each acknowledged before the next")
    consumed = consume(namesrv, count)
    say(f"  consumed  {count:,} messages, each one once, body and properties as sent")
    return [sent, consumed]


def send(namesrv: str, count: int) -> Row:
    """Send the messages and time every one."""
    from wirespeed.rocketmq import Producer

    times = []
    with Producer("demo-producers", namesrv) as producer, _count_bar("sending") as bar:
        began = time.perf_counter()
        for number in range(count):
            before = time.perf_counter()
            producer.send(
                _TOPIC,
                body_of(number),
                tag=_TAGS[number % len(_TAGS)],
                keys=f"order-{number}",
                properties={"number": str(number)},
            )
            times.append(time.perf_counter() - before)
            bar.update(number + 1, count)
        seconds = time.perf_counter() - began
    return Row(
        "send",
        f"{count:,} messages, each acknowledged",
        seconds,
        f"{count / seconds:,.0f} msg/s",
        statistics.median(times),
    )


def consume(namesrv: str, count: int) -> Row:
    """Consume until every message came, and check each."""
    from wirespeed.rocketmq import PushConsumer, StartFrom

    seen = bytearray(count)
    wrong: list[str] = []
    lock = threading.Lock()
    finished = threading.Event()
    left = count

    def handle(message: ReceivedMessage) -> None:
        nonlocal left
        problem = fault_of(message, count)
        with lock:
            if problem:
                wrong.append(problem)
                finished.set()
                return
            number = int(message.properties["number"])
            if seen[number]:
                wrong.append(f"message {number} came twice")
                finished.set()
                return
            seen[number] = 1
            left -= 1
            if not left:
                finished.set()

    with (
        PushConsumer(
            "demo-consumers", {_TOPIC: "*"}, namesrv, start_from=StartFrom.FIRST
        ) as consumer,
        _count_bar("consuming") as bar,
    ):
        began = time.perf_counter()
        consumer.start(handle)
        while not finished.wait(0.05):
            bar.update(count - left, count)
            if time.perf_counter() - began > _CONSUME_SECONDS:
                raise DeadlineExceeded(
                    f"{left} of {count} messages did not come within {_CONSUME_SECONDS:.0f} s",
                    service="rocketmq",
                )
        seconds = time.perf_counter() - began
    if wrong:
        raise IntegrityError(wrong[0], service="rocketmq")
    return Row(
        "consume",
        f"{count:,} messages, each checked",
        seconds,
        f"{count / seconds:,.0f} msg/s",
    )


def fault_of(message: ReceivedMessage, count: int) -> str:
    """Return what is wrong with a message, or ""."""
    text = message.properties.get("number", "")
    if not text.isdecimal() or int(text) >= count:
        return f"a message with the number {text!r} came, which was never sent"
    number = int(text)
    if message.body != body_of(number):
        return f"the body of message {number} differs from the one sent"
    if message.tag != _TAGS[number % len(_TAGS)] or message.keys != (f"order-{number}",):
        return f"the tag or the keys of message {number} differ from those sent"
    return ""


def _count_bar(label: str) -> Bar:
    return Bar(label, figure=lambda amount: f"{amount:,.0f}")


# -- objects --


def objects(places: dict[str, Any], mebibytes: int, say: Callable[[str], None]) -> list[Row]:
    """Make a file, hash it, upload it by blocks, and ask the server what it has."""
    from wirespeed.digest import etag_file
    from wirespeed.wcs import Client

    total = mebibytes * _MIB
    with tempfile.TemporaryDirectory(prefix="wirespeed-demo-") as folder:
        path = os.path.join(folder, "file.bin")
        with open(path, "wb") as file:
            made = fill(file, total)
        say(f"  made      a file of {mebibytes} MiB of random bytes")
        began = time.perf_counter()
        with Bar("hashing") as bar:
            etag = etag_file(path, progress=bar.update)
        hashed = time.perf_counter() - began
        say(f"  etag      {etag}")
        secret = places["env"]["WIRESPEED_WCS_SECRET_KEY"]
        url = places["wcs"]["url"]
        with Client(places["wcs"]["access_key"], secret, upload_url=url, manage_url=url) as client:
            bucket = client.bucket(_BUCKET)
            began = time.perf_counter()
            with Bar("uploading") as bar:
                uploaded = bucket.upload_file(
                    path,
                    _KEY,
                    block_size=_BLOCK,
                    piece_size=_PIECE,
                    progress=lambda progress: bar.update(progress.done, progress.total),
                )
            upload = time.perf_counter() - began
            check("the upload's hash", uploaded.hash, etag)
            say(f"  uploaded  {size(total)} by blocks of 4 MiB and pieces of 512 KiB")
            began = time.perf_counter()
            listed = list(bucket.list("demo/"))
            check(
                "the list",
                [(item.key, item.size, item.hash) for item in listed],
                [(_KEY, total, etag)],
            )
            times = []
            for _ in range(_STATS):
                before = time.perf_counter()
                stat = bucket.stat(_KEY)
                times.append(time.perf_counter() - before)
                check("the stat", (stat.size, stat.hash), (total, etag))
            asked = time.perf_counter() - began
            say("  checked   the server's list and stat: size and hash are ours\n")
    blocks, pieces = -(-total // _BLOCK), -(-total // _PIECE)
    return [
        Row("make file", f"{size(total)} of random bytes", made, f"{size(total / made)}/s"),
        Row("etag", f"{size(total)}", hashed, f"{size(total / hashed)}/s"),
        Row(
            "upload",
            f"{size(total)}, {blocks} blocks, {pieces} pieces",
            upload,
            f"{size(total / upload)}/s",
        ),
        Row("list, stat", f"1 list and {_STATS} stats", asked, "", statistics.median(times)),
    ]


def fill(file: IO[bytes], total: int) -> float:
    """Write `total` random bytes and return the seconds that took."""
    began = time.perf_counter()
    with Bar("making a file") as bar:
        done = 0
        while done < total:
            done += file.write(os.urandom(min(_BLOCK, total - done)))
            bar.update(done, total)
    return time.perf_counter() - began


def check(what: str, found: object, expected: object) -> None:
    """Raise IntegrityError unless what was found is what was expected."""
    if found != expected:
        raise IntegrityError(f"{what} is {found!r} and should be {expected!r}", service="wcs")


# -- the table --


def report(rows: list[Row], total: float) -> dict[str, Any]:
    """Return everything as values for JSON."""
    import wirespeed
    from wirespeed import _native

    return {
        "steps": [
            {
                "step": row.step,
                "what": row.what,
                "seconds": round(row.seconds, 6),
                "rate": row.rate,
                "p50_us": None if row.p50 is None else round(row.p50 * 1e6, 1),
            }
            for row in rows
        ],
        "seconds": round(total, 3),
        "wirespeed": wirespeed.__version__,
        "backend": _native.BACKEND,
        "cpu_path": _native.cpu_path(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
    }


def print_table(rows: list[Row], total: float) -> None:
    """Print the rows under a head, and what they ran on."""
    lines = [("step", "what", "time", "rate", "p50")]
    for row in rows:
        p50 = "" if row.p50 is None else f"{row.p50 * 1e6:,.0f} us"
        lines.append((row.step, row.what, f"{row.seconds:.2f} s", row.rate, p50))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    for number, line in enumerate(lines):
        left = [text.ljust(width) for text, width in zip(line[:2], widths[:2], strict=True)]
        right = [text.rjust(width) for text, width in zip(line[2:], widths[2:], strict=True)]
        print(f"  {'  '.join(left + right)}".rstrip())
        if not number:
            print(f"  {'-' * (sum(widths) + 8)}")
    facts = report(rows, total)
    print(f"\n  all of it checked, in {total:.1f} s")
    version, backend, path = facts["wirespeed"], facts["backend"], facts["cpu_path"]
    print(f"  wirespeed {version}, backend {backend}, CPU path {path}")
    print(f"  {facts['python']}, {facts['platform']}", flush=True)
