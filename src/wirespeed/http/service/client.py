# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""The base of every HTTP service's client."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ...config import Retry, instance, seconds
from ...engine import threads as engine
from ...engine.effects import Flow
from ...errors import ConfigError
from ...http import threads as http
from ...http.calls import Budget, Patience
from ...telemetry import Event, Status, Telemetry

if TYPE_CHECKING:
    import ssl

    import requests

T = TypeVar("T")
S = TypeVar("S", bound=Patience)
MOST_CONNECTIONS = 64
"""Connections that a client has to one server, in use or idle."""


def patience(service: str, timeout: float | str, retry: Retry | None) -> dict[str, Any]:
    """Return the arguments of `Patience` for a client, checked.

    Raises:
        ConfigError: `timeout` is no duration or `retry` no `Retry`.
    """
    instance(retry, Retry, "retry")
    chosen = retry or Retry()
    return {
        "service": service,
        "timeout": seconds(timeout, "timeout"),
        "retry": chosen,
        "telemetry": Telemetry(service),
        "budget": Budget(chosen.budget),
    }


class ServiceClient(Generic[S]):
    """Connections, events, counters and an end: what the clients of the HTTP services share."""

    _settings: S

    def _open(
        self,
        settings: S,
        tls: ssl.SSLContext | None,
        proxy: str | None,
        session: requests.Session | None,
    ) -> None:
        """Take up the settings and make the transport; sends nothing.

        Raises:
            ConfigError: an argument is wrong.
        """
        if tls is not None and not hasattr(tls, "wrap_socket"):
            raise ConfigError(f"tls must be an ssl.SSLContext, not {type(tls).__name__}")
        if session is not None and (tls is not None or proxy is not None):
            raise ConfigError("tls and proxy must be None: the session has its own")
        self._settings = settings
        self._new_transport = functools.partial(
            http.open_transport,
            tls=tls,
            proxy=proxy,
            session=session,
            telemetry=settings.telemetry,
            connections=MOST_CONNECTIONS,
        )
        self._transport = self._new_transport()

    @property
    def metrics(self) -> Telemetry:
        """The client's counters: `metrics.snapshot()` is a dict of them."""
        return self._settings.telemetry

    def on(self, name: str, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Call `listener` with each `Event` of that name, such as "retry" or "throttle".

        It is called where the event happens and must be quick. An exception in it is logged.

        Returns:
            A function that ends it.

        Raises:
            ConfigError: there is no such event, or `listener` cannot be called.
        """
        return self._settings.telemetry.on(name, listener)

    def status(self) -> Status:
        """Return how the servers are doing that this client spoke to; sends nothing."""
        endpoints = self._transport.endpoints()
        return Status(all(each.ok for each in endpoints.values()), endpoints)

    def close(self) -> None:
        """Close the connections; calls under way end first. Twice is fine."""
        self._transport.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        transport = getattr(self, "_transport", None)
        if transport is not None and transport.idle_connections:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            transport.discard()

    def _deadline(self, timeout: float | str | None) -> float:
        return self._settings.deadline(None if timeout is None else seconds(timeout, "timeout"))

    def _run(self, work: Flow[T]) -> T:
        return engine.run(work, self._transport)
