"""Who is connected to the broker: producers, consumers, what they subscribe and lock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ... import _native
from ..journal import Packed
from . import codes
from .server import Connection, Refusal, Reply, Request
from .store import RETRY_PREFIX, Store

_LOCK_SECONDS = 60.0
GROUP_SETTINGS: dict[str, Any] = {
    "consumeEnable": True,
    "consumeFromMinEnable": True,
    "consumeBroadcastEnable": True,
    "consumeMessageOrderly": False,
    "retryQueueNums": 1,
    "retryMaxTimes": 16,
    "brokerId": 0,
    "whichBrokerWhenConsumeSlowly": 1,
    "notifyConsumerIdsChangedEnable": True,
    "groupSysFlag": 0,
    "consumeTimeoutMinute": 15,
    "attributes": {},
}


@dataclass(slots=True)
class Subscription:
    """What a group wants of a topic.

    Attributes:
        expression: as the client wrote it.
        version: the client's, in milliseconds; a pull may not claim a later one.
        tag_hashes: hashes of the tags wanted; None for all.
    """

    version: int
    tag_hashes: frozenset[int] | None
    expression: str = "*"

    @classmethod
    def parse(cls, expression: str) -> Subscription:
        """Read a tag expression such as `a || b`; `*` and the empty one mean all."""
        if expression in ("", "*"):
            return cls(0, None)
        tags = [tag.strip() for tag in expression.split("||")]
        return cls(0, frozenset(_native.tag_hash(tag) for tag in tags if tag))


@dataclass(slots=True)
class Group:
    """The consumers of one group.

    Attributes:
        members: client id of each connection.
        subscriptions: by topic.
        consume_type, model, start: how its members consume, as the last one said.
    """

    members: dict[Connection, str] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    consume_type: str = ""
    model: str = ""
    start: str = ""


@dataclass(eq=False, slots=True)
class GroupSettings:
    """What an administrator has set for a group."""

    name: str
    settings: dict[str, Any]

    def pack(self) -> Packed:
        """Return it as it is written down."""
        return Packed("group", {"name": self.name, "settings": self.settings})


class Clients:
    """Heartbeats, membership and locks.

    Args:
        store: where the groups' retry topics are made.

    Attributes:
        groups: those that have members, by name.
        known: the names of all groups ever seen consuming.
        producers: client id of each connection, by producer group.
    """

    def __init__(self, store: Store) -> None:
        self.groups: dict[str, Group] = {}
        self.known: set[str] = set()
        self._settings: dict[str, GroupSettings] = {}
        self.producers: dict[str, dict[Connection, str]] = {}
        self._store = store
        self._locks: dict[tuple[str, str, str, int], tuple[str, float]] = {}

    def reset(self) -> None:
        """Forget locks and groups without members; make the retry topics of the others again."""
        self._locks.clear()
        self._settings.clear()
        self.known = set(self.groups)
        for name in self.groups:
            self._store.create_retry(RETRY_PREFIX + name)

    def heartbeat(self, request: Request) -> Reply:
        """Register the groups of a client (34)."""
        body = self._json(request)
        client_id = str(body.get("clientID") or "")
        if not client_id:
            raise Refusal(codes.SYSTEM_ERROR, "the heartbeat has no clientID")
        for producer in _dicts(body.get("producerDataSet")):
            group_name = str(producer.get("groupName") or "")
            self.producers.setdefault(group_name, {})[request.connection] = client_id
        for consumer in _dicts(body.get("consumerDataSet")):
            name = str(consumer.get("groupName") or "")
            if not name:
                raise Refusal(codes.SYSTEM_ERROR, "a consumer of the heartbeat has no groupName")
            self._store.create_retry(RETRY_PREFIX + name)
            self.known.add(name)
            group = self.groups.setdefault(name, Group())
            changed = group.members.get(request.connection) != client_id
            group.members[request.connection] = client_id
            group.consume_type = str(consumer.get("consumeType") or "")
            group.model = str(consumer.get("messageModel") or "")
            group.start = str(consumer.get("consumeFromWhere") or "")
            if not body.get("withoutSub"):
                changed |= _subscribe(group, _dicts(consumer.get("subscriptionDataSet")))
            if changed and self.settings_of(name)["notifyConsumerIdsChangedEnable"]:
                self._notify(name)
        return Reply(fields={"IS_SUPPORT_HEART_BEAT_V2": "true", "IS_SUB_CHANGE": "true"})

    def unregister(self, request: Request) -> Reply:
        """A group of a client leaves (35)."""
        request.text("clientID")
        name = request.fields.get("consumerGroup", "")
        told = self.settings_of(name)["notifyConsumerIdsChangedEnable"]
        self._leave(name, request.connection, told=told)
        self.producers.get(request.fields.get("producerGroup", ""), {}).pop(
            request.connection, None
        )
        return Reply()

    def settings_of(self, group: str) -> dict[str, Any]:
        """Return what holds for a group, in the form of code 200."""
        return {"groupName": group, **GROUP_SETTINGS, **self._set_of(group)}

    def _set_of(self, group: str) -> dict[str, Any]:
        kept = self._settings.get(group)
        return {} if kept is None else kept.settings

    def set(self, group: str, settings: dict[str, Any]) -> None:
        """Take what an administrator sets for a group."""
        kept = self._settings.setdefault(group, GroupSettings(group, {}))
        kept.settings = settings
        self._store.journal.save(kept)

    def unset(self, group: str) -> None:
        """Forget what was set for a group."""
        kept = self._settings.pop(group, None)
        if kept is not None:
            self._store.journal.drop(kept)

    def things(self) -> Iterator[GroupSettings]:
        """Yield what it keeps."""
        yield from self._settings.values()

    def restore(self, group: str, settings: dict[str, Any]) -> GroupSettings:
        """Take back what was written down."""
        kept = self._settings[group] = GroupSettings(group, settings)
        self.known.add(group)
        return kept

    def producer(self, client_id: str) -> Connection | None:
        """Return the connection of a client that produces."""
        for connections in self.producers.values():
            for connection, each in connections.items():
                if each == client_id:
                    return connection
        return None

    def lost(self, connection: Connection) -> None:
        """A client is gone, and with it its membership in every group."""
        for name in list(self.groups):
            self._leave(name, connection, told=True)
        for connections in self.producers.values():
            connections.pop(connection, None)

    def _leave(self, name: str, connection: Connection, *, told: bool) -> None:
        group = self.groups.get(name)
        if group is None or group.members.pop(connection, None) is None:
            return
        if group.members and told:
            self._notify(name)
        if not group.members:
            del self.groups[name]

    def _notify(self, name: str) -> None:
        for member in list(self.groups[name].members):
            member.notify(codes.NOTIFY_CONSUMERS_CHANGED, {"consumerGroup": name})

    def members(self, request: Request) -> Reply:
        """Who consumes for a group (38)."""
        name = request.text("consumerGroup")
        group = self.groups.get(name)
        if group is None:
            raise Refusal(codes.SYSTEM_ERROR, f"no consumer for this group, {name}")
        ids = list(group.members.values())
        return Reply(body=json.dumps({"consumerIdList": ids}).encode())

    def subscription(self, request: Request, group: str, topic: str) -> Subscription:
        """Return what filters a pull: the group's subscription by its heartbeats."""
        found = self.groups.get(group)
        if found is None:
            raise Refusal(codes.SUBSCRIPTION_NOT_EXIST, "the consumer's group info not exist")
        subscription = found.subscriptions.get(topic)
        if subscription is None:
            raise Refusal(codes.SUBSCRIPTION_NOT_EXIST, "the consumer's subscription not exist")
        if request.integer("subVersion", 0) > subscription.version:
            raise Refusal(codes.SUBSCRIPTION_NOT_LATEST, "the consumer's subscription not latest")
        return subscription

    def lock(self, request: Request) -> Reply:
        """Give queues to one client of a group for 60 seconds (41)."""
        group, client_id, queues = self._lock_request(request)
        now = self._store.clock.now()
        granted = []
        for queue in queues:
            key = (group, *_queue_key(queue))
            owner, until = self._locks.get(key, ("", 0.0))
            if owner == client_id or until <= now:
                self._locks[key] = (client_id, now + _LOCK_SECONDS)
                granted.append(queue)
        return Reply(body=json.dumps({"lockOKMQSet": granted}).encode())

    def unlock(self, request: Request) -> Reply:
        """Give queues back (42)."""
        group, client_id, queues = self._lock_request(request)
        for queue in queues:
            key = (group, *_queue_key(queue))
            if self._locks.get(key, ("", 0.0))[0] == client_id:
                del self._locks[key]
        return Reply()

    def _lock_request(self, request: Request) -> tuple[str, str, list[dict[str, Any]]]:
        body = self._json(request)
        return (
            str(body.get("consumerGroup")),
            str(body.get("clientId")),
            _dicts(body.get("mqSet")),
        )

    @staticmethod
    def _json(request: Request) -> dict[str, Any]:
        try:
            body = json.loads(request.body)
        except ValueError as error:
            raise Refusal(codes.SYSTEM_ERROR, f"the body is no JSON: {error}") from None
        if not isinstance(body, dict):
            raise Refusal(codes.SYSTEM_ERROR, "the body is no JSON object")
        return body


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _queue_key(queue: dict[str, Any]) -> tuple[str, str, int]:
    try:
        return str(queue["topic"]), str(queue["brokerName"]), int(queue["queueId"])
    except (KeyError, TypeError, ValueError):
        raise Refusal(codes.SYSTEM_ERROR, "a queue of mqSet is incomplete") from None


def _subscribe(group: Group, asked: list[dict[str, Any]]) -> bool:
    changed = False
    for item in asked:
        topic = str(item.get("topic"))
        tags = item.get("codeSet") or []
        try:
            version = int(item.get("subVersion") or 0)
            hashes = frozenset(int(code) for code in tags)
        except (TypeError, ValueError):
            raise Refusal(codes.SYSTEM_ERROR, f"the subscription of {topic} is broken") from None
        old = group.subscriptions.get(topic)
        if old is None or version > old.version:
            changed |= old is None or (old.tag_hashes or frozenset()) != hashes
            expression = str(item.get("subString") or "*")
            group.subscriptions[topic] = Subscription(version, hashes or None, expression)
    for topic in group.subscriptions.keys() - {str(item.get("topic")) for item in asked}:
        del group.subscriptions[topic]
        changed = True
    return changed
