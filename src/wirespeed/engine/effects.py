"""What a flow may ask its driver for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Exchange:
    """Send `request` to `endpoint`, and be sent the reply.

    `endpoint` and `request` are what the transport takes. `deadline` is absolute, on the
    monotonic clock, in seconds. With `oneway` the outcome is None, as soon as it was written.
    """

    __slots__ = ("deadline", "endpoint", "oneway", "request")

    def __init__(self, endpoint: Any, request: Any, deadline: float, oneway: bool = False) -> None:
        self.endpoint = endpoint
        self.request = request
        self.deadline = deadline
        self.oneway = oneway


class Sleep:
    """Go on after `seconds`, or as soon as `wake` is set where one is given.

    `wake` is a `Wakeup`; the outcome is True when it was set, and it is cleared.
    """

    __slots__ = ("seconds", "wake")

    def __init__(self, seconds: float, wake: Wakeup | None = None) -> None:
        self.seconds = seconds
        self.wake = wake


class Wakeup:
    """Ends a flow's `Sleep` early. `set` may be called from any thread, also before the sleep.

    The driver that sleeps installs `notify`; nobody else touches it.
    """

    __slots__ = ("is_set", "notify")

    def __init__(self) -> None:
        self.is_set = False
        self.notify: Callable[[], None] | None = None

    def set(self) -> None:
        """Wake the flow, or let its next wait end at once."""
        self.is_set = True
        notify = self.notify
        if notify is not None:
            notify()


class Gather:
    """Run `flows`, at most `limit` at a time; the outcome is the list of their results.

    The first exception closes the others and is raised in the flow.
    """

    __slots__ = ("flows", "limit")

    def __init__(self, flows: Sequence[Flow[Any]], limit: int) -> None:
        self.flows = flows
        self.limit = limit


class Compute:
    """Call `function(*args)` where blocking is allowed; the outcome is what it returns."""

    __slots__ = ("args", "function")

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function = function
        self.args = args


Effect = Exchange | Sleep | Gather | Compute
Flow = Generator[Effect, Any, T]
