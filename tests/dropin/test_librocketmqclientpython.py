"""librocketmqclientpython: the names of its documentation, their results, and their failures."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

import librocketmqclientpython as old
from tests.remoting_server import Answer, RemotingServer
from tests.scripted import Peer, ScriptedServer, closed_port
from wirespeed.remoting.connection import Frame

DOCUMENTED = re.findall(
    r"\w+",
    """
    CConsumeStatus CSendStatus CStatus CreateMessage SetByteMessageBody SetMessageBody
    SetMessageKeys SetDelayTimeLevel SetMessageProperty SetMessageTags SetMessageTopic
    DestroyMessage GetMessageBody GetMessageId GetMessageKeys GetMessageProperty GetMessageTags
    GetMessageTopic CreateProducer SetProducerNameServerAddress SetProducerNameServerDomain
    SetProducerInstanceName SetProducerSessionCredentials StartProducer SendMessageOneway
    SendMessageOrderly SendMessageSync ShutdownProducer DestroyProducer SendResult
    CreatePushConsumer SetPushConsumerInstanceName SetPushConsumerNameServerAddress
    SetPushConsumerNameServerDomain SetPushConsumerMessageBatchMaxSize
    SetPushConsumerSessionCredentials SetPushConsumerThreadCount Subscribe
    RegisterMessageCallback StartPushConsumer ShutdownPushConsumer DestroyPushConsumer
    GetVersion
    """,
)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "wirespeed.rocketmq")


@pytest.fixture
def server() -> Iterator[RemotingServer]:
    with RemotingServer() as running:
        yield running


@pytest.fixture
def producer(server: RemotingServer) -> Iterator[Any]:
    created = old.CreateProducer("group")
    assert old.SetProducerNameServerAddress(created, server.address) == 0
    assert old.StartProducer(created) == 0
    yield created
    assert old.ShutdownProducer(created) == 0
    assert old.DestroyProducer(created) == 0


def test_star_import_brings_every_documented_name() -> None:
    names: dict[str, Any] = {}
    exec("from librocketmqclientpython import *", names)
    assert set(DOCUMENTED) <= set(names)


def test_enum_values() -> None:
    assert [int(each) for each in old.CSendStatus] == [0, 1, 2, 3]
    assert (old.CStatus.OK, old.CStatus.NULL_POINTER) == (0, 1)
    assert (old.CConsumeStatus.E_CONSUME_SUCCESS, old.CConsumeStatus.E_RECONSUME_LATER) == (0, 1)
    assert old.GetVersion() == "PYTHON_CLIENT_VERSION: 1.2.0, BUILD DATE: 04-12-2018"


def test_message_life_cycle() -> None:
    message = old.CreateMessage("topic")
    assert isinstance(message, old.CMessage)
    assert old.SetMessageBody(message, "text ü") == 0
    assert old.GetMessageBody(message) == "text ü"
    for body in (b"\xff\x00by", bytearray(b"\xff\x00by"), memoryview(b"\xff\x00by")):
        assert old.SetByteMessageBody(message, body, 3) == 0
        assert old.GetMessageBody(message).encode("utf-8", "surrogateescape") == b"\xff\x00b"
    assert old.SetMessageKeys(message, "k1") == 0
    assert old.SetMessageKeys(message, "k2") == 0
    assert old.SetMessageTags(message, "tag") == 0
    assert old.SetMessageTopic(message, "other") == 0
    assert old.SetMessageProperty(message, "name", "value") == 0
    assert old.SetDelayTimeLevel(message, 3) == 0
    assert old.GetMessageKeys(message) == "k2"
    assert old.GetMessageTags(message) == "tag"
    assert old.GetMessageTopic(message) == "other"
    assert old.GetMessageProperty(message, "name") == "value"
    assert old.GetMessageProperty(message, "absent") == ""
    assert old.GetMessageProperty(message, "DELAY") == "3"
    assert old.DestroyMessage(message) == 0
    assert old.DestroyMessage(message) == 1
    assert old.SetMessageBody(message, "x") == 1


def test_none_is_a_null_pointer_everywhere() -> None:
    message = old.CreateMessage("topic")
    for status in (
        old.SetMessageBody(None, "x"),
        old.SetMessageTags(message, None),
        old.DestroyMessage(None),
        old.SetProducerNameServerAddress(None, "x"),
        old.SetProducerSessionCredentials(old.CreateProducer("g"), None, "x", "y"),
        old.StartProducer(None),
        old.ShutdownProducer(None),
        old.DestroyProducer(None),
        old.StartPushConsumer(None),
        old.Subscribe(None, "t", "*"),
        old.RegisterMessageCallback(old.CreatePushConsumer("g"), None, None),
        old.SetPushConsumerThreadCount(old.CreatePushConsumer("g"), 0),
        old.SetPushConsumerMessageBatchMaxSize(old.CreatePushConsumer("g"), 0),
    ):
        assert status == 1


def test_sync_send(server: RemotingServer, producer: Any) -> None:
    message = old.CreateMessage("topic")
    old.SetMessageBody(message, "hello")
    old.SetMessageTags(message, "tag")
    result = old.SendMessageSync(producer, message)
    assert result.sendStatus == old.CSendStatus.E_SEND_OK
    assert result.offset == 7 and len(result.GetMsgId()) == 32
    (sent,) = [frame for frame in server.received if frame.code == 310]
    assert sent.body == b"hello" and "TAGS\x01tag\x02" in sent.ext_fields["i"]
    assert sent.ext_fields["a"] == "group"


def test_orderly_send_uses_the_callback_and_retries_the_same_queue(
    server: RemotingServer, producer: Any
) -> None:
    busy = [3]

    def sometimes_busy(server: RemotingServer, peer: Peer, frame: Frame) -> Answer:
        busy[0] -= 1
        return (2, {}, b"") if busy[0] > 0 else server.answer(frame)

    server.behaviours[310] = sometimes_busy
    calls = []

    def select(size: int, message: Any, args: Any) -> int:
        calls.append((size, args))
        return 2

    message = old.CreateMessage("topic")
    old.SetMessageBody(message, "hello")
    assert old.SendMessageOrderly(producer, message, 3, None, select).offset == 7
    assert set(calls) == {(4, None)}
    sent = [frame for frame in server.received if frame.code == 310]
    assert len(sent) == 3 and {frame.ext_fields["e"] for frame in sent} == {"2"}
    assert len({frame.ext_fields["i"] for frame in sent}) == 1
    with pytest.raises(old.MQException, match=r"0\.\.3"):
        old.SendMessageOrderly(producer, message, 0, None, lambda size, m, args: 4)


def test_failures_are_exceptions_for_sends_and_statuses_else(producer: Any) -> None:
    message = old.CreateMessage("topic")
    with pytest.raises(old.MQException) as caught:
        old.SendMessageSync(producer, message)
    assert (caught.value.error, caught.value.line, caught.value.GetFile()) == (11, 0, "")
    assert "body" in caught.value.GetMsg() and caught.value.GetType() == "ConfigError"
    old.DestroyMessage(message)
    with pytest.raises(old.MQException, match="destroyed"):
        old.SendMessageSync(producer, message)
    assert old.SendMessageOneway(producer, message) == 12
    with pytest.raises(old.MQException, match="not started"):
        old.SendMessageSync(old.CreateProducer("g"), old.CreateMessage("t"))


def test_starts_that_fail_return_their_status() -> None:
    producer = old.CreateProducer("group")
    old.SetProducerNameServerAddress(producer, f"127.0.0.1:{closed_port()}")
    assert old.StartProducer(producer) == 10
    consumer = old.CreatePushConsumer("group")
    assert old.StartPushConsumer(consumer) == 20
    old.RegisterMessageCallback(consumer, print)
    assert old.StartPushConsumer(consumer) == 20


def test_domain_is_asked_at_the_start_and_the_address_wins(server: RemotingServer) -> None:
    def answer(peer: Peer) -> None:
        peer.read_request()
        peer.answer(200, f"{server.address}\nignored".encode())

    with ScriptedServer(answer) as web:
        producer = old.CreateProducer("group")
        old.SetProducerNameServerDomain(producer, f"{web.url}/rocketmq/nsaddr")
        assert old.StartProducer(producer) == 0
        old.ShutdownProducer(producer)
        assert len(web.peers) == 1
        both = old.CreateProducer("group")
        old.SetProducerNameServerDomain(both, f"{web.url}/rocketmq/nsaddr")
        old.SetProducerNameServerAddress(both, server.address)
        assert old.StartProducer(both) == 0
        old.ShutdownProducer(both)
        assert len(web.peers) == 1
