"""Our SQS clients on servers of others; boto3 on ours.

Where they differ from the service the suite does not look: moto gives a duplicate an id of its own,
and moto and ElasticMQ take attributes out of their limits; the local SQS does neither.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.cluster import LiveUnavailable
from tests.live.sqs_servers import elasticmq, moto
from tests.sqs_conformance import *  # noqa: F403
from tests.sqs_conformance import KEYS
from tests.sqs_observations import OBSERVATIONS, OTHERS, Observer
from wirespeed import sqs
from wirespeed.local import LocalCloud

SERVERS = {"moto": moto, "elasticmq": elasticmq}


@pytest.fixture(scope="module", params=SERVERS)
def endpoint(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of each server in turn; one that cannot run fails where CI is set."""
    try:
        server = SERVERS[request.param]()
        with server as url:
            yield url
    except LiveUnavailable as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@pytest.mark.parametrize("protocol", ["json", "query"])
def test_boto3_reads_what_we_send_and_the_reverse(endpoint: str, protocol: str) -> None:
    boto3 = pytest.importorskip("boto3")
    theirs = boto3.client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=KEYS.access_key,
        aws_secret_access_key=KEYS.secret_key,
    )
    with sqs.Client("us-east-1", endpoint=endpoint, credentials=KEYS, protocol=protocol) as ours:
        queue = ours.create_queue(f"both-{protocol}-{os.getpid()}")
        bodies = [f"é中😀 <&> {number}" for number in range(10)]
        attributes = {"text": "значение", "number": 7, "bytes": b"\0\xff"}
        sent = queue.send_many([sqs.Message(body, attributes=attributes) for body in bodies])
        assert all(isinstance(each, sqs.SendResult) for each in sent)
        found: dict[str, Any] = {}
        while len(found) < 10:
            reply = theirs.receive_message(
                QueueUrl=queue.url(), MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
            for message in reply["Messages"]:
                found[message["Body"]] = message["MessageAttributes"]
                theirs.delete_message(QueueUrl=queue.url(), ReceiptHandle=message["ReceiptHandle"])
        assert sorted(found) == sorted(bodies)
        for typed in found.values():
            assert typed["text"] == {"DataType": "String", "StringValue": "значение"}
            assert typed["number"] == {"DataType": "Number", "StringValue": "7"}
            assert typed["bytes"]["BinaryValue"] == b"\0\xff"
        theirs.send_message(
            QueueUrl=queue.url(),
            MessageBody="theirs\n<&>é",
            MessageAttributes={
                "n": {"DataType": "Number.int", "StringValue": "5"},
                "b": {"DataType": "Binary", "BinaryValue": b"\1\2"},
            },
        )
        (message,) = queue.receive(wait=5)
        assert message.body == "theirs\n<&>é"
        assert message.attributes == {"n": sqs.Attribute("5", "Number.int"), "b": b"\1\2"}
        queue.ack(message)
        queue.delete()
    theirs.close()


def test_each_difference_to_the_manual_is_known(
    endpoint: str, request: pytest.FixtureRequest
) -> None:
    boto3 = pytest.importorskip("boto3")
    theirs = boto3.client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=KEYS.access_key,
        aws_secret_access_key=KEYS.secret_key,
    )
    observer = Observer(theirs)
    seen = {name: see(observer) for name, (see, _) in OBSERVATIONS.items()}
    known = OTHERS[request.node.callspec.params["endpoint"]]
    assert seen == {name: expected for name, (_, expected) in OBSERVATIONS.items()} | known
    theirs.close()


@pytest.fixture
def boto() -> Iterator[Any]:
    """Return boto3's SQS client on the local cloud."""
    boto3 = pytest.importorskip("boto3")
    with LocalCloud(["sqs"]) as cloud:
        client = boto3.client(
            "sqs",
            region_name="eu-west-1",
            endpoint_url=cloud.sqs_url,
            aws_access_key_id=cloud.access_key,
            aws_secret_access_key=cloud.secret_key,
        )
        yield client
        client.close()


def test_boto3_on_the_local_cloud(boto: Any) -> None:
    url = boto.create_queue(QueueName="q", tags={"a": "b"})["QueueUrl"]
    dead = boto.create_queue(QueueName="dead")["QueueUrl"]
    reply = boto.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    arn = reply["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    boto.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    boto.send_message(
        QueueUrl=url,
        MessageBody="é <&>",
        MessageAttributes={
            "n": {"DataType": "Number", "StringValue": "5"},
            "b": {"DataType": "Binary", "BinaryValue": b"\0\1"},
        },
    )
    receive = {"MessageAttributeNames": ["All"], "AttributeNames": ["All"]}
    (message,) = boto.receive_message(QueueUrl=url, **receive)["Messages"]
    assert message["Body"] == "é <&>"
    assert message["MessageAttributes"]["b"]["BinaryValue"] == b"\0\1"
    boto.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )
    assert "Messages" not in boto.receive_message(QueueUrl=url)
    assert boto.receive_message(QueueUrl=dead)["Messages"][0]["Body"] == "é <&>"
    assert boto.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(10)]
    assert len(boto.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 10
    found = boto.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    done = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(found)]
    assert "Failed" not in boto.delete_message_batch(QueueUrl=url, Entries=done)
    pages = boto.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1})
    assert [page["QueueUrls"] for page in pages] == [[dead], [url]]
    with pytest.raises(boto.exceptions.QueueDoesNotExist):
        boto.get_queue_url(QueueName="none")
    with pytest.raises(boto.exceptions.QueueNameExists):
        boto.create_queue(QueueName="q", Attributes={"DelaySeconds": "5"})
