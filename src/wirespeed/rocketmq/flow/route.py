"""The state that a client's flows share, name servers, routes, heartbeats."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ...config import Clock, Credentials
from ...engine.effects import Exchange, Flow, Sleep, Wakeup
from ...errors import ConfigError, TopicNotFound, TransportError, WirespeedError
from ...remoting.connection import Command, Frame, Tls, parse_address
from ...telemetry import Telemetry
from .. import codes, wire
from ..sign import sign

_log = logging.getLogger("wirespeed.rocketmq")

CONTROL_TIMEOUT = 3.0
ROUTE_INTERVAL = 30.0
MISSING_TOPIC_INTERVAL = 2.0
WOKEN_PAUSE = 0.5
HEARTBEAT_INTERVAL = 30.0


def parse_name_servers(text: str) -> tuple[str, ...]:
    """Split "host:port;host:port"; commas and spaces separate too.

    Raises:
        ConfigError: there is none, or one has no port.
    """
    if not isinstance(text, str):
        raise ConfigError(
            f'namesrv must be a str such as "127.0.0.1:9876", not {type(text).__name__}'
        )
    servers = tuple(text.replace(",", ";").replace(" ", ";").split(";"))
    servers = tuple(server.removeprefix("http://") for server in servers if server)
    if not servers:
        raise ConfigError(
            'namesrv must name at least one "host:port"',
            hint="pass namesrv=, or set NAMESRV_ADDR",
        )
    for server in servers:
        if "@" in server:
            raise ConfigError("namesrv must not hold a user or password")
        try:
            parse_address(server)
        except ConfigError as error:
            raise ConfigError(f"namesrv: {error}") from None
    return servers


@dataclass(frozen=True, slots=True)
class Settings:
    """What does not change in a client's life.

    Attributes:
        name_servers: "host:port" of each at the start.
        client_id: this client's id.
        unique_id: makes a message's UNIQ_KEY.
        credentials: sign with these, or None.
        clock: time and randomness.
        tls: how connections are secured, or None.
    """

    name_servers: tuple[str, ...]
    client_id: str
    unique_id: Callable[[], str]
    credentials: Credentials | None = None
    clock: Clock = field(default_factory=Clock)
    tls: Tls | None = None


class ClientState:
    """What a client has learned. Its fields are replaced, never changed in place."""

    def __init__(self, settings: Settings, telemetry: Telemetry | None = None) -> None:
        self.settings = settings
        self.telemetry = telemetry or Telemetry("rocketmq")
        self.name_servers = settings.name_servers
        self.routes: dict[str, wire.TopicRoute] = {}
        self.avoided: dict[str, float] = {}
        self.greeted: frozenset[str] = frozenset()
        self.heartbeat_wake = Wakeup()
        self.route_wake = Wakeup()
        self.rotation = itertools.count(int(settings.clock.random() * 1024))
        self._name_server = int(settings.clock.random() * len(settings.name_servers))

    def deadline(self, seconds: float) -> float:
        """Return the moment that many seconds from now."""
        return self.settings.clock.monotonic() + seconds

    def signed(self, command: Command) -> Command:
        """Sign `command` where the client has credentials, and return it."""
        if self.settings.credentials is not None:
            sign(command, self.settings.credentials)
        return command

    @property
    def name_server(self) -> str:
        """The name server in use."""
        servers = self.name_servers
        return servers[self._name_server % len(servers)]

    def next_name_server(self) -> None:
        """Turn to another name server after this one failed."""
        self._name_server += 1

    def use_name_servers(self, servers: tuple[str, ...]) -> None:
        """Ask these name servers from now on; the one in use stays so where it is among them."""
        current = self.name_server
        self.name_servers = servers
        if current in servers:
            self._name_server = servers.index(current)
        else:
            self._name_server = int(self.settings.clock.random() * len(servers))

    def broker_address(self, broker_name: str, broker_id: int = wire.MASTER) -> str | None:
        """Return where a replica of a broker is by any known route; another one if it is gone."""
        for route in list(self.routes.values()):
            address = route.address(broker_name, broker_id)
            if address:
                return address
        return None

    def master_address(self, broker_name: str) -> str | None:
        """Return where a broker's master is by any known route."""
        for route in list(self.routes.values()):
            address = route.master(broker_name)
            if address:
                return address
        return None

    def brokers(self, *, masters_only: bool) -> list[str]:
        """Return the addresses of all known brokers."""
        found: dict[str, None] = {}
        for route in list(self.routes.values()):
            for addresses in route.brokers.values():
                for broker_id, address in addresses.items():
                    if broker_id == wire.MASTER or not masters_only:
                        found[address] = None
        return list(found)


def ask_name_server(client: ClientState, command: Command, deadline: float) -> Flow[Frame]:
    """Ask the chosen name server; after a failure each other one once.

    One that does not answer leaves the others an equal share of the time.

    Raises:
        TransportError: none answered; the last one's error.
    """
    client.signed(command)
    last: TransportError | None = None
    for left in range(len(client.name_servers), 0, -1):
        server = client.name_server
        now = client.settings.clock.monotonic()
        limit = min(now + (deadline - now) / left, now + CONTROL_TIMEOUT)
        try:
            frame: Frame = yield Exchange(server, command, limit)
        except TransportError as error:
            last = error
            client.next_name_server()
        else:
            return frame
    assert last is not None
    last.service = "rocketmq"
    last.outcome = "not_sent"
    last.attempts = len(client.name_servers)
    raise last


def fetch_route(
    client: ClientState, topic: str, deadline: float, *, creates: bool = False
) -> Flow[wire.TopicRoute]:
    """Ask where `topic` is and remember it.

    With `creates`, an unknown topic gets the brokers that make topics at the first send.

    Raises:
        TopicNotFound: the name server knows no broker for it.
    """
    frame = yield from ask_name_server(client, wire.route_request(topic), deadline)
    limit = None
    if frame.code == codes.TOPIC_NOT_EXIST and creates:
        frame = yield from ask_name_server(
            client, wire.route_request(wire.AUTO_CREATE_TOPIC), deadline
        )
        limit = wire.DEFAULT_QUEUES
    if frame.code == codes.TOPIC_NOT_EXIST:
        raise TopicNotFound(
            f"no broker serves topic {topic!r}",
            service="rocketmq",
            code=frame.code,
            endpoint=client.name_server,
            retryable=True,
            outcome="not_sent",
            hint="create the topic, or check that a broker is registered with this name server",
        )
    if frame.code != codes.SUCCESS:
        raise codes.error(frame.code, frame.remark, client.name_server, outcome="not_sent")
    route = wire.parse_route(topic, frame, queue_limit=limit)
    client.routes[topic] = route
    return route


def keep_routes(
    client: ClientState, topics: Callable[[], Iterable[str]], changed: Wakeup
) -> Flow[None]:
    """Refresh the routes of `topics()` for ever; set `changed` when one differs.

    They are refreshed every 30 s, and soon after `client.route_wake` is set.
    """
    while True:
        missing = False
        for topic in topics():
            before = client.routes.get(topic)
            try:
                route = yield from fetch_route(client, topic, client.deadline(CONTROL_TIMEOUT))
            except WirespeedError as error:
                _log.debug("route of %s not refreshed: %s", topic, error)
                missing = missing or before is None
                continue
            if route != before:
                changed.set()
        interval = MISSING_TOPIC_INTERVAL if missing else ROUTE_INTERVAL
        woken = yield Sleep(interval, client.route_wake)
        if woken:
            yield Sleep(WOKEN_PAUSE)


def heartbeat(client: ClientState, command: Command, *, masters_only: bool) -> Flow[None]:
    """Tell every known broker once who this client is."""
    client.signed(command)
    for address in client.brokers(masters_only=masters_only):
        try:
            frame: Frame = yield Exchange(address, command, client.deadline(CONTROL_TIMEOUT))
        except TransportError as error:
            _log.debug("heartbeat to %s failed: %s", address, error)
            continue
        if frame.code != codes.SUCCESS:
            _log.warning("%s", codes.error(frame.code, frame.remark, address))
            continue
        client.greeted |= {address}


def keep_heartbeat(
    client: ClientState, make: Callable[[], Command], *, masters_only: bool
) -> Flow[None]:
    """Send heartbeats every 30 s for ever, and whenever `client.heartbeat_wake` is set."""
    while True:
        yield Sleep(HEARTBEAT_INTERVAL, client.heartbeat_wake)
        yield from heartbeat(client, make(), masters_only=masters_only)


def unregister(client: ClientState, command: Command) -> Flow[None]:
    """Tell every known broker that a group of this client leaves; failures do not matter."""
    client.signed(command)
    for address in client.brokers(masters_only=False):
        try:
            yield Exchange(address, command, client.deadline(CONTROL_TIMEOUT))
        except TransportError as error:
            _log.debug("unregistering from %s failed: %s", address, error)
