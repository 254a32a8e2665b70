"""What every RocketMQ name server and broker does, asked with a plain socket.

`tests/unit/test_local_rocketmq.py` asks the local cloud and `tests/live/test_conformance.py` a
real server: each imports these tests beside a fixture `namesrv` of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.rocketmq_probe import Answer, Probe, batch_part, eventually
from wirespeed._native.pure import rocketmq as codec
from wirespeed.rocketmq.fastjson import loads

NUMBERS = itertools.count(1)
since_5 = pytest.mark.since(5)
Connect = Callable[..., Probe]


@pytest.fixture(scope="module")
def broker(namesrv: str) -> str:
    """Where the broker under test is."""
    with Probe(namesrv) as probe:
        route = json.loads(probe.route("TBW102").body)
    address: str = route["brokerDatas"][0]["brokerAddrs"]["0"]
    return address


@pytest.fixture
def connect(broker: str) -> Iterator[Connect]:
    """A function that connects to the broker; all connections end with the test."""
    probes: list[Probe] = []

    def open_probe(address: str = broker) -> Probe:
        probes.append(Probe(address, f"probe-{os.getpid()}-{next(NUMBERS)}"))
        return probes[-1]

    yield open_probe
    for probe in probes:
        probe.socket.close()


@pytest.fixture
def probe(connect: Connect) -> Probe:
    """A connection to the broker."""
    return connect()


@pytest.fixture
def topic() -> str:
    """A topic that is not there yet."""
    return f"topic-{os.getpid()}-{next(NUMBERS)}"


@pytest.fixture
def group() -> str:
    """A group that is not there yet."""
    return f"group-{os.getpid()}-{next(NUMBERS)}"


# -- routes --


def test_the_default_topic_has_a_route(namesrv: str) -> None:
    with Probe(namesrv) as probe:
        answer = probe.route("TBW102")
    assert (answer.code, answer.flag & 1) == (0, 1)
    route = json.loads(answer.body)
    [queues] = route["queueDatas"]
    assert queues["readQueueNums"] == queues["writeQueueNums"] == 8
    [data] = route["brokerDatas"]
    assert data["brokerName"] == queues["brokerName"]


def test_an_unknown_topic_has_none(namesrv: str, topic: str) -> None:
    with Probe(namesrv) as probe:
        answer = probe.route(topic)
    assert answer.code == 17
    assert answer.remark and f"No topic route info in name server for the topic: {topic}" in (
        answer.remark
    )


def test_a_sent_topic_has_a_route_at_once(namesrv: str, probe: Probe, topic: str) -> None:
    assert probe.publish(topic).code == 0
    with Probe(namesrv) as names:
        route = json.loads(names.route(topic).body)
    assert route["queueDatas"][0]["writeQueueNums"] == 4
    assert route["queueDatas"][0]["perm"] == 6


def test_old_clients_get_keys_without_quotes(namesrv: str) -> None:
    with Probe(namesrv) as probe:
        old = probe.ask(105, {"topic": "TBW102"}, version=393)
        new = probe.ask(105, {"topic": "TBW102"}, version=401)
    assert b'{0:"' in old.body
    assert b'{"0":"' in new.body


@since_5
def test_unknown_commands_are_refused(namesrv: str, probe: Probe) -> None:
    with Probe(namesrv) as names:
        for peer in (probe, names):
            answer = peer.ask(9999)
            assert answer.code == 3
            assert answer.remark and "request type 9999 not supported" in answer.remark


# -- sending --


@since_5
@pytest.mark.parametrize("binary", [False, True])
def test_a_message_comes_back_as_sent(probe: Probe, topic: str, group: str, binary: bool) -> None:
    born = int(time.time() * 1000) - 5
    properties = {"TAGS": "paid", "KEYS": "k1 k2", "名": "值", "UNIQ_KEY": "A" * 32, "WAIT": "true"}
    sent = probe.publish(topic, b"\x00body\xff", properties, queue=2, binary=binary, g=born, h=-7)
    assert sent is not None and sent.code == 0
    assert sent.fields["queueId"] == "2"
    assert sent.fields["queueOffset"] == "0"
    assert sent.fields["transactionId"] == "A" * 32
    [message] = probe.pull_until(1, group, topic, queue=2)
    assert message.topic == topic
    assert message.body == b"\x00body\xff"
    assert message.crc_ok
    assert (message.queue_id, message.queue_offset, message.flag) == (2, 0, -7)
    assert message.born_timestamp == born
    host, port = probe.socket.getsockname()[:2]
    assert message.born_host == f"{host}:{port}"
    assert message.store_host == probe.address
    assert abs(message.store_timestamp - born) < 60_000
    assert message.offset_message_id == sent.fields["msgId"]
    assert message.reconsume_times == 0
    assert {name: message.properties[name] for name in ("TAGS", "KEYS", "名", "UNIQ_KEY")} == {
        name: properties[name] for name in ("TAGS", "KEYS", "名", "UNIQ_KEY")
    }
    assert message.properties["CLUSTER"] == "DefaultCluster"
    assert message.properties["MSG_REGION"] == sent.fields["MSG_REGION"]


def test_the_long_form_of_a_send(probe: Probe, topic: str, group: str) -> None:
    answer = probe.ask(
        10,
        {
            "producerGroup": "probes",
            "topic": topic,
            "defaultTopic": "TBW102",
            "defaultTopicQueueNums": 4,
            "queueId": 1,
            "sysFlag": 0,
            "bornTimestamp": 1,
            "flag": 0,
            "properties": "TAGS\x01x",
        },
        b"long",
    )
    assert answer.code == 0
    [message] = probe.pull_until(1, group, topic, queue=1)
    assert (message.body, message.property("TAGS")) == (b"long", "x")


def test_one_way_sends_are_stored_and_not_answered(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic)
    assert probe.publish(topic, b"quiet", oneway=True) is None
    messages = probe.pull_until(2, group, topic)
    assert [message.body for message in messages] == [b"body", b"quiet"]
    assert not probe.unexpected()


def test_a_negative_queue_is_chosen_by_the_broker(probe: Probe, topic: str) -> None:
    answer = probe.publish(topic, queue=-1)
    assert answer is not None and answer.code == 0
    assert 0 <= int(answer.fields["queueId"]) < 4


def test_a_batch(probe: Probe, topic: str, group: str) -> None:
    parts = [batch_part(b"m%d" % n, {"UNIQ_KEY": f"{n:032X}"}, flag=n) for n in range(3)]
    answer = probe.publish(topic, b"".join(parts), {"WAIT": "true"}, code=320, m="true")
    assert answer is not None and answer.code == 0
    assert answer.fields["queueOffset"] == "0"
    messages = probe.pull_until(3, group, topic)
    assert [message.body for message in messages] == [b"m0", b"m1", b"m2"]
    assert [message.flag for message in messages] == [0, 1, 2]
    assert [message.queue_offset for message in messages] == [0, 1, 2]
    assert [message.property("UNIQ_KEY") for message in messages] == [
        f"{number:032X}" for number in range(3)
    ]
    assert answer.fields["msgId"].split(",") == [each.offset_message_id for each in messages]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"b": "with space"}, 29, marks=since_5),
        pytest.param({"b": "t" * 128}, 29, marks=since_5),
        ({"b": "SCHEDULE_TOPIC_XXXX"}, 16),
        ({"c": "no-such-default"}, 17),
        pytest.param({"e": 4}, 29, marks=since_5),
        ({"b": None}, 1),
        ({"e": None}, 1),
    ],
)
def test_sends_that_are_refused(
    probe: Probe, topic: str, changes: dict[str, object], code: int
) -> None:
    answer = probe.publish(topic, **changes)
    assert answer is not None
    assert answer.code == code
    assert answer.remark


@since_5
def test_the_largest_body(probe: Probe, topic: str) -> None:
    largest = probe.publish(topic, bytes(4 * 1024 * 1024))
    assert largest is not None and largest.code == 0
    larger = probe.publish(topic, bytes(4 * 1024 * 1024 + 1))
    assert larger is not None and larger.code == 13
    empty = probe.publish(topic, b"")
    assert empty is not None and empty.code == 1


def test_properties_that_are_too_long(probe: Probe, topic: str) -> None:
    answer = probe.publish(topic, i="k\x01" + "v" * 32768 + "\x02")
    assert answer is not None and answer.code == 13


# -- pulling --


def test_offsets_beside_the_queue(probe: Probe, topic: str, group: str) -> None:
    for number in range(3):
        probe.publish(topic, b"%d" % number)
    assert len(probe.pull_until(3, group, topic)) == 3
    cases = {0: (0, "FOUND"), 3: (19, "OFFSET_OVERFLOW_ONE"), 4: (21, "OFFSET_OVERFLOW_BADLY")}
    for offset, expected in cases.items():
        answer = probe.pull(group, topic, offset)
        assert (answer.code, answer.remark) == expected
        assert answer.fields["nextBeginOffset"] == "3"
        assert answer.fields["minOffset"] == "0"
        assert answer.fields["maxOffset"] == "3"
        assert answer.fields["suggestWhichBrokerId"] == "0"
    assert probe.pull(group, topic, -1).code == 21
    empty = probe.pull(group, topic, 0, queue=1)
    assert (empty.code, empty.remark) == (19, "NO_MESSAGE_IN_QUEUE")


@since_5
def test_pulls_that_are_refused(probe: Probe, topic: str, group: str) -> None:
    assert probe.pull(group, topic, 0).code == 17
    probe.publish(topic)
    assert probe.pull(group, topic, 0, queue=4).code == 29
    assert probe.pull(group, topic, 0, expression=None).code == 24
    fields = probe.pull_fields(group, topic, 0)
    del fields["queueOffset"]
    assert probe.ask(11, fields).code == 1


def test_no_more_than_32_at_once(probe: Probe, topic: str, group: str) -> None:
    for number in range(40):
        probe.publish(topic, b"%d" % number)
    assert len(probe.pull_until(40, group, topic)) == 40
    answer = probe.pull(group, topic, 0, maxMsgNums=1000)
    assert len(codec.decode_messages(answer.body)) == 32
    assert answer.fields["nextBeginOffset"] == "32"
    assert len(codec.decode_messages(probe.pull(group, topic, 0, maxMsgNums=5).body)) == 5
    assert len(codec.decode_messages(probe.pull(group, topic, 0, maxMsgNums=0).body)) == 1


def test_tags_filter(probe: Probe, topic: str, group: str) -> None:
    for number in range(9):
        tag = {"TAGS": "ABC"[number % 3]} if number else {}
        probe.publish(topic, b"%d" % number, tag)
    assert len(probe.pull_until(9, group, topic)) == 9
    for expression in ("A||C", " A || C ", "A||C||"):
        bodies = [
            message.body
            for message in codec.decode_messages(
                probe.pull(group, topic, 0, expression=expression).body
            )
        ]
        assert bodies == [b"2", b"3", b"5", b"6", b"8"]
    nothing = probe.pull(group, topic, 0, expression="A | C")
    assert (nothing.code, nothing.remark) == (20, "NO_MATCHED_MESSAGE")
    assert nothing.fields["nextBeginOffset"] == "9"


def test_the_heartbeat_subscribes(connect: Connect, topic: str, group: str) -> None:
    probe = connect()
    probe.publish(topic, b"a", {"TAGS": "A"})
    probe.publish(topic, b"b", {"TAGS": "B"})
    assert len(probe.pull_until(2, group, topic)) == 2
    answer = probe.heartbeat(group, {topic: "B"}, version=1000)
    assert answer.code == 0
    pulled = probe.pull(group, topic, 0, expression=None)
    assert [message.body for message in codec.decode_messages(pulled.body)] == [b"b"]
    assert probe.pull(group, "TBW102-none", 0, expression=None).code == 17
    assert probe.pull(group, topic, 0, expression=None, subVersion=1001).code == 25
    assert probe.pull(group, topic, 0, expression=None, subVersion=1000).code == 0
    probe.heartbeat(group, {topic: "A"}, version=1001)
    pulled = probe.pull(group, topic, 0, expression=None, subVersion=1001)
    assert [message.body for message in codec.decode_messages(pulled.body)] == [b"a"]


def test_a_held_pull_is_woken_by_an_arrival(connect: Connect, topic: str, group: str) -> None:
    consumer, producer = connect(), connect()
    producer.publish(topic, b"first", queue=1)
    opaque = consumer.send(11, consumer.pull_fields(group, topic, 0, suspend=15_000))
    with pytest.raises(TimeoutError):
        consumer.answer(opaque, 0.2)
    began = time.monotonic()
    producer.publish(topic, b"woken")
    answer = consumer.answer(opaque)
    assert time.monotonic() - began < 2
    assert answer.code == 0
    assert [message.body for message in codec.decode_messages(answer.body)] == [b"woken"]


def test_a_held_pull_blocks_nobody(connect: Connect, topic: str, group: str) -> None:
    probe = connect()
    probe.publish(topic)
    held = probe.send(11, probe.pull_fields(group, topic, 0, queue=3, suspend=15_000))
    assert probe.publish(topic, b"while it waits").code == 0
    with pytest.raises(TimeoutError):
        probe.answer(held, 0.05)


# -- offsets --


@since_5
def test_a_committed_offset_reads_back(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic)
    place = {"consumerGroup": group, "topic": topic, "queueId": 2}
    assert probe.ask(14, place).code == 22
    assert probe.ask(15, {**place, "commitOffset": 7}).code == 26
    probe.heartbeat(group, {topic: "*"})
    for offset in (7, 3):
        assert probe.ask(15, {**place, "commitOffset": offset}).code == 0
        answer = probe.ask(14, place)
        assert (answer.code, answer.fields["offset"]) == (0, str(offset))
    assert probe.ask(15, {**place, "commitOffset": -1}).code == 0
    assert probe.ask(14, place).code == 22
    probe.send(15, {**place, "commitOffset": 9}, oneway=True)
    eventually(lambda: probe.ask(14, place).fields.get("offset") == "9")


@since_5
def test_a_new_group_on_a_young_queue_begins_at_0(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic)
    assert probe.pull_until(1, group, topic)
    place = {"consumerGroup": group, "topic": topic, "queueId": 0}
    assert probe.ask(14, place).fields == {"offset": "0"}
    assert probe.ask(14, {**place, "setZeroIfNotFound": "false"}).code == 22
    assert probe.ask(14, {**place, "topic": f"{topic}-none"}).code == 22
    unknown = {**place, "topic": f"{topic}-none", "commitOffset": 1}
    assert probe.ask(15, unknown).code == 17


def test_a_pull_may_commit(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic)
    assert probe.pull_until(1, group, topic)
    probe.pull(group, topic, 0, sysFlag=1 | 4, commitOffset=1)
    place = {"consumerGroup": group, "topic": topic, "queueId": 0}
    eventually(lambda: probe.ask(14, place).fields.get("offset") == "1")


@since_5
def test_the_ends_of_a_queue(probe: Probe, topic: str, group: str) -> None:
    place = {"topic": topic, "queueId": 0}
    assert probe.ask(30, place).fields["offset"] == "0"
    began = int(time.time() * 1000)
    for number in range(3):
        probe.publish(topic, b"%d" % number)
    assert len(probe.pull_until(3, group, topic)) == 3
    assert probe.ask(30, place).fields["offset"] == "3"
    assert probe.ask(31, place).fields["offset"] == "0"
    assert probe.ask(30, {**place, "queueId": 99}).fields["offset"] == "0"
    assert began - 1000 <= int(probe.ask(32, place).fields["timestamp"]) <= began + 10_000
    assert probe.ask(32, {**place, "queueId": 1}).fields["timestamp"] == "-1"
    assert probe.ask(29, {**place, "timestamp": 0}).fields["offset"] == "0"
    future = {**place, "timestamp": began + 10**9}
    assert probe.ask(29, {**future, "boundaryType": "LOWER"}).fields["offset"] == "3"
    assert probe.ask(29, {**future, "boundaryType": "UPPER"}).fields["offset"] == "2"


# -- membership --


def test_members_come_and_go(connect: Connect, group: str, topic: str) -> None:
    first, second = connect(), connect()
    assert first.ask(38, {"consumerGroup": group}).code == 1
    first.heartbeat(group, {topic: "*"})
    assert first.wait_for_command(40).fields == {"consumerGroup": group}
    second.heartbeat(group, {topic: "*"})
    for probe in (first, second):
        command = probe.wait_for_command(40)
        assert command.flag & 2
    listed = json.loads(first.ask(38, {"consumerGroup": group}).body)
    assert sorted(listed["consumerIdList"]) == sorted([first.client_id, second.client_id])
    answer = second.ask(35, {"clientID": second.client_id, "consumerGroup": group})
    assert answer.code == 0
    first.wait_for_command(40)
    listed = json.loads(first.ask(38, {"consumerGroup": group}).body)
    assert listed["consumerIdList"] == [first.client_id]


def test_a_lost_connection_leaves_its_groups(connect: Connect, group: str, topic: str) -> None:
    first, second = connect(), connect()
    first.heartbeat(group, {topic: "*"})
    second.heartbeat(group, {topic: "*"})
    first.wait_for_command(40)
    first.wait_for_command(40)
    second.socket.close()
    first.wait_for_command(40)
    listed = json.loads(first.ask(38, {"consumerGroup": group}).body)
    assert listed["consumerIdList"] == [first.client_id]


@since_5
def test_a_heartbeat_makes_the_retry_topic(
    namesrv: str, connect: Connect, group: str, topic: str
) -> None:
    probe = connect()
    answer = probe.heartbeat(group, {topic: "*"})
    assert answer.fields["IS_SUB_CHANGE"] == "true"
    with Probe(namesrv) as names:
        eventually(lambda: names.route(f"%RETRY%{group}").code == 0)
        route = json.loads(names.route(f"%RETRY%{group}").body)
    assert route["queueDatas"][0]["readQueueNums"] == 1


# -- failures come again --


def send_back(probe: Probe, message: object, group: str, **changes: object) -> int:
    fields = {
        "offset": message.physical_offset,  # type: ignore[attr-defined]
        "group": group,
        "delayLevel": 1,
        "originMsgId": message.offset_message_id,  # type: ignore[attr-defined]
        "originTopic": message.topic,  # type: ignore[attr-defined]
        "unitMode": "false",
        "maxReconsumeTimes": 16,
        **changes,
    }
    return probe.ask(36, fields).code


def test_a_message_sent_back_comes_again(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic, b"again", {"TAGS": "T", "KEYS": "k", "UNIQ_KEY": "B" * 32})
    [message] = probe.pull_until(1, group, topic)
    probe.heartbeat(group, {topic: "*"})
    assert send_back(probe, message, group) == 0
    [retried] = probe.pull_until(1, group, f"%RETRY%{group}")
    assert retried.body == b"again"
    assert retried.reconsume_times == 1
    assert retried.born_timestamp == message.born_timestamp
    assert retried.born_host == message.born_host
    expected = {
        "RETRY_TOPIC": topic,
        "ORIGIN_MESSAGE_ID": message.offset_message_id,
        "UNIQ_KEY": "B" * 32,
        "TAGS": "T",
        "KEYS": "k",
        "DELAY": "1",
        "REAL_TOPIC": f"%RETRY%{group}",
        "REAL_QID": "0",
        "WAIT": "false",
    }
    assert {name: retried.properties.get(name) for name in expected} == expected
    assert send_back(probe, retried, group, delayLevel=2) == 0
    twice = probe.pull_until(2, group, f"%RETRY%{group}")[1]
    assert twice.reconsume_times == 2
    assert twice.property("ORIGIN_MESSAGE_ID") == message.offset_message_id
    assert twice.property("RETRY_TOPIC") == topic


@pytest.mark.parametrize("changes", [{"delayLevel": -1}, {"maxReconsumeTimes": 0}])
def test_a_message_that_is_given_up(
    probe: Probe, topic: str, group: str, changes: dict[str, int]
) -> None:
    probe.publish(topic, b"dead")
    [message] = probe.pull_until(1, group, topic)
    probe.heartbeat(group, {topic: "*"})
    assert send_back(probe, message, group, **changes) == 0
    [dead] = probe.pull_until(1, group, f"%DLQ%{group}")
    assert dead.body == b"dead"
    assert dead.property("RETRY_TOPIC") == topic


def test_sending_back_what_is_not_there(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic)
    [message] = probe.pull_until(1, group, topic)
    assert send_back(probe, message, group, offset=message.physical_offset + 1) == 1


def test_a_delayed_message(probe: Probe, topic: str, group: str) -> None:
    began = time.monotonic()
    answer = probe.publish(topic, b"later", {"DELAY": "1"}, queue=3)
    assert answer is not None and answer.code == 0
    assert probe.pull(group, topic, 0, queue=3).code == 19
    [message] = probe.pull_until(1, group, topic, queue=3)
    assert time.monotonic() - began >= 0.09
    assert message.body == b"later"
    assert message.property("REAL_TOPIC") == topic


@pytest.mark.parametrize("name", ["TIMER_DELAY_MS", "TIMER_DELAY_SEC", "TIMER_DELIVER_MS"])
def test_a_timer(probe: Probe, topic: str, group: str, name: str) -> None:
    assert probe.publish(topic, b"now").code == 0
    times = {
        "TIMER_DELAY_MS": 1500,
        "TIMER_DELAY_SEC": 2,
        "TIMER_DELIVER_MS": int(time.time() * 1000) + 1500,
    }
    began = time.monotonic()
    assert probe.publish(topic, b"later", {name: str(times[name])}).code == 0
    assert [each.body for each in probe.pull_until(1, group, topic)] == [b"now"]
    messages = probe.pull_until(2, group, topic)
    assert [each.body for each in messages] == [b"now", b"later"]
    # A timer wheel turns once a second.
    assert 0.9 <= time.monotonic() - began < 10
    assert messages[1].property("REAL_TOPIC") == topic


def test_a_pull_of_java_s_lite_consumer(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic, b"one")
    assert probe.pull_until(1, group, topic)
    answer = probe.ask(361, probe.pull_fields(group, topic, 0, sysFlag=22))
    assert answer.code == 0
    assert [each.body for each in codec.decode_messages(answer.body)] == [b"one"]


# -- transactions --


def half(probe: Probe, topic: str, body: bytes, key: str, **properties: str) -> Answer:
    """Send a half message of the group "probes"."""
    given = {"TRAN_MSG": "true", "PGROUP": "probes", "UNIQ_KEY": key, **properties}
    answer = probe.publish(topic, body, given, f=4)
    assert answer is not None and answer.code == 0
    return answer


def end(probe: Probe, sent: Answer, verdict: int, **changes: object) -> int:
    """Commit (8) or roll back (12) a half message; return the code of the answer."""
    fields = {
        "producerGroup": "probes",
        "tranStateTableOffset": sent.fields["queueOffset"],
        "commitLogOffset": int(sent.fields["msgId"][16:], 16),
        "commitOrRollback": verdict,
        "fromTransactionCheck": "false",
        "msgId": sent.fields["transactionId"],
        "transactionId": sent.fields["transactionId"],
        **changes,
    }
    return probe.ask(37, fields).code


def test_half_messages_are_committed_and_rolled_back(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic, b"plain")
    kept = half(probe, topic, b"kept", "E" * 32)
    dropped = half(probe, topic, b"dropped", "F" * 32)
    assert [each.body for each in probe.pull_until(1, group, topic)] == [b"plain"]
    assert probe.pull(group, topic, 1).code == 19
    assert end(probe, kept, 8, producerGroup="strangers") == 1
    assert end(probe, dropped, 12) == 0
    assert end(probe, kept, 8) == 0
    messages = probe.pull_until(2, group, topic)
    assert [each.body for each in messages] == [b"plain", b"kept"]
    assert messages[1].property("UNIQ_KEY") == "E" * 32
    assert probe.pull(group, topic, 2).code == 19


def test_the_broker_asks_about_a_half_message(probe: Probe, topic: str, group: str) -> None:
    probe.heartbeat(group, {topic: "*"})
    half(probe, topic, b"asked", "9" * 32, CHECK_IMMUNITY_TIME_IN_SECONDS="1")
    deadline = time.monotonic() + 40
    while True:
        command = probe.wait_for_command(39, deadline - time.monotonic())
        [message] = codec.decode_messages(command.body)
        if message.body == b"asked":
            break
    assert command.fields["transactionId"] == "9" * 32
    assert message.property("TRANSACTION_CHECK_TIMES") == "1"
    verdict = {
        "producerGroup": "probes",
        "tranStateTableOffset": command.fields["tranStateTableOffset"],
        "commitLogOffset": command.fields["commitLogOffset"],
        "commitOrRollback": 8,
        "fromTransactionCheck": "true",
        "msgId": command.fields["msgId"],
        "transactionId": command.fields["transactionId"],
    }
    probe.send(37, verdict, oneway=True)
    assert [each.body for each in probe.pull_until(1, group, topic)] == [b"asked"]


# -- looking messages up --


def test_a_message_by_its_offset(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic, b"found", {"KEYS": "alpha beta", "UNIQ_KEY": "C" * 32})
    [message] = probe.pull_until(1, group, topic)
    answer = probe.ask(33, {"offset": message.physical_offset})
    [found] = codec.decode_messages(answer.body)
    assert found.body == b"found"


def test_messages_by_key(probe: Probe, topic: str, group: str) -> None:
    probe.publish(topic, b"found", {"KEYS": "alpha beta", "UNIQ_KEY": "D" * 32})
    assert probe.pull_until(1, group, topic)
    query = {"topic": topic, "maxNum": 32, "beginTimestamp": 0, "endTimestamp": 2**63 - 1}
    for key, unique in (("beta", "false"), ("D" * 32, "true")):
        fields = {**query, "key": key, "_UNIQUE_KEY_QUERY": unique}
        eventually(lambda fields=fields: probe.ask(12, fields).code == 0)
        [found] = codec.decode_messages(probe.ask(12, fields).body)
        assert found.body == b"found"
    assert probe.ask(12, {**query, "key": "gamma", "_UNIQUE_KEY_QUERY": "false"}).code == 22


# -- locks --


def test_a_queue_is_locked_by_one_client(probe: Probe, topic: str, group: str) -> None:
    def lock(code: int, client: str) -> list[object]:
        body = {
            "consumerGroup": group,
            "clientId": client,
            "onlyThisBroker": False,
            "mqSet": [{"topic": topic, "brokerName": "broker-a", "queueId": 0}],
        }
        answer = probe.ask(code, body=json.dumps(body).encode())
        assert answer.code == 0
        locked: list[object] = json.loads(answer.body)["lockOKMQSet"] if code == 41 else []
        return locked

    assert len(lock(41, "one")) == 1
    assert len(lock(41, "one")) == 1
    assert lock(41, "two") == []
    lock(42, "two")
    assert lock(41, "two") == []
    lock(42, "one")
    assert len(lock(41, "two")) == 1


# -- what is no command --


def assert_refused(broker: str, data: bytes) -> None:
    """Check that the broker closes a connection that sends `data`."""
    host, _, port = broker.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            assert raw.recv(1) == b""


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", struct.pack(">II", 25, 21) + b'{"opaque":2147483648}'],
)
def test_a_connection_ends_on_what_is_no_frame(broker: str, data: bytes) -> None:
    assert_refused(broker, data)


def test_answers_of_clients_are_ignored(probe: Probe, topic: str) -> None:
    head = codec.encode_header(310, 999_999, 1, None, 0)
    probe.socket.sendall(head)
    assert probe.publish(topic).code == 0
    assert not probe.unexpected()


# -- administrators --


def make_topic(probe: Probe, name: str, reads: int = 1, writes: int = 1, **more: Any) -> Answer:
    fields = {
        "topic": name, "defaultTopic": "TBW102", "readQueueNums": reads, "writeQueueNums": writes,
        "perm": 6, "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0, "order": "false", **more,
    }  # fmt: skip
    return probe.ask(17, fields)


def make_group(probe: Probe, name: str, **settings: Any) -> None:
    assert probe.ask(200, body=json.dumps({"groupName": name, **settings}).encode()).code == 0


def heartbeat(probe: Probe, group: str, topic: str, model: str = "CLUSTERING") -> None:
    data = {"topic": topic, "subString": "*", "tagsSet": [], "codeSet": [], "subVersion": 1}
    consumer = {
        "groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": model,
        "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET", "subscriptionDataSet": [data],
    }  # fmt: skip
    body = {
        "clientID": probe.client_id,
        "producerDataSet": [{"groupName": f"{group}-makers"}],
        "consumerDataSet": [consumer],
    }
    assert probe.ask(34, body=json.dumps(body).encode()).code == 0


def commit(probe: Probe, group: str, topic: str, queue: int, offset: int) -> int:
    fields = {"consumerGroup": group, "topic": topic, "queueId": queue, "commitOffset": offset}
    return probe.ask(15, fields).code


def body_of(answer: Answer) -> Any:
    assert answer.code == 0, answer
    return json.loads(answer.body)


def test_queues_to_read_and_queues_to_write(
    namesrv: str, probe: Probe, topic: str, group: str
) -> None:
    assert (
        make_topic(probe, topic, 3, 2, attributes="+message.type=FIFO,+queue.type=SimpleCQ").code
        == 0
    )
    for queue, code in ((0, 0), (1, 0), (2, 0), (3, 29)):
        sent = probe.publish(topic, queue=queue)
        assert sent is not None and sent.code == code
    assert [probe.pull(group, topic, 0, queue=queue).code for queue in range(4)] == [0, 0, 0, 29]
    for _ in range(20):
        sent = probe.publish(topic, queue=-1)
        assert sent is not None and int(sent.fields["queueId"]) < 2
    with Probe(namesrv) as names:
        [queues] = body_of(names.route(topic))["queueDatas"]
    assert (queues["readQueueNums"], queues["writeQueueNums"]) == (3, 2)
    setup = body_of(probe.ask(351, {"topic": topic}))
    assert (setup["readQueueNums"], setup["writeQueueNums"], setup["perm"]) == (3, 2, 6)
    assert setup["attributes"] == {"message.type": "FIFO", "queue.type": "SimpleCQ"}
    make_topic(probe, topic, 2, 2, perm=4, attributes="-message.type")
    setup = body_of(probe.ask(351, {"topic": topic}))
    assert (setup["readQueueNums"], setup["perm"]) == (2, 4)
    assert setup["attributes"] == {"queue.type": "SimpleCQ"}
    assert len(loads(probe.ask(202, {"topic": topic}).body)["offsetTable"]) == 2
    assert probe.ask(351, {"topic": "none"}).code == 17
    assert make_topic(probe, topic, attributes="+a=b").code == 1


def test_a_topic_that_may_not_be_read(probe: Probe, topic: str, group: str) -> None:
    make_topic(probe, topic, perm=2)
    answer = probe.pull(group, topic, 0)
    assert (answer.code, answer.fields["forbiddenType"]) == (16, "3")
    assert answer.remark == f"the topic[{topic}] pulling message is forbidden"


def test_what_a_group_is_set_to(probe: Probe, topic: str, group: str) -> None:
    make_topic(probe, topic)
    make_group(probe, group, consumeEnable=False, other=1)
    body = {"groupName": f"{group}-broken", "retryMaxTimes": "many"}
    assert probe.ask(200, body=json.dumps(body).encode()).code == 1
    setup = body_of(probe.ask(352, {"group": group}))
    assert (setup["consumeEnable"], setup["retryMaxTimes"]) == (False, 16)
    assert "other" not in setup
    answer = probe.ask(201)
    table = body_of(answer)["subscriptionGroupTable"]
    assert table[group] == setup and answer.fields["totalGroupNum"] == str(len(table))
    answer = probe.pull(group, topic, 0)
    assert (answer.code, answer.fields["forbiddenType"]) == (16, "2")
    probe.ask(207, {"groupName": group})
    assert body_of(probe.ask(352, {"group": group}))["consumeEnable"] is True
    assert probe.pull(group, topic, 0).code == 19


def test_a_group_that_may_not_be_broadcast_to(probe: Probe, topic: str, group: str) -> None:
    make_topic(probe, topic)
    make_group(probe, group, consumeBroadcastEnable=False)
    heartbeat(probe, group, topic)
    assert probe.pull(group, topic, 0, expression=None).code == 19
    heartbeat(probe, group, topic, "BROADCASTING")
    answer = probe.pull(group, topic, 0, expression=None)
    assert (answer.code, answer.fields["forbiddenType"]) == (16, "4")


def test_how_often_a_group_is_given_a_message_again(probe: Probe, topic: str, group: str) -> None:
    make_group(probe, group, retryMaxTimes=1)
    probe.publish(topic)
    dead = f"%DLQ%{group}"

    def send_back(place: str) -> None:
        [message] = probe.pull_until(1, group, place)
        fields = {"group": group, "offset": message.physical_offset, "delayLevel": 1}
        assert probe.ask(36, {**fields, "originTopic": topic}).code == 0

    send_back(topic)
    assert len(probe.pull_until(1, group, f"%RETRY%{group}")) == 1
    assert probe.pull(group, dead, 0).code == 17
    send_back(f"%RETRY%{group}")
    assert len(probe.pull_until(1, group, dead)) == 1


def test_members_are_told_of_each_other_unless_the_group_says_no(
    connect: Any, topic: str, group: str
) -> None:
    for told in (True, False):
        name = f"{group}-{told}"
        first, second, third = connect(), connect(), connect()
        make_group(first, name, notifyConsumerIdsChangedEnable=told)
        heartbeat(first, name, topic)
        heartbeat(second, name, topic)
        first.ask(38, {"consumerGroup": name})
        # A member is told of its own coming too.
        assert [each.code for each in first.received] == ([40, 40] if told else [])
        second.ask(35, {"clientID": second.client_id, "consumerGroup": name})
        first.ask(38, {"consumerGroup": name})
        assert len(first.received) == (3 if told else 0)
        heartbeat(third, name, topic)
        third.socket.close()
        # Nobody asks the group when a connection is lost.
        notice = first.wait_for_command(40)
        assert (notice.flag & 2, notice.fields) == (2, {"consumerGroup": name})


def test_who_consumes_what(probe: Probe, topic: str, group: str) -> None:
    make_topic(probe, topic, 2, 2)
    probe.publish(topic)
    heartbeat(probe, group, topic)
    assert body_of(probe.ask(300, {"topic": topic})) == {"groupList": [group]}
    assert body_of(probe.ask(343, {"group": group}))["topicList"] == []
    assert commit(probe, group, topic, 0, 1) == 0
    assert body_of(probe.ask(343, {"group": group}))["topicList"] == [topic]
    table = loads(probe.ask(208, {"consumerGroup": group}).body)["offsetTable"]
    places = {json.loads(key)["queueId"]: value for key, value in table.items()}
    assert [places[queue]["consumerOffset"] for queue in (0, 1)] == [1, 0]
    assert places[0]["lastTimestamp"] > 0 and places[1]["lastTimestamp"] == 0
    found = body_of(probe.ask(203, {"consumerGroup": group}))
    assert (found["consumeType"], found["messageModel"]) == ("CONSUME_PASSIVELY", "CLUSTERING")
    [maker] = body_of(probe.ask(204, {"producerGroup": f"{group}-makers"}))["connectionSet"]
    assert (maker["clientId"], maker["language"]) == (probe.client_id, "PYTHON")
    assert probe.ask(204, {"producerGroup": "none"}).code == 1


def test_an_administrator_asks_a_consumer_through_the_broker(
    connect: Any, topic: str, group: str
) -> None:
    admin, consumer = connect(), connect()
    sent = admin.publish(topic, b"one")
    heartbeat(consumer, group, topic)
    who = {"consumerGroup": group, "clientId": consumer.client_id}
    for code, more in ((307, {"jstackEnable": "false"}), (309, {"msgId": sent.fields["msgId"]})):
        opaque = admin.send(code, {**who, **more})
        asked = consumer.wait_for_command(code)
        assert (asked.flag, asked.fields["clientId"]) == (0, consumer.client_id)
        assert (b"one" in asked.body) == (code == 309)
        reply(consumer, asked.opaque, 7, b"told")
        answer = admin.answer(opaque)
        assert (answer.code, answer.remark, answer.body) == (7, "why", b"told")
    answer = admin.ask(307, {**who, "clientId": "nobody"})
    assert (answer.code, answer.remark) == (1, f"The Consumer <{group}> <nobody> not online")


def reply(probe: Probe, opaque: int, code: int, body: bytes) -> None:
    head = {"code": code, "opaque": opaque, "flag": 1, "remark": "why"}
    text = json.dumps(head).encode()
    size = (4 + len(text) + len(body)).to_bytes(4, "big")
    probe.socket.sendall(size + len(text).to_bytes(4, "big") + text + body)


def test_the_name_server_lists_and_forgets(namesrv: str, probe: Probe, topic: str) -> None:
    make_topic(probe, topic)
    with Probe(namesrv) as names:
        for code in (206, 224):
            assert topic in body_of(names.ask(code, {"cluster": "DefaultCluster"}))["topicList"]
        setting = {"namespace": "ORDER_TOPIC_CONFIG", "key": topic}
        assert [names.ask(code, setting).code for code in (101, 102)] == [22, 0]
        assert probe.ask(215, {"topic": topic}).code == 0
        assert names.ask(216, {"topic": topic}).code == 0
        eventually(lambda: names.route(topic).code == 17)
