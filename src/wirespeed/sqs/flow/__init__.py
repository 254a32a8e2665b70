"""What an SQS call does next: one exchange, retries, and the sharing out of batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...config import Credentials
from ...engine.effects import Flow, Gather
from ...errors import AccessDenied, ProtocolError, SendError, WirespeedError
from ...http.calls import Doubt, Patience, call
from ...http.models import Origin, Request
from .. import wire
from ..metadata import MetadataCredentials
from ..models import Message, MoveTask, ReceivedMessage, SendResult
from ..wire import JsonObject

_BATCHES_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Patience):
    """What every call of a client shares.

    Args:
        credentials: returns the key pair of now; asked for each try. Those of a metadata service
            are refreshed first.
        region: such as "us-east-1".
        origin: where requests go.
        ambiguous: whether a send whose fate is unknown is sent again.
        new_id: returns random text for deduplication ids.
        old: whether the query protocol is spoken, not that of JSON.
    """

    service: str = "sqs"
    credentials: Callable[[], Credentials]
    region: str
    origin: Origin
    ambiguous: bool
    new_id: Callable[[], str]
    old: bool = False


@dataclass
class QueueState:
    """What is known of one queue.

    Args:
        given: its name or URL, as the caller gave it.
    """

    given: str
    url: str = ""
    makes_ids: bool | None = field(default=None)
    """Whether a FIFO queue takes the deduplication id from the body; None: not asked yet."""

    is_fifo: bool = field(init=False)
    """Whether the queue keeps the order."""

    def __post_init__(self) -> None:
        if "/" in self.given:
            self.url = self.given
        self.is_fifo = self.given.endswith(".fifo")


def ask(
    settings: Settings,
    action: str,
    fields: JsonObject,
    deadline: float,
    *,
    doubt: Doubt | None = None,
    patience: Patience | None = None,
    ambiguous: bool = True,
) -> Flow[JsonObject]:
    """Carry out one action and return its reply's fields."""
    work = call(
        patience or settings,
        settings.origin,
        requests(settings, action, fields),
        wire.parse_old if settings.old else wire.parse,
        deadline,
        doubt,
        ambiguous=ambiguous,
    )
    keys = settings.credentials
    return _with_keys(settings, keys, work) if isinstance(keys, MetadataCredentials) else work


def _with_keys(
    settings: Settings, keys: MetadataCredentials, work: Flow[JsonObject]
) -> Flow[JsonObject]:
    yield from keys.refresh(settings.clock)
    return (yield from work)


def requests(settings: Settings, action: str, fields: JsonObject) -> Callable[[], Request]:
    """Return what makes an action's request, signed anew for each try."""
    host = settings.origin.host_header

    def request() -> Request:
        return wire.request(
            action, fields, settings.credentials(), settings.region, host, settings.clock.wall(),
            old=settings.old,
        )  # fmt: skip

    return request


def url_of(settings: Settings, queue: QueueState, deadline: float) -> Flow[str]:
    """Return the queue's URL, asked of the service the first time."""
    if not queue.url:
        reply = yield from ask(settings, "GetQueueUrl", {"QueueName": queue.given}, deadline)
        queue.url = text_of(reply, "QueueUrl")
    return queue.url


def text_of(reply: JsonObject, name: str) -> str:
    """Return a text that every such reply has.

    Raises:
        ProtocolError: this one has not.
    """
    value = reply.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f"the reply has no {name}", service="sqs", outcome="unknown")
    return value


def on_queue(
    settings: Settings, queue: QueueState, action: str, fields: JsonObject, deadline: float
) -> Flow[JsonObject]:
    """Carry out an action of a queue that may be repeated."""
    url = queue.url or (yield from url_of(settings, queue, deadline))
    return (yield from ask(settings, action, {"QueueUrl": url, **fields}, deadline))


def create(
    settings: Settings,
    name: str,
    attributes: Mapping[str, str],
    tags: Mapping[str, str],
    deadline: float,
) -> Flow[QueueState]:
    """Create a queue, or find the one of that name and those attributes."""
    fields: JsonObject = {"QueueName": name}
    if attributes:
        fields["Attributes"] = dict(attributes)
    if tags:
        fields["tags"] = dict(tags)
    reply = yield from ask(settings, "CreateQueue", fields, deadline)
    return QueueState(name, text_of(reply, "QueueUrl"))


def list_page(
    settings: Settings, action: str, fields: JsonObject, token: str, deadline: float
) -> Flow[tuple[list[str], str]]:
    """Return one page of queue URLs and the token of the next, "" at the end."""
    if token:
        fields = {**fields, "NextToken": token}
    reply = yield from ask(settings, action, fields, deadline)
    following = str(reply.get("NextToken") or "")
    if following and following == token:
        raise ProtocolError("the listing does not advance", service="sqs")
    # ListDeadLetterSourceQueues spells it with a small letter.
    urls = reply.get("QueueUrls") or reply.get("queueUrls") or []
    return [str(url) for url in urls], following


# ---- sending ----


def send(
    settings: Settings, queue: QueueState, message: Message, deadline: float
) -> Flow[SendResult]:
    """Send one message.

    Raises:
        WirespeedError: it was not acknowledged; `outcome` tells whether it may be stored.
    """
    fields, _ = wire.message_fields(message)
    url = queue.url or (yield from url_of(settings, queue, deadline))
    if queue.is_fifo:
        yield from add_deduplication_ids(settings, queue, [fields], deadline)
    safe = settings.ambiguous or "MessageDeduplicationId" in fields
    doubt = Doubt()
    tries = 0
    make = requests(settings, "SendMessage", {"QueueUrl": url, **fields})

    def request() -> Request:
        nonlocal tries
        tries += 1
        return make()

    if isinstance(settings.credentials, MetadataCredentials):
        yield from settings.credentials.refresh(settings.clock)
    parse = wire.parse_old if settings.old else wire.parse
    reply = yield from call(
        settings, settings.origin, request, parse, deadline, doubt, ambiguous=safe
    )
    wire.check_stored(fields, reply)
    duplicate = doubt.exists and "MessageDeduplicationId" not in fields
    return SendResult(text_of(reply, "MessageId"), reply.get("SequenceNumber"), tries, duplicate)


def add_deduplication_ids(
    settings: Settings, queue: QueueState, entries: Sequence[JsonObject], deadline: float
) -> Flow[None]:
    """Give the messages that have none an id, unless the FIFO queue makes its own."""
    bare = [fields for fields in entries if "MessageDeduplicationId" not in fields]
    if bare and queue.makes_ids is None:
        try:
            known = yield from on_queue(
                settings,
                queue,
                "GetQueueAttributes",
                {"AttributeNames": ["ContentBasedDeduplication"]},
                deadline,
            )
        except AccessDenied:
            known = {}
        attributes = known.get("Attributes") or {}
        queue.makes_ids = attributes.get("ContentBasedDeduplication") == "true"
    if not queue.makes_ids:
        for fields in bare:
            fields["MessageDeduplicationId"] = settings.new_id()


def send_many(
    settings: Settings, queue: QueueState, messages: Sequence[Message], deadline: float
) -> Flow[list[SendResult | WirespeedError]]:
    """Send messages in as few requests as may be; what failed stands in its place.

    Batches to a standard queue go side by side, those to a FIFO queue one after the other, and
    none of them after one that failed: its group would lose its order.
    """
    entries = [wire.message_fields(message) for message in messages]
    if queue.is_fifo:
        yield from add_deduplication_ids(settings, queue, [each for each, _ in entries], deadline)
    made = wire.batches(entries)
    results: list[SendResult | WirespeedError] = [
        SendError("an earlier batch failed", service="sqs", outcome="not_sent", retryable=True)
    ] * len(messages)
    url = queue.url or (yield from url_of(settings, queue, deadline))
    flows = [send_batch(settings, url, batch, results, deadline) for batch in made]
    if not queue.is_fifo:
        yield Gather(flows, _BATCHES_AT_ONCE)
        return results
    for flow in flows:
        if not (yield from flow):
            break
    return results


def send_batch(
    settings: Settings,
    url: str,
    batch: list[JsonObject],
    results: list[SendResult | WirespeedError],
    deadline: float,
) -> Flow[bool]:
    """Send one batch, write down each entry's fate, and return whether all were stored."""
    doubt = Doubt()
    safe = settings.ambiguous or all("MessageDeduplicationId" in entry for entry in batch)
    fields = {"QueueUrl": url, "Entries": batch}
    try:
        reply = yield from ask(
            settings, "SendMessageBatch", fields, deadline, doubt=doubt, ambiguous=safe
        )
    except WirespeedError as error:
        for entry in batch:
            results[int(entry["Id"])] = error
        return False
    stored, failed = settle(reply)
    whole = True
    for entry in batch:
        result = results[int(entry["Id"])] = _entry_result(entry, stored, failed, doubt.exists)
        whole = whole and isinstance(result, SendResult)
    return whole


def send_together(
    settings: Settings, queue: QueueState, entries: Sequence[JsonObject], deadline: float
) -> Flow[list[SendResult | WirespeedError]]:
    """Send up to ten messages in one request; what failed stands in its place."""
    if queue.is_fifo:
        yield from add_deduplication_ids(settings, queue, entries, deadline)
    url = queue.url or (yield from url_of(settings, queue, deadline))
    batch = [{"Id": str(place), **fields} for place, fields in enumerate(entries)]
    results: list[SendResult | WirespeedError] = [missing(entry["Id"]) for entry in batch]
    yield from send_batch(settings, url, batch, results, deadline)
    return results


def _entry_result(
    entry: JsonObject,
    stored: Mapping[str, JsonObject],
    failed: Mapping[str, WirespeedError],
    doubtful: bool,
) -> SendResult | WirespeedError:
    name = entry["Id"]
    item = stored.get(name)
    if item is None:
        return failed.get(name) or missing(name)
    try:
        wire.check_stored(entry, item)
        return SendResult(
            text_of(item, "MessageId"),
            item.get("SequenceNumber"),
            possible_duplicate=doubtful and "MessageDeduplicationId" not in entry,
        )
    except WirespeedError as error:
        return error


def settle(reply: JsonObject) -> tuple[dict[str, JsonObject], dict[str, WirespeedError]]:
    """Return a batch's successes and failures by entry id.

    Raises:
        ProtocolError: the reply is not what the service sends.
    """
    try:
        stored = {str(item["Id"]): dict(item) for item in reply.get("Successful") or ()}
        failed: dict[str, WirespeedError] = {}
        for item in reply.get("Failed") or ():
            code = str(item["Code"])
            text = f"SQS: {code}: {item.get('Message') or 'no reason'}"
            status = 400 if item.get("SenderFault", True) else 500
            failed[str(item["Id"])] = wire.error_of(code.rpartition(".")[2], text, status=status)
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(
            f"the batch's reply cannot be read: {error!r}", service="sqs", outcome="unknown"
        ) from error
    return stored, failed


def missing(name: str) -> ProtocolError:
    """Return the error of a batch entry that the reply does not tell of."""
    return ProtocolError(
        f"the batch's reply does not tell of entry {name}", service="sqs", outcome="unknown"
    )


# ---- receiving ----


def receive(
    settings: Settings,
    queue: QueueState,
    count: int,
    wait: int | None,
    visibility: int | None,
    deadline: float,
) -> Flow[list[ReceivedMessage]]:
    """Receive up to `count` messages, of which a lost reply's come back after their visibility."""
    url = queue.url or (yield from url_of(settings, queue, deadline))
    fields: JsonObject = {
        "QueueUrl": url,
        "MaxNumberOfMessages": count,
        # Servers from before MessageSystemAttributeNames know this name alone; all take it.
        "AttributeNames": ["All"],
        "MessageAttributeNames": ["All"],
    }
    if wait is not None:
        fields["WaitTimeSeconds"] = wait
    if visibility is not None:
        fields["VisibilityTimeout"] = visibility
    patience = Patience(
        service=settings.service,
        timeout=settings.timeout + (20 if wait is None else wait),
        retry=settings.retry,
        clock=settings.clock,
        telemetry=settings.telemetry,
        budget=settings.budget,
    )
    reply = yield from ask(settings, "ReceiveMessage", fields, deadline, patience=patience)
    return wire.parse_messages(reply)


def settle_many(
    settings: Settings,
    queue: QueueState,
    action: str,
    entries: Sequence[JsonObject],
    deadline: float,
) -> Flow[list[WirespeedError | None]]:
    """Carry out a batch action on receipts; return the error of each, None where it went well."""
    url = queue.url or (yield from url_of(settings, queue, deadline))
    results: list[WirespeedError | None] = [None] * len(entries)

    def one(batch: list[JsonObject]) -> Flow[None]:
        try:
            reply = yield from ask(settings, action, {"QueueUrl": url, "Entries": batch}, deadline)
            done, failed = settle(reply)
        except WirespeedError as error:
            for entry in batch:
                results[int(entry["Id"])] = error
            return
        for entry in batch:
            name = entry["Id"]
            if name not in done:
                results[int(name)] = failed.get(name) or missing(name)

    made = wire.batches([(fields, 0) for fields in entries])
    yield Gather([one(batch) for batch in made], _BATCHES_AT_ONCE)
    return results


def move_tasks(settings: Settings, arn: str, deadline: float) -> Flow[list[MoveTask]]:
    """Return the last redrives out of a dead-letter queue, newest first."""
    reply = yield from ask(
        settings, "ListMessageMoveTasks", {"SourceArn": arn, "MaxResults": 10}, deadline
    )
    items: Any = reply.get("Results") or ()
    try:
        return [wire.parse_move_task(item) for item in items]
    except (TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"the tasks cannot be read: {error!r}", service="sqs") from error


def arn_of(settings: Settings, queue: QueueState, deadline: float) -> Flow[str]:
    """Return the queue's ARN."""
    reply = yield from on_queue(
        settings, queue, "GetQueueAttributes", {"AttributeNames": ["QueueArn"]}, deadline
    )
    return text_of(reply.get("Attributes") or {}, "QueueArn")
