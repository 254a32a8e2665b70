# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""What every client of RocketMQ has,."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ...config import Credentials, instance, seconds
from ...engine import threads as engine
from ...engine.effects import Exchange, Flow
from ...errors import ClosedError, ConfigError
from ...remoting import threads as remoting
from ...remoting.connection import RequestHandler, Tls
from ...telemetry import Event, Status, Telemetry
from .. import wire
from ..flow import discovery, route
from ..identity import name_servers, new_settings

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")


class _AddressServer:
    """Carries a request to an address server, on a connection of its own."""

    def exchange(self, effect: Exchange) -> Any:
        from ...http import threads as http

        with http.Transport() as transport:
            return transport.exchange(effect)


class RemotingClient:
    """Connections, identity, events and counters: what the clients of RocketMQ share."""

    _started = False
    _closed = False
    _background: engine.Background | None = None
    _following: engine.Background | None = None

    def _configure(
        self,
        namesrv: str | None,
        credentials: Credentials | None,
        tls: ssl.SSLContext | Tls | bool,
        namespace: str,
    ) -> None:
        """Take up what every client is given.

        Raises:
            ConfigError: an argument is wrong.
        """
        instance(credentials, Credentials, "credentials")
        if namespace:
            wire.check_group(namespace)
        self._namespace = namespace
        self._address_server = namesrv if discovery.is_address_server(namesrv) else None
        self._name_servers = () if self._address_server else name_servers(namesrv)
        self._credentials = credentials
        self._tls = _tls(tls)
        self._telemetry = Telemetry("rocketmq")
        self._lock = engine.Lock()
        engine.track_forks(self)

    def _servers_text(self) -> str:
        return self._address_server or ";".join(self._name_servers)

    def _named(self, name: str) -> str:
        """Return a topic's or group's name within the namespace."""
        if not self._namespace or name.startswith(f"{self._namespace}%"):
            return name
        return f"{self._namespace}%{name}"

    def _check_startable(self) -> None:
        if self._closed:
            raise ClosedError(f"{self!r} is closed", service="rocketmq", outcome="not_sent")

    def _new_state(self) -> route.ClientState:
        """Return the state of a client that starts now, with an identity of its own."""
        servers = self._name_servers
        if self._address_server:
            deadline = time.monotonic() + discovery.TIMEOUT
            flow = discovery.find_name_servers(self._address_server, deadline)
            servers = route.parse_name_servers(engine.run(flow, _AddressServer()))
        settings = new_settings(servers, self._credentials, self._tls)
        return route.ClientState(settings, self._telemetry)

    def _new_transport(self, handler: RequestHandler) -> remoting.Transport:
        return remoting.Transport(handler, tls=self._tls, telemetry=self._telemetry)

    def _follow_address_server(self) -> None:
        """Have the address server, where there is one, asked again from time to time."""
        if self._address_server is None:
            return
        self._following = engine.Background(
            engine.background_transport(_AddressServer()), "wirespeed-address-server"
        )
        self._following.start(
            discovery.keep_name_servers(self._state, self._address_server, self._transport.forget)
        )

    def _disconnect(self) -> None:
        for background in (self._background, self._following):
            if background is not None:
                background.close()
        self._transport.close()

    def _drop(self) -> None:
        """Disconnect a client that nobody closed, without waiting."""
        # At the interpreter's end threads have stopped, some with a lock in hand.
        if sys.is_finalizing():
            return
        for background in (self._background, self._following):
            if background is not None:
                background.discard()
        self._transport.discard()

    def warn_unclosed(self) -> None:
        """Warn where nobody closed this client: it may run on until the interpreter ends."""
        if self._started:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=3)

    def start(self) -> None:
        """Connect. Twice is fine."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave and disconnect. Twice is fine."""
        raise NotImplementedError

    def _run(self, flow: Flow[T]) -> T:
        """Run a flow on the client's connections."""
        if not self._started:
            self.start()
        return engine.run(flow, self._transport)

    @property
    def metrics(self) -> Telemetry:
        """The client's counters: `metrics.snapshot()` is a dict of them."""
        return self._telemetry

    def on(self, name: str, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Call `listener` with each `Event` of that name, such as "retry" or "rebalance".

        It is called where the event happens and must be quick. An exception in it is logged.

        Returns:
            A function that ends it.

        Raises:
            ConfigError: there is no such event, or `listener` cannot be called.
        """
        return self._telemetry.on(name, listener)

    def status(self) -> Status:
        """Return how the servers are doing that this client spoke to; sends nothing."""
        endpoints = self._transport.endpoints() if self._started else {}
        return Status(all(each.ok for each in endpoints.values()), endpoints)

    def ping(self, timeout: float | str = 1.0) -> float:
        """Ask a name server something; return the seconds that its answer took.

        Raises:
            TransportError: none answered within `timeout` seconds.
        """
        if not self._started:
            self.start()
        limit = seconds(timeout, "timeout")
        began = time.monotonic()
        command = wire.route_request(wire.AUTO_CREATE_TOPIC)
        self._run(route.ask_name_server(self._state, command, began + limit))
        return time.monotonic() - began

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    if TYPE_CHECKING:
        _state: route.ClientState
        _transport: remoting.Transport

    def after_fork(self) -> None:
        """In a forked child: what is under way stays with the parent."""
        self._lock = engine.Lock()
        self._telemetry.after_fork()
        if self._started:
            self._started = False
            self._transport.after_fork()


def _tls(given: Any) -> Tls | None:
    if given is True:
        from ...http.tls import shared_context

        return Tls(shared_context())
    if given is None or given is False:
        return None
    if isinstance(given, Tls):
        return given
    if not hasattr(given, "wrap_bio"):
        raise ConfigError(f"tls must be an ssl.SSLContext, a Tls or a bool, not {given!r}")
    return Tls(given)
