"""A program as its users wrote them for boto 2.49 and SQS; it runs on both under Python 3.

    boto_program.py PORT FOLDER

It uses queues and messages, and prints what each call returned, as JSON.
"""

import json
import os
import sys

import boto.sqs
from boto.exception import BotoClientError, BotoServerError, SQSDecodeError, SQSError
from boto.sqs.attributes import Attributes
from boto.sqs.batchresults import BatchResults
from boto.sqs.connection import SQSConnection
from boto.sqs.jsonmessage import JSONMessage
from boto.sqs.message import EncodedMHMessage, Message, MHMessage, RawMessage
from boto.sqs.queue import Queue
from boto.sqs.regioninfo import SQSRegionInfo

BODIES = [
    "plain",
    "a b&c=d+e%41",
    "中文 ключ é 😀",
    "x" * 2000,
    "line\n  end ",
    "<tag a='b'>&amp;</tag>",
    "0",
    "1.5e3",
    "None",
    "%",
    "%%20+%2B",
    "a=b&c=d",
    "?query#fragment",
    "/path/../.",
    "~-_.!*'()",
    "\\n \\t \\u0041",
    '{"json": [1, null, "é"]}',
    "tab\tand return\r\n",
    "ä" * 300,
    "\u0301combined e\u0301",
    "𝄞 and 日本語",
]
CLASSES = [RawMessage, Message]


class Script:
    def __init__(self, port, folder):
        region = SQSRegionInfo(name="us-east-1", endpoint="127.0.0.1")
        self.connection = SQSConnection(
            "local", "local-secret", is_secure=False, port=port, region=region
        )
        self.folder = folder
        self.results = []

    def do(self, name, function, *args, **kwargs):
        try:
            value = function(*args, **kwargs)
        except SQSError as error:
            value = None
            shown = [type(error).__name__, error.status, error.error_code, error.code, error.type]
        else:
            shown = self.show(value)
        self.results.append([name, shown])
        return value

    def show(self, value):
        if isinstance(value, Queue):
            return ["Queue", value.id, value.name, value.arn]
        if isinstance(value, RawMessage):
            own = {name: value.message_attributes[name] for name in value.message_attributes}
            body = value.get_body()
            count = value.attributes.get("ApproximateReceiveCount")
            return [type(value).__name__, body, own, count, bool(value.id), value.md5]
        if isinstance(value, BatchResults):
            return [sorted(map(self.entry, value.results)), sorted(map(self.entry, value.errors))]
        if isinstance(value, Attributes):
            return sorted(name for name in value if not name.startswith("Sqs"))
        if isinstance(value, list):
            return [self.show(item) for item in value]
        return value

    def entry(self, entry):
        return [
            entry["id"],
            bool(entry.get("message_id")),
            entry.get("message_md5"),
            entry.get("error_code"),
        ]

    def queues(self):
        connection = self.connection
        queue = self.do("create", connection.create_queue, "golden", 33)
        self.do("again", connection.create_queue, "golden")
        self.do("other", connection.create_queue, "golden", 44)
        self.do("bad", connection.create_queue, "no/name")
        self.do("get", connection.get_queue, "golden")
        self.do("lookup", connection.lookup, "golden")
        self.do("none", connection.get_queue, "missing")
        self.do("attributes", queue.get_attributes)
        self.do("one", lambda: dict(queue.get_attributes("VisibilityTimeout")))
        self.do("set", queue.set_attribute, "DelaySeconds", 0)
        self.do("set", queue.set_attribute, "VisibilityTimeout", "x")
        self.do("timeout", queue.set_timeout, 22)
        self.do("timeout", queue.get_timeout)
        self.do("count", queue.count)
        dead = connection.create_queue("golden-dead")
        policy = json.dumps({"maxReceiveCount": 5, "deadLetterTargetArn": dead.arn})
        self.do("redrive", queue.set_attribute, "RedrivePolicy", policy)
        self.do("sources", connection.get_dead_letter_source_queues, dead)
        self.do("all", connection.get_all_queues)
        self.do("all", connection.get_all_queues, prefix="golden-")
        self.do("all", connection.get_all_queues, "nothing")
        self.do("permit", queue.add_permission, "label", "123456789012", "SendMessage")
        self.do("forbid", queue.remove_permission, "label")
        return queue

    def messages(self, queue):
        connection = self.connection
        for kind in CLASSES:
            queue.set_message_class(kind)
            for body in BODIES:
                message = queue.new_message(body)
                self.do("write", lambda m=message: bool(queue.write(m).id))
                read = self.do("read", queue.read)
                self.do("length", len, read)
                self.do("visible", read.change_visibility, 0)
                read = self.do("read", queue.read, 10)
                self.do("delete", queue.delete_message, read)
                self.do("empty", queue.read)
        queue.set_message_class(Message)
        attributes = {
            "n": {"data_type": "Number", "string_value": "1"},
            "s": {"data_type": "String", "string_value": "中 & b"},
            "b": {"data_type": "Binary", "binary_value": "aGVsbG8="},
        }
        message = queue.new_message("with attributes")
        message.message_attributes = attributes
        self.do("attributes", lambda: bool(queue.write(message).id))
        found = self.do("read", queue.get_messages, 1, attributes="All", message_attributes=["All"])
        self.do("again", connection.change_message_visibility, queue, found[0].receipt_handle, 0)
        found = self.do("named", queue.get_messages, 1, message_attributes=["n"])
        self.do("handle", connection.delete_message_from_handle, queue, found[0].receipt_handle)
        self.do("bad handle", connection.delete_message_from_handle, queue, "nonsense")
        self.do("delayed", lambda: bool(queue.write(queue.new_message("later"), 600).id))
        self.do("too late", queue.write, queue.new_message("later"), 10_000)

    def batches(self, queue):
        queue.set_message_class(RawMessage)
        for start in range(0, len(BODIES), 3):
            entries = [(str(n), body, 0) for n, body in enumerate(BODIES[start : start + 3])]
            self.do("write batch", queue.write_batch, entries)
        extra = {"a": {"data_type": "String", "string_value": "v"}}
        self.do("write batch", queue.write_batch, [("x", "body", 0, extra), ("y", "body", 5000)])
        found = []
        while True:
            got = queue.get_messages(10, 60, message_attributes="All")
            if not got:
                break
            found += got
        found.sort(key=lambda message: message.get_body())
        for number, message in enumerate(found):
            message.id = "m%d" % number
        self.results.append(["found", [self.show(each)[:3] for each in found]])
        pairs = [(message, 600) for message in found[:3]]
        self.do("visible", lambda: queue.change_message_visibility_batch(pairs).errors)
        self.do(
            "delete batch",
            lambda: sorted(each["id"] for each in queue.delete_message_batch(found[:10]).results),
        )
        self.do("no batch", queue.write_batch, [])
        self.do("twice", queue.write_batch, [("1", "a", 0), ("1", "b", 0)])

    def kinds(self, queue):
        for kind, body in (
            (MHMessage, {"a": "1", "b": "two words"}),
            (EncodedMHMessage, {"a": "1", "key": "v:w"}),
            (JSONMessage, {"list": [1, 2.5, None, "中"]}),
        ):
            queue.set_message_class(kind)
            message = queue.new_message(body)
            self.do("write", lambda m=message: bool(queue.write(m).id))
            read = queue.read(60)
            self.results.append(["kind", read.get_body(), sorted(map(str, read.keys()))])
            self.results.append(["dict", "a" in read, read.get("a"), read.get("none", 7)])
            read["z"] = "last"
            read.update({"y": "more"})
            self.results.append(["changed", len(read) > 0, read.has_key("z")])
            self.do("delete", read.delete)
        queue.set_message_class(JSONMessage)
        self.connection.send_message(queue, "no json")
        try:
            queue.read()
        except (SQSDecodeError, BotoClientError) as error:
            self.results.append(["decode", type(error).__name__, error.reason])
        self.do("purge", queue.purge)
        self.do("too soon", queue.clear)

    def values(self, queue):
        names = sorted(region.name for region in boto.sqs.regions())
        self.results.append(["regions", names])
        self.results.append(["hosts", sorted(region.endpoint for region in boto.sqs.regions())])
        west = boto.sqs.connect_to_region(
            "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        self.results.append(["west", west.host, west.port, west.region.name, west.access_key])
        self.results.append(["none", boto.sqs.connect_to_region("nowhere")])
        body = "<ErrorResponse><Error><Type>Sender</Type><Code>C</Code><Message>M</Message></Error>"
        error = SQSError(400, "Bad Request", body + "<RequestId>r</RequestId></ErrorResponse>")
        self.results.append(["error", error.code, error.message, error.type, error.request_id])
        error = BotoServerError(500, "Oops", "just text")
        self.results.append(["error", error.error_message, error.body, error.error_code])
        error = BotoServerError(500, "Oops", '{"Error": {"Code": "J", "Message": "T"}}')
        self.results.append(["error", error.error_code, error.message])
        self.results.append(["repr", repr(Queue(None, "http://h/1/n")), Message().encode("é")])
        denied = SQSConnection(
            "local",
            "wrong",
            is_secure=False,
            port=self.connection.port,
            region=self.connection.region,
        )
        self.do("denied", denied.get_all_queues)
        self.do("delete", self.connection.delete_queue, queue)
        self.do("gone", self.connection.get_queue, "golden")


def main(port, folder):
    os.environ["BOTO_CONFIG"] = os.path.join(folder, "none")
    script = Script(int(port), folder)
    queue = script.queues()
    script.messages(queue)
    script.batches(queue)
    script.kinds(queue)
    script.values(queue)
    print(json.dumps(script.results, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
