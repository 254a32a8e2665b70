# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""The consumer whose messages the broker keeps account of,."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ...config import Credentials, whole
from ...errors import ClosedError, ConfigError
from ...remoting.connection import Tls
from ..flow import pop
from ..flow.group import ConsumerPolicy, ProcessQueue
from ..models import ReceivedMessage, Sql, StartFrom
from .member import Member

if TYPE_CHECKING:
    import ssl

    from ...engine.effects import Flow

_MOST = 32
_LONGEST = 12 * 3600.0


class SimpleConsumer(Member):
    """Receives messages one by one, as SQS does; the broker delivers again what is not acked.

    No queue belongs to anybody: as many consumers as one likes share a topic, and a slow one
    holds nobody up. Brokers from 5.0 on. It connects with the first call.

    Args:
        group: the consumer group's name, at most 120 characters.
        subscriptions: topic to what is wanted of it: "*", tags joined by "||", or an `Sql`.
        namesrv: name servers, or the URL of an address server, as for `Producer`.
        credentials: an access key pair where the broker asks for one.
        tls: as for `Producer`.
        namespace: goes before the names of topics and groups.
        invisible: seconds for which a received message is nobody else's.
        start_from: where the group begins when the broker does not know it.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self,
        group: str,
        subscriptions: Mapping[str, str | Sql],
        namesrv: str | None = None,
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | Tls | bool = False,
        namespace: str = "",
        invisible: float = 60.0,
        start_from: StartFrom = StartFrom.FIRST,
    ) -> None:
        if not subscriptions:
            raise ConfigError("subscriptions must name at least one topic")
        if start_from not in (StartFrom.FIRST, StartFrom.LAST):
            raise ConfigError(f"start_from must be FIRST or LAST, not {start_from!r}")
        self._invisible = _invisible(invisible, "invisible")
        self._configure(namesrv, credentials, tls, namespace)
        self._policy = ConsumerPolicy(self._named(group), start_from=start_from, kind="POP")
        self._subscribe(subscriptions)

    def start(self) -> None:
        """Become a member of the group. Twice is fine.

        Raises:
            ClosedError: the consumer was closed.
            TransportError: no name server answered.
            Unsupported: the broker does not filter by SQL92.
        """
        with self._lock:
            self._check_startable()
            if not self._started:
                self._join()

    def _taking_up_flows(self) -> list[Flow[None]]:
        return []

    def _deliver(self, process_queue: ProcessQueue, messages: list[ReceivedMessage]) -> None:
        """Nothing is pulled."""

    def receive(
        self, count: int = 16, *, wait: float = 15.0, invisible: float | None = None
    ) -> list[ReceivedMessage]:
        """Receive up to `count` messages: those there are, or the first to come.

        Args:
            count: how many at most, 1 to 32.
            wait: seconds to wait for the first, 0 and up.
            invisible: seconds for which they are nobody else's; the consumer's if None.

        Raises:
            ConfigError: an argument is wrong, or no broker has a topic.
            ClosedError: the consumer was closed.
            TransportError: no broker answered.
            Unsupported: the broker is older than 5.0.
        """
        whole(count, "count", 1, _MOST)
        if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait <= 3600:
            raise ConfigError(f"wait must be 0 to 3600 seconds, not {wait!r}")
        kept = self._invisible if invisible is None else _invisible(invisible, "invisible")
        if not self._started:
            self.start()
        messages = self._run(pop.receive(self._consumer, count, float(wait), kept))
        if self._namespace:
            for message in messages:
                message.topic = message.topic.removeprefix(f"{self._namespace}%")
        return messages

    def ack(self, message: ReceivedMessage) -> None:
        """A message has been worked off and is not to come back.

        Raises:
            ConfigError: it was not received by such a consumer.
            NotFound: it is no longer out: its time has passed.
            TransportError: the broker did not answer.
        """
        self._run(pop.ack(self._running(), self._inner(message)))

    def nack(self, message: ReceivedMessage, *, delay: float = 1.0) -> None:
        """Give a message back, to come again after `delay` seconds, 1 and up.

        Raises:
            As `ack`.
        """
        self.change_invisible(message, delay)

    def change_invisible(self, message: ReceivedMessage, seconds: float) -> None:
        """Keep a message for so many seconds from now; its receipt handle changes.

        Raises:
            As `ack`.
        """
        inner = self._inner(message)
        self._run(pop.change(self._running(), inner, _invisible(seconds, "seconds")))
        message.receipt_handle = inner.receipt_handle

    def _inner(self, message: ReceivedMessage) -> ReceivedMessage:
        """Return a message under the name that its topic has at the broker."""
        if not isinstance(message, ReceivedMessage):
            raise ConfigError(f"message must be a ReceivedMessage, not {message!r}")
        if not self._namespace:
            return message
        inner = ReceivedMessage(message.native, message.broker_name)
        inner.topic = self._named(message.topic)
        inner.receipt_handle = message.receipt_handle
        return inner

    def __iter__(self) -> Iterator[ReceivedMessage]:
        """Receive for ever, a message at a time; ack each."""
        while not self._closed:
            try:
                messages = self.receive()
            except ClosedError:
                return
            for message in messages:
                yield message

    def close(self) -> None:
        """Leave the group and disconnect; what is not acked comes again. Twice is fine."""
        with self._lock:
            started, self._started, self._closed = self._started, False, True
            if not started:
                return
            try:
                self._stop_pulling()
            finally:
                self._leave()

    def __enter__(self) -> SimpleConsumer:
        self.start()
        return self


def _invisible(value: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= _LONGEST:
        raise ConfigError(f"{name} must be 1 to {_LONGEST:g} seconds, not {value!r}")
    return float(value)
