"""Pulls, and those that wait for a message."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from . import codes
from .clients import Clients, Subscription
from .offsets import Offsets
from .server import Connection, Refusal, Reply, Request
from .store import Store, Stored, Topic

_COMMIT = 0x1
_SUSPEND = 0x2
_SUBSCRIPTION = 0x4
_READ = 4
_BATCH_LIMIT = 32
_BYTES_LIMIT = 4 * 1024 * 1024
_SCAN_LIMIT = 800
_TICK_SECONDS = 5.0

QueueKey = tuple[str, int]


@dataclass(slots=True, eq=False)
class Held:
    """A pull that waits.

    Attributes:
        request: the pull.
        key: topic and queue.
        offset: where it reads from.
        subscription: what it filters by.
        timer: answers it in the end.
    """

    request: Request
    key: QueueKey
    offset: int
    subscription: Subscription
    timer: asyncio.TimerHandle


class Pulls:
    """Answers pulls (11) from the store; one that finds nothing waits if it asked to.

    Args:
        store: where the messages are.
        clients: who subscribes what.
        offsets: committed offsets by (group, topic, queue), which a pull may set.
    """

    def __init__(self, store: Store, clients: Clients, offsets: Offsets) -> None:
        self._store = store
        self._clients = clients
        self._offsets = offsets
        self._held: dict[QueueKey, list[Held]] = {}
        self._arrived: set[QueueKey] = set()

    def pull(self, request: Request) -> Reply | None:
        """Answer now, or return None and answer later."""
        group, topic = request.text("consumerGroup"), request.text("topic")
        queue_id, offset = request.integer("queueId"), request.integer("queueOffset")
        flags = request.integer("sysFlag")
        batch = request.integer("maxMsgNums")
        suspend = request.integer("suspendTimeoutMillis")
        commit = request.integer("commitOffset")
        self._clients.known.add(group)
        found = self._store.topics.get(topic)
        if found is None:
            raise Refusal(
                codes.TOPIC_NOT_EXIST,
                f"topic[{topic}] not exist, apply first please! See "
                "https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.",
            )
        self._check_permission(group, found)
        if not 0 <= queue_id < found.read_queues:
            raise Refusal(
                codes.INVALID_PARAMETER,
                f"queueId[{queue_id}] is illegal, topic:[{topic}] "
                f"topicConfig.readQueueNums:[{found.read_queues}] "
                f"consumer:[{request.connection.peer[0]}]",
            )
        if flags & _SUBSCRIPTION:
            if request.fields.get("expressionType", "TAG") not in ("", "TAG"):
                raise Refusal(
                    codes.SYSTEM_ERROR,
                    "The broker does not support consumer to filter message by "
                    + request.fields["expressionType"],
                )
            subscription = Subscription.parse(request.fields.get("subscription", ""))
        else:
            self._check_broadcast(group)
            subscription = self._clients.subscription(request, group, topic)
        if flags & _COMMIT:
            self._offsets[group, topic, queue_id] = commit
        key = (topic, queue_id)
        reply = self._read(key, offset, batch, subscription)
        if reply.code == codes.PULL_NOT_FOUND and flags & _SUSPEND and suspend > 0:
            self._hold(request, key, offset, subscription, suspend / 1000)
            return None
        return reply

    def _check_permission(self, group: str, topic: Topic) -> None:
        if not self._clients.settings_of(group)["consumeEnable"]:
            raise _forbidden(f"subscription group no permission, {group}", 2)
        if not topic.perm & _READ:
            raise _forbidden(f"the topic[{topic.name}] pulling message is forbidden", 3)

    def _check_broadcast(self, group: str) -> None:
        settings = self._clients.settings_of(group)
        members = self._clients.groups.get(group)
        if members and members.model == "BROADCASTING" and not settings["consumeBroadcastEnable"]:
            raise _forbidden(f"the consumer group[{group}] can not consume by broadcast way", 4)

    def arrived(self, topic: str, queue_id: int) -> None:
        """Tell that a message came; those who wait for it are answered in the loop's next round,
        so that messages that come together are answered together."""
        key = (topic, queue_id)
        if key not in self._held:
            return
        if not self._arrived:
            asyncio.get_running_loop().call_soon(self._wake)
        self._arrived.add(key)

    def lost(self, connection: Connection) -> None:
        """Forget what a client waits for."""
        for held in [held for queue in self._held.values() for held in queue]:
            if held.request.connection is connection:
                self._release(held)

    def answer_all(self) -> None:
        """Answer everything that waits with what is there now."""
        for held in [held for queue in self._held.values() for held in queue]:
            self._answer(held)

    def _hold(
        self,
        request: Request,
        key: QueueKey,
        offset: int,
        subscription: Subscription,
        seconds: float,
    ) -> None:
        held: Held
        timer = asyncio.get_running_loop().call_later(seconds, lambda: self._answer(held))
        held = Held(request, key, offset, subscription, timer)
        self._held.setdefault(key, []).append(held)

    def _wake(self) -> None:
        arrived, self._arrived = self._arrived, set()
        loop = asyncio.get_running_loop()
        for key in arrived:
            for held in list(self._held.get(key, ())):
                messages = self._store.queue(*key)[held.offset :]
                if any(_matches(message, held.subscription) for message in messages):
                    self._answer(held)
                elif held.timer.when() > loop.time() + _TICK_SECONDS:
                    # A real broker finds the messages that do not match at its next tick.
                    held.timer.cancel()
                    held.timer = loop.call_later(_TICK_SECONDS, self._answer, held)

    def _release(self, held: Held) -> None:
        held.timer.cancel()
        waiting = self._held[held.key]
        waiting.remove(held)
        if not waiting:
            del self._held[held.key]

    def _answer(self, held: Held) -> None:
        self._release(held)
        batch = held.request.integer("maxMsgNums")
        reply = self._read(held.key, held.offset, batch, held.subscription)
        held.request.connection.reply(held.request, reply)

    def _read(self, key: QueueKey, offset: int, batch: int, subscription: Subscription) -> Reply:
        queue = self._store.queue(*key)
        end = len(queue)
        if 0 <= offset < end:
            return self._found(queue, offset, batch, subscription)
        if offset < 0:
            return _reply(codes.PULL_OFFSET_MOVED, "OFFSET_TOO_SMALL", 0, end)
        if offset > end:
            return _reply(codes.PULL_OFFSET_MOVED, "OFFSET_OVERFLOW_BADLY", end, end)
        remark = "OFFSET_OVERFLOW_ONE" if end else "NO_MESSAGE_IN_QUEUE"
        return _reply(codes.PULL_NOT_FOUND, remark, end, end)

    @staticmethod
    def _found(queue: list[Stored], offset: int, batch: int, subscription: Subscription) -> Reply:
        wanted = min(max(batch, 1), _BATCH_LIMIT)
        records: list[bytes] = []
        size = 0
        position = offset
        while position < len(queue) and len(records) < wanted and position - offset < _SCAN_LIMIT:
            message = queue[position]
            if _matches(message, subscription):
                if records and size + len(message.record) > _BYTES_LIMIT:
                    break
                records.append(message.record)
                size += len(message.record)
            position += 1
        if not records:
            return _reply(codes.PULL_RETRY_IMMEDIATELY, "NO_MATCHED_MESSAGE", position, len(queue))
        return _reply(codes.SUCCESS, "FOUND", position, len(queue), b"".join(records))


def _forbidden(remark: str, kind: int) -> Refusal:
    return Refusal(codes.NO_PERMISSION, remark, {"forbiddenType": str(kind)})


def _matches(message: Stored, subscription: Subscription) -> bool:
    return subscription.tag_hashes is None or message.tag_hash in subscription.tag_hashes


def _reply(code: int, remark: str, following: int, end: int, body: bytes = b"") -> Reply:
    fields = {
        "suggestWhichBrokerId": "0",
        "nextBeginOffset": str(following),
        "minOffset": "0",
        "maxOffset": str(end),
        "offsetDelta": "0",
        "topicSysFlag": "0",
        "groupSysFlag": "0",
    }
    return Reply(code, remark, fields, body)
