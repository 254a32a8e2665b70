"""The name server: tells where a topic is."""

from __future__ import annotations

import json
import re

from . import codes
from .server import Refusal, Reply, Request, Server
from .store import DEFAULT_TOPIC, Store
from .tls import Tls

BROKER_NAME = "broker-a"
CLUSTER = "DefaultCluster"
_DEFAULT_TOPIC_QUEUES = 8
_DEFAULT_TOPIC_PERM = 7


class NameServer:
    """Answers for the topics of one broker.

    Args:
        store: where the topics are.
        tls: what clients that speak TLS are shown; without it they are turned away.

    Attributes:
        broker_address: "host:port" of the broker; routes exist once it is set.
        server: listens for clients.
    """

    def __init__(self, store: Store, tls: Tls | None = None) -> None:
        self.broker_address = ""
        self.server = Server(self.handle, tls=tls)
        self._store = store

    def handle(self, request: Request) -> Reply | None:
        """Answer one command."""
        if request.code == codes.GET_ROUTE:
            return self._route(request)
        if request.code == codes.GET_CLUSTER:
            return self._cluster()
        if request.code in (codes.GET_TOPICS, codes.GET_TOPICS_OF_CLUSTER):
            names = sorted({DEFAULT_TOPIC, *self._store.topics})
            return Reply(body=json.dumps({"topicList": names}).encode())
        if request.code in (codes.FORGET_TOPIC, codes.DELETE_SETTING):
            return Reply()
        if request.code == codes.GET_SETTING:
            space, key = request.text("namespace"), request.text("key")
            raise Refusal(codes.QUERY_NOT_FOUND, f"No config item, Namespace: {space} Key: {key}")
        raise Refusal(codes.NOT_SUPPORTED, f" request type {request.code} not supported")

    def _cluster(self) -> Reply:
        broker = {
            "brokerAddrs": {"0": self.broker_address},
            "brokerName": BROKER_NAME,
            "cluster": CLUSTER,
        }
        body = {
            "brokerAddrTable": {BROKER_NAME: broker},
            "clusterAddrTable": {CLUSTER: [BROKER_NAME]},
        }
        return Reply(body=json.dumps(body).encode())

    def _route(self, request: Request) -> Reply:
        name = request.text("topic")
        topic = self._store.topics.get(name)
        if topic is not None:
            reads, writes, perm = topic.read_queues, topic.write_queues, topic.perm
        elif name == DEFAULT_TOPIC:
            reads = writes = _DEFAULT_TOPIC_QUEUES
            perm = _DEFAULT_TOPIC_PERM
        else:
            reads = writes = perm = 0
        if not reads or not self.broker_address:
            raise Refusal(
                codes.TOPIC_NOT_EXIST,
                f"No topic route info in name server for the topic: {name}\nSee "
                "https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.",
            )
        route = {
            "brokerDatas": [
                {
                    "brokerAddrs": {"0": self.broker_address},
                    "brokerName": BROKER_NAME,
                    "cluster": CLUSTER,
                    "enableActingMaster": False,
                }
            ],
            "filterServerTable": {},
            "queueDatas": [
                {
                    "brokerName": BROKER_NAME,
                    "perm": perm,
                    "readQueueNums": reads,
                    "topicSysFlag": 0,
                    "writeQueueNums": writes,
                }
            ],
        }
        text = json.dumps(route, separators=(",", ":"))
        standard = request.fields.get("acceptStandardJsonOnly") == "true"
        if not standard and request.version < codes.STANDARD_JSON_SINCE:
            # Older servers write whole-number keys without quotes.
            text = re.sub(r'"(\d+)":', r"\1:", text)
        return Reply(body=text.encode())
