# -*- coding: utf-8 -*-
"""A program as its users wrote them for cmq-python-sdk; it runs under Python 2.7 and 3.

    cmq_program.py URL

It uses queues, topics and subscriptions, and prints what each call returned, as JSON.
"""

import json
import sys

from cmq.account import Account
from cmq.cmq_client import CMQClient
from cmq.cmq_exception import (
    CMQClientException,
    CMQClientParameterException,
    CMQExceptionBase,
    CMQServerException,
)
from cmq.queue import Message, Queue, QueueMeta
from cmq.sign import Sign
from cmq.subscription import Subscription, SubscriptionMeta
from cmq.topic import Message as TopicMessage
from cmq.topic import Topic, TopicMeta

NO_HANDLE = ["nonsense"]
BODIES = [
    "plain",
    "a&b=c?d#e+f %41",
    " leading and trailing ",
    "line\nend\r\n",
    "x" * 1000,
    "quote\"s'`",
    "[]{}()<>/\\|",
    "0",
    "=",
    "&",
    "caf\xc3\xa9" if sys.version_info[0] == 2 else "caf\xe9",
    "中文消息",
    "mixed 中 a & b",
    "-_.*!",
    "$;:,",
]


def attributes(thing):
    return {
        name: value
        for name, value in vars(thing).items()
        if isinstance(value, (int, float, list)) or "Id" in name or "Body" in name
    }


class Script:
    def __init__(self, url):
        self.url = url
        self.results = []

    def do(self, name, function, *args, **kwargs):
        try:
            value = function(*args, **kwargs)
        except CMQServerException as error:
            value = ["CMQServerException", int(error.code), sorted(error.data)]
        except CMQExceptionBase as error:
            value = [type(error).__name__, str(error.message)]
        self.results.append([name, value])
        return value

    def queues(self, account, method, sign):
        account.set_sign(sign)
        account.get_client().set_method(method)
        name = "-".join(["golden", method, sign])
        queue = account.get_queue(name)
        meta = QueueMeta()
        meta.visibilityTimeout = 33
        meta.maxMsgHeapNum = 1000
        meta.rewindSeconds = 3600
        self.do("create", queue.create, meta)
        self.do("again", queue.create, meta)
        meta.visibilityTimeout = 44
        self.do("set", queue.set_attributes, meta)
        self.do("get", lambda: attributes(queue.get_attributes()))
        bodies = BODIES if method == "POST" else [body for body in BODIES if len(body) < 300]
        for body in bodies:
            self.do("send", lambda body=body: attributes(queue.send_message(Message(body))))
            message = []
            self.do("receive", lambda m=message: m.append(queue.receive_message(0)))
            self.results.append(["received", attributes(message[0])])
            self.do("delete", queue.delete_message, message[0].receiptHandle)
            self.do("twice", queue.delete_message, message[0].receiptHandle)
        for start in range(0, len(bodies), 5):
            batch = [Message(body) for body in bodies[start : start + 5]]
            self.do("batch send", lambda b=batch: len(queue.batch_send_message(b)))
            messages = []
            self.do(
                "batch receive", lambda m=messages: m.extend(queue.batch_receive_message(16, 0))
            )
            self.results.append(["received", [attributes(each) for each in messages]])
            handles = [each.receiptHandle for each in messages]
            self.do("batch delete", queue.batch_delete_message, handles[:2] + NO_HANDLE)
            self.do("batch delete", queue.batch_delete_message, handles[2:])
        self.do("empty", queue.receive_message, 0)
        self.do("empty", queue.batch_receive_message, 4, 0)
        self.do("delayed", lambda: attributes(queue.send_message(Message("later"), 600)))
        queue.set_encoding(True)
        for body in BODIES[:5]:
            self.do("encoded", lambda body=body: attributes(queue.send_message(Message(body))))
            self.do("decoded", lambda: str(queue.receive_message(0).msgBody))
        self.do("rewind", queue.rewindQueue, 1500000000)
        self.do("no such", account.get_queue("missing").get_attributes)
        self.do("bad name", account.get_queue("0").get_attributes)
        self.do("list", account.list_queue)
        self.do("list", account.list_queue, "golden", 1)
        self.do("list", account.list_queue, "golden", 1, 1)
        self.do("list", account.list_queue, searchWord="nothing")
        self.do("delete", queue.delete)

    def topic(self, account, filter_type):
        name = "topic-" + str(filter_type)
        topic = account.get_topic(name)
        meta = TopicMeta()
        meta.filterType = filter_type
        meta.maxMsgSize = 2048
        self.do("create", topic.create, meta)
        self.do("again", topic.create, meta)
        self.do("get", lambda: attributes(topic.get_attributes()))
        meta.maxMsgSize = 4096
        self.do("set", topic.set_attributes, meta)
        self.do("nobody", topic.publish_message, TopicMessage("x"))
        subscription = account.get_subscription(name, "sub")
        wanted = SubscriptionMeta()
        wanted.Endpoint = "nowhere"
        wanted.Protocal = "queue"
        wanted.NotifyContentFormat = "SIMPLIFIED"
        wanted.FilterTag = ["red", "green"] if filter_type == 1 else []
        wanted.bindingKey = ["a.*.c", "#.z"] if filter_type == 2 else []
        self.do("subscribe", subscription.create, wanted)
        self.do("again", subscription.create, wanted)
        wanted.NotifyStrategy = "BACKOFF_RETRY"
        self.do("set", subscription.set_attributes, wanted)
        self.do("get", lambda: len(subscription.get_attributes().FilterTag))
        self.do("get", lambda: subscription.get_attributes().bindingKey)
        self.do("clear", subscription.clearFilterTags)
        self.do("list", topic.list_subscription)
        self.do("list", topic.list_subscription, "su", 1, 0)
        for body in BODIES:
            message = TopicMessage(body, ["blue", "yellow"])
            self.do("publish", lambda m=message: attributes(topic.publish_message(m)))
            self.do("keyed", lambda m=message: attributes(topic.publish_message(m, "k.k")))
        batch = [TopicMessage(body) for body in BODIES[:3]]
        self.do("batch", lambda: len(topic.batch_publish_message(batch)))
        self.do("batch", lambda: len(topic.batch_publish_message(batch, ["t"], "k.k")))
        topic.set_encoding(True)
        self.do("encoded", lambda: attributes(topic.publish_message(TopicMessage("body"))))
        self.do("too large", topic.publish_message, TopicMessage("x" * 5000))
        self.do("no such", account.get_subscription(name, "other").get_attributes)
        self.do("unsubscribe", subscription.delete)
        self.do("list", account.list_topic, "topic", 10)
        self.do("delete", topic.delete)
        self.do("no such", account.get_topic("missing").get_attributes)

    def values(self):
        self.do(
            "sign",
            lambda: str(
                Sign("sid", "skey")
                .make(
                    "cmq-queue-gz.api.qcloud.com",
                    "/v2/index.php",
                    {"Action": "SendMessage", "queueName": "test_1", "n_b": 1},
                )
                .strip()
            ),
        )
        self.do("bad host", lambda: str(CMQClient("ftp://x", "a", "b")))
        self.do("bad sign", lambda: Account(self.url, "a", "b").set_sign("md5"))
        self.do("denied", Account(self.url, "local", "wrong").list_queue)
        self.do("denied", Account(self.url, "nobody", "wrong").list_queue)
        self.results.append(["meta", attributes(QueueMeta()), attributes(TopicMeta())])
        self.results.append(["message", attributes(Message("b")), attributes(TopicMessage("b"))])
        self.results.append(["str", str(Message("b")).count("\n"), str(QueueMeta()).count("\n")])
        error = CMQServerException("m", "r", 4440, {"a": 1})
        self.results.append(["error", str(error), error.get_info()])
        self.results.append(["error", str(CMQClientParameterException("p"))])
        self.results.append(
            ["is", isinstance(CMQClientParameterException("p"), CMQClientException)]
        )
        self.results.append(["kinds", [kind.__name__ for kind in (Queue, Topic, Subscription)]])


def main(url):
    script = Script(url)
    account = Account(url, "local", "local-secret")
    script.queues(account, "POST", "sha1")
    script.queues(account, "POST", "sha256")
    script.queues(account, "GET", "sha1")
    account.get_client().set_method("POST")
    for filter_type in (1, 2):
        script.topic(account, filter_type)
    script.values()
    print(json.dumps(script.results, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1])
