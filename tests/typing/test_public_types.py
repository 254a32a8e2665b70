"""What a type checker tells a user about the public names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROGRAM = """\
from wirespeed import cmq, cos, queue, storage
from wirespeed.digest import etag, etag_file, hmac_sha1
from wirespeed.rocketmq import AsyncProducer, Message, Producer, PushConsumer, ReceivedMessage
from wirespeed.wcs import AsyncClient, Client

reveal_type(etag(b""))  # str
reveal_type(etag_file("path", threads=2))  # str
reveal_type(hmac_sha1(b"k", b"m"))  # bytes
producer = Producer("group", "127.0.0.1:9876")
result = producer.send("topic", b"body", tag="a", keys=["k"])
reveal_type(result.message_id)  # str
reveal_type(result.queue.queue_id)  # int
reveal_type(producer.send_oneway("topic", "body"))  # None


def handle(message: ReceivedMessage) -> None:
    reveal_type(message.body)  # bytes
    reveal_type(message.tag)  # str | None
    reveal_type(message.properties)  # dict[str, str]


PushConsumer("group", {"topic": "*"}).start(handle)


async def main() -> None:
    async with AsyncProducer("group") as other:
        reveal_type(other)  # AsyncProducer
        reveal_type((await other.send_message(Message("t", b"x"))).attempts)  # int




def store(bucket: storage.Bucket) -> None:
    bucket.put("key", b"bytes")
    for entry in bucket.list("folder/"):
        bucket.open(entry.key).read()


def work_off(jobs: queue.Queue[cmq.ReceivedMessage]) -> None:
    for job in jobs.receive():
        reveal_type(job.body)  # str
        jobs.ack(job)


store(cos.Client(1, "id", "key", region="sh").bucket("b"))
work_off(cmq.Client("http://h", cmq.Credentials("id", "key")).queue("q"))
store(Client("ak", "sk", upload_url="http://u", manage_url="http://m").bucket("b"))
bucket = Client("ak", "sk", upload_url="http://u", manage_url="http://m").bucket("b")
reveal_type(bucket.upload_file("path", "key").hash)  # str
reveal_type(bucket.open("key").read())  # bytes
for stat in bucket.list():
    reveal_type(stat.size)  # int
"""

WRONG = """\
from wirespeed.rocketmq import Producer

producer = Producer("group", 5)
producer.send("topic", 5)
producer.send("topic", b"x", tags="a")
"""


def check(program: str, folder: Path) -> str:
    path = folder / "program.py"
    path.write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", path],
        capture_output=True,
        text=True,
        env={"MYPYPATH": "src", "PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).resolve().parents[2],
    )
    return done.stdout


def test_revealed_types(tmp_path: Path) -> None:
    output = check(PROGRAM, tmp_path)
    assert "error:" not in output, output
    revealed = re.findall(r'Revealed type is "(.*)"', output)
    names = [re.sub(r"\b(?:\w+\.)+(?=\w)", "", each) for each in revealed]
    expected = re.findall(r"reveal_type\(.*\)  # (.*)", PROGRAM)
    assert names == expected


def test_wrong_arguments_are_errors(tmp_path: Path) -> None:
    output = check(WRONG, tmp_path)
    assert len(re.findall(r"program\.py:[345]: error:", output)) == 3, output
