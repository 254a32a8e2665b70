"""What brokers ask, where queues go, where offsets are kept, what handles and records hold."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from wirespeed._native.pure import rocketmq as codec
from wirespeed.errors import ConfigError, MissingCodec, ProtocolError
from wirespeed.remoting.connection import Frame
from wirespeed.rocketmq import (
    Message,
    MessageQueue,
    Sql,
    allocate_average,
    allocate_circle,
    allocate_configured,
    allocate_consistent_hash,
    codes,
    compression,
    fastjson,
    wire,
)
from wirespeed.rocketmq.flow import discovery, group
from wirespeed.rocketmq.flow import send as sending
from wirespeed.rocketmq.local_offsets import LocalOffsets
from wirespeed.rocketmq.wire import admin, pop, pushed, replies, trace

QUEUES = [MessageQueue("t", "b", number) for number in range(8)]
PLACE = {"brokerName": "b", "queueId": 3, "topic": "t"}


def frame(code: int, body: bytes = b"", **fields: str) -> Frame:
    return Frame(code, 0, 513, 1, 0, None, fields, body)


# ---- strategies ----


@pytest.mark.parametrize("strategy", [allocate_average, allocate_circle, allocate_consistent_hash])
@pytest.mark.parametrize("members", [1, 2, 3, 5, 9])
def test_every_queue_is_one_members(strategy: Any, members: int) -> None:
    ids = [f"10.0.0.{number}@{number}" for number in range(members)]
    shares = [strategy(each, ids[::-1], QUEUES) for each in ids]
    assert sorted(queue for share in shares for queue in share) == QUEUES
    assert strategy("a stranger", ids, QUEUES) == []
    if strategy is not allocate_consistent_hash:
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_circle_takes_turns() -> None:
    assert allocate_circle("b", ["a", "b", "c"], QUEUES) == [QUEUES[1], QUEUES[4], QUEUES[7]]


def test_a_ring_moves_few_queues_when_a_member_goes() -> None:
    queues = [MessageQueue("t", "b", number) for number in range(64)]
    ids = [f"10.0.0.{number}@1" for number in range(4)]
    before = {each: set(allocate_consistent_hash(each, ids, queues)) for each in ids}
    after = {each: set(allocate_consistent_hash(each, ids[:3], queues)) for each in ids[:3]}
    assert all(before[each] <= after[each] for each in ids[:3])


def test_configured_queues_are_kept_whatever_others_do() -> None:
    strategy = allocate_configured([QUEUES[2], MessageQueue("other", "b", 0)])
    assert strategy("me", [], QUEUES) == [QUEUES[2]]


# ---- what brokers ask ----


def test_a_reset_comes_in_two_shapes() -> None:
    as_keys = b'{"offsetTable":{{"brokerName":"b","queueId":3,"topic":"t"}:42}}'
    as_list = json.dumps({"offsetTable": [{**PLACE, "offset": 42}]}).encode()
    for body in (as_keys, as_list):
        assert pushed.parse_reset(frame(220, body)) == {QUEUES[3]: 42}
    for body in (b"", b"[]", b'{"offsetTable":{"x":1}}', b'{"offsetTable":[{}]}', b"\xff"):
        with pytest.raises(ProtocolError):
            pushed.parse_reset(frame(220, body))


def test_answers_have_objects_as_keys() -> None:
    answer = pushed.offsets_answer({QUEUES[3]: 42})
    assert answer.code == 0
    assert answer.body == b'{"messageQueueTable":{{"brokerName":"b","queueId":3,"topic":"t"}:42}}'
    process_queue = group.ProcessQueue(QUEUES[3], 5, _nothing())
    info = pushed.running_info_answer(
        {"PROP_CONSUME_TYPE": "CONSUME_PASSIVELY"}, [], {QUEUES[3]: process_queue.describe(0.0)}
    )
    read = fastjson.loads(bytes(info.body))
    ((key, value),) = read["mqTable"].items()
    assert json.loads(key) == PLACE
    assert (value["commitOffset"], value["cachedMsgCount"], value["droped"]) == (5, 0, False)


def _nothing() -> Any:
    import contextlib

    return contextlib.nullcontext()


# ---- offsets of a broadcasting consumer ----


def test_offsets_are_kept_in_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "offsets.json"
    kept = LocalOffsets(path, "g", "i")
    assert kept.load() == {}
    kept.save({QUEUES[1]: 7, QUEUES[0]: 3})
    assert LocalOffsets(path, "g", "i").load() == {QUEUES[0]: 3, QUEUES[1]: 7}
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["offsets.json"]
    for broken in ("", "{}", "[1]", '[["t","b","x",1]]', "\0"):
        path.write_text(broken)
        assert kept.load() == {}


def test_offsets_have_a_place_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIRESPEED_STATE_DIR", str(tmp_path))
    LocalOffsets(None, "ns%g|1", "DEFAULT").save({QUEUES[0]: 1})
    (found,) = (tmp_path / "rocketmq-offsets").iterdir()
    assert found.name == "ns_g_1@DEFAULT.json"


def test_a_disk_that_fails_keeps_the_offsets_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = LocalOffsets(tmp_path / "offsets.json", "g", "i")
    kept.save({QUEUES[0]: 1})

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        kept.save({QUEUES[0]: 2})
    assert kept.load() == {QUEUES[0]: 1}
    assert len(list(tmp_path.iterdir())) == 1


# ---- handles, ids, filters ----


def test_a_receipt_handle_names_the_topic_that_it_lies_in() -> None:
    handle = pop.Handle.parse("0 1795249238354 60000 7 0 broker-a 3 12")
    assert str(handle) == "0 1795249238354 60000 7 0 broker-a 3 12"
    assert handle.topic("g", "t") == "t"
    assert handle._replace(retry="1").topic("g", "t") == "%RETRY%g_t"
    assert handle._replace(retry="2").topic("g", "t") == "%RETRY%g+t"
    request = pop.ack_request("g", "t", handle._replace(retry="1"))
    assert request.ext_fields is not None
    assert request.ext_fields["topic"] == "%RETRY%g_t"
    assert (request.ext_fields["queueId"], request.ext_fields["offset"]) == ("3", "12")
    changed = pop.parse_changed(frame(0, popTime="9", invisibleTime="8", reviveQid="7"), handle)
    assert str(changed) == "12 9 8 7 0 broker-a 3 12"
    for wrong in ("", "1 2 3", "a b c d e f g h i"):
        with pytest.raises(ConfigError, match="receipt_handle"):
            pop.Handle.parse(wrong)
    with pytest.raises(ProtocolError):
        pop.parse_changed(frame(0, popTime="x"), handle)
    with pytest.raises(ProtocolError, match="startOffsetInfo"):
        pop.parse_received(frame(0, b"", startOffsetInfo="0 1"), "b")


def test_an_offset_message_id_is_a_place() -> None:
    assert wire.place_of("7F00000100002A9F0000000000000ABC") == ("127.0.0.1:10911", 0xABC)
    six = "0" * 31 + "1" + "00002A9F" + "0000000000000ABC"
    assert wire.place_of(six) == ("[::1]:10911", 0xABC)
    for wrong in ("", "xyz", "00", "7F00000100002A9F0000000000000ABC00"):
        with pytest.raises(ConfigError, match="offset_message_id"):
            wire.place_of(wrong)


def test_a_recall_handle_names_its_broker() -> None:
    import base64

    handle = base64.urlsafe_b64encode(b"v1 t broker-a 1795249238354 KEY").decode()
    assert wire.broker_of_handle(handle) == "broker-a"
    for wrong in ("", "!", base64.urlsafe_b64encode(b"v2 t b 1 k").decode(), "v1"):
        with pytest.raises(ConfigError, match="recall_handle"):
            wire.broker_of_handle(wrong)


def test_a_condition_goes_to_the_broker_as_it_is() -> None:
    parsed = wire.Subscription.parse("t", Sql("a > 5 OR b = '||'"), 7)
    assert (parsed.kind, parsed.expression, parsed.tags) == (
        "SQL92",
        "a > 5 OR b = '||'",
        frozenset(),
    )
    assert parsed.as_json()["expressionType"] == "SQL92"
    pulled = wire.pull_request(
        "g", QUEUES[0], 5, None, parsed, batch=1, batch_bytes=1, suspend=1,
        carries_subscription=True,
    )  # fmt: skip
    assert pulled.ext_fields is not None
    assert pulled.ext_fields["subscription"] == "a > 5 OR b = '||'"
    assert (pulled.ext_fields["sysFlag"], pulled.ext_fields["expressionType"]) == ("6", "SQL92")
    for blank in ("", "  ", None):
        with pytest.raises(ConfigError, match="condition"):
            Sql(blank)  # type: ignore[arg-type]


def test_queues_are_chosen_by_java_s_hash() -> None:
    assert sending.by_key("hello")(QUEUES) == 99162322 % 8
    # "polygenelubricants" has the hash -2**31.
    assert sending.by_key("polygenelubricants")(QUEUES) == 2**31 % 8
    assert sending.by_name(QUEUES[3])(QUEUES) == 3
    with pytest.raises(ConfigError, match="not among"):
        sending.by_name(MessageQueue("t", "b", 9))(QUEUES)


def test_an_address_server_is_a_url_with_a_path() -> None:
    assert discovery.is_address_server("http://h:8080/rocketmq/nsaddr")
    for name_server in ("http://h:9876", "h:9876;i:9876", None, "http://h:9876/"):
        assert not discovery.is_address_server(name_server)


def test_a_slow_broker_is_avoided_until_it_answers_well() -> None:
    class State:
        def __init__(self) -> None:
            self.avoided: dict[str, float] = {}

        def deadline(self, seconds: float) -> float:
            return 100.0 + seconds

    state: Any = State()
    for seconds, until in ((0.2, None), (0.6, 102.0), (2.0, 105.0), (10.0, 110.0), (20.0, 130.0)):
        sending.note_latency(state, "b", seconds)
        assert state.avoided.get("b") == until
    sending.note_latency(state, "b", 0.1)
    assert state.avoided == {}


# ---- codecs, replies, traces, administration ----


def test_codecs_are_checked_when_a_producer_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for codec_name in ("zlib", "lz4", "zstd"):
        packed = compression.compress(b"a" * 1000, codec_name)
        flags = compression.CODECS[codec_name]
        assert compression.decompress(packed, flags) == b"a" * 1000
    monkeypatch.setitem(sys.modules, "lz4", None)
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(MissingCodec, match="lz4") as caught:
        compression.check_codec("lz4")
    assert "wirespeed[compression]" in caught.value.hint


def test_a_pushed_reply_is_read() -> None:
    properties = "CORRELATION_ID\x01c\x02a\x01b\x02odd\x02"
    reply = replies.parse_pushed_reply(frame(326, b"body", topic="t", properties=properties))
    assert (reply.topic, reply.body) == ("t", b"body")
    assert reply.properties == {"CORRELATION_ID": "c", "a": "b"}
    packed = compression.compress(b"long")
    flags = str(compression.CODECS["zlib"])
    assert replies.parse_pushed_reply(frame(326, packed, sysFlag=flags)).body == b"long"
    with pytest.raises(ProtocolError, match="sysFlag"):
        replies.parse_pushed_reply(frame(326, b"", sysFlag="x"))


def test_trace_records_have_java_s_fields() -> None:
    message = Message("t", b"body", tag="T", keys=["k1", "k2"])
    message.properties["UNIQ_KEY"] = "ID"
    record = trace.published("g", message, None, "1.2.3.4:5", 1000.5, 0.0042)
    assert record.text == "\x01".join(
        ["Pub", "1000500", "DefaultRegion", "g", "t", "ID", "T", "k1 k2", "1.2.3.4:5", "4", "4",
         "0", "", "false"]
    ) + "\x02"  # fmt: skip
    assert record.keys == ("ID", "k1", "k2")
    carrier = trace.as_message([record, record])
    assert (carrier.topic, carrier.properties["KEYS"]) == (trace.TOPIC, "ID k1 k2")
    assert bytes(carrier.body).decode() == record.text * 2


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"offsetTable":{"x":{}}}', b"\xff"])
@pytest.mark.parametrize(
    "read",
    [
        admin.parse_topics,
        admin.parse_progress,
        admin.parse_cluster,
        admin.parse_broker_status,
        admin.parse_topic_stats,
    ],
)
def test_bad_replies_to_administrators_are_protocol_errors(read: Any, body: bytes) -> None:
    if read is admin.parse_topic_stats and body == b"{}":
        assert read(frame(0, body)) == []
        return
    with pytest.raises(ProtocolError):
        read(frame(0, body))


def test_a_query_declares_a_version_that_every_broker_signs_alike() -> None:
    request = admin.query_request("t", "k", unique=True, most=1, begin=0)
    (packed,) = request.pack(1, 0, binary=False)
    assert codec.decode_header(bytes(packed))[2] == 399
    assert wire.route_request("t").version == 513


@pytest.mark.parametrize("code", [22, 23, 24, 206, 208, 209, 604, 1500])
def test_codes_have_names_and_types(code: int) -> None:
    error = codes.error(code, "why", "h:1")
    assert not codes.name(code).isdigit()
    assert type(error).__name__ != "ServiceError"
