"""Where groups are in queues."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

from ..journal import Journal, Packed

Place = tuple[str, str, int]
"""Group, topic and queue."""


@dataclass(eq=False, slots=True)
class Offset:
    """Where a group is in a queue."""

    group: str
    topic: str
    queue_id: int
    offset: int

    def pack(self) -> Packed:
        """Return it as it is written down."""
        return Packed("offset", {name: getattr(self, name) for name in self.__slots__})


class Offsets(MutableMapping[Place, int]):
    """The offsets that groups have committed.

    Args:
        journal: where it says what it keeps.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kept: dict[Place, Offset] = {}

    def __getitem__(self, place: Place) -> int:
        """Return an offset, or raise KeyError."""
        return self._kept[place].offset

    def __setitem__(self, place: Place, offset: int) -> None:
        """Set an offset."""
        kept = self._kept.get(place)
        if kept is None:
            kept = self._kept[place] = Offset(*place, offset)
        kept.offset = offset
        self._journal.save(kept)

    def __delitem__(self, place: Place) -> None:
        """Forget an offset."""
        self._journal.drop(self._kept.pop(place))

    def __iter__(self) -> Iterator[Place]:
        """Yield the places that have an offset."""
        return iter(self._kept)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._kept)

    def things(self) -> Iterator[Offset]:
        """Yield what it keeps."""
        yield from self._kept.values()

    def restore(self, kept: Offset) -> None:
        """Take one back that was written down."""
        self._kept[kept.group, kept.topic, kept.queue_id] = kept
