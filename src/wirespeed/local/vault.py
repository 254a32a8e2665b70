"""What a cloud holds, as a whole: its time, its snapshots, and what a restart finds again."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ..errors import ConfigError
from .clock import Clock
from .journal import Database, Journal, Kept, Packed

_CLOCK = "clock"
_NAME_LIMIT = 100


class State(Protocol):
    """What a service holds."""

    @property
    def KINDS(self) -> tuple[str, ...]:
        """What is taken back, the first before what refers to it."""
        ...

    def clear(self) -> None:
        """Forget everything."""

    def wake(self) -> None:
        """Let everybody who waits look again: the time was moved."""

    def things(self) -> Iterator[Kept]:
        """Yield all that it keeps."""
        ...

    def load(self, packed: Packed) -> Kept | None:
        """Take back what was written down; return what it is now, None where it is nothing."""

    def loaded(self) -> None:
        """Go on with what was taken back."""


class _Ahead:
    """How far the clock was moved, as a thing to keep."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def pack(self) -> Packed:
        return Packed(_CLOCK, {"ahead": self._clock.ahead})


class Vault:
    """The states of a cloud's services. One event loop uses it.

    Args:
        directory: where they outlive the process; None keeps them in memory.

    Attributes:
        clock: the time of all services.
        states: those of the services, by name.

    Raises:
        ConfigError: the directory cannot be used.
        OSError: it cannot be made, or be written to.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.clock = Clock()
        self._ahead = _Ahead(self.clock)
        self.states: dict[str, Any] = {}
        self._database = None if directory is None else Database(directory)
        self._snapshots: dict[str, list[tuple[str, Packed]]] = {}
        if self._database is not None:
            for row, packed in self._database.load(_CLOCK):
                self.clock.ahead = packed.fields["ahead"]
                self._database.adopt(self._ahead, row)

    def journal(self, service: str) -> Journal:
        """Return where a service says what it keeps."""
        return Journal() if self._database is None else self._database.journal(service)

    def add(self, service: str, state: State) -> None:
        """Take a service's state in, with what it held when the cloud was last stopped."""
        self.states[service] = state
        self.clock.on_travel(state.wake)
        if self._database is None:
            return
        lost = []
        rows = list(self._database.load(service))
        for row, packed in sorted(rows, key=lambda each: state.KINDS.index(each[1].kind)):
            thing = state.load(packed)
            if thing is None:
                lost.append(row)
            else:
                self._database.adopt(thing, row)
        self._database.forget(lost)
        state.loaded()

    def commit(self) -> None:
        """Write down what has changed.

        Raises:
            sqlite3.Error: it could not be written.
        """
        if self._database is not None:
            self._database.commit()

    def close(self) -> None:
        """Write down what is left, and end."""
        self.clock.stop()
        if self._database is not None:
            self._database.close()

    def clear(self) -> None:
        """Forget everything but the snapshots, and let the clock be right again."""
        for state in self.states.values():
            state.clear()
        self.clock.ahead = 0.0
        self._save_clock()
        self.commit()

    def travel(self, seconds: float) -> None:
        """Move the clock ahead.

        Raises:
            ConfigError: `seconds` is negative, or more than ten years.
        """
        self.clock.travel(seconds)
        self._save_clock()

    def _save_clock(self) -> None:
        if self._database is not None:
            self._database.save(_CLOCK, self._ahead)

    # ---- snapshots ----

    def snapshots(self) -> list[str]:
        """Return the names of the snapshots there are."""
        if self._database is not None:
            return self._database.snapshots()
        return sorted(self._snapshots)

    def take_snapshot(self, name: str) -> None:
        """Remember all that is held now; a snapshot of that name is replaced.

        Raises:
            ConfigError: the name is empty or has more than 100 characters.
        """
        if not 1 <= len(name) <= _NAME_LIMIT:
            raise ConfigError(f"name must have 1 to {_NAME_LIMIT} characters")
        things = self._packed()
        if self._database is None:
            self._snapshots[name] = list(things)
        else:
            self._database.take_snapshot(name, things)

    def _packed(self) -> Iterable[tuple[str, Packed]]:
        for service, state in self.states.items():
            for thing in state.things():
                packed = thing.pack()
                # What is packed may be part of what goes on changing.
                yield service, replace(packed, fields=copy.deepcopy(packed.fields))

    def restore_snapshot(self, name: str) -> None:
        """Hold again what was held then, and nothing else.

        Raises:
            ConfigError: there is no snapshot of that name.
        """
        if name not in self.snapshots():
            raise ConfigError(f"name: there is no snapshot {name!r}; there are {self.snapshots()}")
        if self._database is None:
            things = self._snapshots[name]
        else:
            things = self._database.read_snapshot(name)
        for service, state in self.states.items():
            state.clear()
            journal = self.journal(service)
            own = [packed for of, packed in things if of == service]
            for packed in sorted(own, key=lambda each: state.KINDS.index(each.kind)):
                thing = state.load(replace(packed, fields=copy.deepcopy(packed.fields)))
                if thing is not None:
                    journal.save(thing)
            state.loaded()
        self.commit()

    def delete_snapshot(self, name: str) -> None:
        """Forget a snapshot; one that is not there is fine."""
        if self._database is not None:
            self._database.delete_snapshot(name)
        self._snapshots.pop(name, None)
