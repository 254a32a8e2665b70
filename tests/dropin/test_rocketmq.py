"""rocketmq.client: what programs for rocketmq-client-python 2.0 do, on the local broker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import closed_port
from wirespeed import dropin
from wirespeed.local import LocalCloud
from wirespeed.rocketmq import StartFrom


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["rocketmq"], delay_levels=(0.2,) * 18) as made:
        yield made


@pytest.fixture
def client(caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """Yield the module `rocketmq.client`."""
    caplog.set_level(logging.CRITICAL, "wirespeed")
    dropin.install("rocketmq", replace=True)
    import rocketmq.client

    yield rocketmq.client
    dropin.uninstall("rocketmq")


@pytest.fixture
def producer(client: Any, cloud: LocalCloud) -> Iterator[Any]:
    made = client.Producer("group")
    made.set_name_server_address(cloud.namesrv)
    with made as entered:
        assert entered is made
        yield made
    made.shutdown()


class Inbox:
    """A callback that keeps what it gets."""

    def __init__(self, client: Any, *verdicts: Any) -> None:
        self.messages: list[Any] = []
        self._verdicts = list(verdicts)
        self._client = client
        self._came = threading.Condition()

    def __call__(self, message: Any) -> Any:
        with self._came:
            self.messages.append(message)
            self._came.notify_all()
            if self._verdicts:
                verdict = self._verdicts.pop(0)
                if isinstance(verdict, Exception):
                    raise verdict
                return verdict
        return self._client.ConsumeStatus.CONSUME_SUCCESS

    def wait(self, count: int) -> list[Any]:
        with self._came:
            assert self._came.wait_for(lambda: len(self.messages) >= count, 20), self.messages
        return self.messages


def consume(client: Any, cloud: LocalCloud, topic: str, inbox: Inbox, **options: Any) -> Any:
    consumer = client.PushConsumer(f"group-{topic}", **options)
    consumer.set_name_server_address(cloud.namesrv)
    consumer.set_thread_count(2)
    consumer.set_message_batch_max_size(100)
    consumer.subscribe(topic, inbox)
    consumer.start()
    consumer.start()
    return consumer


def test_a_message_goes_round(client: Any, cloud: LocalCloud, producer: Any) -> None:
    from rocketmq.consts import MessageProperty

    inbox = Inbox(client)
    consumer = consume(client, cloud, "round", inbox)
    message = client.Message("round")
    message.set_keys(b"key-1 key-2")
    message.set_tags("TagA")
    message.set_property("colour", "röd 红")
    message.set_body(b"zero \0 inside")
    sent = producer.send_sync(message)
    assert sent.status == client.SendStatus.OK and sent.status is client.SendStatus.OK
    assert (len(sent.msg_id), sent.offset) == (32, 0)
    (got,) = inbox.wait(1)
    consumer.shutdown()
    consumer.shutdown()
    assert (got.topic, got.id, got.tags, got.keys) == (
        "round",
        sent.msg_id,
        b"TagA",
        b"key-1 key-2",
    )
    assert got.body == bytes(got) == b"zero \0 inside"
    assert got["colour"] == got.get_property(b"colour") == "röd 红".encode()
    assert got[MessageProperty.KEYS] == b"key-1 key-2" and got["none"] == b""
    assert (got.reconsume_times, got.queue_offset, got.delay_time_level) == (0, 0, 0)
    assert got.store_size > 100 and got.store_timestamp >= got.born_timestamp > 1.6e12
    assert got.commit_log_offset >= 0 == got.prepared_transaction_offset
    assert str(got) == "zero \0 inside"
    assert repr(got).startswith("<ReceivedMessage topic=round id=")


def test_five_threads_send_at_once(client: Any, producer: Any) -> None:
    results: list[Any] = []

    def send(number: int) -> None:
        message = client.Message("threads")
        message.set_body(f"body {number}")
        results.append(producer.send_sync(message))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [result.status for result in results] == [client.SendStatus.OK] * 5
    assert len({result.msg_id for result in results}) == 5


def test_oneway_and_in_order(client: Any, cloud: LocalCloud, producer: Any) -> None:
    inbox = Inbox(client)
    consumer = consume(client, cloud, "order", inbox, orderly=True)
    for number in range(10):
        message = client.Message("order")
        message.set_body(str(number))
        sent = producer.send_orderly_with_sharding_key(message, "order-1")
        assert (sent.status, sent.offset) == (client.SendStatus.OK, number)
    message = client.Message("order")
    message.set_body("one-way")
    assert producer.send_oneway(message) is None
    bodies = [got.body for got in inbox.wait(11)]
    consumer.shutdown()
    assert [body for body in bodies if body != b"one-way"] == [b"%d" % n for n in range(10)]
    assert len({got.queue_id for got in inbox.messages if got.body != b"one-way"}) == 1


@pytest.mark.parametrize("verdict", ["later", "none", "raises"])
def test_what_is_not_consumed_comes_again(
    client: Any, cloud: LocalCloud, producer: Any, verdict: str
) -> None:
    first = {
        "later": client.ConsumeStatus.RECONSUME_LATER,
        "none": None,
        "raises": ValueError("the callback failed"),
    }[verdict]
    inbox = Inbox(client, first)
    consumer = consume(client, cloud, f"again-{verdict}", inbox)
    message = client.Message(f"again-{verdict}")
    message.set_body("x")
    producer.send_sync(message)
    again = inbox.wait(2)[1]
    consumer.shutdown()
    assert (again.body, again.reconsume_times) == (b"x", 1)


def test_failures(client: Any, cloud: LocalCloud) -> None:
    from rocketmq import exceptions

    producer = client.Producer("group", timeout=500, max_message_size=100)
    with pytest.raises(exceptions.ProducerStartFailed, match="not started"):
        producer.send_sync(client.Message("t"))
    producer.set_namesrv_addr(f"127.0.0.1:{closed_port()}")
    with pytest.raises(exceptions.ProducerStartFailed, match="cannot connect"):
        producer.start()
    producer.set_namesrv_addr(cloud.namesrv)
    with producer:
        message = client.Message("no topic")
        message.set_body("x")
        for send, kind in (
            (lambda: producer.send_sync(message), exceptions.ProducerSendSyncFailed),
            (lambda: producer.send_oneway(message), exceptions.ProducerSendOnewayFailed),
            (
                lambda: producer.send_orderly_with_sharding_key(message, "k"),
                exceptions.ProducerSendOrderlyFailed,
            ),
        ):
            with pytest.raises(kind) as caught:
                send()
            assert caught.value.__cause__ is not None
        message = client.Message("t")
        message.set_body("x" * 101)
        with pytest.raises(exceptions.ProducerSendSyncFailed, match="100"):
            producer.send_sync(message)
        with pytest.raises(exceptions.NullPointerException):
            message.set_body(None)
    consumer = client.PushConsumer("group")
    with pytest.raises(exceptions.PushConsumerStartFailed, match="subscribed"):
        consumer.start()
    consumer.subscribe("t", lambda message: None)
    ordered = client.PushConsumer("group", orderly=True)
    ordered.subscribe("t", lambda message: None)
    ordered.set_message_model(client.MessageModel.BROADCASTING)
    ordered.set_name_server_address("127.0.0.1:1")
    with pytest.raises(exceptions.PushConsumerStartFailed, match="ordered and broadcasting"):
        ordered.start()
    consumer.set_name_server_address("no address")
    with pytest.raises(exceptions.PushConsumerStartFailed):
        consumer.start()


def test_classes_are_plain(client: Any) -> None:
    class Own(client.Message):  # type: ignore[misc]
        def set_body(self, body: Any) -> None:
            super().set_body(b"own " + body)

    message = Own("t")
    message.note = "kept"
    message.set_body(b"body")
    message.set_delay_time_level(3)
    received = client.ReceivedMessage(message._as_parameter_)
    assert (received.body, received.delay_time_level, received.id) == (b"own body", 3, "")
    assert (received.topic, received.tags, message.note) == ("t", b"", "kept")


def test_every_member_of_a_broadcasting_group_gets_every_message(
    client: Any, cloud: LocalCloud, producer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WIRESPEED_STATE_DIR", str(tmp_path))
    boxes = [Inbox(client), Inbox(client)]
    members = []
    message = client.Message("everyone")
    message.set_body("first")
    producer.send_sync(message)
    for number, box in enumerate(boxes):
        member = client.PushConsumer("all", message_model=client.MessageModel.BROADCASTING)
        member.set_name_server_address(cloud.namesrv)
        member.set_instance_name(f"member-{number}")
        member.subscribe("everyone", box)
        member._options["start_from"] = StartFrom.FIRST
        members.append(member)
        member.start()
    for box in boxes:
        assert [got.body for got in box.wait(1)] == [b"first"]
    for member in members:
        member.shutdown()
    kept = sorted(path.name for path in (tmp_path / "rocketmq-offsets").iterdir())
    assert kept == ["all@member-0.json", "all@member-1.json"]


def test_what_0_4_4_had(client: Any, cloud: LocalCloud, producer: Any) -> None:
    from rocketmq import exceptions

    def made(body: str) -> Any:
        message = client.Message("older")
        message.set_body(body)
        message.set_tags(body[0])
        return message

    assert producer.send_batch([made("a1"), made("a2"), made("b3")]).status == client.SendStatus.OK
    with pytest.raises(AssertionError):
        producer.send_batch([])
    came = threading.Event()
    told: list[Any] = []

    def tell(result: Any) -> None:
        told.append(result)
        came.set()

    producer.send_async(made("b4"), tell, None)
    assert came.wait(10)
    assert (told[0].status, len(told[0].msg_id)) == (client.SendStatus.OK, 32)
    chosen: list[Any] = []

    def select(size: int, message: Any, argument: Any) -> int:
        chosen.append((size, message.body, argument))
        return size - 1

    assert producer.send_orderly(made("c5"), 7).status == client.SendStatus.OK
    producer.send_orderly(made("c6"), 7, retry_times=0, queue_selector=select)
    producer.send_oneway_orderly(made("c7"), 7, select)
    assert [each[1:] for each in chosen] == [(b"c6", 7), (b"c7", 7)]
    with pytest.raises(exceptions.ProducerSendOrderlyFailed):
        producer.send_orderly(made("c8"), 7, 3, lambda size, message, argument: size)

    puller = client.PullConsumer("pullers")
    puller.set_namesrv_addr(cloud.namesrv)
    with pytest.raises(exceptions.PullConsumerStartFailed):
        list(puller.pull("older"))
    with puller:
        bodies = sorted(message.body for message in puller.pull("older"))
        assert bodies == [b"a1", b"a2", b"b3", b"b4", b"c5", b"c6", b"c7"]
        assert list(puller.pull("older")) == []
        producer.send_sync(made("a8"))
        producer.send_sync(made("d9"))
        (last,) = puller.pull("older", "d || e", max_num=1)
        assert isinstance(last, client.RecvMessage) and last.body == b"d9"
        with pytest.raises(exceptions.PullConsumerFetchMQFailed):
            list(puller.pull("never-made"))
    puller.shutdown()


def test_callbacks_of_0_4_4_return_nothing(client: Any, cloud: LocalCloud, producer: Any) -> None:
    seen: list[bytes] = []
    came = threading.Event()

    def take(message: Any) -> None:
        seen.append(message.body)
        came.set()

    consumer = client.PushConsumer("older-callbacks")
    consumer._options["start_from"] = StartFrom.FIRST
    consumer.set_namesrv_addr(cloud.namesrv)
    consumer.subscribe("quiet", take)
    message = client.Message("quiet")
    message.set_body("once")
    producer.send_sync(message)
    with consumer:
        assert came.wait(20)
        client_of = consumer._client
        limit = time.monotonic() + 10
        while any(client_of.lag().values()):
            assert time.monotonic() < limit
            time.sleep(0.05)
    assert seen == [b"once"]
