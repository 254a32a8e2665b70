"""SQS requests and replies between values and bytes: of the JSON 1.0 protocol, or by `query`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ...config import Credentials, whole
from ...errors import (
    AccessDenied,
    Busy,
    ConfigError,
    Conflict,
    IntegrityError,
    NotFound,
    Outcome,
    ProtocolError,
    ServiceError,
    Throttled,
    Unsupported,
    WirespeedError,
)
from ...http.models import Request, Response
from ..models import (
    ATTRIBUTE_LIMIT,
    BATCH_LIMIT,
    LONGEST_DELAY,
    MESSAGE_LIMIT,
    Attribute,
    AttributeValue,
    Message,
    MoveTask,
    ReceivedMessage,
)
from ..sign import JSON_TYPE, TARGET_PREFIX, signed_headers

JsonObject = dict[str, Any]
_encode_any = json.JSONEncoder(separators=(",", ":")).encode
_encode_text = json.encoder.encode_basestring_ascii
_decode = json.JSONDecoder().decode

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUEUE_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")
_ATTRIBUTE_NAME = re.compile(r"(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")
_ATTRIBUTE_TYPE = re.compile(r"(?:String|Number|Binary)(?:\.\S+)?")
_FIFO_ID = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,./:;<=>?@\[\\\]^_`{|}~-]{1,128}")
_PLAIN_TYPES = frozenset({"String", "Number", "Binary"})

_DENIED = frozenset(
    {
        "AccessDenied", "AccessDeniedException", "AuthFailure", "ExpiredToken",
        "ExpiredTokenException", "IncompleteSignature", "InvalidAccessKeyId",
        "InvalidClientTokenId", "InvalidSecurity", "KmsAccessDenied", "MissingAuthenticationToken",
        "MissingAuthenticationTokenException", "OptInRequired", "RequestExpired",
        "RequestTimeTooSkewed", "SignatureDoesNotMatch", "UnrecognizedClientException",
    }
)  # fmt: skip
_THROTTLED = frozenset(
    {
        "KmsThrottled", "OverLimit", "RequestLimitExceeded", "RequestThrottled",
        "RequestThrottledException", "Throttling", "ThrottlingException", "ThrottledException",
        "TooManyRequestsException",
    }
)  # fmt: skip
_CONFLICT = frozenset(
    {"PurgeQueueInProgress", "QueueAlreadyExists", "QueueDeletedRecently", "QueueNameExists"}
)
_NOT_FOUND = frozenset({"NonExistentQueue", "QueueDoesNotExist", "ResourceNotFoundException"})


def check_queue(queue: object) -> str:
    """Return a queue's name or URL, or raise `ConfigError`."""
    if isinstance(queue, str):
        if _QUEUE_NAME.fullmatch(queue):
            return queue
        if queue.startswith(("http://", "https://")):
            path = urlsplit(queue).path
            if _QUEUE_NAME.fullmatch(path.rpartition("/")[2]) and queue.isprintable():
                return queue
    raise ConfigError(
        "queue must be a queue's URL, or a name of 1 to 80 letters, digits, - and _, which ends in "
        f".fifo for a FIFO queue, not {queue!r}"
    )


def _encode(fields: JsonObject) -> str:
    """Return fields as JSON. Texts and numbers alone, the usual case, need no encoder's set-up."""
    parts = []
    for name, value in fields.items():
        if type(value) is str:
            parts.append(f'"{name}":{_encode_text(value)}')
        elif type(value) is int:
            parts.append(f'"{name}":{value}')
        else:
            return _encode_any(fields)
    return f"{{{','.join(parts)}}}"


def request(
    action: str,
    fields: JsonObject,
    credentials: Credentials,
    region: str,
    host: str,
    wall: float,
    *,
    old: bool = False,
) -> Request:
    """Return the signed request of one action, with `old` in the query protocol."""
    if old:
        from . import query

        path = query.path_of(fields)
        body = query.encode(action, fields)
        extra = {"Content-Type": query.FORM_TYPE}
    else:
        path = "/"
        body = _encode(fields).encode("ascii")
        extra = {"Content-Type": JSON_TYPE, "X-Amz-Target": TARGET_PREFIX + action}
    headers = signed_headers(credentials, region, host, path, extra, body, wall)
    return Request("POST", path, headers, body)


def parse(response: Response) -> JsonObject:
    """Return the fields of a reply; a body of no bytes has none.

    Raises:
        ServiceError: the service said no.
        ProtocolError: the reply is not what the service sends.
    """
    if response.status != 200:
        raise failure(response)
    if not response.body:
        return {}
    try:
        fields = _decode(response.body.decode())
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise _unreadable(response, "JSON", 'give protocol="query" for an older one')
    return fields


def parse_old(response: Response) -> JsonObject:
    """Return the fields of a reply of the query protocol, as `parse` does."""
    from . import query

    if response.status != 200:
        try:
            code, text, request_id = query.decode_error(response.body)
        except ValueError:
            return parse(response)
        raise error_of(code, f"SQS: {code}: {text}", status=response.status, request_id=request_id)
    try:
        return query.decode(response.body)
    except ValueError:
        raise _unreadable(response, "query", 'give protocol="json" for a newer one') from None


def _unreadable(response: Response, protocol: str, hint: str) -> ProtocolError:
    return ProtocolError(
        f"the reply is none of the {protocol} protocol",
        service="sqs",
        status=response.status,
        outcome="unknown",
        hint=f"is the endpoint an SQS server? {hint}",
    )


def failure(response: Response) -> WirespeedError:
    """Return the error that a reply tells of."""
    try:
        fields = json.loads(response.body)
    except (ValueError, RecursionError):
        fields = {}
    if not isinstance(fields, dict):
        fields = {}
    code = str(fields.get("__type", "")).rpartition("#")[2] or f"HTTP {response.status}"
    text = str(fields.get("message") or fields.get("Message") or response.reason or "no reason")
    old_code = response.header("x-amzn-query-error").partition(";")[0]
    return error_of(
        code,
        f"SQS: {code}: {text}",
        status=response.status,
        request_id=response.header("x-amzn-requestid"),
        aliases=(old_code.rpartition(".")[2],),
    )


def error_of(
    code: str,
    text: str,
    *,
    status: int = 400,
    request_id: str = "",
    aliases: Sequence[str] = (),
) -> WirespeedError:
    """Return the typed error of an error code."""
    names = {code, *aliases}
    kind: type[WirespeedError] = ServiceError
    retryable = False
    outcome: Outcome = "rejected"
    hint = ""
    if names & _NOT_FOUND:
        kind = NotFound
        hint = "create the queue, or check the region and the account"
    elif names & _DENIED:
        kind = AccessDenied
        skewed = "RequestTimeTooSkewed" in names or "expired" in text.lower()
        hint = "set this machine's clock" if skewed else "check the key pair and its permissions"
    elif names & _THROTTLED or status == 429:
        kind, retryable = Throttled, True
    elif names & _CONFLICT:
        kind = Conflict
    elif "UnsupportedOperation" in names:
        kind = Unsupported
    elif status >= 500:
        kind, retryable, outcome = Busy, True, "unknown"
    return kind(
        text,
        service="sqs",
        code=code,
        status=status,
        request_id=request_id,
        retryable=retryable,
        outcome=outcome,
        hint=hint,
    )


# ---- messages to send ----


def message_fields(message: Message) -> tuple[JsonObject, int]:
    """Return a message's fields and how many bytes count of it.

    Raises:
        ConfigError: it breaks a limit, which the text names.
    """
    size = _check_body(message.body)
    fields: JsonObject = {"MessageBody": message.body}
    if message.delay is not None:
        fields["DelaySeconds"] = whole(message.delay, "delay", 0, LONGEST_DELAY)
    if message.attributes:
        encoded, more = _encode_attributes(message.attributes)
        fields["MessageAttributes"] = encoded
        size += more
    if size > MESSAGE_LIMIT:
        raise ConfigError(f"a message may have {MESSAGE_LIMIT} bytes, attributes included: {size}")
    if message.group_id is not None:
        fields["MessageGroupId"] = _check_fifo_id(message.group_id, "group_id")
    if message.deduplication_id is not None:
        fields["MessageDeduplicationId"] = _check_fifo_id(
            message.deduplication_id, "deduplication_id"
        )
    if message.trace_header:
        fields["MessageSystemAttributes"] = {
            "AWSTraceHeader": {"DataType": "String", "StringValue": message.trace_header}
        }
    return fields, size


def _check_body(body: object) -> int:
    if not isinstance(body, str):
        raise ConfigError(
            f"body must be a str, not {type(body).__name__}", hint="encode bytes as base64"
        )
    if not body:
        raise ConfigError("body must have at least one character")
    if not (body.isascii() and body.isprintable()):
        bad = _FORBIDDEN.search(body)
        if bad:
            raise ConfigError(
                f"body holds U+{ord(bad[0]):04X} at {bad.start()}: it may hold tab, line ends and "
                "what else XML allows"
            )
    return len(body) if body.isascii() else len(body.encode())


def _check_fifo_id(text: object, name: str) -> str:
    if not isinstance(text, str) or not _FIFO_ID.fullmatch(text):
        raise ConfigError(f"{name} must be 1 to 128 letters, digits and punctuation, not {text!r}")
    return text


def _encode_attributes(
    attributes: Mapping[str, AttributeValue | Attribute],
) -> tuple[JsonObject, int]:
    if len(attributes) > ATTRIBUTE_LIMIT:
        raise ConfigError(f"attributes may be {ATTRIBUTE_LIMIT}, not {len(attributes)}")
    encoded: JsonObject = {}
    size = 0
    for name, given in attributes.items():
        if not isinstance(name, str) or not _ATTRIBUTE_NAME.fullmatch(name):
            raise ConfigError(
                f"attribute name {name!r}: it must be 1 to 256 letters, digits, - _ and single dots"
            )
        value, kind = typed(name, given)
        size += len(name) + len(kind)
        if isinstance(value, bytes):
            size += len(value)
            encoded[name] = {
                "DataType": kind, "BinaryValue": base64.b64encode(value).decode("ascii")
            }  # fmt: skip
        else:
            size += len(value.encode())
            encoded[name] = {"DataType": kind, "StringValue": value}
    return encoded, size


def typed(name: str, given: AttributeValue | Attribute) -> tuple[str | bytes, str]:
    """Return an attribute's value and its type as SQS spells them, or raise `ConfigError`."""
    value: object = given
    kind = "String"
    if isinstance(given, Attribute):
        value, kind = given.value, given.type
        if not isinstance(kind, str) or not _ATTRIBUTE_TYPE.fullmatch(kind) or len(kind) > 256:
            raise ConfigError(f"attribute {name!r}: its type {kind!r} is no String, Number, Binary")
    elif isinstance(given, (bytes, bytearray)):
        value, kind = bytes(given), "Binary"
    elif isinstance(given, (int, float)) and not isinstance(given, bool):
        value, kind = repr(given), "Number"
    if isinstance(value, bytes) != kind.startswith("Binary") or not isinstance(value, (str, bytes)):
        raise ConfigError(f"attribute {name!r}: a {kind} cannot be {type(value).__name__}")
    if not value:
        raise ConfigError(f"attribute {name!r}: the value must not be empty")
    if isinstance(value, str) and _FORBIDDEN.search(value):
        raise ConfigError(f"attribute {name!r}: the value holds a character that XML forbids")
    return value, kind


def batches(entries: Sequence[tuple[JsonObject, int]]) -> list[list[JsonObject]]:
    """Divide entries, each with its bytes, into batches that SQS takes, in order."""
    made: list[list[JsonObject]] = []
    room = 0
    for index, (fields, size) in enumerate(entries):
        if not made or len(made[-1]) == BATCH_LIMIT or size > room:
            made.append([])
            room = MESSAGE_LIMIT
        room -= size
        made[-1].append({"Id": str(index), **fields})
    return made


def body_digest(body: str) -> str:
    """Return the MD5 of a body, in hexadecimal."""
    return hashlib.md5(body.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def attributes_digest(attributes: Mapping[str, Mapping[str, str]]) -> str:
    """Return the MD5 that SQS computes of message attributes in their JSON form."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes, key=str.encode):
        attribute = attributes[name]
        kind = attribute["DataType"]
        if "BinaryValue" in attribute:
            mark, value = b"\2", base64.b64decode(attribute["BinaryValue"])
        else:
            mark, value = b"\1", attribute["StringValue"].encode()
        for part in (name.encode(), kind.encode()):
            digest.update(struct.pack(">I", len(part)) + part)
        digest.update(mark + struct.pack(">I", len(value)) + value)
    return digest.hexdigest()


def check_stored(sent: JsonObject, reply: JsonObject) -> None:
    """Compare the digests of a send's reply with what was sent.

    Raises:
        IntegrityError: the service stored something else.
    """
    wanted = {"MD5OfMessageBody": body_digest(sent["MessageBody"])}
    if "MessageAttributes" in sent:
        wanted["MD5OfMessageAttributes"] = attributes_digest(sent["MessageAttributes"])
    for name, digest in wanted.items():
        found = reply.get(name)
        if found is not None and found != digest:
            raise IntegrityError(
                f"SQS stored another message: its {name} is {found}, ours {digest}",
                service="sqs",
                outcome="unknown",
            )


# ---- messages received ----


def parse_messages(reply: JsonObject) -> list[ReceivedMessage]:
    """Return the messages of a receive, each compared with its digests.

    Raises:
        IntegrityError: a message was changed on its way.
        ProtocolError: the reply is not what the service sends.
    """
    try:
        return [_parse_message(item) for item in reply.get("Messages") or ()]
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise ProtocolError(
            f"the received messages cannot be read: {error!r}", service="sqs"
        ) from error


def _parse_message(item: Mapping[str, Any]) -> ReceivedMessage:
    body = item["Body"]
    attributes = item.get("MessageAttributes") or {}
    pairs = [("MD5OfBody", item.get("MD5OfBody"), body_digest(body))]
    if attributes and item.get("MD5OfMessageAttributes"):
        found = item["MD5OfMessageAttributes"]
        pairs.append(("MD5OfMessageAttributes", found, attributes_digest(attributes)))
    for name, found, digest in pairs:
        if found and found != digest:
            raise IntegrityError(
                f"message {item['MessageId']} was changed: {name} is {found}, but {digest} came",
                service="sqs",
            )
    return ReceivedMessage(
        str(item["MessageId"]),
        str(item["ReceiptHandle"]),
        body,
        {name: _decode_attribute(value) for name, value in attributes.items()},
        {name: str(value) for name, value in (item.get("Attributes") or {}).items()},
    )


def _decode_attribute(attribute: Mapping[str, str]) -> str | bytes | Attribute:
    kind = attribute["DataType"]
    value: str | bytes = attribute.get("StringValue", "")
    if kind.startswith("Binary"):
        value = base64.b64decode(attribute["BinaryValue"], validate=True)
    return value if kind in _PLAIN_TYPES else Attribute(value, kind)


def parse_move_task(item: Mapping[str, Any]) -> MoveTask:
    """Return one redrive of a listing."""
    to_move = item.get("ApproximateNumberOfMessagesToMove")
    return MoveTask(
        str(item.get("TaskHandle") or ""),
        str(item.get("Status") or ""),
        str(item.get("SourceArn") or ""),
        str(item.get("DestinationArn") or ""),
        int(item.get("ApproximateNumberOfMessagesMoved") or 0),
        None if to_move is None else int(to_move),
        str(item.get("FailureReason") or ""),
    )
