"""SQS between values and bytes: limits, digests, replies, errors, and where keys come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wirespeed import errors
from wirespeed.config import Credentials
from wirespeed.http.models import Response
from wirespeed.sqs import Attribute, Message, credentials, wire
from wirespeed.sqs.models import MESSAGE_LIMIT

KEYS = Credentials("AKID", "SECRET")


def reply(fields: object, status: int = 200, *headers: tuple[str, str]) -> Response:
    return Response(status, "", headers, json.dumps(fields).encode())


def test_a_request_is_signed_as_botocore_signs_it() -> None:
    """Computed with botocore 1.43's SigV4Auth over the same request."""
    auth = pytest.importorskip("botocore.auth")
    awsrequest = pytest.importorskip("botocore.awsrequest")
    keys = pytest.importorskip("botocore.credentials")
    pair = Credentials("AKID", "SECRET", "TOKEN")
    made = wire.request("SendMessage", {"QueueUrl": "u"}, pair, "eu-west-1", "h:81", 1.5e9)
    headers = dict(made.headers)
    peer = awsrequest.AWSRequest(
        "POST",
        "http://h:81/",
        headers={name: headers[name] for name in ("Content-Type", "X-Amz-Target")},
        data=made.body,
    )
    peer.context["timestamp"] = headers["X-Amz-Date"]
    peer.headers["X-Amz-Date"] = headers["X-Amz-Date"]
    peer.headers["X-Amz-Security-Token"] = "TOKEN"
    signer = auth.SigV4Auth(keys.Credentials("AKID", "SECRET", "TOKEN"), "sqs", "eu-west-1")
    text = signer.canonical_request(peer)
    signature = signer.signature(signer.string_to_sign(peer, text), peer)
    assert headers["X-Amz-Date"] == "20170714T024000Z"
    assert headers["Authorization"].endswith(f"Signature={signature}")
    assert headers["X-Amz-Target"] == "AmazonSQS.SendMessage"
    assert (made.method, made.target, made.body) == ("POST", "/", b'{"QueueUrl":"u"}')


@pytest.mark.parametrize(
    ("attributes", "digest"),
    [
        ({"attribName1": "attribValue 1"}, "19e27d4e946b072f3f58da80d94fd778"),
        ({"binaryAttribute": b"Hello binary world!"}, "31a92b15d92f8db860eda32aceb656c3"),
    ],
)
def test_digests_of_attributes(attributes: dict[str, Any], digest: str) -> None:
    fields, _ = wire.message_fields(Message("x", attributes=attributes))
    assert wire.attributes_digest(fields["MessageAttributes"]) == digest


def test_fields_of_a_message() -> None:
    message = Message(
        "é中😀",
        delay=7,
        attributes={"n": 1.5, "b": b"\0", "s": "t", "own": Attribute("7", "Number.byte")},
        group_id="g",
        trace_header="Root=1",
    )
    fields, size = wire.message_fields(message)
    assert fields == {
        "MessageBody": "é中😀",
        "DelaySeconds": 7,
        "MessageAttributes": {
            "n": {"DataType": "Number", "StringValue": "1.5"},
            "b": {"DataType": "Binary", "BinaryValue": "AA=="},
            "s": {"DataType": "String", "StringValue": "t"},
            "own": {"DataType": "Number.byte", "StringValue": "7"},
        },
        "MessageGroupId": "g",
        "MessageSystemAttributes": {
            "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}
        },
    }
    assert size == 9 + (1 + 6 + 3) + (1 + 6 + 1) + (1 + 6 + 1) + (3 + 11 + 1)
    own = Message("x", deduplication_id="own")
    assert wire.message_fields(own)[0]["MessageDeduplicationId"] == "own"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Message(""), "body must have at least"),
        (Message(b"x"), "body must be a str, not bytes"),  # type: ignore[arg-type]
        (Message("a\0"), r"U\+0000 at 1"),
        (Message("a\ud800"), r"U\+D800 at 1"),
        (Message("a\uffff"), r"U\+FFFF at 1"),
        (Message("x" * (MESSAGE_LIMIT + 1)), "1048576 bytes, attributes included: 1048577"),
        (Message("x" * MESSAGE_LIMIT, attributes={"a": "b"}), "1048584"),
        (Message("x", delay=901), "delay must be an int from 0 to 900"),
        (Message("x", delay=True), "delay must be an int"),
        (Message("x", attributes={str(n): "v" for n in range(11)}), "attributes may be 10, not 11"),
        (Message("x", attributes={"a b": "v"}), "attribute name 'a b'"),
        (Message("x", attributes={"a..b": "v"}), "attribute name"),
        (Message("x", attributes={".a": "v"}), "attribute name"),
        (Message("x", attributes={"a": ""}), "must not be empty"),
        (Message("x", attributes={"a": "\1"}), "XML forbids"),
        (Message("x", attributes={"a": None}), "cannot be NoneType"),  # type: ignore[dict-item]
        (Message("x", attributes={"a": True}), "cannot be bool"),
        (Message("x", attributes={"a": Attribute("v", "Text")}), "type 'Text'"),
        (Message("x", attributes={"a": Attribute("v", "Binary")}), "a Binary cannot be str"),
        (Message("x", group_id="a b"), "group_id must be"),
        (Message("x", group_id="g" * 129), "group_id must be"),
        (Message("x", deduplication_id="é"), "deduplication_id must be"),
    ],
)
def test_messages_that_break_a_limit(message: Message, said: str) -> None:
    with pytest.raises(errors.ConfigError, match=said):
        wire.message_fields(message)


@pytest.mark.parametrize("queue", ["", "a b", "é", "q" * 81, "ftp://h/q", "http://h/a b", 5, "a/b"])
def test_queues_that_are_none(queue: object) -> None:
    with pytest.raises(errors.ConfigError, match="queue must be"):
        wire.check_queue(queue)


def test_batches_hold_ten_messages_and_a_mebibyte() -> None:
    assert wire.batches([]) == []
    many = wire.batches([({"n": number}, 10) for number in range(21)])
    assert [len(batch) for batch in many] == [10, 10, 1]
    assert [entry["Id"] for entry in many[2]] == ["20"]
    large = wire.batches([({}, MESSAGE_LIMIT // 2)] * 3 + [({}, MESSAGE_LIMIT)])
    assert [len(batch) for batch in large] == [2, 1, 1]


@pytest.mark.parametrize(
    ("status", "fields", "header", "kind", "outcome", "retryable"),
    [
        (400, {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "m"}, "",
         errors.NotFound, "rejected", False),
        (400, {"__type": "other#Odd"}, "AWS.SimpleQueueService.NonExistentQueue;Sender",
         errors.NotFound, "rejected", False),
        (403, {"__type": "InvalidClientTokenId", "Message": "m"}, "",
         errors.AccessDenied, "rejected", False),
        (400, {"__type": "x#RequestThrottled"}, "", errors.Throttled, "rejected", True),
        (429, {}, "", errors.Throttled, "rejected", True),
        (403, {"__type": "x#OverLimit"}, "", errors.Throttled, "rejected", True),
        (400, {"__type": "x#QueueNameExists"}, "", errors.Conflict, "rejected", False),
        (403, {"__type": "x#PurgeQueueInProgress"}, "", errors.Conflict, "rejected", False),
        (400, {"__type": "x#UnsupportedOperation"}, "", errors.Unsupported, "rejected", False),
        (500, {"__type": "InternalFailure"}, "", errors.Busy, "unknown", True),
        (503, [], "", errors.Busy, "unknown", True),
        (400, {"__type": "x#InvalidMessageContents"}, "", errors.ServiceError, "rejected", False),
    ],
)  # fmt: skip
def test_error_codes_are_typed(
    status: int, fields: object, header: str, kind: type, outcome: str, retryable: bool
) -> None:
    headers = [("x-amzn-requestid", "id-1"), *([("x-amzn-query-error", header)] if header else [])]
    with pytest.raises(errors.WirespeedError) as caught:
        wire.parse(reply(fields, status, *headers))
    error = caught.value
    assert type(error) is kind
    assert (error.service, error.status, error.request_id) == ("sqs", status, "id-1")
    assert (error.outcome, error.retryable) == (outcome, retryable)


def test_a_clock_that_is_wrong_is_told() -> None:
    text = "Signature expired: 20150101T000000Z is now earlier than 20150102T000000Z"
    error = wire.failure(reply({"__type": "SignatureDoesNotMatch", "message": text}, 403))
    assert "clock" in error.hint


@pytest.mark.parametrize("body", [b"[]", b"{", b"<xml/>", b"[" * 100_000, b"\xff"])
def test_replies_that_are_none(body: bytes) -> None:
    with pytest.raises(errors.ProtocolError):
        wire.parse(Response(200, "", [], body))


def received(**changes: object) -> wire.JsonObject:
    item: wire.JsonObject = {
        "MessageId": "1",
        "ReceiptHandle": "h",
        "Body": "hello",
        "MD5OfBody": "5d41402abc4b2a76b9719d911017c592",
        "MessageAttributes": {
            "attribName1": {"DataType": "String", "StringValue": "attribValue 1"}
        },
        "MD5OfMessageAttributes": "19e27d4e946b072f3f58da80d94fd778",
        "Attributes": {"SentTimestamp": "1500000000123", "ApproximateReceiveCount": "3"},
        **changes,
    }
    return {"Messages": [item]}


def test_a_received_message() -> None:
    (message,) = wire.parse_messages(received())
    assert (message.message_id, message.body, message.receive_count) == ("1", "hello", 3)
    assert message.attributes == {"attribName1": "attribValue 1"}
    assert message.sent_at is not None
    assert message.sent_at.isoformat() == "2017-07-14T02:40:00.123000+00:00"
    assert message.group_id is message.deduplication_id is message.sequence_number is None
    assert "'h'" not in repr(message)
    assert wire.parse_messages({}) == []


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"Body": "hallo"}, errors.IntegrityError),
        ({"MD5OfMessageAttributes": "00"}, errors.IntegrityError),
        ({"Body": None}, errors.ProtocolError),
        ({"MessageId": None, "ReceiptHandle": None, "MessageAttributes": []}, None),
        ({"MessageAttributes": {"a": {}}}, errors.ProtocolError),
        ({"MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": "%"}},
          "MD5OfMessageAttributes": ""}, errors.ProtocolError),
    ],
)  # fmt: skip
def test_received_messages_that_are_broken(changes: dict[str, Any], error: Any) -> None:
    if error is None:
        assert len(wire.parse_messages(received(**changes))) == 1
        return
    with pytest.raises(error):
        wire.parse_messages(received(**changes))


def test_what_the_service_stored_must_be_what_was_sent() -> None:
    fields, _ = wire.message_fields(Message("hello", attributes={"a": "b"}))
    wire.check_stored(fields, {"MD5OfMessageBody": "5d41402abc4b2a76b9719d911017c592"})
    for name in ("MD5OfMessageBody", "MD5OfMessageAttributes"):
        with pytest.raises(errors.IntegrityError, match=name):
            wire.check_stored(fields, {name: "0" * 32})


def test_keys_come_from_the_environment_then_the_profile(tmp_path: Path) -> None:
    keys, configuration = tmp_path / "keys", tmp_path / "config"
    keys.write_text(
        "[default]\naws_access_key_id = A\naws_secret_access_key = B\n"
        "[work]\naws_access_key_id = C\naws_secret_access_key = %D\naws_session_token = T\n"
    )
    configuration.write_text("[default]\nregion = us-west-2\n[profile work]\nregion = eu-west-1\n")
    environ = {
        "AWS_SHARED_CREDENTIALS_FILE": str(keys),
        "AWS_CONFIG_FILE": str(configuration),
    }
    find = credentials.find_credentials
    assert find(environ=environ) == Credentials("A", "B")
    assert find("work", environ) == Credentials("C", "%D", "T")
    assert find(environ={**environ, "AWS_PROFILE": "work"}) == Credentials("C", "%D", "T")
    given = {**environ, "AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "F"}
    assert find(environ=given) == Credentials("E", "F")
    assert find(environ={**given, "AWS_SECURITY_TOKEN": "G"}) == Credentials("E", "F", "G")
    assert find("work", given) == Credentials("C", "%D", "T")
    own = {**given, "WIRESPEED_SQS_ACCESS_KEY": "H", "WIRESPEED_SQS_SECRET_KEY": "I"}
    assert find(environ=own) == Credentials("H", "I")
    with pytest.raises(errors.ConfigError, match="profile 'other'"):
        find("other", environ)
    assert credentials.find_region(environ=environ) == "us-west-2"
    assert credentials.find_region("work", environ) == "eu-west-1"
    assert credentials.find_region(environ={**environ, "AWS_DEFAULT_REGION": "x"}) == "x"
    with pytest.raises(errors.ConfigError, match="region"):
        credentials.find_region(environ={"HOME": str(tmp_path)})
    keys.write_text("no section")
    with pytest.raises(errors.ConfigError, match="cannot be read"):
        find(environ=environ)


def test_endpoints() -> None:
    find = credentials.find_endpoint
    assert find("eu-west-1", {}) == "https://sqs.eu-west-1.amazonaws.com"
    assert find("cn-north-1", {}) == "https://sqs.cn-north-1.amazonaws.com.cn"
    assert find("x", {"AWS_ENDPOINT_URL": "http://a"}) == "http://a"
    assert find("x", {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SQS": "b"}) == "b"
