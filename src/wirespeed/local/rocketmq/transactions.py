"""Half messages: out of sight until they are committed, asked about until they are settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..clock import Timer
from ..journal import Packed
from . import codes
from .clients import Clients
from .namesrv import BROKER_NAME
from .server import Refusal, Reply, Request
from .store import Draft, Store, Stored

FIRST_CHECK = 6.0
CHECK_INTERVAL = 30.0
MOST_CHECKS = 15
_BASE = 1 << 40
"""Half messages have offsets of their own, beyond those of the store."""

_COMMIT, _ROLLBACK = 8, 12
_HALF_TOPIC = "RMQ_SYS_TRANS_HALF_TOPIC"


@dataclass(eq=False, slots=True)
class Half:
    """A half message.

    Attributes:
        draft: the message.
        number: which it is.
        checks: how often its producer was asked.
        timer: asks next.
    """

    draft: Draft
    number: int
    checks: int = 0
    timer: Timer | None = None

    def pack(self) -> Packed:
        """Return it as it is written down."""
        due = self.timer.due if self.timer is not None else 0.0
        fields = {
            "draft": self.draft.pack(),
            "number": self.number,
            "checks": self.checks,
            "due": due,
        }
        return Packed("half", fields, self.draft.body)


class Transactions:
    """The half messages of a broker.

    Args:
        store: where committed messages go.
        clients: whose producers are asked.
        arrived: told of each committed message.
    """

    def __init__(self, store: Store, clients: Clients, arrived: Callable[[str, int], None]) -> None:
        self._store = store
        self._clients = clients
        self._arrived = arrived
        self._halves: dict[int, Half] = {}
        self._next = 0

    def clear(self) -> None:
        """Forget all."""
        for half in self._halves.values():
            if half.timer is not None:
                half.timer.cancel()
        self._halves.clear()

    def prepare(self, draft: Draft) -> Stored:
        """Take a half message, and ask about it if it is not settled in time."""
        number = self._next
        self._next += 1
        half = self._halves[number] = Half(draft, number)
        immunity = draft.properties.get("CHECK_IMMUNITY_TIME_IN_SECONDS", "")
        self._wait(half, float(immunity) if immunity.isdecimal() else FIRST_CHECK)
        return self._store.stored(draft, number, _BASE + number)

    def things(self) -> Iterator[Half]:
        """Yield what it keeps."""
        yield from self._halves.values()

    def restore(self, fields: dict[str, Any], body: bytes) -> Half:
        """Take a half message back that was written down."""
        half = Half(Draft.unpack(fields["draft"], body), fields["number"], fields["checks"])
        self._halves[half.number] = half
        self._next = max(self._next, half.number + 1)
        half.timer = self._store.clock.at(fields["due"], lambda: self._check(half))
        return half

    def _wait(self, half: Half, seconds: float) -> None:
        half.timer = self._store.clock.later(seconds, lambda: self._check(half))
        self._store.journal.save(half)

    def _check(self, half: Half) -> None:
        half.checks += 1
        if half.checks > MOST_CHECKS:
            self._halves.pop(half.number, None)
            self._store.journal.drop(half)
            return
        self._wait(half, CHECK_INTERVAL)
        group = half.draft.properties.get("PGROUP", "")
        connections = list(self._clients.producers.get(group, ()))
        if not connections:
            return
        asked = connections[half.checks % len(connections)]
        half.draft.properties["TRANSACTION_CHECK_TIMES"] = str(half.checks)
        stored = self._store.stored(half.draft, half.number, _BASE + half.number)
        unique_key = half.draft.properties.get("UNIQ_KEY", "")
        asked.notify(
            codes.CHECK_TRANSACTION,
            {
                "topic": _HALF_TOPIC,
                "bname": BROKER_NAME,
                "commitLogOffset": str(_BASE + half.number),
                "tranStateTableOffset": str(half.number),
                "msgId": unique_key,
                "transactionId": unique_key,
                "offsetMsgId": stored.offset_message_id,
            },
            stored.record,
        )

    def end(self, request: Request) -> Reply | None:
        """Commit or roll back (37); a verdict of 0 leaves it and is not answered."""
        verdict = request.integer("commitOrRollback")
        number = request.integer("tranStateTableOffset")
        if verdict == 0:
            return None
        if verdict not in (_COMMIT, _ROLLBACK):
            raise Refusal(codes.SYSTEM_ERROR, f"commitOrRollback must not be {verdict}")
        half = self._halves.get(number)
        if half is None or request.integer("commitLogOffset") != _BASE + number:
            raise Refusal(codes.SYSTEM_ERROR, "find prepared transaction message failed")
        if request.text("producerGroup") != half.draft.properties.get("PGROUP"):
            raise Refusal(codes.SYSTEM_ERROR, "the producer group wrong")
        del self._halves[number]
        self._store.journal.drop(half)
        if half.timer is not None:
            half.timer.cancel()
        if verdict == _COMMIT:
            draft = half.draft
            draft.properties.pop("TRANSACTION_CHECK_TIMES", None)
            draft.properties["__transactionId__"] = draft.properties.get("UNIQ_KEY", "")
            draft.sys_flag |= _COMMIT
            self._store.append(draft)
            self._arrived(draft.topic, draft.queue_id)
        return Reply()
