"""Every text that a caller gives: refused before anything is sent, or encoded in one request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer
from wirespeed import cmq, cos, sqs, wcs
from wirespeed.config import Credentials, Retry
from wirespeed.errors import ConfigError, WirespeedError

HOSTILE = [
    "\r\nX-Injected: 1", "\n", "\r", "\0", "\x01", "\x02", "\x1f", "\x7f", "\x85", "\u2028",
    "\ud800", " HTTP/1.1\r\n\r\nGET /second HTTP/1.1\r\n",
]  # fmt: skip
HEAD_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x20-\x7e\x80-\xff]*")
KEYS = Credentials("local", "local-secret")


class Recorder:
    """Answers every request with an error, and keeps what it read."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    def __call__(self, peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            self.heads.append(request[0])
            peer.answer(400, b'{"code": 4000, "message": "no", "__type": "x"}')


def sqs_calls(client: sqs.Client) -> dict[str, Callable[[str], Any]]:
    queue = client.queue("http://h/1/q")
    return {
        "queue": lambda text: client.queue(text).count(),
        "create_queue": client.create_queue,
        "create_queue attributes": lambda text: client.create_queue("q", {text: text}),
        "create_queue tags": lambda text: client.create_queue("q", None, {text: text}),
        "list_queues": lambda text: list(client.list_queues(text)),
        "send": queue.send,
        "send attribute": lambda text: queue.send("b", attributes={text: text}),
        "send attribute value": lambda text: queue.send("b", attributes={"n": text}),
        "send attribute type": lambda text: queue.send(
            "b", attributes={"n": sqs.Attribute("v", text)}
        ),
        "send group": lambda text: queue.send("b", group_id=text),
        "send deduplication": lambda text: queue.send("b", deduplication_id=text),
        "send trace": lambda text: queue.send("b", trace_header=text),
        "ack": queue.ack,
        "nack": queue.nack,
        "attributes": queue.attributes,
        "set_attributes": lambda text: queue.set_attributes({text: text}),
        "tag": lambda text: queue.tag({text: text}),
        "untag": queue.untag,
        "add_permission": lambda text: queue.add_permission(text, [text], [text]),
        "remove_permission": queue.remove_permission,
        "cancel_redrive": queue.cancel_redrive,
    }


def cmq_calls(client: cmq.Client) -> dict[str, Callable[[str], Any]]:
    queue, topic = client.queue("q"), client.topic("t")
    subscription = topic.subscription("s")
    return {
        "queue": lambda text: client.queue(text).count(),
        "create_queue": client.create_queue,
        "create_queue attributes": lambda text: client.create_queue("q", {text: 1}),
        "create_queue values": lambda text: client.create_queue("q", {"name": text}),
        "list_queues": lambda text: list(client.list_queues(text)),
        "create_topic": client.create_topic,
        "send": queue.send,
        "ack": queue.ack,
        "publish": topic.publish,
        "publish tags": lambda text: topic.publish("b", tags=[text]),
        "publish key": lambda text: topic.publish("b", routing_key=text),
        "dead letters": lambda text: queue.set_dead_letter_policy(cmq.DeadLetterPolicy(text, 1)),
        "sources": lambda text: list(queue.dead_letter_sources(text)),
        "subscription": lambda text: topic.subscription(text).attributes(),
        "set_attributes": lambda text: subscription.set_attributes({text: text}),
    }


def cos_calls(client: cos.Client) -> dict[str, Callable[[str], Any]]:
    bucket = client.bucket("b")
    return {
        "bucket": lambda text: client.bucket(text).stat("k"),
        "put": lambda text: bucket.put(text, b"x"),
        "stat": bucket.stat,
        "get": bucket.get,
        "delete": bucket.delete,
        "move": lambda text: bucket.move("k", text),
        "copy": lambda text: bucket.copy(text, "k"),
        "list": lambda text: list(bucket.list(text)),
        "create_folder": bucket.create_folder,
    }


def wcs_calls(client: wcs.Client) -> dict[str, Callable[[str], Any]]:
    bucket = client.bucket("b")
    return {
        "bucket": lambda text: client.bucket(text).stat("k"),
        "put": lambda text: bucket.put(text, b"x"),
        "put type": lambda text: bucket.put("k", b"x", mime_type=text),
        "stat": bucket.stat,
        "delete": bucket.delete,
        "move": lambda text: bucket.move("k", text),
        "copy": lambda text: bucket.copy(text, "k"),
        "list": lambda text: list(bucket.list(text)),
    }


@pytest.fixture(params=["sqs json", "sqs query", "cmq POST", "cmq GET", "cos", "wcs"])
def calls(
    request: pytest.FixtureRequest,
) -> Iterator[tuple[Recorder, dict[str, Callable[[str], Any]]]]:
    recorder = Recorder()
    service, _, way = request.param.partition(" ")
    with ScriptedServer(recorder) as server:
        options: dict[str, Any] = {"retry": Retry(1), "proxy": ""}
        client: Any
        if service == "sqs":
            client = sqs.Client("r", endpoint=server.url, credentials=KEYS, protocol=way, **options)
            made = sqs_calls(client)
        elif service == "cmq":
            client = cmq.Client(server.url, KEYS, method=way, **options)
            made = cmq_calls(client)
        elif service == "cos":
            client = cos.Client(
                1, "i", "s", endpoint=server.url, download_endpoint=server.url, **options
            )
            made = cos_calls(client)
        else:
            client = wcs.Client("a", "s", upload_url=server.url, manage_url=server.url, **options)
            made = wcs_calls(client)
        with client:
            yield recorder, made


def test_no_text_breaks_a_request(
    calls: tuple[Recorder, dict[str, Callable[[str], Any]]],
) -> None:
    recorder, made = calls
    sent = refused = 0
    for name, action in made.items():
        for hostile in HOSTILE:
            for text in (f"a{hostile}b", f"a{hostile}", f"{hostile}b"):
                recorder.heads.clear()
                try:
                    action(text)
                except ConfigError:
                    refused += 1
                    assert recorder.heads == [], (name, hostile)
                    continue
                except WirespeedError:
                    pass
                sent += 1
                assert len(recorder.heads) <= 1, (name, hostile)
                for head in recorder.heads:
                    first, *lines = head.split(b"\r\n")
                    assert re.fullmatch(rb"[A-Z]+ /[!-~]* HTTP/1\.1", first), (name, first)
                    assert all(HEAD_LINE.fullmatch(line) for line in lines), (name, lines)
                    assert not any(line.startswith(b"X-Injected") for line in lines), name
    assert refused > 50
    assert sent + refused == len(made) * len(HOSTILE) * 3
