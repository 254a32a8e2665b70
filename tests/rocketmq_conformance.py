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

import pytest

from tests.rocketmq_probe import Probe, batch_part, eventually
from wirespeed._native.pure import rocketmq as codec

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
