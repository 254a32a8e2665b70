# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""A member of a consumer group,."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...config import instance, whole
from ...engine import threads as engine
from ...engine import unclosed
from ...engine.effects import Flow
from ...errors import ConfigError
from ..flow import consume, pull, route
from ..flow.group import (
    ConsumerPolicy,
    ConsumerState,
    DirectConsumer,
    Offsets,
    ProcessQueue,
    Task,
)
from ..models import MessageQueue, ReceivedMessage, Sql, StartFrom
from .base import RemotingClient

_LATEST = 1 << 53


class Member(RemotingClient):
    """What pulls as a member of a group: its queues, where it is in them, how it leaves."""

    _policy: ConsumerPolicy
    _wanted: dict[str, str | Sql]
    _offsets: Offsets | None = None
    _background: engine.Background

    def _subscribe(self, subscriptions: Mapping[str, str | Sql]) -> None:
        """Take up what the group wants.

        Raises:
            ConfigError: a topic or an expression is bad.
        """
        instance(subscriptions, Mapping, "subscriptions")
        self._wanted = {self._named(topic): each for topic, each in subscriptions.items()}
        consume.subscriptions(self._policy.group, self._wanted, 0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._policy.group!r}, {self._servers_text()!r})"

    def _join(self) -> None:
        """Become a member; the lock is held."""
        client = self._new_state()
        version = int(client.settings.clock.wall() * 1000)
        policy = self._policy
        retries = not policy.broadcasting and policy.kind == "PASSIVELY"
        state = ConsumerState(
            client,
            policy,
            consume.subscriptions(policy.group, self._wanted, version, retries=retries),
            deliver=self._deliver,
            spawn=self._spawn,
            make_lock=engine.make_state_lock,
            offsets=self._offsets,
            consume_directly=self._direct_consumer(),
        )
        transport = self._new_transport(state.handle_request)
        try:
            engine.run(consume.join(state), transport)
        except BaseException:
            transport.discard()
            raise
        background = engine.Background(transport, "wirespeed-consumer")
        self._consumer, self._state = state, client
        self._transport, self._background = transport, background
        self._begin(background)
        self._follow_address_server()
        self._started = True
        background.start(route.keep_heartbeat(client, state.registration, masters_only=False))
        background.start(
            route.keep_routes(client, lambda: list(state.subscriptions), state.rebalance_wake)
        )
        background.start(pull.follow_resets(state))
        flows = [pull.keep_offsets(state), *self._taking_up_flows()]
        self._keeping = [background.start(flow) for flow in flows]
        unclosed.watch(self)

    def _taking_up_flows(self) -> list[Flow[None]]:
        """Return what takes queues up, for ever."""
        flows = [consume.keep_balanced(self._consumer)]
        if self._policy.ordered:
            flows.append(consume.keep_locks(self._consumer))
        return flows

    def _direct_consumer(self) -> DirectConsumer | None:
        """Return what consumes the messages that administrators choose, if anything does."""
        return None

    def _begin(self, background: engine.Background) -> None:
        """Make ready for messages."""

    def _spawn(self, flow: Any) -> Task:
        return self._background.start(flow)

    def _deliver(self, process_queue: ProcessQueue, messages: list[ReceivedMessage]) -> None:
        raise NotImplementedError

    def _stop_pulling(self) -> None:
        """End what takes queues up, pulls, and stores offsets, which could overtake the last."""
        pulling: list[Any] = [
            queue.task for queue in list(self._consumer.queues.values()) if queue.task
        ]
        engine.stop([*self._keeping, *pulling])

    def _leave(self) -> None:
        """Store the offsets, leave the group and disconnect."""
        try:
            engine.run(consume.leave(self._consumer), self._transport)
        finally:
            self._disconnect()

    def queues(self) -> list[MessageQueue]:
        """Return the queues that are this consumer's now, retry topics left out."""
        held = list(self._consumer.queues) if self._started else []
        return sorted(queue for queue in held if not queue.topic.startswith("%RETRY%"))

    def pause(self, *queues: MessageQueue) -> None:
        """Pull no more of these queues, or of all; what was pulled is still consumed.

        Raises:
            ConfigError: the consumer is not started.
        """
        pull.pause(self._running(), queues, True)

    def resume(self, *queues: MessageQueue) -> None:
        """Go on pulling these queues, or all.

        Raises:
            ConfigError: the consumer is not started.
        """
        pull.pause(self._running(), queues, False)

    def seek(self, queue: MessageQueue, offset: int) -> None:
        """Let the group go on at an offset of a queue that is this consumer's.

        What was pulled and is in no handler's hand yet is dropped.

        Raises:
            ConfigError: the queue is not this consumer's, or the offset is negative.
            TransportError: the broker did not answer.
        """
        whole(offset, "offset", 0, _LATEST)
        self._run(pull.seek(self._running(), queue, offset))

    def lag(self) -> dict[MessageQueue, int]:
        """Return how many messages of each of its queues are still to be consumed.

        Raises:
            ConfigError: the consumer is not started.
            WirespeedError: a broker did not answer, or said no.
        """
        return self._run(pull.lag(self._running()))

    def _running(self) -> ConsumerState:
        if not self._started:
            raise ConfigError(f"{self!r} is not started")
        return self._consumer

    def after_fork(self) -> None:
        """In a forked child: the messages stay with the parent, and this object is closed."""
        self._closed = self._closed or self._started
        super().after_fork()


def starting_point(start_from: StartFrom, start_at: float | None) -> dict[str, Any]:
    """Return the settings of where a group begins.

    Raises:
        ConfigError: they do not go together.
    """
    instance(start_from, StartFrom, "start_from")
    if (start_from is StartFrom.TIMESTAMP) != (start_at is not None):
        raise ConfigError("start_at goes with start_from=StartFrom.TIMESTAMP")
    if start_at is None:
        return {"start_from": start_from}
    if isinstance(start_at, bool) or not isinstance(start_at, (int, float)) or start_at < 0:
        raise ConfigError(f"start_at must be seconds since 1970, not {start_at!r}")
    return {"start_from": start_from, "start_at": int(start_at * 1000)}
