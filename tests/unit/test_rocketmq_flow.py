"""The RocketMQ flows, driven by plain lists of replies: no socket, no clock."""

from __future__ import annotations

import array
import base64
import dataclasses
import hmac
import itertools
import json
import random
import threading
import zlib
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from wirespeed.config import Clock, Credentials
from wirespeed.engine.effects import Exchange, Flow, Sleep, Wakeup
from wirespeed.errors import (
    AccessDenied,
    ConfigError,
    ConnectError,
    DeadlineExceeded,
    ProtocolError,
    SendError,
    TopicNotFound,
    TransportError,
)
from wirespeed.http.models import Response
from wirespeed.remoting.connection import Command, Frame
from wirespeed.rocketmq import wire
from wirespeed.rocketmq.flow import consume, discovery, group, pop, pull, route, transaction
from wirespeed.rocketmq.flow import send as sending
from wirespeed.rocketmq.flow.rebalance import allocate_average
from wirespeed.rocketmq.models import (
    Message,
    MessageQueue,
    SendStatus,
    StartFrom,
    TransactionStatus,
)
from wirespeed.rocketmq.sign import sign
from wirespeed.rocketmq.wire import pop as wire_pop

POLICY = sending.SendPolicy("group", 3, 1 << 20)


def client(*, credentials: Credentials | None = None, servers: int = 1) -> route.ClientState:
    names = tuple(f"ns{number}:1" for number in range(servers))
    ids = itertools.count(1)
    settings = route.Settings(
        names,
        "me",
        lambda: f"ID{next(ids)}",
        credentials,
        Clock(lambda: 0.0, lambda: 5.0, lambda: 0.0),
    )
    return route.ClientState(settings)


def reply(code: int = 0, fields: dict[str, str] | None = None, body: Any = b"") -> Frame:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Frame(code, 0, 399, 1, 1, "because", fields or {}, data)


def route_reply(*brokers: str, perm: int = 6) -> Frame:
    return reply(
        body={
            "queueDatas": [
                {"brokerName": name, "readQueueNums": 2, "writeQueueNums": 2, "perm": perm}
                for name in brokers
            ],
            "brokerDatas": [
                {"brokerName": name, "brokerAddrs": {"0": f"{name}:10911", "1": f"{name}:2"}}
                for name in brokers
            ],
        }
    )


STORED = {"queueId": "1", "queueOffset": "42", "msgId": "OFFSET"}


def drive(flow: Flow[Any], replies: Iterable[Any]) -> tuple[Any, list[Any]]:
    """Send each reply, or throw it; return the flow's result and the effects it yielded."""
    effects: list[Any] = []
    script = iter(replies)
    try:
        effects.append(next(flow))
        while True:
            each = next(script)
            thrown = isinstance(each, BaseException)
            effects.append(flow.throw(each) if thrown else flow.send(each))
    except StopIteration as stop:
        assert next(script, None) is None, "replies are left over"
        return stop.value, effects


def raised(flow: Flow[Any], replies: Iterable[Any]) -> Any:
    with pytest.raises(Exception) as caught:
        drive(flow, replies)
    return caught.value


def lost(outcome: Any = "unknown") -> TransportError:
    return TransportError("lost", outcome=outcome, retryable=True)


def test_send_asks_the_route_once_and_then_one_exchange_a_message() -> None:
    state = client()
    message = Message("t", b"x", tag="a", keys=["k1", "k2"], properties={"p": "v"})
    result, effects = drive(
        sending.send(state, POLICY, message, 3.0), [route_reply("b"), reply(fields=STORED)]
    )
    asked, sent = effects
    assert (asked.endpoint, asked.request.code) == ("ns0:1", 105)
    fields = sent.request.ext_fields
    assert sent.endpoint == "b:10911" and sent.deadline == 3.0
    assert (fields["a"], fields["b"], fields["f"], fields["g"]) == ("group", "t", "0", "5000")
    assert fields["i"] == (
        "p\x01v\x02TAGS\x01a\x02KEYS\x01k1 k2\x02UNIQ_KEY\x01ID1\x02WAIT\x01true\x02"
    )
    assert (result.message_id, result.offset_message_id) == ("ID1", "OFFSET")
    assert result.queue == MessageQueue("t", "b", 1) and result.queue_offset == 42
    assert result.attempts == 1 and not result.possible_duplicate
    _, effects = drive(sending.send(state, POLICY, Message("t", b"y"), 1.0), [reply(fields=STORED)])
    assert len(effects) == 1


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (0, SendStatus.OK),
        (10, SendStatus.FLUSH_DISK_TIMEOUT),
        (11, SendStatus.SLAVE_NOT_AVAILABLE),
        (12, SendStatus.FLUSH_SLAVE_TIMEOUT),
    ],
)
def test_four_codes_are_results(code: int, status: SendStatus) -> None:
    result, _ = drive(
        sending.send(client(), POLICY, Message("t", b"x"), 3.0),
        [route_reply("b"), reply(code, STORED)],
    )
    assert result.status is status


def test_retry_keeps_the_unique_id_changes_the_broker_and_marks_the_duplicate() -> None:
    result, effects = drive(
        sending.send(client(), POLICY, Message("t", b"x"), 3.0),
        [route_reply("b1", "b2"), lost(), route_reply("b1", "b2"), reply(fields=STORED)],
    )
    first, second = effects[1], effects[3]
    assert {first.endpoint, second.endpoint} == {"b1:10911", "b2:10911"}
    assert first.request.ext_fields["i"] == second.request.ext_fields["i"]
    assert result.attempts == 2 and result.possible_duplicate


def test_retry_of_what_was_never_sent_is_no_possible_duplicate() -> None:
    result, _ = drive(
        sending.send(client(), POLICY, Message("t", b"x"), 3.0),
        [route_reply("b"), lost("not_sent"), route_reply("b"), reply(fields=STORED)],
    )
    assert not result.possible_duplicate


@pytest.mark.parametrize("code", range(0, 256))
def test_every_response_code_is_retried_exactly_as_the_protocol_permits(code: int) -> None:
    retried = code in {17, 14, 1, 2, 16, 204, 205}
    script: list[Any] = [route_reply("b"), reply(code, STORED)]
    script += [route_reply("b"), reply(fields=STORED)] if retried else []
    flow = sending.send(client(), POLICY, Message("t", b"x"), 3.0)
    if retried or code in {0, 10, 11, 12}:
        result, _ = drive(flow, script)
        assert result.attempts == (2 if retried else 1)
    else:
        error = raised(flow, script)
        assert (error.code, error.outcome, error.attempts) == (code, "rejected", 1)


def test_old_route_stays_when_no_name_server_answers() -> None:
    state = client()
    result, _ = drive(
        sending.send(state, POLICY, Message("t", b"x"), 3.0),
        [route_reply("b"), lost(), ConnectError("down"), reply(fields=STORED)],
    )
    assert result.attempts == 2


def test_a_topic_whose_broker_is_away_is_not_made_at_another() -> None:
    result, effects = drive(
        sending.send(client(), POLICY, Message("t", b"x"), 3.0),
        [route_reply("b"), lost(), reply(17), reply(fields=STORED)],
    )
    assert [effect.endpoint for effect in effects] == ["ns0:1", "b:10911", "ns0:1", "b:10911"]
    assert effects[2].request.ext_fields["topic"] == "t"
    assert result.attempts == 2 and result.possible_duplicate


def test_exhausted_tries_tell_the_outcome() -> None:
    error = raised(
        sending.send(client(), POLICY, Message("t", b"x"), 3.0),
        [
            route_reply("b"),
            lost(),
            route_reply("b"),
            lost("not_sent"),
            route_reply("b"),
            lost("not_sent"),
        ],
    )
    assert isinstance(error, SendError)
    assert (error.outcome, error.attempts, error.retryable) == ("unknown", 3, True)
    assert isinstance(error.__cause__, TransportError)


def test_passed_deadline_ends_the_send() -> None:
    now = [0.0]
    state = client()
    object.__setattr__(state.settings, "clock", Clock(lambda: now[0], lambda: 5.0, lambda: 0.0))
    flow = sending.send(state, POLICY, Message("t", b"x"), 3.0)
    next(flow)
    flow.send(route_reply("b"))
    now[0] = 3.0
    with pytest.raises(DeadlineExceeded) as caught:
        flow.throw(DeadlineExceeded("late", outcome="unknown"))
    assert (caught.value.attempts, caught.value.outcome) == (1, "unknown")


def test_unknown_topic_uses_the_route_for_new_topics() -> None:
    state = client()
    _, effects = drive(
        sending.send(state, POLICY, Message("new", b"x"), 3.0),
        [reply(17), route_reply("b"), reply(fields=STORED)],
    )
    assert effects[1].request.ext_fields["topic"] == "TBW102"
    assert effects[2].request.ext_fields["b"] == "new"


def test_name_server_without_broker_is_topic_not_found_with_a_hint() -> None:
    error = raised(sending.send(client(), POLICY, Message("t", b"x"), 3.0), [reply(17), reply(17)])
    assert isinstance(error, TopicNotFound)
    assert error.outcome == "not_sent" and "broker" in error.hint


def test_queues_without_write_permission_are_not_sent_to() -> None:
    error = raised(
        sending.send(client(), POLICY, Message("t", b"x"), 3.0), [route_reply("b", perm=4)]
    )
    assert isinstance(error, TopicNotFound)


def test_name_servers_are_tried_in_turn_and_the_good_one_is_kept() -> None:
    state = client(servers=3)
    _, effects = drive(
        route.fetch_route(state, "t", 3.0),
        [ConnectError("a"), ConnectError("b"), route_reply("b")],
    )
    assert [effect.endpoint for effect in effects] == ["ns0:1", "ns1:1", "ns2:1"]
    _, effects = drive(route.fetch_route(state, "t", 3.0), [route_reply("b")])
    assert effects[0].endpoint == "ns2:1"
    error = raised(route.fetch_route(state, "t", 3.0), [ConnectError(each) for each in "xyz"])
    assert isinstance(error, ConnectError) and error.outcome == "not_sent"


def test_a_silent_name_server_leaves_the_others_their_share_of_the_time() -> None:
    _, effects = drive(
        route.fetch_route(client(servers=3), "t", 3.0), [lost(), lost(), route_reply("b")]
    )
    assert [effect.deadline for effect in effects] == [1.0, 1.5, 3.0]
    _, effects = drive(route.fetch_route(client(servers=2), "t", 30.0), [route_reply("b")])
    assert effects[0].deadline == 3.0
    _, effects = drive(
        sending.send(client(), POLICY, Message("t", b"x"), 3.0),
        [route_reply("b1", "b2"), lost("not_sent"), lost(), reply(fields=STORED)],
    )
    assert [effect.deadline for effect in effects] == [3.0, 3.0, 1.5, 3.0]


def test_routes_are_looked_for_again_when_a_pull_fails() -> None:
    state, changed = client(), Wakeup()
    flow = route.keep_routes(state, lambda: ["t"], changed)
    next(flow)
    regular = flow.send(route_reply("b"))
    assert (regular.seconds, regular.wake) == (30.0, state.route_wake)
    assert flow.send(True).seconds == 0.5
    changed.is_set = False
    assert flow.send(False).request.code == 105
    assert flow.send(route_reply("c")).seconds == 30.0 and changed.is_set
    assert isinstance(flow.send(False), Exchange)


def test_a_route_of_an_old_name_server_has_numbers_as_keys() -> None:
    body = (
        b'{"brokerDatas":[{"brokerAddrs":{0:"b:1", 1 :"c:1"},"brokerName":"a","cluster":"d"}],'
        b'"filterServerTable":{},"queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":1,'
        b'"topicSysFlag":0,"writeQueueNums":1}]}'
    )
    assert wire.parse_route("t", reply(body=body)).brokers == {"a": {0: "b:1", 1: "c:1"}}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'{"brokerDatas":[]}', b'{"brokerDatas":[{}],"queueDatas":[]}',
        b"[" * 100_000, b'{"a":' * 50_000, b"{0:" * 100_000, b"\xff",
    ],
)  # fmt: skip
def test_bad_route_bodies_are_protocol_errors(body: bytes) -> None:
    error = raised(route.fetch_route(client(), "t", 3.0), [reply(body=body)])
    assert type(error).__name__ == "ProtocolError"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Message("bad topic", b"x"), "topic"),
        (Message("", b"x"), "topic"),
        (Message("t" * 128, b"x"), "127"),
        (Message("SELF_TEST_TOPIC", b"x"), "SELF_TEST_TOPIC"),
        (Message("t", b""), "1 to 1048576"),
        (Message("t", b"x" * (1 << 20) + b"x"), "1048577"),
        (Message("t", b"x", tag="a\x01"), "^tag: .*control"),
        (Message("t", b"x", tag=5), "^tag: "),  # type: ignore[arg-type]
        (Message("t", b"x", keys="a\x02"), "^keys: .*control"),
        (Message("t", b"x", properties={"ok": "v", "p": "v\x01"}), "^property 'p': .*control"),
        (Message("t", b"x", properties={"p\x02": "v"}), r"^property 'p\\x02': .*control"),
        (Message("t", b"x", properties={"p": "v" * 40_000}), "32767"),
    ],
)
def test_bad_messages_are_refused_before_anything_is_sent(message: Message, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        next(sending.send(client(), POLICY, message, 3.0))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"properties": {"KEYS": "x"}}, "KEYS"),
        ({"properties": {"": "x"}}, "blank"),
        ({"properties": {"a": " "}}, "blank"),
        ({"properties": {"a": 1}}, "str"),
        ({"properties": [("a", "b")]}, "properties must be Mapping, not list"),
        ({"keys": 5}, "keys must be Iterable, not int"),
        ({"keys": [5]}, "keys: 5 "),
        ({"keys": ["a b"]}, "keys: 'a b' "),
        ({"keys": [""]}, "keys: '' "),
        ({"delay_level": 19}, "delay_level must be an int from 0 to 18"),
        ({"delay_level": "1"}, "delay_level"),
        ({"delay": "1"}, "delay "),
        ({"deliver_at": "1"}, "deliver_at "),
        ({"deliver_at": -1}, "deliver_at "),
    ],
)
def test_bad_arguments_are_refused_by_the_message(arguments: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Message("t", b"x", **arguments)


def test_selected_queue_is_used_once_and_checked() -> None:
    state = client()
    _, effects = drive(
        sending.send_selected(state, POLICY, Message("t", b"x"), lambda queues: 1, 3.0),
        [route_reply("b"), reply(fields=STORED)],
    )
    assert effects[-1].request.ext_fields["e"] == "1"
    flow = sending.send_selected(state, POLICY, Message("t", b"x"), lambda queues: 2, 3.0)
    assert "0..1" in str(raised(flow, []))
    flow = sending.send_selected(state, POLICY, Message("t", b"x"), lambda queues: 0, 3.0)
    error = raised(flow, [lost(), route_reply("b")])
    assert isinstance(error, SendError) and error.attempts == 1


def test_signature_covers_sorted_values_and_body() -> None:
    command = Command(310, {"b": "2", "a": "1"}, b"body")
    sign(command, Credentials("AK", "SK", "TOKEN"))
    digest = hmac.digest(b"SK", b"AK" + b"TOKEN" + b"1" + b"2" + b"body", "sha1")
    assert command.ext_fields == {
        "b": "2",
        "a": "1",
        "AccessKey": "AK",
        "SecurityToken": "TOKEN",
        "Signature": base64.b64encode(digest).decode(),
    }


def test_refused_signature_is_access_denied() -> None:
    error = raised(
        sending.send(
            client(credentials=Credentials("a", "b")),
            sending.SendPolicy("g", 1, 9),
            Message("t", b"x"),
            3.0,
        ),
        [route_reply("b"), reply(16)],
    )
    assert isinstance(error, AccessDenied) and error.code == 16


QUEUES = [MessageQueue("t", broker, number) for broker in ("b", "a") for number in range(4)]


@pytest.mark.parametrize("members", range(1, 12))
def test_average_shares_are_whole_equal_and_neighbouring(members: int) -> None:
    names = [f"c{number:02}" for number in range(members)]
    shares = [allocate_average(name, names[::-1], QUEUES) for name in names]
    assert [queue for share in shares for queue in share] == sorted(QUEUES)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert allocate_average("stranger", names, QUEUES) == []


class Harness:
    """A consumer's state whose deliveries and spawned flows are kept in lists."""

    def __init__(
        self, expression: str = "*", start_from: StartFrom = StartFrom.LAST, start_at: int = 0
    ) -> None:
        self.delivered: list[Any] = []
        self.spawned: list[Flow[Any]] = []
        self.client = client()
        policy = group.ConsumerPolicy(
            "group", start_from=start_from, start_at=start_at, cache_messages=2
        )
        self.state = group.ConsumerState(
            self.client,
            policy,
            consume.subscriptions("group", {"t": expression}, 1),
            deliver=lambda queue, messages: self.delivered.extend(messages),
            spawn=self.spawn,
            make_lock=threading.Lock,
        )
        self.client.routes["t"] = wire.parse_route("t", route_reply("b"))

    def spawn(self, flow: Flow[Any]) -> Any:
        self.spawned.append(flow)

        class Task:
            def cancel(self) -> None:
                flow.close()

        return Task()


def test_rebalance_takes_up_and_gives_up_queues() -> None:
    harness = Harness()
    members = reply(body={"consumerIdList": ["me"]})
    drive(
        consume.rebalance(harness.state, "t"),
        [members, reply(fields={"offset": "5"}), reply(22), reply(fields={"offset": "9"})],
    )
    offsets = {queue.queue_id: each.next_offset for queue, each in harness.state.queues.items()}
    assert offsets == {0: 5, 1: 9}
    _, effects = drive(
        consume.rebalance(harness.state, "t"),
        [reply(body={"consumerIdList": ["a", "me"]}), reply()],
    )
    assert effects[1].request.code == 15
    assert effects[1].request.ext_fields["commitOffset"] == "5"
    assert [queue.queue_id for queue in harness.state.queues] == [1]


def test_a_queue_whose_offset_is_unknown_is_not_begun() -> None:
    harness = Harness()
    drive(
        consume.rebalance(harness.state, "t"),
        [reply(body={"consumerIdList": ["me"]}), reply(1), lost()],
    )
    assert not harness.state.queues


def test_group_without_offset_may_begin_at_a_time() -> None:
    harness = Harness(start_from=StartFrom.TIMESTAMP, start_at=1234)
    _, effects = drive(
        consume.rebalance(harness.state, "t"),
        [
            reply(body={"consumerIdList": ["me"]}),
            *(reply(22), reply(fields={"offset": "3"})),
            *(reply(22), reply(fields={"offset": "4"})),
        ],
    )
    assert [effect.request.code for effect in effects] == [38, 14, 29, 14, 29]
    assert effects[2].request.ext_fields["timestamp"] == "1234"
    offsets = {queue.queue_id: each.next_offset for queue, each in harness.state.queues.items()}
    assert offsets == {0: 3, 1: 4}


def test_group_without_offset_may_begin_at_the_first_message() -> None:
    harness = Harness(start_from=StartFrom.FIRST)
    drive(
        consume.rebalance(harness.state, "t"),
        [reply(body={"consumerIdList": ["me"]}), reply(22), reply(22)],
    )
    assert {each.next_offset for each in harness.state.queues.values()} == {0}


def process_queue(harness: Harness, offset: int = 0) -> group.ProcessQueue:
    queue = MessageQueue("t", "b", 0)
    return group.ProcessQueue(queue, offset, harness.state.make_lock())


def test_pull_follows_the_brokers_answers() -> None:
    harness = Harness()
    queue = process_queue(harness, 7)
    flow = pull.pull(harness.state, queue)
    first = next(flow)
    assert isinstance(first, Exchange)
    assert first.request.ext_fields["queueOffset"] == "7"
    assert first.request.ext_fields["sysFlag"] == "3"
    following = flow.send(reply(19, {"nextBeginOffset": "8"}))
    assert isinstance(following, Exchange)
    assert following.request.ext_fields["queueOffset"] == "8"
    moved = flow.send(reply(21, {"nextBeginOffset": "3"}))
    assert isinstance(moved, Exchange)
    assert moved.request.ext_fields["queueOffset"] == "3"
    for answer, pause in ((reply(215), 0.02), (reply(24), 0.1), (reply(1), 1.0), (lost(), 1.0)):
        effect = flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
        assert isinstance(effect, Sleep) and effect.seconds == pause
        assert isinstance(flow.send(False), Exchange)
    assert harness.client.heartbeat_wake.is_set
    queue.dropped = True
    with pytest.raises(StopIteration):
        flow.send(reply(19, {"nextBeginOffset": "8"}))


def test_pulls_of_a_program_that_polls_do_not_store_the_offset() -> None:
    harness = Harness()
    harness.state.policy = dataclasses.replace(harness.state.policy, kind="ACTIVELY")
    asked = next(pull.pull(harness.state, process_queue(harness, 7)))
    assert isinstance(asked, Exchange)
    assert asked.request.ext_fields["commitOffset"] == "0"
    assert asked.request.ext_fields["sysFlag"] == "6"


def test_an_unwanted_message_that_cannot_be_acked_costs_no_wanted_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted, other = SimpleNamespace(tag="a"), SimpleNamespace(tag="b")

    def failing(*_: Any) -> Flow[None]:
        raise lost()
        yield

    monkeypatch.setattr(pop, "ack", failing)
    monkeypatch.setattr(wire_pop, "parse_received", lambda *_: [other, wanted])
    state = Harness("a").state
    state.subscriptions.pop("%RETRY%group", None)
    received, _ = drive(pop.receive(state, 4, 0.0, 30.0), [reply()])
    assert received == [wanted]


def slaves_only() -> Frame:
    found = json.loads(route_reply("b").body)
    del found["brokerDatas"][0]["brokerAddrs"]["0"]
    return reply(body=found)


def test_pulls_go_to_the_replica_that_the_broker_suggests() -> None:
    harness = Harness()
    queue = process_queue(harness, 7)
    flow = pull.pull(harness.state, queue)
    asked = next(flow)
    assert isinstance(asked, Exchange)
    master, slave = ("b:10911", "3"), ("b:2", "2")
    for suggested, place in (("1", slave), ("0", master), ("9", master)):
        asked = flow.send(reply(19, {"nextBeginOffset": "7", "suggestWhichBrokerId": suggested}))
        assert isinstance(asked, Exchange)
        assert (asked.endpoint, asked.request.ext_fields["sysFlag"]) == place


def test_without_its_master_a_broker_s_slave_is_pulled_from() -> None:
    harness = Harness()
    queue = process_queue(harness, 7)
    flow = pull.pull(harness.state, queue)
    next(flow)
    assert isinstance(flow.throw(lost()), Sleep)
    assert harness.client.route_wake.is_set
    harness.client.routes["t"] = wire.parse_route("t", slaves_only())
    asked = flow.send(False)
    assert isinstance(asked, Exchange)
    assert (asked.endpoint, asked.request.ext_fields["sysFlag"]) == ("b:2", "2")
    behind = flow.send(reply(20, {"nextBeginOffset": "7"}))
    assert isinstance(behind, Sleep) and behind.seconds == 0.05
    harness.state.queues[queue.queue] = queue
    for _ in range(2):
        _, effects = drive(pull.persist_all(harness.state, oneway=True), [None])
        assert effects[0].endpoint == "b:2"
    harness.client.routes["t"] = wire.parse_route("t", route_reply("b"))
    _, effects = drive(pull.persist_all(harness.state, oneway=True), [None])
    assert effects[0].endpoint == "b:10911"
    drive(pull.persist_all(harness.state, oneway=True), [])


def test_only_masters_lock_and_each_is_told_of_the_end() -> None:
    harness = Harness()
    queues = [MessageQueue("t", name, 0) for name in ("b", "c")]
    harness.client.routes["t"] = wire.parse_route("t", route_reply("b", "c"))
    answers = [
        reply(body={"lockOKMQSet": [{"topic": "t", "brokerName": name, "queueId": 0}]})
        for name in ("b", "c")
    ]
    locked, _ = drive(consume.lock(harness.state, queues), answers)
    assert locked == set(queues) == harness.state.locked
    error = raised(consume.unlock(harness.state, queues), [lost(), reply()])
    assert isinstance(error, TransportError) and len(harness.state.locked) == 1
    harness.client.routes["t"] = wire.parse_route("t", slaves_only())
    assert drive(consume.lock(harness.state, queues[:1]), []) == (set(), [])


class Stored:
    """What a decoded message must have to be counted."""

    def __init__(self, offset: int) -> None:
        self.native = self
        self.queue_offset = offset
        self.store_size = 100


def test_commit_offset_is_the_smallest_in_flight() -> None:
    queue = process_queue(Harness(), 10)
    assert queue.commit_offset == 10
    queue.add([Stored(10), Stored(11), Stored(12)], 13)  # type: ignore[list-item]
    assert queue.is_full(group.ConsumerPolicy("g", cache_messages=3))
    assert queue.is_full(group.ConsumerPolicy("g", cache_bytes=300))
    queue.done(11)
    assert queue.commit_offset == 10 and queue.holds(10) and not queue.holds(11)
    queue.done(10)
    assert queue.commit_offset == 12
    queue.done(12)
    assert queue.commit_offset == 13
    queue.done(12)
    assert not queue.is_full(group.ConsumerPolicy("g", cache_messages=1, cache_bytes=1))


def test_offsets_are_stored_only_when_they_changed() -> None:
    harness = Harness()
    queue = harness.state.queues[MessageQueue("t", "b", 0)] = process_queue(harness, 4)
    _, effects = drive(pull.persist_all(harness.state, oneway=True), [None])
    assert effects[0].oneway and effects[0].request.ext_fields["commitOffset"] == "4"
    assert next(pull.persist_all(harness.state, oneway=True), None) is None
    queue.add((), 6)
    drive(pull.persist_all(harness.state, oneway=True), [lost()])
    _, effects = drive(pull.persist_all(harness.state, oneway=True), [None])
    assert effects[0].request.ext_fields["commitOffset"] == "6"


@pytest.mark.parametrize(
    ("expression", "tags"), [("*", []), ("", []), ("a", ["a"]), (" a ||b|| ", ["a", "b"])]
)
def test_tag_expressions(expression: str, tags: list[str]) -> None:
    subscription = wire.Subscription.parse("t", expression, 1)
    assert sorted(subscription.tags) == tags
    assert len(subscription.as_json()["codeSet"]) == len(tags)


def test_expression_without_a_tag_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"\|\|"):
        wire.Subscription.parse("t", "||", 1)


def test_notice_of_a_changed_group_wakes_the_rebalance() -> None:
    harness = Harness()
    assert harness.state.handle_request(Frame(40, 0, 0, 1, 2, None, {}, b"")) is not None
    assert harness.state.rebalance_wake.is_set
    assert harness.state.handle_request(Frame(308, 0, 0, 1, 0, None, {}, b"")) is None


BATCHED = {"queueId": "1", "queueOffset": "40", "msgId": "A,B"}


def test_messages_of_one_topic_go_in_one_request() -> None:
    messages = [Message("t", b"one", tag="x"), Message("t", b"two", flag=7)]
    results, effects = drive(
        sending.send_many(client(), POLICY, messages, 3.0),
        [route_reply("b"), reply(fields=BATCHED)],
    )
    command = effects[1].request
    assert command.code == 320 and command.ext_fields["m"] == "true"
    assert command.ext_fields["i"] == "WAIT\x01true\x02"
    assert b"one" in command.body and b"UNIQ_KEY\x01ID2" in command.body
    assert [each.message_id for each in results] == ["ID1", "ID2"]
    assert [each.offset_message_id for each in results] == ["A", "B"]
    assert [each.queue_offset for each in results] == [40, 41]


def test_delayed_messages_other_topics_and_large_ones_go_apart() -> None:
    policy = sending.SendPolicy("g", 1, 3000)
    messages = [
        Message("t", b"1"),
        Message("t", b"2", delay_level=3),
        Message("u", b"3"),
        Message("t", b"4" * 2000),
        Message("t", b"5" * 2000),
    ]
    state = client()
    for topic in ("t", "u"):
        state.routes[topic] = wire.parse_route(topic, route_reply("b"))
    results, effects = drive(
        sending.send_many(state, policy, messages, 3.0),
        [reply(fields=BATCHED), reply(fields=STORED), reply(13), reply(fields=STORED)],
    )
    sent = [(effect.request.code, effect.request.ext_fields["b"]) for effect in effects]
    assert sent == [(320, "t"), (310, "t"), (310, "u"), (310, "t")]
    assert [type(each).__name__ for each in results] == [
        "SendResult",
        "SendResult",
        "ConfigError",
        "SendResult",
        "SendResult",
    ]


def test_what_a_broker_takes_alone_goes_alone() -> None:
    retries = [Message("%RETRY%g", b"1"), Message("%RETRY%g", b"2")]
    delayed = [Message("t", b"3", delay=1.0), Message("t", b"4", delay=1.0)]
    state = client()
    for topic in ("t", "%RETRY%g"):
        state.routes[topic] = wire.parse_route(topic, route_reply("b"))
    _, effects = drive(
        sending.send_many(state, POLICY, retries + delayed, 3.0), [reply(fields=STORED)] * 4
    )
    assert [effect.request.code for effect in effects] == [310] * 4


def test_large_bodies_are_compressed_where_that_saves_bytes() -> None:
    policy = sending.SendPolicy("g", 1, 1 << 20, compress_above=1000)
    incompressible = random.Random(1).randbytes(4000)
    for body, flag in ((b"a" * 999, 0), (b"a" * 1000, 0x301), (incompressible, 0)):
        _, effects = drive(
            sending.send(client(), policy, Message("t", body), 3.0),
            [route_reply("b"), reply(fields=STORED)],
        )
        request = effects[1].request
        assert int(request.ext_fields["f"]) == flag
        assert (zlib.decompress(request.body) if flag else request.body) == body


HALF = {
    "queueId": "0",
    "queueOffset": "11",
    "msgId": "7F000001" + "00002A9F" + f"{77:016X}",
    "transactionId": "TX",
}


def test_a_transaction_is_a_half_message_and_its_end() -> None:
    state = client()
    message = Message("t", b"x", delay_level=3)
    half, effects = drive(
        transaction.send_half(state, POLICY, message, 3.0), [route_reply("b"), reply(fields=HALF)]
    )
    fields = effects[1].request.ext_fields
    assert fields["f"] == "4"
    assert "TRAN_MSG\x01true" in fields["i"] and "PGROUP\x01group" in fields["i"]
    assert "DELAY" not in fields["i"]
    _, effects = drive(transaction.end(state, POLICY, half, TransactionStatus.COMMIT), [None])
    (ended,) = effects
    assert ended.oneway and ended.endpoint == "b:10911" and ended.request.code == 37
    assert ended.request.ext_fields == {
        "topic": "t",
        "producerGroup": "group",
        "tranStateTableOffset": "11",
        "commitLogOffset": "77",
        "commitOrRollback": "8",
        "fromTransactionCheck": "false",
        "msgId": "ID1",
        "transactionId": "TX",
        "bname": "b",
    }


def test_a_half_message_that_is_not_safe_is_rolled_back() -> None:
    state = client()
    half, _ = drive(
        transaction.send_half(state, POLICY, Message("t", b"x"), 3.0),
        [route_reply("b"), reply(10, HALF)],
    )
    _, effects = drive(transaction.end(state, POLICY, half, TransactionStatus.COMMIT), [None])
    assert effects[0].request.ext_fields["commitOrRollback"] == "12"


@pytest.mark.parametrize("identity", ["", "xyz", "0" * 31, "G" * 32])
def test_a_broken_message_id_is_a_protocol_error(identity: str) -> None:
    with pytest.raises(ProtocolError):
        wire.commit_log_offset(identity)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"delay": 0}, "above 0"),
        ({"delay": 4 * 86400}, "259200"),
        ({"delay": 1, "delay_level": 1}, "one of"),
        ({"delay": 1, "deliver_at": 5}, "one of"),
    ],
)
def test_bad_delays_are_named(options: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Message("t", b"x", **options)


def test_a_view_of_wider_items_is_sent_as_its_bytes() -> None:
    wide = array.array("i", [1, 2, 3])
    assert len(Message("t", memoryview(wide)).body) == 12
    with pytest.raises(ConfigError, match="contiguous"):
        Message("t", memoryview(b"abcdef")[::2])


def directory(body: bytes, status: int = 200) -> Response:
    return Response(status, "", [], body)


def test_the_address_server_is_asked_again_every_two_minutes() -> None:
    state = client()
    forgotten: list[str] = []
    flow = discovery.keep_name_servers(state, "http://a:8080/rocketmq/nsaddr", forgotten.append)
    effects: list[Any] = [next(flow)]

    def ask_again(outcome: Any) -> tuple[str, ...]:
        effects.append(flow.send(None))
        thrown = isinstance(outcome, BaseException)
        effects.append(flow.throw(outcome) if thrown else flow.send(outcome))
        return state.name_servers

    assert ask_again(directory(b"ns0:1\n")) == ("ns0:1",)
    assert ask_again(directory(b" ns1:2;ns0:1;ns2:3 \nignored\n")) == ("ns1:2", "ns0:1", "ns2:3")
    assert state.name_server == "ns0:1" and not forgotten
    for failure in (directory(b"", 503), directory(b"\n"), directory(b"no port"), lost()):
        assert ask_again(failure) == ("ns1:2", "ns0:1", "ns2:3")
    assert ask_again(directory(b"ns1:2,ns3:4")) == ("ns1:2", "ns3:4")
    assert state.name_server == "ns1:2" and forgotten == ["ns0:1", "ns2:3"]
    assert [each.seconds for each in effects[::2]] == [120.0] * 8
    for each in effects[1::2]:
        assert (str(each.endpoint), each.request.target) == ("http://a:8080", "/rocketmq/nsaddr")
        assert each.deadline == 3.0
    _, asked = drive(
        route.ask_name_server(state, wire.route_request("t"), 9.0), [lost(), route_reply("b")]
    )
    assert [each.endpoint for each in asked] == ["ns1:2", "ns3:4"]
