"""Messages that an administrator has a consumer consume: request code 309."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.parity.test_rocketmq_stored import record
from tests.remoting_server import Answer, RemotingServer, packed
from tests.rocketmq_sides import KINDS, Inbox, Side, until
from tests.scripted import Peer
from wirespeed.remoting.connection import FLAG_ONEWAY, Frame
from wirespeed.rocketmq import ConsumeResult

BODY = record(b"chosen", b"t")
CORRUPT = record(b"chosen", b"t", crc=7)


class Broker:
    """A server that has its consumers consume messages."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.server = RemotingServer(on_34=self._welcome)
        self.opaques = itertools.count(1 << 20)

    def _welcome(self, server: RemotingServer, peer: Peer, frame: Frame) -> Answer:
        if peer not in self.peers:
            self.peers.append(peer)
        return 0, {}, b""

    def order(self, body: bytes = BODY, group: str = "g", flag: int = 0) -> int:
        """Ask the last consumer that came; return the number of the request."""
        opaque = next(self.opaques)
        fields = {"consumerGroup": group, "clientId": "c", "msgId": "m", "brokerName": "b"}
        self.peers[-1].send(packed(309, opaque, flag, fields, body))
        return opaque

    def answers(self, opaque: int) -> list[Frame]:
        """Return what came for a request so far."""
        return [each for each in self.server.received if each.opaque == opaque and each.flag & 1]

    def answer(self, opaque: int) -> Frame:
        """Wait for the answer to a request."""
        found: list[Frame] = until(lambda: self.answers(opaque), 5)
        return found[0]

    def told(self, *order: Any) -> dict[str, Any]:
        """Have a message consumed, and return what the consumer tells of it."""
        frame = self.answer(self.order(*order))
        assert frame.code == 0
        told: dict[str, Any] = json.loads(frame.body)
        return told


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    with made.server:
        yield made


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, broker: Broker) -> Iterator[Side]:
    made = Side(request.param, broker.server.address)
    yield made
    made.close()


def start(side: Side, handler: Any, **options: Any) -> Any:
    consumer = side.make("PushConsumer", "g", {"t": "*"}, consume_directly=True, **options)
    side.do(consumer.start, handler)
    return consumer


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("batch", [None, 4])
def test_the_handler_gets_the_message_and_the_broker_what_it_said(
    side: Side, broker: Broker, ordered: bool, batch: int | None
) -> None:
    verdicts: Iterator[Any] = iter((None, ConsumeResult.SUCCESS, ConsumeResult.RETRY, 7))
    box = Inbox(lambda _: next(verdicts))
    start(side, box, ordered=ordered, handler_batch=batch)
    told = [broker.told() for _ in range(4)]
    results = ["CR_SUCCESS", "CR_SUCCESS", "CR_LATER", "CR_LATER"]
    assert [each["consumeResult"] for each in told] == results
    for each in told:
        assert (each["order"], each["autoCommit"], each["remark"]) == (ordered, True, None)
        assert 0 <= each["spentTimeMills"] < 1000
    messages = [given if batch is None else given[0] for given in box.got]
    assert len(messages) == 4
    assert [(m.body, m.topic, m.broker_name, m.queue_id) for m in messages] == [
        (b"chosen", "t", "b", 3)
    ] * 4
    # Nothing of it goes back to the broker, and no offset is stored.
    assert not {36, 15}.intersection(broker.server.codes())


def test_an_exception_is_told(side: Side, broker: Broker) -> None:
    box = Inbox(lambda message: [][message.queue_id])
    start(side, box)
    told = broker.told()
    assert told["consumeResult"] == "CR_THROW_EXCEPTION"
    assert told["remark"] == "IndexError: list index out of range"
    told = broker.told(CORRUPT)
    assert told["consumeResult"] == "CR_THROW_EXCEPTION" and "checksum" in told["remark"]
    assert len(box.got) == 1


def test_the_topic_is_the_one_that_was_sent_to(side: Side, broker: Broker) -> None:
    box = Inbox()
    consumer = side.make("PushConsumer", "g", {"t": "*"}, namespace="n", consume_directly=True)
    side.do(consumer.start, box)
    told = broker.told(record(b"x", b"%RETRY%n%g", b"RETRY_TOPIC\x01n%t\x02"), "n%g")
    assert told["consumeResult"] == "CR_SUCCESS"
    assert box.got[0].topic == "t"


def test_a_request_that_cannot_be_met_is_refused(side: Side, broker: Broker) -> None:
    box = Inbox()
    consumer = start(side, box)
    for order in ((BODY, "other"), (b"",), (BODY * 2,), (b"\0\0\0\x05nonsense",)):
        frame = broker.answer(broker.order(*order))
        assert frame.code == 1 and frame.remark and not frame.body
    for group, kind, handler in (
        ("puller", "LitePullConsumer", ()),
        ("off", "PushConsumer", (box,)),
    ):
        side.do(side.make(kind, group, {"t": "*"}).start, *handler)
        frame = broker.answer(broker.order(BODY, group))
        assert (frame.code, frame.remark) == (1, f"<{group}> consumes nothing directly")
    assert not box.got
    assert side.do(consumer.ping) < 1.0


def waiting(side: Side, entered: threading.Event, going_on: threading.Event) -> Any:
    """Return a handler that tells when it is called, and waits."""

    async def wait_loop(message: Any) -> None:
        entered.set()
        while not going_on.is_set():
            await asyncio.sleep(0.01)

    def wait_thread(message: Any) -> None:
        entered.set()
        going_on.wait(10)

    return wait_loop if side.loop else wait_thread


def test_a_slow_handler_holds_up_no_other_exchange(side: Side, broker: Broker) -> None:
    entered, going_on = threading.Event(), threading.Event()
    consumer = start(side, waiting(side, entered, going_on))
    first = broker.order()
    assert entered.wait(5)
    began = time.monotonic()
    for _ in range(3):
        side.do(consumer.ping)
    second = broker.order()
    time.sleep(0.1)
    assert time.monotonic() - began < 2.0
    assert not broker.answers(first) and not broker.answers(second)
    going_on.set()
    for opaque in (first, second):
        told = json.loads(broker.answer(opaque).body)
        assert told["consumeResult"] == "CR_SUCCESS"
    assert json.loads(broker.answer(first).body)["spentTimeMills"] >= 100


def test_a_one_way_order_is_met_and_not_answered(side: Side, broker: Broker) -> None:
    box = Inbox()
    start(side, box)
    opaque = broker.order(BODY, "g", FLAG_ONEWAY)
    until(lambda: box.got)
    broker.told()
    assert not broker.answers(opaque)


def test_a_broker_that_is_gone_gets_no_answer(side: Side, broker: Broker) -> None:
    entered, going_on = threading.Event(), threading.Event()
    consumer = start(side, waiting(side, entered, going_on))
    broker.order()
    assert entered.wait(5)
    broker.peers[-1].reset()
    try:
        until(lambda: consumer._state.heartbeat_wake.set() or len(broker.peers) == 2, 5)
    finally:
        going_on.set()
    assert side.do(consumer.ping) < 1.0
    side.do(consumer.close)
