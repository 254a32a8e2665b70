"""What an SQS server says to boto3 in the corners, and what each of three servers says.

`OBSERVATIONS` has what the service's documentation has beside how it is seen; the local SQS says
all of it. `OTHERS` has what moto and ElasticMQ say where they say something else; who is right is
told in `src/wirespeed/local/README.md`.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from typing import Any

numbers = itertools.count(1)
FIFO = {"FifoQueue": "true"}


class Observer:
    """Asks a server through boto3, and tells what came in few words."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def said(self, operation: str, **fields: Any) -> Any:
        """Return the reply, or the code of the error."""
        try:
            return getattr(self.client, operation)(**fields)
        except Exception as error:
            response = getattr(error, "response", None)
            if response is None:
                raise
            return response["Error"]["Code"]

    def code(self, operation: str, **fields: Any) -> str:
        """Return the code of the error, "" where there is none."""
        reply = self.said(operation, **fields)
        return reply if isinstance(reply, str) else ""

    def queue(self, suffix: str = "", **attributes: str) -> str:
        """Create a queue of a fresh name; return its URL."""
        name = f"seen-{os.getpid()}-{next(numbers)}{suffix}"
        reply = self.client.create_queue(QueueName=name, Attributes=attributes)
        return str(reply["QueueUrl"])

    def arn(self, url: str) -> str:
        """Return a queue's ARN."""
        reply = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(reply["Attributes"]["QueueArn"])

    def send(self, url: str, **fields: Any) -> Any:
        """Send a message; return the reply or the code."""
        return self.said("send_message", QueueUrl=url, **{"MessageBody": "x", **fields})

    def send_code(self, url: str, **fields: Any) -> str:
        """Send a message; return the error's code or ""."""
        reply = self.send(url, **fields)
        return reply if isinstance(reply, str) else ""

    def attribute(self, name: str = "a", kind: str = "String", value: str = "x") -> str:
        """Send a message with one attribute; return the error's code or ""."""
        attributes = {name: {"DataType": kind, "StringValue": value}}
        return self.send_code(self.queue(), MessageAttributes=attributes)

    def take(self, url: str, **fields: Any) -> list[Any]:
        """Receive messages."""
        reply = self.client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **fields)
        return list(reply.get("Messages", []))

    def batch(self, *entries: Any) -> Any:
        """Send a batch; return the ids sent and the codes of those that failed, or a code."""
        reply = self.said("send_message_batch", QueueUrl=self.queue(), Entries=list(entries))
        if isinstance(reply, str):
            return reply
        done = sorted(each["Id"] for each in reply.get("Successful", []))
        return [done, sorted(each["Code"] for each in reply.get("Failed", []))]

    def redrive(self, suffix: str, dead: str, count: object = 1) -> str:
        """Create a queue with a dead-letter queue; return the error's code or ""."""
        policy = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": count})
        attributes = {"RedrivePolicy": policy, **(FIFO if suffix else {})}
        name = f"seen-{os.getpid()}-{next(numbers)}{suffix}"
        return self.code("create_queue", QueueName=name, Attributes=attributes)


def entry(name: str, **fields: Any) -> dict[str, Any]:
    """Return an entry of a batch."""
    return {"Id": name, "MessageBody": "x", **fields}


def in_hand(seen: Observer) -> tuple[str, str]:
    """Return the URL of a queue and the receipt handle of its only message."""
    url = seen.queue()
    seen.send(url)
    return url, str(seen.take(url)[0]["ReceiptHandle"])


def handle_of_old(seen: Observer) -> list[Any]:
    """Delete a message by the handle of its receipt before the last."""
    url = seen.queue(VisibilityTimeout="0")
    seen.send(url)
    old = seen.take(url)[0]["ReceiptHandle"]
    seen.take(url)
    code = seen.code("delete_message", QueueUrl=url, ReceiptHandle=old)
    return [code, len(seen.take(url))]


def visible(seen: Observer) -> str:
    """Change the visibility of a message that is not in flight."""
    url, handle = in_hand(seen)
    change = {"QueueUrl": url, "ReceiptHandle": handle}
    seen.said("change_message_visibility", **change, VisibilityTimeout=0)
    return seen.code("change_message_visibility", **change, VisibilityTimeout=9)


def deleted_twice(seen: Observer) -> list[str]:
    """Delete a message twice."""
    url, handle = in_hand(seen)
    fields = {"QueueUrl": url, "ReceiptHandle": handle}
    return [seen.code("delete_message", **fields) for _ in range(2)]


def beyond_twelve_hours(seen: Observer) -> str:
    """Hide a message for longer than there is."""
    url, handle = in_hand(seen)
    change = {"QueueUrl": url, "ReceiptHandle": handle}
    return seen.code("change_message_visibility", **change, VisibilityTimeout=43_201)


def fifo(seen: Observer, **fields: Any) -> str:
    """Send to a FIFO queue; return the error's code or ""."""
    return seen.send_code(seen.queue(".fifo", **FIFO), **fields)


def duplicate(seen: Observer) -> list[bool]:
    """Send twice to a FIFO queue: whether the ids are equal, and whether it is there once."""
    url = seen.queue(".fifo", **FIFO)
    fields = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
    first, second = (seen.send(url, **fields) for _ in range(2))
    return [first["MessageId"] == second["MessageId"], len(seen.take(url)) == 1]


def fifo_blocks(seen: Observer) -> list[int]:
    """Receive from a group whose first message is in flight, and after it was deleted."""
    url = seen.queue(".fifo", ContentBasedDeduplication="true", **FIFO)
    for body in ("0", "1"):
        seen.send(url, MessageBody=body, MessageGroupId="g")
    first = seen.client.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"][0]
    before = len(seen.take(url))
    seen.client.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    return [before, len(seen.take(url))]


def fifo_attributes(seen: Observer) -> list[str | None]:
    """Return what a FIFO queue says of itself."""
    reply = seen.client.get_queue_attributes(
        QueueUrl=seen.queue(".fifo", **FIFO), AttributeNames=["All"]
    )
    names = ("FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
    return [reply["Attributes"].get(name) for name in names]


def redriven(seen: Observer) -> list[Any]:
    """Return what is told of a message in a dead-letter queue."""
    dead = seen.queue()
    policy = json.dumps({"deadLetterTargetArn": seen.arn(dead), "maxReceiveCount": 1})
    url = seen.queue(RedrivePolicy=policy, VisibilityTimeout="0")
    sent = seen.send(url)
    seen.take(url)
    seen.take(url)
    (message,) = seen.take(dead, AttributeNames=["All"])
    told = message["Attributes"]
    return [
        message["MessageId"] == sent["MessageId"],
        told.get("DeadLetterQueueSourceArn") == seen.arn(url),
    ]


def digests(seen: Observer) -> list[str]:
    """Return the digests of a message."""
    attributes = {
        "b": {"DataType": "Binary", "BinaryValue": b"\0\xff"},
        "n.x": {"DataType": "Number.int", "StringValue": "5"},
        "s": {"DataType": "String", "StringValue": "é"},
    }
    reply = seen.send(seen.queue(), MessageBody="é", MessageAttributes=attributes)
    return [reply["MD5OfMessageBody"], reply["MD5OfMessageAttributes"]]


def purged_twice(seen: Observer) -> list[str]:
    """Purge a queue twice."""
    url = seen.queue()
    return [seen.code("purge_queue", QueueUrl=url) for _ in range(2)]


def created_again(seen: Observer) -> str:
    """Create a queue again with another attribute."""
    name = seen.queue().rpartition("/")[2]
    return seen.code("create_queue", QueueName=name, Attributes={"DelaySeconds": "7"})


def gone(seen: Observer) -> str:
    """Ask for the URL of a deleted queue."""
    url = seen.queue()
    seen.client.delete_queue(QueueUrl=url)
    return seen.code("get_queue_url", QueueName=url.rpartition("/")[2])


def tagged(seen: Observer) -> list[Any]:
    """Tag and untag a queue."""
    url = seen.queue()
    seen.client.tag_queue(QueueUrl=url, Tags={"a": "1", "b": ""})
    seen.client.untag_queue(QueueUrl=url, TagKeys=["a", "none"])
    many = {str(number): "" for number in range(51)}
    return [
        seen.client.list_queue_tags(QueueUrl=url).get("Tags"),
        seen.code("tag_queue", QueueUrl=url, Tags=many),
    ]


def labelled_twice(seen: Observer) -> list[str]:
    """Add a permission twice, and remove one that is not there."""
    url = seen.queue()
    fields = {"QueueUrl": url, "AWSAccountIds": ["123456789012"], "Actions": ["SendMessage"]}
    codes = [seen.code("add_permission", Label="l", **fields) for _ in range(2)]
    return [*codes, seen.code("remove_permission", QueueUrl=url, Label="none")]


ODD_ARN = "arn:aws:sqs:us-east-1:000000000000:seen-none"
OBSERVATIONS: dict[str, tuple[Callable[[Observer], Any], Any]] = {
    "an empty body": (lambda s: s.send_code(s.queue(), MessageBody=""), "MissingParameter"),
    "a body past the limit": (
        lambda s: s.send_code(s.queue(), MessageBody="x" * 1_048_577), "InvalidParameterValue"),
    "a body with a zero byte": (
        lambda s: s.send_code(s.queue(), MessageBody="\0"), "InvalidMessageContents"),
    "a delay past the limit": (
        lambda s: s.send_code(s.queue(), DelaySeconds=901), "InvalidParameterValue"),
    "an attribute without value": (lambda s: s.attribute(value=""), "InvalidParameterValue"),
    "an attribute of an odd type": (lambda s: s.attribute(kind="Text"), "InvalidParameterValue"),
    "an attribute of an odd name": (lambda s: s.attribute("a b"), "InvalidParameterValue"),
    "an attribute of a reserved name": (lambda s: s.attribute("AWS.x"), "InvalidParameterValue"),
    "an attribute with two periods": (lambda s: s.attribute("a..b"), "InvalidParameterValue"),
    "eleven attributes": (
        lambda s: s.send_code(s.queue(), MessageAttributes={
            str(n): {"DataType": "String", "StringValue": "x"} for n in range(11)}),
        "InvalidParameterValue"),
    "digests": (
        digests, ["66ddcd97cfdeabb2f6fb8a999b4bc76f", "a4cc5a71907e02bc08bcfa5d965cda42"]),
    "no entry": (lambda s: s.batch(), "AWS.SimpleQueueService.EmptyBatchRequest"),
    "eleven entries": (
        lambda s: s.batch(*(entry(str(n)) for n in range(11))),
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
    "an id twice": (
        lambda s: s.batch(entry("a"), entry("a")),
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
    "an odd id": (
        lambda s: s.batch(entry("a b")), "AWS.SimpleQueueService.InvalidBatchEntryId"),
    "a large batch": (
        lambda s: s.batch(*(entry(str(n), MessageBody="x" * 600_000) for n in range(2))),
        "AWS.SimpleQueueService.BatchRequestTooLong"),
    "a batch that fails in part": (
        lambda s: s.batch(entry("a"), entry("b", DelaySeconds=901)),
        [["a"], ["InvalidParameterValue"]]),
    "eleven at once": (
        lambda s: s.code("receive_message", QueueUrl=s.queue(), MaxNumberOfMessages=11),
        "InvalidParameterValue"),
    "a long wait": (
        lambda s: s.code("receive_message", QueueUrl=s.queue(), WaitTimeSeconds=21),
        "InvalidParameterValue"),
    "an odd handle": (
        lambda s: s.code("delete_message", QueueUrl=s.queue(), ReceiptHandle="x"),
        "ReceiptHandleIsInvalid"),
    "deleted twice": (deleted_twice, ["", ""]),
    "deleted by an older handle": (handle_of_old, ["", 1]),
    "visibility of what is not in flight": (
        visible, "AWS.SimpleQueueService.MessageNotInflight"),
    "hidden for more than twelve hours": (beyond_twelve_hours, "InvalidParameterValue"),
    "no group": (lambda s: fifo(s, MessageDeduplicationId="d"), "MissingParameter"),
    "no deduplication": (lambda s: fifo(s, MessageGroupId="g"), "InvalidParameterValue"),
    "a delay of its own": (
        lambda s: fifo(s, MessageGroupId="g", MessageDeduplicationId="d", DelaySeconds=1),
        "InvalidParameterValue"),
    "an odd group": (
        lambda s: fifo(s, MessageGroupId="a b", MessageDeduplicationId="d"),
        "InvalidParameterValue"),
    "a group without order": (lambda s: s.send_code(s.queue(), MessageGroupId="g"), ""),
    "deduplication without order": (
        lambda s: s.send_code(s.queue(), MessageDeduplicationId="d"), "InvalidParameterValue"),
    "a duplicate": (duplicate, [True, True]),
    "a group blocks": (fifo_blocks, [0, 1]),
    "attributes of a FIFO queue": (fifo_attributes, ["true", "false", "queue", "perQueue"]),
    "a FIFO queue without the name": (
        lambda s: s.code("create_queue", QueueName="plain", Attributes=FIFO),
        "InvalidParameterValue"),
    "a long name": (lambda s: s.code("create_queue", QueueName="x" * 81), "InvalidParameterValue"),
    "created again": (created_again, "QueueAlreadyExists"),
    "a lease past the limit": (
        lambda s: s.code("create_queue", QueueName="odd-lease",
                         Attributes={"VisibilityTimeout": "43201"}),
        "InvalidAttributeValue"),
    "a short retention": (
        lambda s: s.code("create_queue", QueueName="odd-retention",
                         Attributes={"MessageRetentionPeriod": "59"}),
        "InvalidAttributeValue"),
    "an odd attribute": (
        lambda s: s.code("get_queue_attributes", QueueUrl=s.queue(), AttributeNames=["Odd"]),
        "InvalidAttributeName"),
    "a deleted queue": (gone, "AWS.SimpleQueueService.NonExistentQueue"),
    "purged twice": (purged_twice, ["", "AWS.SimpleQueueService.PurgeQueueInProgress"]),
    "tags": (tagged, [{"b": ""}, "InvalidParameterValue"]),
    "no tags": (lambda s: s.code("tag_queue", QueueUrl=s.queue(), Tags={}), "MissingParameter"),
    "permissions": (labelled_twice, ["", "InvalidParameterValue", "InvalidParameterValue"]),
    "dead letters of no queue": (lambda s: s.redrive("", ODD_ARN), "InvalidParameterValue"),
    "dead letters of another kind": (
        lambda s: s.redrive(".fifo", s.arn(s.queue())), "InvalidParameterValue"),
    "dead letters after no receive": (
        lambda s: s.redrive("", s.arn(s.queue()), 0), "InvalidParameterValue"),
    "dead letters after many receives": (
        lambda s: s.redrive("", s.arn(s.queue()), 1001), "InvalidParameterValue"),
    "a dead letter": (redriven, [True, True]),
    "moved from no queue": (
        lambda s: s.code("start_message_move_task", SourceArn=ODD_ARN),
        "ResourceNotFoundException"),
    "moves of no queue": (
        lambda s: s.code("list_message_move_tasks", SourceArn=ODD_ARN),
        "ResourceNotFoundException"),
}  # fmt: skip
OTHERS: dict[str, dict[str, Any]] = {
    "moto": {
        "an empty body": "",
        "a body with a zero byte": "",
        "an attribute without value": "",
        "an attribute of a reserved name": "",
        "an attribute with two periods": "",
        "eleven attributes": "",
        "deleted by an older handle": ["", 0],
        "visibility of what is not in flight": "",
        "an odd group": "",
        "deduplication without order": "",
        "a duplicate": [False, True],
        "a lease past the limit": "",
        "a short retention": "",
        "dead letters of no queue": "AWS.SimpleQueueService.NonExistentQueue",
        "dead letters of another kind": "InvalidParameterCombination",
        "dead letters after no receive": "",
        "dead letters after many receives": "",
        "a dead letter": [True, False],
        "moved from no queue": "500",
        "moves of no queue": "500",
    },
    "elasticmq": {
        "an empty body": "InvalidAttributeValue",
        "a body past the limit": "InvalidAttributeValue",
        "a body with a zero byte": "InvalidAttributeValue",
        "an attribute without value": "InvalidAttributeValue",
        "an attribute of an odd name": "",
        "an attribute of a reserved name": "",
        "an attribute with two periods": "",
        "eleven attributes": "InvalidAttributeValue",
        "no entry": [[], []],
        "eleven entries": "TooManyEntriesInBatchRequest",
        "an id twice": "BatchEntryIdsNotDistinct",
        "an odd id": [["a b"], []],
        "a large batch": "InvalidAttributeValue",
        "eleven at once": "InvalidAttributeValue",
        "a long wait": "InvalidAttributeValue",
        "deleted twice": ["", "ReceiptHandleIsInvalid"],
        "deleted by an older handle": ["ReceiptHandleIsInvalid", 1],
        "visibility of what is not in flight": "",
        "hidden for more than twelve hours": "",
        "attributes of a FIFO queue": ["true", "false", None, None],
        "a FIFO queue without the name": "InvalidAttributeName",
        "a long name": "InvalidAttributeName",
        "created again": "QueueNameExists",
        "a lease past the limit": "",
        "a short retention": "",
        "an odd attribute": "",
        "a deleted queue": "QueueDoesNotExist",
        "purged twice": ["", ""],
        "tags": [{"b": ""}, ""],
        "no tags": "",
        "permissions": ["", "", ""],
        "dead letters of no queue": "QueueDoesNotExist",
        "dead letters of another kind": "",
        "dead letters after no receive": "InvalidAttributeValue",
        "dead letters after many receives": "InvalidAttributeValue",
        "moved from no queue": "QueueDoesNotExist",
        "moves of no queue": "QueueDoesNotExist",
    },
}
