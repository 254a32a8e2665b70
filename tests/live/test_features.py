"""The features of RocketMQ's clients on a real broker, and those that the local one lacks."""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from typing import Any

import pytest

from tests.live.cluster import Cluster, ask, version_asked
from tests.rocketmq_features import *  # noqa: F403
from tests.rocketmq_features import FIRST, consuming, fill
from tests.rocketmq_sides import Inbox, Side, until
from wirespeed.errors import ConfigError, NotFound, TlsError
from wirespeed.rocketmq import ConsumeResult, Message, Producer, Sql, Tls

CONSUME_DIRECTLY = 309
since_5 = pytest.mark.since(5)


@pytest.fixture(scope="module")
def namesrv(rocketmq_cluster: Cluster) -> str:
    """Where the name server under test is."""
    return rocketmq_cluster.namesrv


@pytest.fixture
def forgets_groups() -> bool:
    """Whether a broker that deletes a group forgets its offsets: not before 5.0."""
    return not version_asked().startswith("4.")


def test_the_broker_filters_by_a_condition(
    side: Side, producer: Producer, topic: str, group: str
) -> None:
    fill(producer, topic, 20)
    producer.send(topic, b"other", properties={"colour": "red"})
    box = Inbox()
    wanted = {topic: Sql("n BETWEEN 5 AND 9 OR colour = 'red'")}
    member = side.make("PushConsumer", group, wanted, start_from=FIRST)
    side.do(member.start, box)
    until(lambda: len(box.got) >= 6)
    time.sleep(0.5)
    assert sorted(box.bodies()) == [b"5", b"6", b"7", b"8", b"9", b"other"]
    wrong = side.make("PushConsumer", f"{group}-wrong", {topic: Sql("n BETWEEN")})
    with pytest.raises(ConfigError, match="cannot read"):
        side.do(wrong.start, box)


def test_brokers_are_told_what_a_consumer_does(
    side: Side, producer: Producer, topic: str, group: str, rocketmq_cluster: Cluster
) -> None:
    fill(producer, topic, 4)
    box = Inbox()
    member = side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST)
    side.do(member.start, box)
    until(lambda: len(box.got) == 4)
    admin = side.make("Admin")
    (connection,) = until(lambda: side.do(admin.connections, group))
    assert connection.language == "PYTHON" and connection.subscriptions[topic] == "*"
    told = rocketmq_cluster.admin(
        "consumerStatus", "-n", rocketmq_cluster.namesrv, "-g", group, "-i", connection.client_id
    )
    assert f"{topic}" in told and "CONSUME_PASSIVELY" in told, told


def test_an_administrator_has_a_message_consumed(
    side: Side, producer: Producer, topic: str, group: str, rocketmq_cluster: Cluster
) -> None:
    sent = producer.send(topic, b"chosen")
    verdict: list[Any] = [None]

    def judge(message: Any) -> Any:
        return verdict[0]() if callable(verdict[0]) else verdict[0]

    box = Inbox(judge)
    consuming(side, topic, group, box, consume_directly=True)
    until(lambda: len(box.got) == 1)
    (connection,) = until(lambda: side.do(side.make("Admin").connections, group))
    told = rocketmq_cluster.admin(
        "queryMsgById", "-n", rocketmq_cluster.namesrv, "-t", topic,
        "-i", sent.offset_message_id, "-g", group, "-d", connection.client_id,
    )  # fmt: skip
    assert "order=false, autoCommit=true, consumeResult=CR_SUCCESS, remark=null" in told, told
    fields = {
        "consumerGroup": group, "clientId": connection.client_id, "topic": topic,
        "msgId": sent.offset_message_id,
    }  # fmt: skip

    def directly(answer: Any) -> dict[str, Any]:
        verdict[0] = answer
        code, body = ask(rocketmq_cluster.broker, CONSUME_DIRECTLY, fields, timeout=10.0)
        assert code == 0
        result: dict[str, Any] = json.loads(body)
        return result

    assert directly(ConsumeResult.RETRY)["consumeResult"] == "CR_LATER"
    told_of = directly(lambda: 1 // 0)
    assert told_of["consumeResult"] == "CR_THROW_EXCEPTION"
    assert told_of["remark"] == "ZeroDivisionError: integer division or modulo by zero"
    assert [(m.body, m.topic, m.reconsume_times) for m in box.got] == [(b"chosen", topic, 0)] * 4
    fields["consumerGroup"] = f"{group}-other"
    assert ask(rocketmq_cluster.broker, CONSUME_DIRECTLY, fields)[0] == 1


@since_5
def test_pop_receives_acks_and_gives_back(
    side: Side, producer: Producer, topic: str, group: str
) -> None:
    bodies = fill(producer, topic, 12)
    consumer = side.make("SimpleConsumer", group, {topic: "*"}, invisible=30.0)
    found: list[Any] = []
    until(lambda: found.extend(side.do(consumer.receive, 5, wait=2.0)) or len(found) == 12)
    assert sorted(message.body for message in found) == sorted(bodies)
    for message in found[2:]:
        side.do(consumer.ack, message)
    handle = found[0].receipt_handle
    side.do(consumer.nack, found[0], delay=1.0)
    side.do(consumer.change_invisible, found[1], 2.0)
    assert found[0].receipt_handle != handle
    again: list[Any] = []
    until(lambda: again.extend(side.do(consumer.receive, wait=3.0)) or len(again) == 2)
    assert {message.body for message in again} == {found[0].body, found[1].body}
    assert {message.topic for message in again} == {topic}
    assert [message.reconsume_times for message in again] == [1, 1]
    for message in again:
        side.do(consumer.ack, message)
    assert side.do(consumer.receive, wait=3.0) == []
    began = time.monotonic()
    threading.Timer(1.0, lambda: producer.send(topic, b"late")).start()
    (late,) = side.do(consumer.receive, wait=10.0)
    assert late.body == b"late" and time.monotonic() - began < 8
    side.do(consumer.ack, late)
    with pytest.raises((NotFound, ConfigError)):
        late.receipt_handle = "nonsense"
        side.do(consumer.ack, late)
    producer.send(topic, b"iterated")
    (message,) = side.take(consumer, 1)
    assert message.body == b"iterated"


@since_5
def test_pop_filters(side: Side, producer: Producer, topic: str, group: str) -> None:
    for number in range(6):
        producer.send(topic, b"%d" % number, tag="ab"[number % 2], properties={"n": str(number)})
    tagged = side.make("SimpleConsumer", f"{group}-tag", {topic: "b"})
    found: list[Any] = []
    until(lambda: found.extend(side.do(tagged.receive, wait=1.0)) or len(found) == 3)
    assert {message.tag for message in found} == {"b"}
    chosen = side.make("SimpleConsumer", f"{group}-sql", {topic: Sql("n > 3")})
    found = []
    until(lambda: found.extend(side.do(chosen.receive, wait=1.0)) or len(found) == 2)
    assert {message.body for message in found} == {b"4", b"5"}


@since_5
def test_a_delayed_message_is_recalled(side: Side, topic: str, group: str) -> None:
    producer = side.make("Producer", "recalling")
    box = consuming(side, topic, group)
    kept = side.do(producer.send, topic, b"kept", delay=4.0)
    recalled = side.do(producer.send, topic, b"recalled", delay=4.0)
    assert kept.recall_handle and recalled.recall_handle
    assert side.do(producer.recall, topic, recalled.recall_handle) == recalled.message_id
    until(lambda: box.bodies() == [b"kept"])
    time.sleep(2.0)
    assert box.bodies() == [b"kept"]
    plain = side.do(producer.send, topic, b"plain")
    assert plain.recall_handle == ""
    with pytest.raises(ConfigError, match="recall_handle"):
        side.do(producer.recall, topic, plain.recall_handle)


def test_sends_are_traced(side: Side, topic: str, group: str, rocketmq_cluster: Cluster) -> None:
    producer = side.make("Producer", "tracing", tracing=True)
    consuming(side, topic, group, tracing=True)
    sent = side.do(producer.send, topic, b"traced", keys=["a-key"], tag="TagT")
    time.sleep(6.0)

    def told() -> str:
        return rocketmq_cluster.admin(
            "queryMsgTraceById", "-n", rocketmq_cluster.namesrv, "-i", sent.message_id
        )

    until(lambda: "Pub" in told() and "Sub" in told(), 20)
    assert group in told() and "tracing" in told()


def test_connections_are_secured(side: Side, topic: str, group: str) -> None:
    # The servers' test certificate is signed by nobody.
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    producer = side.make("Producer", "secured", tls=blind)
    body = os.urandom(3_000_000)
    sent = side.do(producer.send, topic, body)
    box = Inbox()
    side.do(
        side.make("PushConsumer", group, {topic: "*"}, start_from=FIRST, tls=Tls(blind)).start, box
    )
    until(lambda: box.bodies() == [body])
    assert box.got[0].message_id == sent.message_id
    results = side.do(producer.send_many, [Message(topic, b"%d" % n) for n in range(100)])
    assert all(result.message_id for result in results)
    until(lambda: len(box.got) == 101)
    for tls in (True, ssl.create_default_context()):
        strict = side.make("Producer", "strict", tls=tls)
        with pytest.raises(TlsError, match="no TLS with") as caught:
            side.do(strict.start)
        assert caught.value.hint
    with pytest.raises(ConfigError, match="tls"):
        side.make("Producer", "wrong", tls="yes")
