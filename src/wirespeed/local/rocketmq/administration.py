"""What administrators ask the broker: topics, groups, where consumers are."""

from __future__ import annotations

import json
from collections.abc import Mapping

from . import codes
from .clients import Clients
from .namesrv import BROKER_NAME
from .offsets import Offsets
from .server import Refusal, Reply, Request
from .store import RETRY_PREFIX, Store, check_topic

_LANGUAGES = (
    "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP",
    "OMS", "RUST", "NODE_JS",
)  # fmt: skip
_QUEUE_LIMIT = 1024
_READ, _WRITE = 4, 2


class Administration:
    """Answers administrators.

    Args:
        store: where topics and messages are.
        clients: who is connected.
        offsets: committed offsets by (group, topic, queue).
    """

    def __init__(self, store: Store, clients: Clients, offsets: Offsets) -> None:
        self._store = store
        self._clients = clients
        self._offsets = offsets
        self._started = store.clock.milliseconds()

    def create_topic(self, request: Request) -> Reply:
        """Make a topic, or change it (17)."""
        name = request.text("topic")
        check_topic(name)
        queues = max(request.integer("readQueueNums"), request.integer("writeQueueNums"))
        if not 1 <= queues <= _QUEUE_LIMIT:
            raise Refusal(codes.INVALID_PARAMETER, f"a topic has 1 to {_QUEUE_LIMIT} queues")
        topic = self._store.create(name, queues)
        topic.perm = request.integer("perm")
        topic.queues += [[] for _ in range(queues - len(topic.queues))]
        self._store.journal.save(topic)
        return Reply()

    def delete_topic(self, request: Request) -> Reply:
        """Forget a topic (215)."""
        name = request.text("topic")
        self._store.delete(name)
        for key in [key for key in self._offsets if key[1] == name]:
            del self._offsets[key]
        return Reply()

    def topic_stats(self, request: Request) -> Reply:
        """Where the queues of a topic begin and end (202)."""
        name = request.text("topic")
        topic = self._store.topics.get(name)
        if topic is None:
            raise Refusal(codes.TOPIC_NOT_EXIST, f"topic[{name}] not exist")
        table = {
            (name, number): {
                "minOffset": 0,
                "maxOffset": len(queue),
                "lastUpdateTimestamp": queue[-1].store_timestamp if queue else 0,
            }
            for number, queue in enumerate(topic.queues)
        }
        return Reply(body=b'{"offsetTable":' + _table(table) + b',"topicPutTps":0.0}')

    def create_group(self, request: Request) -> Reply:
        """Make a consumer group (200)."""
        try:
            name = str(json.loads(request.body)["groupName"])
        except (ValueError, KeyError, TypeError):
            raise Refusal(codes.SYSTEM_ERROR, "the body names no group") from None
        self._store.create_retry(RETRY_PREFIX + name)
        self._clients.known.add(name)
        return Reply()

    def delete_group(self, request: Request) -> Reply:
        """Forget a consumer group (207)."""
        name = request.text("groupName")
        self._clients.known.discard(name)
        if request.fields.get("cleanOffset") == "true":
            for key in [key for key in self._offsets if key[0] == name]:
                del self._offsets[key]
        return Reply()

    def progress(self, request: Request) -> Reply:
        """Where a group is (208)."""
        group, wanted = request.text("consumerGroup"), request.fields.get("topic")
        table = {}
        for (name, topic, number), offset in self._offsets.items():
            if name != group or (wanted and topic != wanted):
                continue
            queue = self._store.queue(topic, number)
            last = queue[offset - 1] if 0 < offset <= len(queue) else None
            table[topic, number] = {
                "brokerOffset": len(queue),
                "consumerOffset": offset,
                "pullOffset": offset,
                "lastTimestamp": last.store_timestamp if last else 0,
            }
        return Reply(body=b'{"consumeTps":0.0,"offsetTable":' + _table(table) + b"}")

    def connections(self, request: Request) -> Reply:
        """Which clients consume for a group (203)."""
        name = request.text("consumerGroup")
        group = self._clients.groups.get(name)
        if group is None:
            raise Refusal(codes.CONSUMER_NOT_ONLINE, f"the consumer group[{name}] not online")
        found = [
            {
                "clientId": client_id,
                "clientAddr": "{}:{}".format(*connection.peer),
                "language": _LANGUAGES[connection.language]
                if connection.language < len(_LANGUAGES)
                else "OTHER",
                "version": connection.version,
            }
            for connection, client_id in group.members.items()
        ]
        subscriptions = {
            topic: {"topic": topic, "subString": each.expression, "subVersion": each.version}
            for topic, each in group.subscriptions.items()
        }
        body = {"connectionSet": found, "subscriptionTable": subscriptions}
        return Reply(body=json.dumps(body).encode())

    def reset(self, request: Request) -> Reply:
        """Let a group go to a time in a topic (222); its members are told (220)."""
        group, name = request.text("group"), request.text("topic")
        timestamp = request.integer("timestamp")
        topic = self._store.topics.get(name)
        if topic is None:
            raise Refusal(codes.SYSTEM_ERROR, f"the topic <{name}> not exist")
        numbers = range(len(topic.queues))
        if not all((group, name, number) in self._offsets for number in numbers):
            raise Refusal(codes.SYSTEM_ERROR, f"THe consumer group <{group}> not exist")
        table = {}
        for number in numbers:
            offset = self._store.search(name, number, timestamp, upper=False)
            self._offsets[group, name, number] = table[name, number] = offset
        body = b'{"offsetTable":' + _table(table) + b"}"
        members = self._clients.groups.get(group)
        fields = {"topic": name, "group": group, "timestamp": str(timestamp), "isForce": "true"}
        for connection in list(members.members) if members else ():
            connection.notify(codes.RESET_OFFSETS, fields, body)
        return Reply(body=body)

    def status(self, request: Request) -> Reply:
        """The broker's figures (28)."""
        figures = {
            "brokerVersionDesc": "local",
            "brokerVersion": str(codes.DECLARED_VERSION),
            "bootTimestamp": str(self._started),
            "commitLogMaxOffset": str(self._store.used),
            "commitLogDiskRatio": str(self._store.used / self._store.memory_limit),
            "msgPutTotalTodayNow": str(
                sum(len(queue) for topic in self._store.topics.values() for queue in topic.queues)
            ),
        }
        return Reply(body=json.dumps({"table": figures}).encode())


def _table(values: Mapping[tuple[str, int], object]) -> bytes:
    """Return an object whose keys are queues, as real brokers write it."""
    pairs = (
        json.dumps({"brokerName": BROKER_NAME, "queueId": number, "topic": topic})
        + ":"
        + json.dumps(value)
        for (topic, number), value in values.items()
    )
    return ("{" + ",".join(pairs) + "}").encode()
