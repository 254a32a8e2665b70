"""Which queues are this consumer's."""

from __future__ import annotations

from collections.abc import Sequence

from ..models import MessageQueue


def allocate_average(
    client_id: str, client_ids: Sequence[str], queues: Sequence[MessageQueue]
) -> list[MessageQueue]:
    """Return this client's share: runs of neighbouring queues, as equal as can be.

    Every member must compute from the same lists, so both are sorted here as the Java client
    sorts them. A client that is not among `client_ids` gets nothing.
    """
    members = sorted(set(client_ids))
    if client_id not in members:
        return []
    ordered = sorted(queues)
    index = members.index(client_id)
    share, left_over = divmod(len(ordered), len(members))
    start = index * share + min(index, left_over)
    return ordered[start : start + share + (1 if index < left_over else 0)]
