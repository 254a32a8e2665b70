"""A download by ranges, for every store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..engine.effects import Compute, Flow, Sleep
from ..errors import Busy, IntegrityError, ObjectNotFound, ServiceError
from ..http.calls import Patience, call
from ..http.models import Origin, Request, Response
from .transfer import Part, RateLimit, Reporter, carry, plan, room_for

Sink = Callable[[bytes], object]


class Target(Protocol):
    """Where a download goes; see `targets.FileTarget`."""

    def done(self, part: Part) -> bool | None:
        """Return True for a part that is there already, else None."""

    def write(self, offset: int, data: bytes) -> None:
        """Write some bytes."""

    def complete(self, part: Part) -> None:
        """Every byte of a part was written."""

    def finish(self, expected: str, service: str) -> str:
        """Compare the digest of all with the store's, and give the file its name."""

    def leave(self) -> None:
        """Keep what came for the next run."""


def fetch(
    patience: Patience,
    origin: Origin,
    request: Callable[[list[tuple[str, str]], Sink | None], Request],
    check: Callable[[Response], bytes],
    open_target: Callable[[list[Part]], Target],
    reporter: Reporter,
    *,
    key: str,
    size: int,
    expected: str,
    part_size: int,
    workers: int,
    limit: RateLimit | None,
    deadline: float,
    direct: bool,
) -> Flow[str]:
    """Download an object by ranges, `workers` at a time, into a file; return its digest.

    With `direct` each piece is written where it comes in; else a part is held, and written where
    blocking is allowed.

    Args:
        patience: how long requests wait and how often they are tried.
        origin: where they go.
        request: returns the request of a range, whose headers and sink are given.
        check: returns the bytes of an answer, or raises what it says.
        open_target: opens the file, for a plan.
        reporter: takes the progress.
        key: the object's key.
        size: its bytes.
        expected: its digest, "" where the store tells none.
        part_size: bytes of a range.
        workers: ranges at a time.
        limit: spreads the bytes over time.
        deadline: when it must be over.
        direct: see above.

    Raises:
        IntegrityError: other bytes came than the store tells of.
    """
    parts = plan(size, part_size)
    target: Target = yield Compute(open_target, parts)

    def one(part: Part) -> Flow[bool]:
        if limit is not None:
            yield Sleep(limit.delay(part.size, patience.clock.monotonic()))
        at = end = part.offset

        def write(piece: bytes) -> None:
            nonlocal end
            if end + len(piece) > part.offset + part.size:
                raise _odd(patience, key, part, end + len(piece) - part.offset)
            target.write(end, piece)
            end += len(piece)

        def make() -> Request:
            nonlocal end
            end = at
            wanted = [("Range", f"bytes={part.offset}-{part.offset + part.size - 1}")]
            return request(wanted, write if direct else None)

        data = yield from call(patience, origin, make, check, deadline)
        if not direct:
            yield Compute(write, data)
        if end != part.offset + part.size:
            raise _odd(patience, key, part, end - part.offset)
        yield Compute(target.complete, part)
        return True

    try:
        room = room_for(workers, part_size)
        yield from carry(parts, one, room, reporter=reporter, done=target.done)
        found: str = yield Compute(target.finish, expected, patience.service)
    finally:
        target.leave()
    return found


def check_source(response: Response, service: str) -> None:
    """Raise what the answer says of a URL that a body is to be fetched from.

    Raises:
        ObjectNotFound, Busy, ServiceError: it was not given.
    """
    status = response.status
    if status == 200:
        return
    kind = ObjectNotFound if status == 404 else Busy if status >= 500 else ServiceError
    raise kind(
        f"the URL of the body was answered {status} {response.reason}",
        service=service,
        status=status,
        retryable=status >= 500,
        outcome="rejected",
    )


def _odd(patience: Patience, key: str, part: Part, size: int) -> IntegrityError:
    return IntegrityError(
        f"the service sent {size} bytes of {key!r} at {part.offset}, not {part.size}",
        service=patience.service,
    )
