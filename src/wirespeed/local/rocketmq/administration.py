"""What administrators ask the broker: topics, groups, where consumers are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import codes
from .clients import GROUP_SETTINGS, Clients, Subscription
from .namesrv import BROKER_NAME
from .offsets import Offsets
from .server import Connection, Refusal, Reply, Request
from .store import DEFAULT_TOPIC, RETRY_PREFIX, Store, Topic, check_topic

_LANGUAGES = (
    "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP",
    "OMS", "RUST", "NODE_JS",
)  # fmt: skip
_QUEUE_LIMIT = 1024
_ATTRIBUTES = frozenset({"queue.type", "cleanup.policy", "message.type", "reserve.time"})
_NOTHING = (
    "msgPutTotalYesterdayMorning", "msgPutTotalTodayMorning", "msgGetTotalYesterdayMorning",
    "msgGetTotalTodayMorning", "msgGetTotalTodayNow", "dispatchBehindBytes",
    "pageCacheLockTimeMills", "sendThreadPoolQueueSize", "pullThreadPoolQueueSize",
    "sendThreadPoolQueueHeadWaitTimeMills", "pullThreadPoolQueueHeadWaitTimeMills",
    "timerReadBehind", "timerOffsetBehind", "timerCongestNum", "timerEnqueueTps",
    "timerDequeueTps",
)  # fmt: skip
"""Figures of a real broker that are always 0 here."""


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
        reads, writes = request.integer("readQueueNums"), request.integer("writeQueueNums")
        queues = max(reads, writes)
        if min(reads, writes) < 1 or queues > _QUEUE_LIMIT:
            raise Refusal(codes.INVALID_PARAMETER, f"a topic has 1 to {_QUEUE_LIMIT} queues")
        changes = list(filter(None, request.fields.get("attributes", "").split(",")))
        for change in changes:
            if change[1:].partition("=")[0] not in _ATTRIBUTES:
                key = change[1:].partition("=")[0]
                raise Refusal(codes.SYSTEM_ERROR, f"unsupported key: {key}")
        topic = self._store.create(name, queues)
        topic.perm = request.integer("perm")
        topic.queues += [[] for _ in range(queues - len(topic.queues))]
        topic.read_queues, topic.write_queues = reads, writes
        for change in changes:
            key, _, value = change[1:].partition("=")
            if change.startswith("+"):
                topic.attributes[key] = value
            else:
                topic.attributes.pop(key, None)
        self._store.journal.save(topic)
        return Reply()

    def topic(self, request: Request) -> Reply:
        """What a topic is set to (351)."""
        topic = self._topic(request.text("topic"))
        return _json(
            {
                "topicName": topic.name,
                "readQueueNums": topic.read_queues,
                "writeQueueNums": topic.write_queues,
                "perm": topic.perm,
                "topicFilterType": "SINGLE_TAG",
                "topicSysFlag": 0,
                "order": False,
                "attributes": topic.attributes,
            }
        )

    def _topic(self, name: str) -> Topic:
        topic = self._store.topics.get(name)
        if topic is None and name == DEFAULT_TOPIC:
            topic = Topic(name, [[] for _ in range(8)], 7)
        if topic is None:
            raise Refusal(codes.TOPIC_NOT_EXIST, f"No topic in this broker. topic: {name}")
        return topic

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
        queues = topic.queues[: max(topic.read_queues, topic.write_queues)]
        table = {
            (name, number): {
                "minOffset": 0,
                "maxOffset": len(queue),
                "lastUpdateTimestamp": queue[-1].store_timestamp if queue else 0,
            }
            for number, queue in enumerate(queues)
        }
        return Reply(body=b'{"offsetTable":' + _table(table) + b',"topicPutTps":0.0}')

    def create_group(self, request: Request) -> Reply:
        """Make a consumer group (200)."""
        try:
            body = json.loads(request.body)
            name = str(body["groupName"])
        except (ValueError, KeyError, TypeError):
            raise Refusal(codes.SYSTEM_ERROR, "the body names no group") from None
        settings = {key: body[key] for key in GROUP_SETTINGS.keys() & body.keys()}
        for key, value in settings.items():
            if type(value) is not type(GROUP_SETTINGS[key]):
                raise Refusal(codes.SYSTEM_ERROR, f"{key} must not be {value!r}")
        self._store.create_retry(RETRY_PREFIX + name)
        self._clients.known.add(name)
        self._clients.set(name, settings)
        return Reply()

    def group(self, request: Request) -> Reply:
        """What a group is set to (352); asking makes it."""
        name = request.text("group")
        self._clients.known.add(name)
        return _json(self._clients.settings_of(name))

    def groups(self, request: Request) -> Reply:
        """What all groups are set to (201)."""
        table = {name: self._clients.settings_of(name) for name in sorted(self._clients.known)}
        version = {"counter": len(table), "stateVersion": 0, "timestamp": self._started}
        reply = _json({"dataVersion": version, "subscriptionGroupTable": table})
        reply.fields["totalGroupNum"] = str(len(table))
        return reply

    def delete_group(self, request: Request) -> Reply:
        """Forget a consumer group (207)."""
        name = request.text("groupName")
        self._clients.known.discard(name)
        self._clients.unset(name)
        if request.fields.get("cleanOffset") == "true":
            for key in [key for key in self._offsets if key[0] == name]:
                del self._offsets[key]
        return Reply()

    def progress(self, request: Request) -> Reply:
        """Where a group is (208)."""
        group, wanted = request.text("consumerGroup"), request.fields.get("topic")
        table = {}
        for name in [wanted] if wanted else self._topics_of(group):
            topic = self._store.topics.get(name)
            for number, queue in enumerate(topic.queues[: topic.read_queues] if topic else ()):
                offset = max(self._offsets.get((group, name, number), 0), 0)
                last = queue[offset - 1] if 0 < offset <= len(queue) else None
                table[name, number] = {
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
        subscriptions = {
            topic: _subscription(topic, each) for topic, each in group.subscriptions.items()
        }
        return _json(
            {
                "connectionSet": _connections(group.members),
                "subscriptionTable": subscriptions,
                "consumeType": group.consume_type or None,
                "messageModel": group.model or None,
                "consumeFromWhere": group.start or None,
            }
        )

    def producers(self, request: Request) -> Reply:
        """Which clients produce for a group (204)."""
        name = request.text("producerGroup")
        if name not in self._clients.producers:
            raise Refusal(codes.SYSTEM_ERROR, f"the producer group[{name}] not exist")
        return _json({"connectionSet": _connections(self._clients.producers[name])})

    def groups_of_topic(self, request: Request) -> Reply:
        """Which groups consume a topic, or have (300)."""
        name = request.text("topic")
        found = {group for group, topic, _ in self._offsets if topic == name}
        found |= {
            group for group, each in self._clients.groups.items() if name in each.subscriptions
        }
        return _json({"groupList": sorted(found)})

    def topics_of_group(self, request: Request) -> Reply:
        """Which topics a group has consumed (343)."""
        address = "{}:{}".format(*self._store.store_host)
        return _json({"brokerAddr": address, "topicList": self._topics_of(request.text("group"))})

    def _topics_of(self, group: str) -> list[str]:
        return sorted({topic for each, topic, _ in self._offsets if each == group})

    def running_info(self, request: Request) -> None:
        """What a consumer tells of itself (307)."""
        self._relay(request, request.body)

    def consume_directly(self, request: Request) -> None:
        """Let a consumer consume a message now, and tell what came of it (309)."""
        message_id = request.text("msgId")
        try:
            stored = self._store.at(int(message_id[-16:], 16))
        except ValueError:
            stored = None
        if stored is None:
            raise Refusal(codes.SYSTEM_ERROR, f"there is no message {message_id}")
        request.fields["brokerName"] = BROKER_NAME
        self._relay(request, stored.record)

    def _relay(self, request: Request, body: bytes) -> None:
        """Ask a consumer what an administrator asks, and pass its answer on."""
        name, client_id = request.text("consumerGroup"), request.text("clientId")
        group = self._clients.groups.get(name)
        for connection, each in list(group.members.items()) if group else ():
            if each == client_id:
                connection.ask(
                    request.code,
                    request.fields,
                    body,
                    lambda answer: request.connection.reply(request, answer),
                )
                return
        raise Refusal(codes.SYSTEM_ERROR, f"The Consumer <{name}> <{client_id}> not online")

    def reset(self, request: Request) -> Reply:
        """Let a group go to a time in a topic, or with -1 to its end (222); its members are
        told (220). Without `isForce` no queue goes forward."""
        group, name = request.text("group"), request.text("topic")
        timestamp = request.integer("timestamp")
        forced = request.fields.get("isForce", "true") == "true"
        topic = self._store.topics.get(name)
        if topic is None:
            raise Refusal(codes.SYSTEM_ERROR, f"the topic <{name}> not exist")
        numbers = range(topic.read_queues)
        if not all((group, name, number) in self._offsets for number in numbers):
            raise Refusal(codes.SYSTEM_ERROR, f"THe consumer group <{group}> not exist")
        table = {}
        for number in numbers:
            offset = len(topic.queues[number])
            if timestamp != -1:
                offset = self._store.search(name, number, timestamp, upper=False)
            if not forced:
                offset = min(offset, self._offsets[group, name, number])
            self._offsets[group, name, number] = table[name, number] = offset
        body = b'{"offsetTable":' + _table(table) + b"}"
        members = self._clients.groups.get(group)
        fields = {"topic": name, "group": group, "timestamp": str(timestamp), "isForce": "true"}
        for connection in list(members.members) if members else ():
            connection.notify(codes.RESET_OFFSETS, fields, body)
        return Reply(body=body)

    def status(self, request: Request) -> Reply:
        """The broker's figures (28)."""
        queues = [queue for topic in self._store.topics.values() for queue in topic.queues]
        figures = {
            "brokerVersionDesc": "local",
            "brokerVersion": str(codes.DECLARED_VERSION),
            "bootTimestamp": str(self._started),
            "brokerActive": "true",
            "commitLogMinOffset": "0",
            "commitLogMaxOffset": str(self._store.used),
            "commitLogDiskRatio": str(self._store.used / self._store.memory_limit),
            "earliestMessageTimeStamp": str(
                min((queue[0].store_timestamp for queue in queues if queue), default=-1)
            ),
            "msgPutTotalTodayNow": str(sum(map(len, queues))),
            **dict.fromkeys(_NOTHING, "0"),
            **dict.fromkeys(("putTps", "getTransferredTps"), "0.0 0.0 0.0"),
        }
        return Reply(body=json.dumps({"table": figures}).encode())


def _json(value: object) -> Reply:
    return Reply(body=json.dumps(value).encode())


def _connections(clients: Mapping[Connection, str]) -> list[dict[str, Any]]:
    return [
        {
            "clientId": client_id,
            "clientAddr": "{}:{}".format(*connection.peer),
            "language": _LANGUAGES[connection.language]
            if connection.language < len(_LANGUAGES)
            else "OTHER",
            "version": connection.version,
        }
        for connection, client_id in clients.items()
    ]


def _subscription(topic: str, subscription: Subscription) -> dict[str, Any]:
    return {
        "topic": topic,
        "subString": subscription.expression,
        "subVersion": subscription.version,
        "expressionType": "TAG",
    }


def _table(values: Mapping[tuple[str, int], object]) -> bytes:
    """Return an object whose keys are queues, as real brokers write it."""
    pairs = (
        json.dumps({"brokerName": BROKER_NAME, "queueId": number, "topic": topic})
        + ":"
        + json.dumps(value)
        for (topic, number), value in values.items()
    )
    return ("{" + ",".join(pairs) + "}").encode()
