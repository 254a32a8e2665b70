"""The local SQS: our clients on it, and what it says no to."""

from __future__ import annotations

import asyncio
import gc
import json
import urllib.error
import urllib.parse
import urllib.request
import warnings
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.scripted import closed_port
from tests.sqs_conformance import *  # noqa: F403
from tests.sqs_conformance import KEYS, Side
from tests.sqs_observations import OBSERVATIONS, Observer
from wirespeed import _native, sqs
from wirespeed.config import Credentials, Retry
from wirespeed.errors import AccessDenied, ClosedError, ConfigError, ConnectError, NotFound
from wirespeed.local import LocalCloud
from wirespeed.local.sqs import signatures
from wirespeed.local.sqs.actions import Actions
from wirespeed.local.sqs.refusal import Refusal
from wirespeed.local.sqs.state import State
from wirespeed.sqs import wire


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["sqs"]) as made:
        yield made


@pytest.fixture
def endpoint(cloud: LocalCloud) -> str:
    return cloud.sqs_url


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (Credentials("other", "local-secret"), "InvalidClientTokenId"),
        (Credentials("local", "other"), "SignatureDoesNotMatch"),
    ],
)
def test_signatures_are_checked(endpoint: str, keys: Credentials, code: str) -> None:
    with sqs.Client("r", endpoint=endpoint, credentials=keys) as client:
        with pytest.raises(AccessDenied) as caught:
            client.create_queue("q")
        assert caught.value.code == code
        assert isinstance(caught.value, PermissionError)
        assert "other" not in str(caught.value)


def test_keys_may_come_from_a_function(endpoint: str) -> None:
    pairs = iter([Credentials("local", "wrong"), KEYS])
    with sqs.Client("r", endpoint=endpoint, credentials=lambda: next(pairs)) as client:
        with pytest.raises(AccessDenied):
            client.ping(5)
        assert client.ping(5) > 0


def test_keys_and_endpoint_come_from_the_environment(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cloud.env().items():
        monkeypatch.setenv(name, value)
    with sqs.Client() as client:
        assert client.ping(5) > 0
        assert repr(client) == f"Client('us-east-1', '{cloud.sqs_url}')"


def test_two_redrives(endpoint: str) -> None:
    side = Side("sync", endpoint)
    dead, queue = side.queue(), side.queue(VisibilityTimeout=0)
    arn = dead.attributes("QueueArn")["QueueArn"]
    queue.set_attributes(
        {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})}
    )
    assert dead.dead_letter_sources().all() == [queue.url()]
    queue.send("bad")
    side.receive(queue, 1)
    assert queue.receive(wait=0) == []
    assert dead.redrive()
    (task,) = dead.redrives()
    assert (task.status, task.moved, task.source_arn) == ("COMPLETED", 1, arn)
    assert side.receive(queue, 1)[0].body == "bad"
    other = side.queue()
    assert queue.receive(wait=0) == []
    dead.redrive(other.attributes("QueueArn")["QueueArn"], rate=10)
    assert side.receive(other, 1)[0].body == "bad"
    with pytest.raises(NotFound):
        dead.cancel_redrive("none")
    side.close()


def test_permissions(endpoint: str) -> None:
    side = Side("sync", endpoint)
    queue = side.queue()
    queue.add_permission("label", ["123456789012"], ["SendMessage"])
    assert "123456789012" in queue.attributes("Policy")["Policy"]
    queue.remove_permission("label")
    assert "Policy" not in queue.attributes()
    side.close()


def test_pages_of_queues(endpoint: str) -> None:
    side = Side("sync", endpoint)
    made = sorted(side.queue("-paged").url() for _ in range(5))
    listing = side.client.list_queues("queue-")
    listing._fields["MaxResults"] = 2
    pages = list(listing.pages())
    assert all(len(page) <= 2 for page in pages) and len(pages) > 2
    assert set(made) <= set(listing)
    side.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"region": 5}, "region must be a str"),
        ({"endpoint": "h:80"}, "endpoint must begin with http"),
        ({"credentials": "a:b"}, "credentials must be Credentials or a function, not str"),
        ({"ambiguous": True}, 'ambiguous must be "retry" or "raise"'),
        ({"timeout": 0}, "timeout must be above 0"),
        ({"retry": 3}, "retry must be Retry"),
        ({"tls": True}, "tls must be an ssl.SSLContext"),
    ],
)
def test_arguments_of_a_client(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        sqs.Client(**{"region": "r", "credentials": KEYS, **arguments})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda q: q.receive(0), "count must be an int from 1 to 10"),
        (lambda q: q.receive(wait=21), "wait must be an int from 0 to 20"),
        (lambda q: q.receive(visibility=-1), "visibility must be an int from 0 to 43200"),
        (lambda q: q.extend("h", 0), "visibility must be an int from 1"),
        (lambda q: q.nack("h", delay=43_201), "delay must be an int from 0 to 43200"),
        (lambda q: q.ack(5), "message must be a ReceivedMessage"),
        (lambda q: q.send_many(["ok", ""]), "body must have at least"),
        (lambda q: q.attributes(""), "names must be non-empty"),
        (lambda q: q.set_attributes({}), "attributes must name"),
        (lambda q: q.tag({}), "tags must name"),
        (lambda q: q.untag(), "names must name"),
        (lambda q: q.redrive(rate=0, timeout="x"), "timeout must be seconds or text"),
        (lambda q: q.send("x", timeout=-1), "timeout must be above 0"),
    ],
)
def test_arguments_of_a_queue(call: Any, said: str) -> None:
    client = sqs.Client("r", endpoint="http://127.0.0.1:9", credentials=KEYS)
    with client, pytest.raises(ConfigError, match=said):
        call(client.queue("q"))


def test_a_fifo_queue_needs_a_group_and_takes_no_delay() -> None:
    with sqs.Client("r", endpoint="http://127.0.0.1:9", credentials=KEYS) as client:
        queue = client.queue("q.fifo")
        with pytest.raises(ConfigError, match="group_id must be given"):
            queue.send("x")
        with pytest.raises(ConfigError, match="delay must be None"):
            queue.send("x", group_id="g", delay=1)


def test_a_closed_port_and_a_closed_client(endpoint: str) -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    with sqs.Client("r", endpoint=address, credentials=KEYS, retry=Retry(2, 0.001)) as client:
        with pytest.raises(ConnectError) as caught:
            client.queue("q").send("x")
        assert (caught.value.outcome, caught.value.attempts) == ("not_sent", 2)
    with pytest.raises(ClosedError):
        client.queue("q").send("x")


def test_a_client_that_was_forgotten_is_told(endpoint: str) -> None:
    client = sqs.Client("r", endpoint=endpoint, credentials=KEYS)
    client.ping(5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del client
        gc.collect()
    assert any("unclosed Client" in str(warning.message) for warning in caught)


# ---- the face alone ----


class Clock:
    now = 1.5e9

    def __call__(self) -> float:
        return self.now


def refusal(actions: Actions, action: str, fields: dict[str, Any]) -> str:
    """Return the code with which an action is refused."""
    with pytest.raises(Refusal) as caught:
        asyncio.run(actions.run(action, fields))
    return caught.value.code


@pytest.fixture
def actions() -> Actions:
    return Actions(State(Clock()))


def run(actions: Actions, action: str, **fields: Any) -> dict[str, Any]:
    return asyncio.run(actions.run(action, fields))


def test_what_the_face_refuses(actions: Actions) -> None:
    url = run(actions, "CreateQueue", QueueName="q")["QueueUrl"]
    fifo = run(actions, "CreateQueue", QueueName="f.fifo", Attributes={"FifoQueue": "true"})
    there = {"QueueUrl": url}
    shared = {**there, "Label": "l", "AWSAccountIds": ["1"], "Actions": ["SendMessage"]}

    def dead_letters(name: str) -> dict[str, str]:
        arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
        return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})}

    for action, fields, code in [
        ("Nonsense", {}, "InvalidAction"),
        ("CreateQueue", {}, "MissingParameter"),
        ("CreateQueue", {"QueueName": "a b"}, "InvalidParameterValue"),
        ("CreateQueue", {"QueueName": "g.fifo"}, "InvalidParameterValue"),
        ("CreateQueue", {"QueueName": "q", "Attributes": {"DelaySeconds": "9"}}, "QueueNameExists"),
        ("CreateQueue", {"QueueName": "r", "Attributes": {"Odd": "9"}}, "InvalidAttributeName"),
        (
            "CreateQueue",
            {"QueueName": "r", "Attributes": {"DelaySeconds": "901"}},
            "InvalidAttributeValue",
        ),
        (
            "CreateQueue",
            {"QueueName": "r", "Attributes": {"RedrivePolicy": "{}x"}},
            "InvalidParameterValue",
        ),
        ("SendMessage", {"QueueUrl": "http://h/0/none", "MessageBody": "x"}, "QueueDoesNotExist"),
        ("SendMessage", there, "MissingParameter"),
        ("SendMessage", {**there, "MessageBody": "\0"}, "InvalidMessageContents"),
        ("SendMessage", {**there, "MessageBody": "x" * 1_048_577}, "InvalidParameterValue"),
        (
            "SendMessage",
            {**there, "MessageBody": "x", "DelaySeconds": 901},
            "InvalidParameterValue",
        ),
        (
            "SendMessage",
            {**there, "MessageBody": "x", "MessageAttributes": {"a": {"DataType": "String"}}},
            "InvalidParameterValue",
        ),
        ("SendMessage", {"QueueUrl": fifo["QueueUrl"], "MessageBody": "x"}, "MissingParameter"),
        (
            "SendMessage",
            {"QueueUrl": fifo["QueueUrl"], "MessageBody": "x", "MessageGroupId": "g"},
            "InvalidParameterValue",
        ),
        ("SendMessageBatch", {**there, "Entries": []}, "EmptyBatchRequest"),
        (
            "SendMessageBatch",
            {**there, "Entries": [{"Id": "a"}, {"Id": "a"}]},
            "BatchEntryIdsNotDistinct",
        ),
        (
            "SendMessageBatch",
            {**there, "Entries": [{"Id": str(n)} for n in range(11)]},
            "TooManyEntriesInBatchRequest",
        ),
        ("SendMessageBatch", {**there, "Entries": [{"Id": "a b"}]}, "InvalidBatchEntryId"),
        (
            "SendMessageBatch",
            {**there, "Entries": [{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)]},
            "BatchRequestTooLong",
        ),
        ("ReceiveMessage", {**there, "MaxNumberOfMessages": 11}, "InvalidParameterValue"),
        ("ReceiveMessage", {**there, "WaitTimeSeconds": 21}, "InvalidParameterValue"),
        ("DeleteMessage", {**there, "ReceiptHandle": "h"}, "ReceiptHandleIsInvalid"),
        ("GetQueueAttributes", {**there, "AttributeNames": ["Odd"]}, "InvalidAttributeName"),
        ("ListQueues", {"NextToken": "a"}, "InvalidParameterValue"),
        ("CreateQueue", {"QueueName": ""}, "InvalidParameterValue"),
        (
            "CreateQueue",
            {"QueueName": "r", "tags": {str(n): "" for n in range(51)}},
            "InvalidParameterValue",
        ),
        ("TagQueue", {**there, "Tags": {}}, "MissingParameter"),
        ("TagQueue", {**there, "Tags": {str(n): "" for n in range(51)}}, "InvalidParameterValue"),
        ("UntagQueue", {**there, "TagKeys": []}, "InvalidParameterValue"),
        ("UntagQueue", {**there, "TagKeys": ["x" * 129]}, "InvalidParameterValue"),
        ("AddPermission", {**shared, "Actions": []}, "MissingParameter"),
        ("AddPermission", {**shared, "Actions": ["RemovePermission"]}, "InvalidParameterValue"),
        ("AddPermission", {**shared, "Actions": ["SendMessage"] * 8}, "OverLimit"),
        ("AddPermission", {**shared, "AWSAccountIds": []}, "InvalidParameterValue"),
        ("RemovePermission", {**there, "Label": "none"}, "InvalidParameterValue"),
        (
            "SendMessage",
            {**there, "MessageBody": "x", "MessageGroupId": "a b"},
            "InvalidParameterValue",
        ),
        (
            "SendMessage",
            {**there, "MessageBody": "x", "MessageGroupId": "g" * 129},
            "InvalidParameterValue",
        ),
        ("ListMessageMoveTasks", {"SourceArn": "arn:none"}, "ResourceNotFoundException"),
        (
            "SendMessage",
            {**there, "MessageBody": "x", "MessageDeduplicationId": "d"},
            "InvalidParameterValue",
        ),
        (
            "CreateQueue",
            {"QueueName": "s", "Attributes": dead_letters("f.fifo")},
            "InvalidParameterValue",
        ),
        (
            "CreateQueue",
            {"QueueName": "s.fifo", "Attributes": {"FifoQueue": "true", **dead_letters("q")}},
            "InvalidParameterValue",
        ),
        ("StartMessageMoveTask", {"SourceArn": "arn:none"}, "ResourceNotFoundException"),
    ]:
        assert refusal(actions, action, fields) == code, (action, fields)


def test_time_passes(actions: Actions) -> None:
    clock = actions._state.now
    assert isinstance(clock, Clock)
    url = run(actions, "CreateQueue", QueueName="q",
              Attributes={"MessageRetentionPeriod": "60"})["QueueUrl"]  # fmt: skip
    run(actions, "SendMessage", QueueUrl=url, MessageBody="x")
    first = run(actions, "ReceiveMessage", QueueUrl=url)["Messages"][0]
    assert run(actions, "ReceiveMessage", QueueUrl=url) == {}
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = run(actions, "GetQueueAttributes", QueueUrl=url, AttributeNames=names)
    assert list(counts["Attributes"].values()) == ["0", "1"]
    clock.now += 30
    second = run(actions, "ReceiveMessage", QueueUrl=url)["Messages"][0]
    late = {"QueueUrl": url, "ReceiptHandle": first["ReceiptHandle"], "VisibilityTimeout": 5}
    assert refusal(actions, "ChangeMessageVisibility", late) == "MessageNotInflight"
    run(actions, "DeleteMessage", QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    clock.now += 29
    run(actions, "ChangeMessageVisibility", QueueUrl=url,
        ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)  # fmt: skip
    assert run(actions, "ReceiveMessage", QueueUrl=url)["Messages"]
    clock.now += 40
    assert run(actions, "ReceiveMessage", QueueUrl=url) == {}
    run(actions, "PurgeQueue", QueueUrl=url)
    assert refusal(actions, "PurgeQueue", {"QueueUrl": url}) == "PurgeQueueInProgress"


def message_of(actions: Actions, action: str, fields: dict[str, Any]) -> str:
    """Return the text with which an action is refused."""
    with pytest.raises(Refusal) as caught:
        asyncio.run(actions.run(action, fields))
    return caught.value.message


def test_refusals_are_worded_as_the_service_has_them(actions: Actions) -> None:
    there = {"QueueUrl": run(actions, "CreateQueue", QueueName="q")["QueueUrl"]}
    fifo = run(actions, "CreateQueue", QueueName="f.fifo", Attributes={"FifoQueue": "true"})

    def batch(*ids: str) -> dict[str, Any]:
        return {**there, "Entries": [{"Id": each, "MessageBody": "x"} for each in ids]}

    def attribute(name: str, **value: str) -> dict[str, Any]:
        return {**there, "MessageBody": "x", "MessageAttributes": {name: value}}

    for action, fields, words in [
        ("SendMessageBatch", batch(), "There should be at least one SendMessageBatchRequestEntry"),
        ("DeleteMessageBatch", batch(), "at least one DeleteMessageBatchRequestEntry"),
        ("SendMessageBatch", batch("a", "b", "b", "a"), "Id b repeated."),
        ("SendMessageBatch", batch(""), "A batch entry id can only contain"),
        ("SendMessage", {**there, "MessageBody": "x" * 1_048_577}, "One or more parameters are"),
        ("SendMessage", {**fifo, "MessageBody": "x", "MessageGroupId": "g", "DelaySeconds": 5},
         "Value 5 for parameter DelaySeconds is invalid. Reason: The request include"),
        ("SendMessage", attribute("ö", DataType="String", StringValue="x"),
         "The message attribute name 'ö' is invalid."),
        ("SendMessage", attribute("a", DataType="Text", StringValue="x"), "supported type pref"),
        ("SendMessage", attribute("a", DataType="String", StringValue=""), "attribute value"),
        ("SendMessage", attribute("a", StringValue="x"), "must contain non-empty message attri"),
        ("ReceiveMessage", {**there, "MaxNumberOfMessages": 11}, "Value 11 for parameter"),
    ]:  # fmt: skip
        assert words in message_of(actions, action, fields), (action, fields)


def test_what_a_queue_says_of_itself(actions: Actions) -> None:
    def told(url: str) -> dict[str, str]:
        reply = run(actions, "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
        found: dict[str, str] = reply["Attributes"]
        return found

    url = run(actions, "CreateQueue", QueueName="q")["QueueUrl"]
    fifo = run(actions, "CreateQueue", QueueName="q.fifo", Attributes={"FifoQueue": "true"})
    names = ("ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit")
    assert [told(fifo["QueueUrl"])[name] for name in names] == [
        "false", "queue", "true", "perQueue",
    ]  # fmt: skip
    assert not set(names) & set(told(url))
    again = {"FifoQueue": "true", "ContentBasedDeduplication": "false"}
    assert run(actions, "CreateQueue", QueueName="q.fifo", Attributes=again) == fifo
    policy = {"deadLetterTargetArn": told(url)["QueueArn"], "maxReceiveCount": "3"}
    given = {"RedrivePolicy": json.dumps(policy)}
    source = run(actions, "CreateQueue", QueueName="s", Attributes=given)["QueueUrl"]
    assert json.loads(told(source)["RedrivePolicy"]) == {**policy, "maxReceiveCount": 3}
    assert run(actions, "CreateQueue", QueueName="s", Attributes=given)["QueueUrl"] == source
    run(actions, "AddPermission", QueueUrl=url, Label="one", AWSAccountIds=["1"], Actions=["*"])
    written = json.loads(told(url)["Policy"])
    assert written["Id"] == told(url)["QueueArn"] + "/SQSDefaultPolicy"
    assert written["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::1:root"}
    assert written["Statement"][0]["Action"] == "SQS:*"


def test_messages_are_moved_at_a_rate(actions: Actions) -> None:
    async def main() -> None:
        async def ask(action: str, **fields: Any) -> dict[str, Any]:
            return await actions.run(action, fields)

        for name in ("from", "to"):
            await ask("CreateQueue", QueueName=name)
        source, target = (f"arn:aws:sqs:us-east-1:000000000000:{name}" for name in ("from", "to"))
        for number in range(5):
            await ask("SendMessage", QueueUrl="http://h/0/from", MessageBody=str(number))
        start = {"SourceArn": source, "DestinationArn": target, "MaxNumberOfMessagesPerSecond": 2}
        handle = (await ask("StartMessageMoveTask", **start))["TaskHandle"]
        with pytest.raises(Refusal, match="already running") as caught:
            await ask("StartMessageMoveTask", **start)
        assert caught.value.code == "UnsupportedOperation"
        (task,) = (await ask("ListMessageMoveTasks", SourceArn=source))["Results"]
        assert (task["Status"], task["TaskHandle"]) == ("RUNNING", handle)
        assert task["ApproximateNumberOfMessagesMoved"] == 2
        assert task["ApproximateNumberOfMessagesToMove"] == 5
        await asyncio.sleep(1.2)
        reply = await ask("CancelMessageMoveTask", TaskHandle=handle)
        assert reply == {"ApproximateNumberOfMessagesMoved": 4}
        with pytest.raises(Refusal, match="not valid or does not exist"):
            await ask("CancelMessageMoveTask", TaskHandle=handle)
        await asyncio.sleep(1.1)
        assert len(actions._state.queues["to"].messages) == 4, "a cancelled task goes on"
        await ask("StartMessageMoveTask", SourceArn=source, DestinationArn=target)
        done, cancelled = (await ask("ListMessageMoveTasks", SourceArn=source, MaxResults=10))[
            "Results"
        ]
        assert (done["Status"], cancelled["Status"]) == ("COMPLETED", "CANCELLED")
        assert "TaskHandle" not in done and "TaskHandle" not in cancelled
        assert len(actions._state.queues["to"].messages) == 5

    asyncio.run(main())


def test_a_fifo_queue_delays_all_its_messages(actions: Actions) -> None:
    clock = actions._state.now
    assert isinstance(clock, Clock)
    given = {"FifoQueue": "true", "DelaySeconds": "5"}
    url = run(actions, "CreateQueue", QueueName="q.fifo", Attributes=given)["QueueUrl"]
    message = {"MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    run(actions, "SendMessage", QueueUrl=url, DelaySeconds=0, **message)
    assert run(actions, "ReceiveMessage", QueueUrl=url) == {}
    clock.now += 5
    assert run(actions, "ReceiveMessage", QueueUrl=url)["Messages"]


def test_a_trace_may_come_in_a_header(actions: Actions) -> None:
    url = run(actions, "CreateQueue", QueueName="q")["QueueUrl"]
    actions.trace = "Root=1-header"
    own = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-own"}}
    run(actions, "SendMessage", QueueUrl=url, MessageBody="a")
    run(actions, "SendMessage", QueueUrl=url, MessageBody="b", MessageSystemAttributes=own)
    reply = run(
        actions, "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10,
        MessageSystemAttributeNames=["AWSTraceHeader"],
    )  # fmt: skip
    traces = {each["Body"]: each["Attributes"]["AWSTraceHeader"] for each in reply["Messages"]}
    assert traces == {"a": "Root=1-header", "b": "Root=1-own"}


def test_a_message_is_hidden_for_twelve_hours_in_all(actions: Actions) -> None:
    clock = actions._state.now
    assert isinstance(clock, Clock)
    url = run(actions, "CreateQueue", QueueName="q")["QueueUrl"]
    run(actions, "SendMessage", QueueUrl=url, MessageBody="x")
    (message,) = run(actions, "ReceiveMessage", QueueUrl=url, VisibilityTimeout=360)["Messages"]
    clock.now += 300
    change = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    words = message_of(actions, "ChangeMessageVisibility", {**change, "VisibilityTimeout": 43_200})
    assert "beyond the limit [43200 seconds]" in words
    run(actions, "ChangeMessageVisibility", **change, VisibilityTimeout=42_900)
    assert run(actions, "ReceiveMessage", QueueUrl=url) == {}


def test_a_message_is_stored_once_for_five_minutes(actions: Actions) -> None:
    clock = actions._state.now
    assert isinstance(clock, Clock)
    url = run(actions, "CreateQueue", QueueName="q.fifo",
              Attributes={"FifoQueue": "true"})["QueueUrl"]  # fmt: skip
    fields = {"QueueUrl": url, "MessageBody": "x", "MessageGroupId": "g"}
    fields["MessageDeduplicationId"] = "d"
    first = run(actions, "SendMessage", **fields)
    assert run(actions, "SendMessage", **fields) == first
    clock.now += 300
    assert run(actions, "SendMessage", **fields)["MessageId"] != first["MessageId"]


def signed(**changes: Any) -> str:
    """Verify a request that we signed, with some of its parts changed."""
    body = b'{"QueueName":"q"}'
    made = wire.request("GetQueueUrl", {"QueueName": "q"}, KEYS, "eu-west-1", "h:1", 1.5e9)
    parts: dict[str, Any] = {
        "method": "POST", "path": "/", "query": "", "body": body, "now": 1.5e9,
        "headers": {"host": "h:1", **{name.lower(): value for name, value in made.headers}},
        "access_key": "local", "secret_key": "local-secret",
    }  # fmt: skip
    headers = {**parts["headers"], **changes.pop("headers", {})}
    return signatures.verify(**{**parts, **changes, "headers": headers})


def test_a_good_signature_names_its_region() -> None:
    assert signed() == "eu-west-1"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"method": "GET"}, "SignatureDoesNotMatch"),
        ({"path": "/x"}, "SignatureDoesNotMatch"),
        ({"query": "a=b"}, "SignatureDoesNotMatch"),
        ({"body": b"{}"}, "SignatureDoesNotMatch"),
        ({"secret_key": "other"}, "SignatureDoesNotMatch"),
        ({"now": 1.5e9 + 901}, "SignatureDoesNotMatch"),
        ({"access_key": "other"}, "InvalidClientTokenId"),
        ({"headers": {"host": "h:2"}}, "SignatureDoesNotMatch"),
        ({"headers": {"x-amz-target": "AmazonSQS.Other"}}, "SignatureDoesNotMatch"),
        ({"headers": {"x-amz-date": "yesterday"}}, "IncompleteSignature"),
        ({"headers": {"authorization": "Basic x"}}, "IncompleteSignature"),
        ({"headers": {"authorization": ""}}, "MissingAuthenticationToken"),
    ],
)
def test_a_changed_request_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as caught:
        signed(**changes)
    assert caught.value.code == code


# ---- the query protocol ----


def ask(endpoint: str, path: str = "/", **fields: str) -> xml.Element:
    """Send a signed form, and return the root of the reply."""
    body = urllib.parse.urlencode(fields).encode()
    host = endpoint.removeprefix("http://")
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    signature = _native.sign_v4(
        "POST", path, {}, {"Host": host, "X-Amz-Date": stamp}, body, "local", "local-secret",
        "r", "sqs", stamp,
    )  # fmt: skip
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Amz-Date": stamp,
        "X-Amzn-Trace-Id": "Root=1-header",
        "Authorization": signature,
    }
    request = urllib.request.Request(endpoint + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            text = reply.read()
    except urllib.error.HTTPError as error:
        text = error.read()
    root = xml.fromstring(text)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def texts(root: xml.Element, name: str) -> list[str | None]:
    return [element.text for element in root.iter(name)]


def test_the_query_protocol(endpoint: str) -> None:
    reply = ask(endpoint, Action="CreateQueue", QueueName="old",
                **{"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "5"})  # fmt: skip
    url = reply.findtext("CreateQueueResult/QueueUrl")
    assert url == f"{endpoint}/000000000000/old"
    assert texts(ask(endpoint, Action="ListQueues", QueueNamePrefix="old"), "QueueUrl") == [url]
    path = "/000000000000/old"
    reply = ask(
        endpoint, path, Action="SendMessage", MessageBody="a <b> & \r\n  ",
        **{"MessageAttribute.1.Name": "n", "MessageAttribute.1.Value.DataType": "String",
           "MessageAttribute.1.Value.StringValue": "v"},
    )  # fmt: skip
    assert len(str(reply.findtext("SendMessageResult/MessageId"))) == 36
    reply = ask(endpoint, path, Action="ReceiveMessage", **{"AttributeName.1": "All",
                "MessageAttributeName.1": "All"})  # fmt: skip
    message = reply.find("ReceiveMessageResult/Message")
    assert message is not None and message.findtext("Body") == "a <b> & \r\n  "
    assert message.findtext("MessageAttribute/Value/StringValue") == "v"
    handle = str(message.findtext("ReceiptHandle"))
    reply = ask(endpoint, path, Action="DeleteMessageBatch", **{
        "DeleteMessageBatchRequestEntry.1.Id": "a",
        "DeleteMessageBatchRequestEntry.1.ReceiptHandle": handle,
        "DeleteMessageBatchRequestEntry.2.Id": "b",
        "DeleteMessageBatchRequestEntry.2.ReceiptHandle": "none",
    })  # fmt: skip
    assert texts(reply, "DeleteMessageBatchResultEntry") == [None]
    assert reply.findtext(".//BatchResultErrorEntry/Code") == "ReceiptHandleIsInvalid"
    reply = ask(endpoint, path, Action="GetQueueAttributes", AttributeName="VisibilityTimeout")
    assert reply.findtext(".//Attribute/Value") == "5"
    ask(endpoint, path, Action="SetQueueAttributes",
        **{"Attribute.Name": "VisibilityTimeout", "Attribute.Value": "6"})  # fmt: skip
    reply = ask(endpoint, path, Action="GetQueueAttributes", **{"AttributeName.1": "All"})
    assert "6" in texts(reply, "Value")
    assert ask(endpoint, path, Action="DeleteQueue").tag == "DeleteQueueResponse"
    reply = ask(endpoint, path, Action="PurgeQueue")
    assert reply.findtext("Error/Code") == "AWS.SimpleQueueService.NonExistentQueue"
    assert ask(endpoint).findtext("Error/Code") == "MissingAction"


def test_the_trace_of_a_request_is_its_message_s(endpoint: str) -> None:
    url = ask(endpoint, Action="CreateQueue", QueueName="traced")
    path = urllib.parse.urlsplit(str(texts(url, "QueueUrl")[0])).path
    ask(endpoint, path, Action="SendMessage", MessageBody="x")
    reply = ask(endpoint, path, Action="ReceiveMessage", **{"AttributeName.1": "AWSTraceHeader"})
    assert texts(reply, "Value") == ["Root=1-header"]


@pytest.fixture(scope="module")
def observer(cloud: LocalCloud) -> Iterator[Observer]:
    boto3 = pytest.importorskip("boto3")
    client = boto3.client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=cloud.sqs_url,
        aws_access_key_id=KEYS.access_key,
        aws_secret_access_key=KEYS.secret_key,
    )
    yield Observer(client)
    client.close()


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_boto3_sees_what_the_manual_says(observer: Observer, name: str) -> None:
    see, expected = OBSERVATIONS[name]
    assert see(observer) == expected
