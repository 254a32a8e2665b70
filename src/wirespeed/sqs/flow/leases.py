"""When the messages in hand are to be kept longer; no I/O."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ..models import ReceivedMessage

_SHARE = 0.5
_SOONEST = 0.2


@dataclass
class Lease:
    """One message in hand.

    Attributes:
        message: the message.
        began: when it was received, on the monotonic clock.
        ends: when it comes back to the queue.
        next: when it is to be extended.
    """

    message: ReceivedMessage
    began: float
    ends: float
    next: float


class Leases:
    """The messages in hand.

    Args:
        visibility: seconds that an extension lasts.
        most: seconds after which a message is extended no more.
        lock: guards what several threads share.
    """

    def __init__(self, visibility: float, most: float, lock: AbstractContextManager[Any]) -> None:
        self._visibility = visibility
        self._most = most
        self._lock = lock
        self._leases: dict[str, Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def add(self, message: ReceivedMessage, now: float) -> None:
        """Take a message in hand that was received `now`."""
        lease = Lease(
            message, now, now + self._visibility, now + min(self._visibility * _SHARE, self._most)
        )
        with self._lock:
            self._leases[message.receipt_handle] = lease

    def settle(self, handle: str) -> bool:
        """Let a message go; False where it is not in hand."""
        with self._lock:
            return self._leases.pop(handle, None) is not None

    def due(self, now: float) -> tuple[list[Lease], list[Lease]]:
        """Return the leases to extend now, and those that were lost, which are let go."""
        with self._lock:
            lost = [lease for lease in self._leases.values() if lease.ends <= now]
            for lease in lost:
                del self._leases[lease.message.receipt_handle]
            return [lease for lease in self._leases.values() if lease.next <= now], lost

    def seconds(self, lease: Lease, now: float) -> int:
        """Return for how long to extend a lease now: to its most at last, 0 after that."""
        return max(0, min(int(self._visibility), int(lease.began + self._most - now)))

    def extended(self, lease: Lease, now: float, seconds: int) -> None:
        """A lease lasts `seconds` from `now`; where that is its most, it is asked for no more."""
        lease.ends = now + seconds
        final = seconds < int(self._visibility)
        lease.next = lease.ends if final else now + seconds * _SHARE

    def failed(self, lease: Lease, now: float, gone: bool) -> None:
        """An extension failed: the message is `gone`, or is asked for again soon."""
        lease.next = now + max(_SOONEST, (lease.ends - now) / 4)
        if gone:
            lease.ends = now

    def pause(self, now: float, longest: float) -> float:
        """Return the seconds until something is due, at most `longest`."""
        with self._lock:
            times = [min(lease.next, lease.ends) for lease in self._leases.values()]
        return max(0.0, min(min(times, default=now + longest) - now, longest))
