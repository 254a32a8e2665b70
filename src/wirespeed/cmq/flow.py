"""What a CMQ call does next: one exchange, retries, and the sharing out of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ..config import Credentials
from ..engine.effects import Flow, Gather
from ..errors import ProtocolError, ServiceError, WirespeedError
from ..http.calls import Doubt, Patience, call
from ..http.models import Origin, Request, Response
from . import wire
from .models import BATCH_LIMIT, LONGEST_WAIT, ReceivedMessage, SendResult
from .wire import JsonObject

T = TypeVar("T")
_BATCHES_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Patience):
    """What every call of a client shares.

    Args:
        credentials: returns the key pair of now; asked for each try.
        origin: where requests go.
        method: "POST" or "GET".
        sha256: HMAC-SHA256 signs, else HMAC-SHA1.
        ambiguous: whether a send whose fate is unknown is sent again.
        nonce: returns a random number above 0.
    """

    service: str = "cmq"
    credentials: Callable[[], Credentials]
    origin: Origin
    method: str
    sha256: bool
    ambiguous: bool
    nonce: Callable[[], int]


def requests(settings: Settings, action: str, parameters: dict[str, str]) -> Callable[[], Request]:
    """Return what makes an action's request, with a nonce and a time of its own for each try."""

    def request() -> Request:
        return wire.request(
            action, parameters, settings.credentials(), settings.origin.host_header,
            method=settings.method, sha256=settings.sha256, wall=settings.clock.wall(),
            nonce=settings.nonce(),
        )  # fmt: skip

    return request


def ask(
    settings: Settings,
    action: str,
    parameters: dict[str, str],
    deadline: float,
    parse: Callable[[Response], T],
    doubt: Doubt | None = None,
    *,
    ambiguous: bool = True,
) -> Flow[T]:
    """Carry out one action and return its reply, parsed."""
    return call(
        settings,
        settings.origin,
        requests(settings, action, parameters),
        parse,
        deadline,
        doubt,
        ambiguous=ambiguous,
    )


# ---- sending ----


def send(
    settings: Settings, action: str, parameters: dict[str, str], deadline: float
) -> Flow[SendResult]:
    """Send or publish one message.

    Raises:
        WirespeedError: it was not acknowledged; `outcome` tells whether it may be stored.
    """
    doubt = Doubt()
    tries = 0
    make = requests(settings, action, parameters)

    def request() -> Request:
        nonlocal tries
        tries += 1
        return make()

    message_id = yield from call(
        settings,
        settings.origin,
        request,
        wire.parse_stored,
        deadline,
        doubt,
        ambiguous=settings.ambiguous,
    )
    return SendResult(message_id, tries, doubt.exists)


def send_many(
    settings: Settings,
    action: str,
    common: dict[str, str],
    bodies: Sequence[str],
    deadline: float,
) -> Flow[list[SendResult | WirespeedError]]:
    """Send or publish messages in as few requests as may be; what failed stands in its place."""
    results: list[SendResult | WirespeedError] = [
        ProtocolError("the batch's reply does not tell of it", service="cmq", outcome="unknown")
    ] * len(bodies)

    def one(places: range) -> Flow[None]:
        doubt = Doubt()
        batch = [bodies[place] for place in places]
        parameters = {**common, **wire.numbered("msgBody", batch)}
        try:
            ids = yield from ask(
                settings, action, parameters, deadline, wire.parse_stored_many, doubt,
                ambiguous=settings.ambiguous,
            )  # fmt: skip
        except WirespeedError as error:
            for place in places:
                results[place] = error
            return
        for place, message_id in zip(places, ids, strict=False):
            results[place] = SendResult(message_id, possible_duplicate=doubt.exists)

    yield Gather([one(places) for places in wire.batches(bodies)], _BATCHES_AT_ONCE)
    return results


# ---- receiving ----


def receive(
    settings: Settings, queue: str, count: int, wait: int | None, deadline: float
) -> Flow[list[ReceivedMessage]]:
    """Receive up to `count` messages, of which a lost reply's come back after their visibility."""
    parameters = {"queueName": queue}
    if count > 1:
        parameters["numOfMsg"] = str(count)
    if wait is not None:
        parameters["pollingWaitSeconds"] = str(wait)
    longer = LONGEST_WAIT if wait is None else wait
    patient = replace(settings, timeout=settings.timeout + longer)
    action = "BatchReceiveMessage" if count > 1 else "ReceiveMessage"
    parse = wire.parse_messages if count > 1 else wire.parse_message
    try:
        return (yield from ask(patient, action, parameters, deadline, parse))
    except ServiceError as error:
        if error.code == wire.NO_MESSAGE:
            return []
        raise


def delete_many(
    settings: Settings, queue: str, handles: Sequence[str], deadline: float
) -> Flow[list[WirespeedError | None]]:
    """Delete messages in batches; return the error of each, None where it went well."""
    results: list[WirespeedError | None] = [None] * len(handles)

    def one(start: int) -> Flow[None]:
        batch = handles[start : start + BATCH_LIMIT]
        parameters = {"queueName": queue, **wire.numbered("receiptHandle", batch)}
        try:
            failed: dict[str, ServiceError] = yield from ask(
                settings, "BatchDeleteMessage", parameters, deadline, wire.parse_batch_deletion
            )
        except WirespeedError as error:
            results[start : start + len(batch)] = [error] * len(batch)
            return
        for offset, handle in enumerate(batch):
            results[start + offset] = failed.get(handle)

    starts = range(0, len(handles), BATCH_LIMIT)
    yield Gather([one(start) for start in starts], _BATCHES_AT_ONCE)
    return results


def pages(
    settings: Settings,
    action: str,
    parameters: dict[str, str],
    name: str,
    size: int,
    deadline: Callable[[], float],
) -> Iterator[Flow[list[JsonObject]]]:
    """Yield a flow for each page of a listing; each is to be run before the next is asked for."""
    offset = 0
    done = False

    def page() -> Flow[list[JsonObject]]:
        nonlocal offset, done
        asked = {**parameters, "offset": str(offset), "limit": str(size)}
        fields = yield from ask(settings, action, asked, deadline(), wire.parse)
        items = wire.items_of(fields, name)
        offset += len(items)
        try:
            done = not items or offset >= int(fields["totalCount"])
        except (KeyError, TypeError, ValueError) as error:
            raise wire.unreadable("the listing", error) from error
        return items

    while not done:
        yield page()
