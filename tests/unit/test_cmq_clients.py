"""The CMQ clients, of both kinds, on the local service."""

from __future__ import annotations

import asyncio
import http.server
import inspect
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer
from wirespeed import cmq
from wirespeed.config import Credentials, Retry
from wirespeed.errors import (
    AccessDenied,
    Busy,
    ConfigError,
    Conflict,
    NotFound,
    ProtocolError,
    ServiceError,
    Throttled,
    TransportError,
    Unsupported,
)
from wirespeed.local import LocalCloud

KEYS = Credentials("local", "local-secret")
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["cmq"]) as made:
        yield made


class Side:
    """A client of either kind, called the same way."""

    def __init__(self, kind: str, endpoint: str, **options: Any) -> None:
        self.loop = asyncio.new_event_loop() if kind == "asyncio" else None
        client = cmq.AsyncClient if kind == "asyncio" else cmq.Client
        self.client: Any = client(endpoint, options.pop("credentials", KEYS), **options)

    def do(self, value: Any) -> Any:
        """Return a value, of a coroutine its result, of an iterator a list."""
        if self.loop is not None and inspect.isasyncgen(value):

            async def whole() -> list[Any]:
                return [item async for item in value]

            return self.loop.run_until_complete(whole())
        if self.loop is not None and inspect.isawaitable(value):
            return self.loop.run_until_complete(value)
        return list(value) if inspect.isgenerator(value) else value

    def queue(self, **attributes: int) -> Any:
        """Create a queue of a fresh name."""
        return self.do(self.client.create_queue(f"queue-{next(numbers)}", attributes))

    def close(self) -> None:
        """Close the client, twice."""
        for _ in range(2):
            self.do(self.client.close())
        if self.loop is not None:
            self.loop.close()


@pytest.fixture(params=["sync", "asyncio"])
def side(request: pytest.FixtureRequest, cloud: LocalCloud) -> Iterator[Side]:
    made = Side(request.param, cloud.cmq_url)
    yield made
    made.close()


BODIES = ["x", "é中😀 & <text>\r\n", "@at", "a=b&c=d", "%41+ ", "0"]


@pytest.mark.parametrize("body", BODIES)
def test_send_receive_ack(side: Side, body: str) -> None:
    queue = side.queue()
    sent = side.do(queue.send(body))
    assert sent.message_id and (sent.attempts, sent.possible_duplicate) == (1, False)
    (message,) = side.do(queue.receive(1, wait=0))
    assert (message.body, message.message_id) == (body, sent.message_id)
    assert message.receive_count == 1
    assert abs(message.enqueued_at - time.time()) < 60
    assert message.visible_at - message.enqueued_at in (30, 31)
    side.do(queue.ack(message))
    assert side.do(queue.receive(wait=0)) == []
    with pytest.raises(ServiceError) as caught:
        side.do(queue.ack(message))
    assert caught.value.code == 4430 and "older receive" in str(caught.value)


@pytest.mark.parametrize("options", [{"signature": "sha1"}, {"method": "GET"}])
def test_the_other_signature_and_method(cloud: LocalCloud, options: dict[str, str]) -> None:
    side = Side("sync", cloud.cmq_url, **options)
    queue = side.queue()
    side.do(queue.send("中 +&="))
    assert side.do(queue.receive(wait=0))[0].body == "中 +&="
    side.close()


def test_a_get_that_is_too_long_is_not_sent(cloud: LocalCloud) -> None:
    side = Side("sync", cloud.cmq_url, method="GET")
    with pytest.raises(ConfigError, match='use "POST"'):
        side.client.queue("q").send("x" * 3000)
    side.close()


def test_batches(side: Side) -> None:
    queue = side.queue(maxMsgSize=1 << 20)
    bodies = [f"body {n}" for n in range(35)] + ["y" * (1 << 20), "z"]
    results = side.do(queue.send_many(bodies))
    assert len({result.message_id for result in results}) == 37
    received: list[cmq.ReceivedMessage] = []
    while len(received) < 37:
        received += side.do(queue.receive(wait=0))
    assert sorted(each.body for each in received) == sorted(bodies)
    outcome = side.do(queue.ack_many([*received, "not-a-handle"]))
    assert outcome[:-1] == [None] * 37
    assert isinstance(outcome[-1], ServiceError) and outcome[-1].code == 4430


def test_one_bad_batch_does_not_fail_the_others(side: Side) -> None:
    queue = side.queue(maxMsgSize=2048)
    results = side.do(queue.send_many(["a"] * 16 + ["b" * 3000] + ["c"]))
    assert all(isinstance(each, cmq.SendResult) for each in results[:16])
    assert [each.code for each in results[16:]] == [4400, 4400]


def test_a_long_poll_ends_when_a_message_comes(side: Side, cloud: LocalCloud) -> None:
    queue = side.queue()
    other = Side("sync", cloud.cmq_url)
    timer = threading.Timer(0.3, lambda: other.client.queue(queue.name).send("now"))
    start = time.monotonic()
    timer.start()
    (message,) = side.do(queue.receive(wait=10))
    assert message.body == "now" and 0.2 < time.monotonic() - start < 5
    timer.join()
    other.close()


def test_delay_and_visibility(side: Side) -> None:
    queue = side.queue(visibilityTimeout=1)
    side.do(queue.send("later", delay=1))
    assert side.do(queue.receive(wait=0)) == []
    assert side.do(queue.attributes())["delayMsgNum"] == 1
    first = side.do(queue.receive(1, wait=5))[0]
    second = side.do(queue.receive(1, wait=5))[0]
    assert (second.message_id, second.receive_count) == (first.message_id, 2)


def test_rewind_brings_back_what_was_deleted(side: Side) -> None:
    queue = side.queue(rewindSeconds=3600)
    start = int(time.time())
    side.do(queue.send("again"))
    side.do(queue.ack(side.do(queue.receive(1, wait=0))[0]))
    assert side.do(queue.count()) == 0
    side.do(queue.rewind(start))
    assert side.do(queue.receive(1, wait=0))[0].body == "again"
    with pytest.raises(ServiceError) as caught:
        side.do(side.queue().rewind(start))
    assert caught.value.code == 6050


def test_attributes_listing_and_deletion(side: Side) -> None:
    queue = side.queue(visibilityTimeout=77)
    found = side.do(queue.attributes())
    assert found["visibilityTimeout"] == 77 and "code" not in found
    side.do(queue.set_attributes({"visibilityTimeout": 78}))
    assert side.do(queue.attributes())["visibilityTimeout"] == 78
    assert queue.name in side.do(side.client.list_queues())
    assert side.do(side.client.list_queues(queue.name)) == [queue.name]
    with pytest.raises(Conflict):
        side.do(side.client.create_queue(queue.name))
    side.do(queue.delete())
    with pytest.raises(NotFound) as caught:
        side.do(queue.send("x"))
    assert caught.value.outcome == "rejected" and caught.value.request_id
    with pytest.raises(Conflict, match="30 seconds"):
        side.do(side.client.create_queue(queue.name))
    assert 0 < side.do(side.client.ping()) < 1


def test_many_queues_are_listed_by_pages(side: Side, cloud: LocalCloud) -> None:
    prefix = f"many-{next(numbers)}"
    for number in range(205):
        cloud._vault.states["cmq"].queues[f"{prefix}-{number}"] = None
    try:
        cloud._vault.states["cmq"].queues = {
            name: type("Q", (), {"queue_id": name, "gone": True, "wake": lambda self: None})()
            if queue is None
            else queue
            for name, queue in cloud._vault.states["cmq"].queues.items()
        }
        assert len(side.do(side.client.list_queues(prefix))) == 205
    finally:
        for number in range(205):
            del cloud._vault.states["cmq"].queues[f"{prefix}-{number}"]


def test_a_topic_delivers_to_queues_by_tags(side: Side) -> None:
    red, all_ = side.queue(), side.queue()
    topic = side.do(side.client.create_topic(f"topic-{next(numbers)}"))
    with pytest.raises(ServiceError) as caught:
        side.do(topic.publish("x"))
    assert caught.value.code == 6030
    subscription = side.do(topic.subscribe("red", red.name, tags=["red", "rose"]))
    side.do(topic.subscribe("all", all_.name))
    assert side.do(topic.publish("1", tags=["rose"])).message_id
    results = side.do(topic.publish_many(["2", "3"], tags=["blue"]))
    assert len(results) == 2
    got: list[str] = []
    while len(got) < 3:
        got += [each.body for each in side.do(all_.receive(wait=5))]
    assert sorted(got) == ["1", "2", "3"]
    assert [each.body for each in side.do(red.receive(wait=5))] == ["1"]
    found = side.do(subscription.attributes())
    assert (found["filterTags"], found["protocol"]) == (["red", "rose"], "queue")
    side.do(subscription.clear_tags())
    side.do(subscription.set_attributes({"notifyStrategy": "BACKOFF_RETRY"}))
    found = side.do(subscription.attributes())
    assert (found["filterTags"], found["notifyStrategy"]) == ([], "BACKOFF_RETRY")
    assert side.do(topic.list_subscriptions()) == ["all", "red"]
    assert topic.name in side.do(side.client.list_topics())
    side.do(topic.set_attributes({"maxMsgSize": 1024}))
    assert side.do(topic.attributes())["maxMsgSize"] == 1024
    side.do(subscription.delete())
    with pytest.raises(NotFound):
        side.do(subscription.attributes())
    side.do(topic.delete())


def test_a_topic_delivers_by_routing_key(side: Side) -> None:
    queue = side.queue()
    topic = side.do(side.client.create_topic(f"topic-{next(numbers)}", filter="routing_key"))
    side.do(topic.subscribe("s", queue.name, binding_keys=["a.*.c", "#.z"]))
    for key in ("a.b.c", "a.c", "z", "x.y.z", "a.b.b.c", ""):
        side.do(topic.publish(key or "none", routing_key=key))
    got: list[str] = []
    while found := side.do(queue.receive(wait=1)):
        got += [each.body for each in found]
    assert sorted(got) == ["a.b.c", "x.y.z", "z"]


def test_a_topic_delivers_to_an_address(side: Side) -> None:
    seen: list[tuple[dict[str, str], bytes]] = []
    came = threading.Event()

    class Taker(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()
            if len(seen) == 2:
                came.set()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/hook"
    topic = side.do(side.client.create_topic(f"topic-{next(numbers)}"))
    side.do(topic.subscribe("json", address, protocol="http"))
    side.do(topic.subscribe("bare", address, protocol="http", content="SIMPLIFIED"))
    sent = side.do(topic.publish("body", tags=["t"]))
    assert came.wait(10)
    server.shutdown()
    server.server_close()
    thread.join()
    assert {headers["x-cmq-message-id"] for headers, _ in seen} == {sent.message_id}
    assert {headers["x-cmq-message-tag"] for headers, _ in seen} == {"t"}
    bodies = sorted(body for _, body in seen)
    assert bodies[0] == b"body" and b'"msgBody": "body"' in bodies[1]


def test_what_cmq_lacks_is_unsupported(side: Side) -> None:
    queue = side.client.queue("q")
    for call in (
        lambda: queue.nack("h"), lambda: queue.extend("h", 5), lambda: queue.purge()
    ):  # fmt: skip
        with pytest.raises(Unsupported):
            side.do(call())


@pytest.mark.parametrize(
    ("pair", "code"), [(Credentials("local", "wrong"), 4100), (Credentials("nobody", "x"), 4100)]
)
def test_wrong_keys_are_denied(cloud: LocalCloud, pair: Credentials, code: int) -> None:
    side = Side("sync", cloud.cmq_url, credentials=lambda: pair)
    with pytest.raises(AccessDenied) as caught:
        side.client.queue("q").count()
    assert caught.value.code == code and "wrong" not in str(caught.value)
    side.close()


def test_arguments_are_checked(side: Side) -> None:
    queue, topic = side.client.queue("q"), side.client.topic("t")
    for call, words in (
        (lambda: side.client.queue("0"), "name must be a letter"),
        (lambda: queue.send(b"x"), "body must be a str"),
        (lambda: queue.send(""), "at least one character"),
        (lambda: queue.send("x" * (1 << 20) + "x"), "1048576 bytes"),
        (lambda: queue.send("\ud800"), "lone surrogate"),
        (lambda: queue.send("x", delay=-1), "delay must be"),
        (lambda: queue.receive(17), "count must be"),
        (lambda: queue.receive(wait=31), "wait must be"),
        (lambda: queue.ack(""), "receipt handle"),
        (lambda: queue.set_attributes({}), "at least one"),
        (lambda: queue.set_attributes({"a b": 1}), "must be a str or int"),
        (lambda: topic.publish("x", tags=["a"] * 6), "tags may be 5"),
        (lambda: topic.publish("x", tags="abc"), "several str"),
        (lambda: topic.publish("x", tags=["x" * 17]), "16 characters"),
        (lambda: topic.publish("x", routing_key="." * 16), "15 dots"),
        (lambda: topic.subscribe("s", "q", content="JSON"), "SIMPLIFIED"),
        (lambda: topic.subscribe("s", "q", protocol="http"), "http://"),
        (lambda: topic.subscribe("s", "q", protocol="ftp"), "protocol"),
        (lambda: topic.subscribe("s", "q", strategy="NEVER"), "strategy"),
    ):
        with pytest.raises(ConfigError, match=words):
            side.do(call())
    for options in ({"signature": "md5"}, {"method": "PUT"}, {"ambiguous": "maybe"}, {"tls": 1}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            cmq.Client("http://h", KEYS, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="credentials"):
        cmq.Client("http://h", "key")  # type: ignore[arg-type]


def replies(*answers: tuple[int, bytes]) -> tuple[ScriptedServer, list[bytes]]:
    """Return a server that gives these answers in turn; an empty body cuts the connection."""
    left = list(answers)
    seen: list[bytes] = []

    def handler(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            seen.append(request[1])
            status, body = left.pop(0)
            if not body:
                return
            peer.answer(status, body)

    return ScriptedServer(handler), seen


OK = b'{"code": 0, "msgId": "1"}'
GONE = b""


@pytest.mark.parametrize(
    ("answers", "outcome", "sent"),
    [
        ([(200, GONE)], "unknown", 1),
        ([(503, b"x")], "unknown", 1),
        ([(200, b'{"code": 4420}'), (200, b'{"code": "4480"}'), (200, OK)], None, 3),
        ([(200, b'{"code": 6000}'), (200, OK)], None, 2),
        ([(200, b"<html>")], "unknown", 1),
        ([(200, b'{"code": 0}')], "unknown", 1),
        ([(200, b'{"code": 4400, "message": "large", "requestId": "r"}')], "rejected", 1),
    ],
)
def test_a_send_in_doubt_is_not_sent_again(
    answers: list[tuple[int, bytes]], outcome: str | None, sent: int
) -> None:
    server, seen = replies(*answers)
    with server, cmq.Client(server.url, KEYS, retry=Retry(3, base=0)) as client:
        if outcome is None:
            assert client.queue("q").send("x").attempts == sent
        else:
            errors = (ServiceError, TransportError, ProtocolError)
            with pytest.raises(errors) as caught:
                client.queue("q").send("x")
            assert caught.value.outcome == outcome
            assert (caught.value.service, caught.value.attempts) == ("cmq", sent)
    assert len(seen) == sent
    assert len(set(seen)) == sent, "each try has a nonce of its own"


def test_a_send_in_doubt_is_sent_again_where_that_is_asked_for() -> None:
    server, _ = replies((200, GONE), (200, OK))
    retry = Retry(3, base=0)
    with server, cmq.Client(server.url, KEYS, retry=retry, ambiguous="retry") as client:
        result = client.queue("q").send("x")
    assert (result.attempts, result.possible_duplicate) == (2, True)


def test_a_receive_is_repeated() -> None:
    answer = b'{"code": 0, "msgInfoList": []}'
    server, seen = replies((200, GONE), (502, b"x"), (200, answer))
    with server, cmq.Client(server.url, KEYS, retry=Retry(3, base=0)) as client:
        assert client.queue("q").receive(wait=0) == []
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"code": 4420}', Throttled),
        (429, b"slow", Throttled),
        (500, b"x", Busy),
        (403, b"x", AccessDenied),
        (404, b"x", ServiceError),
        (200, b"[]", ProtocolError),
        (200, b'{"code": "x"}', ProtocolError),
        (200, b'{"code": 0, "msgInfoList": 1}', ProtocolError),
        (200, b'{"code": 0, "msgInfoList": [{}]}', ProtocolError),
        (200, b"[" * 100_000, ProtocolError),
    ],
)
def test_answers_become_typed_errors(status: int, body: bytes, kind: type[Exception]) -> None:
    server, _ = replies((status, body))
    client = cmq.Client(server.url, KEYS, retry=Retry(1))
    with server, client, pytest.raises(kind) as caught:
        client.queue("q").receive(wait=0)
    assert type(caught.value) is kind


def test_a_token_is_sent_and_signed() -> None:
    pair = Credentials("id", "key", "token of temporary keys")
    server, seen = replies((200, OK))
    with server, cmq.Client(server.url, pair) as client:
        client.queue("q").send("x")
    assert b"&Token=token+of+temporary+keys&Signature=" in seen[0]


def test_dead_letters_by_receives(side: Side) -> None:
    dead = side.queue(visibilityTimeout=1)
    policy = cmq.DeadLetterPolicy(dead.name, max_receives=2)
    name = f"source-{next(numbers)}"
    queue = side.do(
        side.client.create_queue(name, {"visibilityTimeout": 1}, dead_letter_policy=policy)
    )
    found = side.do(queue.dead_letter_policy())
    assert (found.max_receives, found.max_age) == (2, None)
    assert side.do(queue.dead_letter_queue()).name == dead.name
    assert side.do(dead.dead_letter_queue()) is None
    assert side.do(dead.dead_letter_sources()) == [name]
    assert side.do(dead.dead_letter_sources("other")) == []
    side.do(queue.send("bad"))
    for _ in range(2):
        assert len(side.do(queue.receive(wait=3))) == 1
    assert side.do(queue.receive(wait=2)) == []
    (letter,) = side.do(dead.receive(wait=2))
    assert letter.body == "bad"
    with pytest.raises(ServiceError, match="10750"):
        side.do(dead.delete())
    side.do(queue.clear_dead_letter_policy())
    assert side.do(queue.dead_letter_policy()) is None
    with pytest.raises(ServiceError, match="10730"):
        side.do(queue.clear_dead_letter_policy())
    side.do(dead.delete())


def test_dead_letter_policies_are_set_and_checked(side: Side) -> None:
    dead, queue, other = side.queue(), side.queue(), side.queue()
    side.do(queue.set_dead_letter_policy(cmq.DeadLetterPolicy(dead.name, max_age=300)))
    assert side.do(queue.dead_letter_policy()).max_age == 300
    for target, text in ((queue, "10740"), (other, "10740")):
        with pytest.raises(ServiceError, match=text):
            side.do(target.set_dead_letter_policy(cmq.DeadLetterPolicy(queue.name, 5)))
    with pytest.raises(ServiceError, match="10730"):
        side.do(other.set_dead_letter_policy(cmq.DeadLetterPolicy("nowhere", 5)))
    for policy, text in (
        (cmq.DeadLetterPolicy(dead.name), "max_receives or max_age"),
        (cmq.DeadLetterPolicy(dead.name, 1, 300), "max_receives or max_age"),
        (cmq.DeadLetterPolicy(dead.name, 1001), "max_receives"),
        (cmq.DeadLetterPolicy(dead.name, max_age=299), "max_age"),
        (cmq.DeadLetterPolicy("a b", 1), "queue"),
        ("dead", "policy"),
    ):
        with pytest.raises(ConfigError, match=text):
            side.do(other.set_dead_letter_policy(policy))
