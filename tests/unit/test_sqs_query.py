"""The query protocol: forms as boto's, replies read, and XML that is no reply refused."""

from __future__ import annotations

import contextlib
from urllib.parse import parse_qsl

import pytest

from wirespeed.errors import Busy, NotFound, ProtocolError, WirespeedError
from wirespeed.http.models import Response
from wirespeed.sqs import wire
from wirespeed.sqs.wire import query

URL = "http://h/123/q"


@pytest.mark.parametrize(
    ("action", "fields", "expected"),
    [
        (
            "SetQueueAttributes",
            {"QueueUrl": URL, "Attributes": {"DelaySeconds": "5"}},
            {"QueueUrl": URL, "Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "5"},
        ),
        (
            "CreateQueue",
            {"QueueName": "q", "tags": {"a": "b", "c": "d"}},
            {
                "QueueName": "q",
                "Tag.1.Key": "a",
                "Tag.1.Value": "b",
                "Tag.2.Key": "c",
                "Tag.2.Value": "d",
            },
        ),
        (
            "AddPermission",
            {"AWSAccountIds": ["1", "2"], "Actions": ["SendMessage"]},
            {"AWSAccountId.1": "1", "AWSAccountId.2": "2", "ActionName.1": "SendMessage"},
        ),
        ("UntagQueue", {"TagKeys": ["a"]}, {"TagKey.1": "a"}),
        (
            "SendMessageBatch",
            {
                "Entries": [
                    {
                        "Id": "0",
                        "MessageBody": "é&",
                        "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "1"}},
                    }
                ]
            },
            {
                "SendMessageBatchRequestEntry.1.Id": "0",
                "SendMessageBatchRequestEntry.1.MessageBody": "é&",
                "SendMessageBatchRequestEntry.1.MessageAttribute.1.Name": "n",
                "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType": "Number",
                "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue": "1",
            },
        ),
    ],
)
def test_fields_are_flattened(
    action: str, fields: wire.JsonObject, expected: dict[str, str]
) -> None:
    form = dict(parse_qsl(query.encode(action, fields).decode(), keep_blank_values=True))
    assert form == {"Action": action, "Version": "2012-11-05", **expected}


def test_a_request_goes_to_the_queues_path() -> None:
    assert query.path_of({"QueueUrl": URL}) == "/123/q"
    assert query.path_of({"QueueName": "q"}) == "/"


def reply(body: str, status: int = 200) -> Response:
    return Response(status, "Reason", [], body.encode())


def test_replies_become_the_json_protocols_fields() -> None:
    text = """<?xml version="1.0"?>
    <ReceiveMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">
      <ReceiveMessageResult><Message><MessageId>m</MessageId><ReceiptHandle>r</ReceiptHandle>
        <Body>a&#13;\n&lt;</Body>
        <Attribute><Name>SentTimestamp</Name><Value>5</Value></Attribute>
        <MessageAttribute><Name>n</Name><Value><DataType>Number</DataType>
          <StringValue>1</StringValue></Value></MessageAttribute></Message>
      </ReceiveMessageResult></ReceiveMessageResponse>"""
    (message,) = wire.parse_old(reply(text))["Messages"]
    assert message["Body"] == "a\r\n<"
    assert message["Attributes"] == {"SentTimestamp": "5"}
    assert message["MessageAttributes"] == {"n": {"DataType": "Number", "StringValue": "1"}}


def test_errors_are_typed() -> None:
    text = (
        "<ErrorResponse><Error><Type>Sender</Type>"
        "<Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>gone</Message></Error>"
        "<RequestId>id</RequestId></ErrorResponse>"
    )
    with pytest.raises(NotFound, match="gone") as caught:
        wire.parse_old(reply(text, 400))
    assert (caught.value.code, caught.value.request_id) == ("NonExistentQueue", "id")
    with pytest.raises(Busy):
        wire.parse_old(reply("<html>", 503))


BOMB = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "<a>",
        "<html></html>",
        "<!DOCTYPE x><XResponse><ResponseMetadata/></XResponse>",
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><XResponse>&a;</XResponse>',
        f'<!DOCTYPE x [<!ENTITY a0 "b">{BOMB}]><XResponse>&a9;</XResponse>',
        '<?xml version="1.0" encoding="no-such"?><XResponse/>',
        "<XResponse><XResult><Attribute><Name>n</Name></Attribute></XResult></XResponse>",
        "<XResponse>&#0;</XResponse>",
    ],
)
def test_what_is_no_reply_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        wire.parse_old(reply(text))


def test_deep_xml_is_read_or_refused() -> None:
    deep = "<XResponse><XResult>" + "<a>" * 100_000 + "</a>" * 100_000
    with contextlib.suppress(WirespeedError):
        wire.parse_old(reply(deep + "</XResult></XResponse>"))
