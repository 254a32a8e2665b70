"""Which queues are this consumer's.

A strategy is called with a member's client id, the ids of all members and the queues of a topic,
and returns those of that member. Every member must compute from the same lists and by the same
strategy, so these sort both as the Java client does. A client that is not among the members gets
nothing.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from ..models import MessageQueue

Strategy = Callable[[str, Sequence[str], Sequence[MessageQueue]], list[MessageQueue]]
_VIRTUAL_NODES = 10


def allocate_average(
    client_id: str, client_ids: Sequence[str], queues: Sequence[MessageQueue]
) -> list[MessageQueue]:
    """Return this client's share: runs of neighbouring queues, as equal as can be."""
    members = sorted(set(client_ids))
    if client_id not in members:
        return []
    ordered = sorted(queues)
    index = members.index(client_id)
    share, left_over = divmod(len(ordered), len(members))
    start = index * share + min(index, left_over)
    return ordered[start : start + share + (1 if index < left_over else 0)]


def allocate_circle(
    client_id: str, client_ids: Sequence[str], queues: Sequence[MessageQueue]
) -> list[MessageQueue]:
    """Return this client's share: the members take the queues in turn."""
    members = sorted(set(client_ids))
    if client_id not in members:
        return []
    return sorted(queues)[members.index(client_id) :: len(members)]


def allocate_consistent_hash(
    client_id: str, client_ids: Sequence[str], queues: Sequence[MessageQueue]
) -> list[MessageQueue]:
    """Return this client's share on a ring of hashes: a member that comes or goes moves few."""
    members = sorted(set(client_ids))
    if client_id not in members:
        return []
    ring = sorted(
        (_hash(f"{member}-{number}"), member)
        for member in members
        for number in range(_VIRTUAL_NODES)
    )
    places = [place for place, _ in ring]
    found = []
    for queue in sorted(queues):
        key = (
            f"MessageQueue [topic={queue.topic}, brokerName={queue.broker_name}, "
            f"queueId={queue.queue_id}]"
        )
        if ring[bisect_left(places, _hash(key)) % len(ring)][1] == client_id:
            found.append(queue)
    return found


def allocate_configured(mine: Iterable[MessageQueue]) -> Strategy:
    """Return the strategy by which a member takes these queues whatever the others do."""
    chosen = frozenset(mine)

    def allocate(
        client_id: str, client_ids: Sequence[str], queues: Sequence[MessageQueue]
    ) -> list[MessageQueue]:
        return sorted(chosen.intersection(queues))

    return allocate


def _hash(key: str) -> int:
    digest = hashlib.md5(key.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big")
