"""Clients of others on the local cloud, each in a process of its own."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from tests.live.cluster import Cluster
from tests.live.installed import installed, run_program
from wirespeed.local import LocalCloud

ROCKETMQ = r"""
import json, os, sys, threading, time
from rocketmq.client import Message, Producer, PullConsumer, PushConsumer

namesrv, name = sys.argv[1:]
results, kept = {}, []


def message(topic, body, **properties):
    made = Message(name + topic)
    made.set_keys("key")
    made.set_tags("tag")
    made.set_body(body)
    for each, value in properties.items():
        made.set_property(each, value)
    return made


producer = Producer(name + "-producers")
producer.set_namesrv_addr(namesrv)
producer.start()
sent = [producer.send_sync(message("-push", str(n))) for n in range(10)]
results["sync"] = [int(each.status) for each in sent]
ids = [each.msg_id for each in sent]
done, failed = [], []
for number in range(10):
    producer.send_async(message("-push", "async %d" % number),
                        lambda result: done.append(result.msg_id), failed.append)
limit = time.time() + 20
while len(done) + len(failed) < 10 and time.time() < limit:
    time.sleep(0.05)
results["async"] = [len(done), len(failed)]
producer.send_oneway(message("-push", "one-way"))
for number in range(40):
    producer.send_orderly(message("-order", "%d:%d" % (number % 4, number)), number % 4)
delayed = message("-delay", "later")
delayed.set_delay_time_level(1)
start = time.time()
producer.send_sync(delayed)


def consume(topic, count, orderly=False, expression="*", seconds=40):
    found, enough = [], threading.Event()
    consumer = PushConsumer(name + topic + "-readers", orderly=orderly)
    consumer.set_namesrv_addr(namesrv)

    def callback(message):
        found.append((message.body.decode(), message.id, time.time()))
        if len(found) == count:
            enough.set()

    consumer.subscribe(name + topic, callback, expression)
    consumer.start()
    enough.wait(seconds)
    time.sleep(0.3)
    # A consumer that is shut down or collected while another starts ends the process.
    kept.append(consumer)
    return found


found = consume("-push", 21, expression="tag")
results["pushed"] = sorted(body for body, _, _ in found)
results["ids"] = sorted(ids) == sorted(each for body, each, _ in found if body.isdigit())
seen = consume("-order", 40, orderly=True)
results["ordered"] = [
    [int(body.split(":")[1]) for body, _, _ in seen if body.startswith("%d:" % key)]
    for key in range(4)]
results["delayed"] = [(body, when - start > 0.9) for body, _, when in consume("-delay", 1)]
puller = PullConsumer(name + "-pullers")
puller.set_namesrv_addr(namesrv)
puller.start()
pulled = []
limit = time.time() + 20
while len(pulled) < 21 and time.time() < limit:
    pulled += [each.body.decode() for each in puller.pull(name + "-push")]
results["pulled"] = sorted(pulled)
print(json.dumps(results), flush=True)
os._exit(0)
"""

EXPECTED = {
    "sync": [0] * 10,
    "async": [10, 0],
    "pushed": sorted([*map(str, range(10)), *(f"async {n}" for n in range(10)), "one-way"]),
    "ids": True,
    "ordered": [list(range(key, 40, 4)) for key in range(4)],
    "delayed": [["later", True]],
}
EXPECTED["pulled"] = EXPECTED["pushed"]


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="the client of C++ is for Linux on x86-64",
)
@pytest.mark.parametrize("broker", ["local", "real"])
def test_rocketmq_0_4_4_finds_no_difference(
    rocketmq_cluster: Cluster, tmp_path: Path, broker: str
) -> None:
    packages = installed("rocketmq-0.4.4", "rocketmq==0.4.4")
    with LocalCloud(["rocketmq"]) as cloud:
        namesrv = cloud.namesrv if broker == "local" else rocketmq_cluster.namesrv
        assert run_program(ROCKETMQ, packages, tmp_path, namesrv, f"cpp-{broker}") == EXPECTED


AIOBOTOCORE = r"""
import asyncio, json, os, time
from aiobotocore.session import get_session


async def main():
    results = {}
    async with get_session().create_client("sqs", region_name="us-east-1") as client:
        url = (await client.create_queue(QueueName="q"))["QueueUrl"]
        attributes = {"n": {"DataType": "Number", "StringValue": "5"},
                      "b": {"DataType": "Binary", "BinaryValue": b"\0\xff"}}
        await client.send_message(
            QueueUrl=url, MessageBody="é <&>\r\n", MessageAttributes=attributes)
        reply = await client.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
        (message,) = reply["Messages"]
        results["body"] = message["Body"]
        results["bytes"] = message["MessageAttributes"]["b"]["BinaryValue"] == b"\0\xff"
        await client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(9)]
        sent = await client.send_message_batch(
            QueueUrl=url,
            Entries=[*entries, {"Id": "bad", "MessageBody": "x", "DelaySeconds": 901}])
        results["batch"] = [len(sent["Successful"]), [each["Code"] for each in sent["Failed"]]]
        found = []
        while len(found) < 9:
            reply = await client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            found += reply["Messages"]
        done = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(found)]
        reply = await client.delete_message_batch(QueueUrl=url, Entries=done)
        results["deleted"] = [len(reply["Successful"]), "Failed" in reply]

        async def later():
            await asyncio.sleep(0.5)
            await client.send_message(QueueUrl=url, MessageBody="late")

        task = asyncio.create_task(later())
        start = time.monotonic()
        reply = await client.receive_message(QueueUrl=url, WaitTimeSeconds=10)
        results["late"] = [reply["Messages"][0]["Body"], 0.4 < time.monotonic() - start < 5]
        await task
        fifo = (await client.create_queue(
            QueueName="q.fifo",
            Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}))["QueueUrl"]
        for number in (0, 1, 2, 2):
            await client.send_message(QueueUrl=fifo, MessageBody=str(number), MessageGroupId="g")
        order = []
        while len(order) < 3:
            reply = await client.receive_message(QueueUrl=fifo, MaxNumberOfMessages=1)
            for message in reply["Messages"]:
                order.append(message["Body"])
                await client.delete_message(QueueUrl=fifo, ReceiptHandle=message["ReceiptHandle"])
        results["fifo"] = [order, (await client.receive_message(QueueUrl=fifo)).get("Messages")]
        try:
            await client.get_queue_url(QueueName="none")
        except client.exceptions.QueueDoesNotExist as error:
            results["error"] = error.response["Error"]["Code"]
    print(json.dumps(results))


asyncio.run(main())
"""


def test_aiobotocore(tmp_path: Path) -> None:
    packages = installed("aiobotocore-3", "aiobotocore>=3,<4")
    with LocalCloud(["sqs"]) as cloud:
        results = run_program(AIOBOTOCORE, packages, tmp_path, env=cloud.env())
    assert results == {
        "body": "é <&>\r\n",
        "bytes": True,
        "batch": [9, ["InvalidParameterValue"]],
        "deleted": [9, False],
        "late": ["late", True],
        "fifo": [["0", "1", "2"], None],
        "error": "AWS.SimpleQueueService.NonExistentQueue",
    }


BOTO = r"""
import json, sys
from boto.exception import SQSError
from boto.sqs.connection import SQSConnection
from boto.sqs.message import RawMessage
from boto.sqs.regioninfo import SQSRegionInfo

region = SQSRegionInfo(name="us-east-1", endpoint="127.0.0.1")
connection = SQSConnection(
    "local", "local-secret", is_secure=False, port=int(sys.argv[1]), region=region)
results = {}
queue = connection.create_queue("golden", 40)
results["found"] = [connection.get_queue("golden").id == queue.id, connection.get_queue("missing")]
results["timeout"] = [queue.get_timeout(), queue.set_timeout(50), queue.get_timeout()]
message = queue.new_message("é 中 <&>")
message.message_attributes = {"a": {"data_type": "String", "string_value": "v"}}
queue.write(message)
(read,) = queue.get_messages(1, attributes="All", message_attributes=["All"])
results["read"] = [read.get_body(), read.message_attributes["a"]["string_value"],
                   read.attributes["ApproximateReceiveCount"]]
read.change_visibility(0)
results["deleted"] = [queue.read().delete(), queue.read()]
sent = queue.write_batch([(str(n), "body %d" % n, 0) for n in range(10)])
results["batch"] = [len(sent.results), len(sent.errors)]
queue.set_message_class(RawMessage)
found = []
while len(found) < 10:
    found += queue.get_messages(10, wait_time_seconds=5)
results["bodies"] = sorted(each.get_body() for each in found)
hidden = queue.change_message_visibility_batch([(each, 60) for each in found])
results["hidden"] = len(hidden.errors)
results["gone"] = [len(queue.delete_message_batch(found).results), queue.count()]
queue.delete()
try:
    queue.read()
except SQSError as error:
    results["error"] = [error.status, error.code]
print(json.dumps(results))
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="boto 2.49 needs modules that 3.12 lacks")
def test_boto_2_49(tmp_path: Path) -> None:
    packages = installed("boto-2.49.0", "boto==2.49.0")
    with LocalCloud(["sqs"]) as cloud:
        port = cloud.sqs_url.rpartition(":")[2]
        results = run_program(BOTO, packages, tmp_path, port, env={"BOTO_CONFIG": "/nonexistent"})
    assert results == {
        "found": [True, None],
        "timeout": [40, True, 50],
        "read": ["é 中 <&>", "v", "1"],
        "deleted": [True, None],
        "batch": [10, 0],
        "bodies": [f"body {n}" for n in range(10)],
        "hidden": 0,
        "gone": [10, 0],
        "error": [400, "AWS.SimpleQueueService.NonExistentQueue"],
    }
