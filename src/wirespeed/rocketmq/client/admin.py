# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""The administrator's client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ...config import Credentials, whole
from ...engine import threads as engine
from ...errors import ConfigError, NotFound, WirespeedError
from ...remoting.connection import Command, Frame, Tls
from .. import wire
from ..flow import admin, offsets, route
from ..flow import send as sending
from ..models import (
    BrokerInfo,
    ConsumerConnection,
    GroupProgress,
    MessageQueue,
    QueueStats,
    ReceivedMessage,
    SendResult,
    Sql,
)
from ..wire import admin as requests
from .base import RemotingClient

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")
_TYPES = ("", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED", "PRIORITY")
_DEAD_LETTERS = "%DLQ%"
_PAGE = 32
_RESEND_TIMEOUT = 3.0


def _nothing(_: Frame) -> Command | None:
    return None


class Admin(RemotingClient):
    """Topics, groups, offsets, messages and brokers of a cluster.

    It connects with the first call. What concerns a topic or group is done at every broker.

    Args:
        namesrv: name servers, or the URL of an address server, as for `Producer`.
        credentials: an access key pair where the brokers ask for one.
        tls: as for `Producer`.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self,
        namesrv: str | None = None,
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | Tls | bool = False,
    ) -> None:
        self._configure(namesrv, credentials, tls, "")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._servers_text()!r})"

    def start(self) -> None:
        """Connect to a name server. Twice is fine.

        Raises:
            ClosedError: the client was closed.
            TransportError: no name server answered.
        """
        with self._lock:
            self._check_startable()
            if self._started:
                return
            state = self._new_state()
            transport = self._new_transport(_nothing)
            try:
                command = wire.route_request(wire.AUTO_CREATE_TOPIC)
                deadline = state.deadline(route.CONTROL_TIMEOUT)
                engine.run(route.ask_name_server(state, command, deadline), transport)
            except BaseException:
                transport.discard()
                raise
            self._state, self._transport = state, transport
            self._follow_address_server()
            self._started = True

    # ---- topics ----

    def create_topic(
        self, topic: str, *, queues: int = 8, readable: bool = True, writable: bool = True,
        message_type: str = "",
    ) -> None:  # fmt: skip
        """Make a topic at every broker, or change it.

        Args:
            topic: its name.
            queues: queues at each broker, 1 to 1024.
            readable: whether consumers may read it.
            writable: whether producers may send to it.
            message_type: "NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED" or "PRIORITY" for
                brokers from 5.0 on, or "".

        Raises:
            ConfigError: an argument is wrong.
            WirespeedError: a broker did not answer, or said no.
        """
        wire.check_topic(topic)
        whole(queues, "queues", 1, 1024)
        if message_type not in _TYPES:
            raise ConfigError(f"message_type must be one of {_TYPES[1:]}, not {message_type!r}")
        perm = readable * wire.PERM_READ + writable * wire.PERM_WRITE
        self._ready()
        self._run(
            admin.at_masters(
                self._state,
                lambda: requests.create_topic_request(topic, queues, queues, perm, message_type),
            )
        )

    def delete_topic(self, topic: str) -> None:
        """Have every broker and name server forget a topic and its messages.

        Raises:
            WirespeedError: one did not answer, or said no.
        """
        self._ready()
        self._run(admin.delete_topic(self._state, topic))

    def topics(self) -> list[str]:
        """Return the names of all topics, those of RocketMQ itself included."""
        return self._asked(requests.topics_request(), requests.parse_topics)

    def route(self, topic: str) -> wire.TopicRoute:
        """Return where a topic's queues are.

        Raises:
            TopicNotFound: there is no such topic.
        """
        self._ready()
        deadline = self._state.deadline(route.CONTROL_TIMEOUT)
        return self._run(route.fetch_route(self._state, topic, deadline))

    def topic_stats(self, topic: str) -> list[QueueStats]:
        """Return where each queue of a topic begins and ends.

        Raises:
            TopicNotFound: there is no such topic.
        """
        self._ready()
        found: list[QueueStats] = []
        for address in self._run(admin.masters_of(self._state, topic)):
            command = requests.topic_stats_request(topic)
            frame = self._run(admin.broker(self._state, address, command))
            found += requests.parse_topic_stats(frame)
        return sorted(found, key=lambda each: each.queue)

    # ---- groups ----

    def create_group(
        self, group: str, *, max_attempts: int = 16, retry_queues: int = 1,
        broadcasting: bool = True, enabled: bool = True,
    ) -> None:  # fmt: skip
        """Make a consumer group at every broker, or change it.

        Args:
            group: its name.
            max_attempts: deliveries before the dead-letter topic, 0 to 1000.
            retry_queues: queues of its retry topic, 1 to 64.
            broadcasting: whether it may broadcast.
            enabled: whether it may consume.

        Raises:
            ConfigError: an argument is wrong.
            WirespeedError: a broker did not answer, or said no.
        """
        wire.check_group(group)
        whole(max_attempts, "max_attempts", 0, 1000)
        whole(retry_queues, "retry_queues", 1, 64)
        self._ready()
        self._run(
            admin.at_masters(
                self._state,
                lambda: requests.create_group_request(
                    group,
                    max_attempts=max_attempts,
                    retry_queues=retry_queues,
                    broadcasting=broadcasting,
                    enabled=enabled,
                ),
            )
        )

    def delete_group(self, group: str, *, with_offsets: bool = True) -> None:
        """Have every broker forget a consumer group, with where it was unless told otherwise."""
        self._ready()
        self._run(
            admin.at_masters(
                self._state,
                lambda: requests.delete_group_request(group, with_offsets=with_offsets),
            )
        )

    def groups(self) -> list[str]:
        """Return the consumer groups that have a retry topic: all that ever consumed."""
        prefix = wire.RETRY_PREFIX
        return [name.removeprefix(prefix) for name in self.topics() if name[:7] == prefix]

    def progress(self, group: str, topic: str = "") -> GroupProgress:
        """Return where a group is in a topic, or in all of them.

        Raises:
            TopicNotFound: the group never consumed, or there is no such topic.
        """
        self._ready()
        return self._run(admin.progress(self._state, group, topic))

    def connections(self, group: str) -> list[ConsumerConnection]:
        """Return the clients that consume for a group."""
        self._ready()
        return self._run(admin.connections(self._state, group))

    def reset_offsets(
        self, group: str, topic: str, timestamp: float
    ) -> dict[MessageQueue, int]:
        """Let a group go on in a topic with what was stored at a time, or later.

        Running members follow. Every queue must have a stored offset.

        Args:
            group: the consumer group.
            topic: the topic.
            timestamp: seconds since 1970.

        Returns:
            The new offsets.
        """
        if isinstance(timestamp, bool) or not isinstance(timestamp, (int, float)) or timestamp < 0:
            raise ConfigError(f"timestamp must be seconds since 1970, not {timestamp!r}")
        self._ready()
        return self._run(admin.reset(self._state, group, topic, int(timestamp * 1000)))

    def set_offset(self, group: str, queue: MessageQueue, offset: int) -> None:
        """Store a group's offset of a queue; a running member may store its own again."""
        whole(offset, "offset", 0, 1 << 53)
        self._ready()
        self._run(admin.set_offset(self._state, group, queue, offset))

    def offset(self, group: str, queue: MessageQueue) -> int | None:
        """Return a group's stored offset of a queue; None where there is none."""
        self.route(queue.topic)
        deadline = self._state.deadline(route.CONTROL_TIMEOUT)
        return self._run(offsets.committed(self._state, group, queue, deadline))

    # ---- messages ----

    def message(self, offset_message_id: str) -> ReceivedMessage:
        """Return a message by the broker's id of it.

        Raises:
            ConfigError: that is no such id.
            NotFound: the broker has it no longer.
        """
        address, place = wire.place_of(offset_message_id)
        self._ready()
        return self._run(admin.view(self._state, address, place))

    def find(self, topic: str, key: str, *, most: int = 64) -> list[ReceivedMessage]:
        """Return the messages of a topic that have a key, the oldest first.

        Raises:
            TopicNotFound: there is no such topic.
        """
        whole(most, "most", 1, 64)
        self._ready()
        return self._run(admin.find(self._state, topic, key, unique=False, most=most))

    def find_by_id(self, topic: str, message_id: str) -> list[ReceivedMessage]:
        """Return the messages of a topic that have a unique id: several where it was sent again."""
        self._ready()
        return self._run(admin.find(self._state, topic, message_id, unique=True, most=_PAGE))

    def read(
        self,
        queue: MessageQueue,
        offset: int,
        count: int = _PAGE,
        expression: str | Sql = "*",
    ) -> tuple[list[ReceivedMessage], int]:
        """Return messages of a queue from an offset on, for no group, and where to go on.

        Args:
            queue: the queue.
            offset: where to begin; outside of the queue, none come and its bound is returned.
            count: how many at most, 1 to 32.
            expression: "*", tags joined by "||", or an `Sql`.

        Returns:
            The messages, and the next offset: the same one at the queue's end.

        Raises:
            TopicNotFound: there is no such topic.
            WirespeedError: the broker did not answer, or said no.
        """
        whole(count, "count", 1, _PAGE)
        whole(offset, "offset", 0, 1 << 53)
        self._ready()
        if queue.topic not in self._state.routes:
            self.route(queue.topic)
        return self._run(offsets.read(self._state, queue, offset, count, expression))

    def dead_letters(self, group: str, *, most: int = 1000) -> list[ReceivedMessage]:
        """Return a group's dead letters, the oldest first; they stay where they are.

        Raises:
            ConfigError: `most` is not within 1 and 100,000.
        """
        whole(most, "most", 1, 100_000)
        self._ready()
        topic = _DEAD_LETTERS + group
        try:
            stats = self.topic_stats(topic)
        except NotFound:
            return []
        found: list[ReceivedMessage] = []
        for each in stats:
            place = each.first
            while place < each.end and len(found) < most:
                messages, following = self.read(each.queue, place)
                found += messages
                if following == place:
                    break
                place = following
        return sorted(found, key=lambda message: message.store_timestamp)[:most]

    def resend(
        self, messages: Sequence[ReceivedMessage]
    ) -> list[SendResult | WirespeedError]:
        """Send copies of dead letters to where they were first sent; what failed stands in place.

        The dead letters stay where they are: sent again twice, they are twice there.
        """
        self._ready()
        policy = sending.SendPolicy(wire.INNER_PRODUCER_GROUP, 3, wire.MAX_BODY)
        copies = [message.copy() for message in messages]
        return self._run(sending.send_many(self._state, policy, copies, _RESEND_TIMEOUT))

    # ---- the cluster ----

    def brokers(self) -> list[BrokerInfo]:
        """Return the brokers that the name server knows."""
        self._ready()
        return self._run(admin.brokers(self._state))

    def broker_status(self, address: str) -> dict[str, str]:
        """Return a broker's figures, as it names them."""
        self._ready()
        command = requests.broker_status_request()
        frame = self._run(admin.broker(self._state, address, command))
        return requests.parse_broker_status(frame)

    def _ready(self) -> None:
        if not self._started:
            self.start()

    def _asked(self, command: Command, read: Callable[[Frame], T]) -> T:
        self._ready()
        return self._run(admin.name_server(self._state, command, read))

    def close(self) -> None:
        """Close the connections. Twice is fine."""
        with self._lock:
            started, self._started, self._closed = self._started, False, True
            if started:
                self._disconnect()

    def __enter__(self) -> Admin:
        self.start()
        return self

    def __del__(self) -> None:
        if self._started:
            self.warn_unclosed()
            self._drop()
