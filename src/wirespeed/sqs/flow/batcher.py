"""Which waiting entries go together into the next batch; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from ..models import BATCH_LIMIT, MESSAGE_LIMIT
from ..wire import JsonObject


class Entry:
    """One entry of a batch, and where its caller waits.

    Args:
        fields: what is sent of it.
        size: bytes that count of it.
        group: entries of one group keep their order; None has none.
        future: completed with the entry's result.
        deadline: when its caller stops to wait, on the monotonic clock.
        added: when it came, on the same.
    """

    __slots__ = ("added", "deadline", "fields", "future", "group", "size")

    def __init__(
        self,
        fields: JsonObject,
        size: int,
        group: str | None,
        future: Any,
        deadline: float,
        added: float,
    ) -> None:
        self.fields = fields
        self.size = size
        self.group = group
        self.future = future
        self.deadline = deadline
        self.added = added


class Batcher:
    """The entries that wait, in order.

    Args:
        linger: seconds that an entry waits for others before its batch goes.
        lock: guards what several threads share.
    """

    def __init__(self, linger: float, lock: AbstractContextManager[Any]) -> None:
        self._linger = linger
        self._lock = lock
        self._waiting: list[Entry] = []
        self._under_way: set[str] = set()

    def add(self, entry: Entry) -> None:
        """Let an entry wait for the next batch."""
        with self._lock:
            self._waiting.append(entry)

    def remove(self, entry: Entry) -> bool:
        """Take an entry back; False where it is under way already."""
        with self._lock:
            if entry not in self._waiting:
                return False
            self._waiting.remove(entry)
            return True

    def pause(self, now: float) -> float:
        """Return the seconds that the next batch is still to wait for more entries."""
        with self._lock:
            if not self._linger or not self._waiting or len(self._waiting) >= BATCH_LIMIT:
                return 0.0
            return max(0.0, self._waiting[0].added + self._linger - now)

    def take(self) -> list[Entry]:
        """Return the next batch: at most 10 entries and 1 MiB; none where nothing may go.

        Of a group that is under way nothing is taken.
        """
        with self._lock:
            batch: list[Entry] = []
            passed: list[Entry] = []
            held = set(self._under_way)
            room = MESSAGE_LIMIT
            for index, entry in enumerate(self._waiting):
                if len(batch) == BATCH_LIMIT:
                    passed += self._waiting[index:]
                    break
                if entry.group in held or (batch and entry.size > room):
                    passed.append(entry)
                    if entry.group is None:
                        room = -1
                    else:
                        held.add(entry.group)
                    continue
                batch.append(entry)
                room -= entry.size
            self._waiting = passed
            self._under_way.update(entry.group for entry in batch if entry.group is not None)
            return batch

    def settle(self, batch: Iterable[Entry], failed: Callable[[Entry], bool]) -> list[Entry]:
        """End a batch; return the waiting entries that must fail with their group.

        An entry that waits behind a failed one of its group would pass it.
        """
        with self._lock:
            broken = set()
            for entry in batch:
                if entry.group is not None:
                    self._under_way.discard(entry.group)
                    if failed(entry):
                        broken.add(entry.group)
            if not broken:
                return []
            lost = [entry for entry in self._waiting if entry.group in broken]
            self._waiting = [entry for entry in self._waiting if entry.group not in broken]
            return lost
