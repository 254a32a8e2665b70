"""CMQ requests and replies, between values and bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import _native
from ..config import Credentials, instance, whole
from ..errors import (
    AccessDenied,
    Busy,
    ConfigError,
    Conflict,
    NotFound,
    Outcome,
    ProtocolError,
    ServiceError,
    Throttled,
    WirespeedError,
)
from ..http.models import Request, Response
from .models import (
    BATCH_LIMIT,
    LONGEST_HANDLE,
    LONGEST_ROUTING_KEY,
    LONGEST_TAG,
    MESSAGE_LIMIT,
    MOST_ROUTING_DOTS,
    TAG_LIMIT,
    DeadLetterPolicy,
    ReceivedMessage,
)
from .sign import PATH, signed_parameters

JsonObject = dict[str, Any]

FORM_TYPE = "application/x-www-form-urlencoded"
GET_LIMIT = 2048
NO_MESSAGE = 7000
SOME_NOT_DELETED = (6010, 6020)

_NAME = re.compile(r"[a-zA-Z][A-Za-z0-9_-]{0,63}")
_DENIED = frozenset({4100, 4101, 4102, 4103, 4104})
_EXPIRED = 4300
_THROTTLED = frozenset({4420, 4480})
_NOT_FOUND = frozenset({4440})
_CONFLICT = frozenset({4460, 4490, 6040})
_HINTS = {
    4000: "a parameter is wrong, or the host is that of queues for topics, or the reverse",
    4300: "set this machine's clock",
    4410: "receive messages, or raise maxMsgHeapNum",
    4430: "the receipt handle is of an older receive; the message has come back since",
    4440: "create it, or check the region: queues and topics have hosts of their own",
    6030: "the topic has no subscription yet",
    6040: "wait 30 seconds after the deletion before making it again",
    6050: "the queue keeps no messages to go back to: set rewindSeconds",
}


def check_name(name: object, what: str) -> str:
    """Return the name of a queue, topic or subscription, or raise `ConfigError`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{what} must be a letter and up to 63 letters, digits, - and _, not {name!r}"
        )
    return name


def check_body(body: object) -> str:
    """Return a message's body, or raise `ConfigError`."""
    if not isinstance(body, str):
        raise ConfigError(
            f"body must be a str, not {type(body).__name__}", hint="encode bytes as base64"
        )
    if not body:
        raise ConfigError("body must have at least one character")
    if size_of(body) > MESSAGE_LIMIT:
        raise ConfigError(f"body may have {MESSAGE_LIMIT} bytes, not {size_of(body)}")
    return body


def size_of(body: str) -> int:
    """Return how many bytes a body has in UTF-8, or raise `ConfigError`."""
    try:
        return len(body) if body.isascii() else len(body.encode())
    except UnicodeEncodeError as error:
        raise ConfigError(f"body holds a lone surrogate at {error.start}") from None


def check_tags(tags: Iterable[str], name: str = "tags") -> list[str]:
    """Return the tags of a message or a subscription, or raise `ConfigError`."""
    if isinstance(tags, str):
        raise ConfigError(f"{name} must be several str, not one")
    made = list(tags)
    if len(made) > TAG_LIMIT:
        raise ConfigError(f"{name} may be {TAG_LIMIT}, not {len(made)}")
    for tag in made:
        if not isinstance(tag, str) or not 0 < len(tag) <= LONGEST_TAG:
            raise ConfigError(f"{name} must have 1 to {LONGEST_TAG} characters each, not {tag!r}")
    return made


def check_routing_key(key: object, name: str = "routing_key") -> str:
    """Return a routing or binding key, or raise `ConfigError`."""
    if (
        not isinstance(key, str)
        or len(key.encode(errors="replace")) > LONGEST_ROUTING_KEY
        or key.count(".") > MOST_ROUTING_DOTS
    ):
        raise ConfigError(
            f"{name} must be a str of up to {LONGEST_ROUTING_KEY} bytes and {MOST_ROUTING_DOTS} "
            f"dots, not {key!r}"
        )
    return key


def check_binding_keys(keys: Iterable[str]) -> list[str]:
    """Return the binding keys of a subscription, or raise `ConfigError`."""
    if isinstance(keys, str):
        raise ConfigError("binding_keys must be several str, not one")
    made = [check_routing_key(key, "binding_keys") for key in keys]
    if len(made) > 5:
        raise ConfigError(f"binding_keys may be 5, not {len(made)}")
    return made


def searching(search: str) -> dict[str, str]:
    """Return what a listing looks for, or raise `ConfigError`."""
    if not isinstance(search, str):
        raise ConfigError(f"search must be a str, not {type(search).__name__}")
    return {"searchWord": search} if search else {}


def check_handle(message: ReceivedMessage | str) -> str:
    """Return a message's receipt handle, or raise `ConfigError`."""
    handle = message.receipt_handle if isinstance(message, ReceivedMessage) else message
    if not isinstance(handle, str) or not 0 < len(handle) <= LONGEST_HANDLE:
        raise ConfigError("message must be a ReceivedMessage or its receipt handle")
    return handle


def check_attributes(given: Mapping[str, str | int]) -> dict[str, str]:
    """Return attributes as CMQ writes them, or raise `ConfigError`."""
    made = {}
    for name, value in given.items():
        if (
            not isinstance(name, str)
            or not name.isidentifier()
            or not isinstance(value, (str, int))
            or isinstance(value, bool)
        ):
            raise ConfigError(f"attribute {name!r} must be a str or int, not {value!r}")
        made[name] = str(value)
    return made


def encode_policy(policy: DeadLetterPolicy) -> dict[str, str]:
    """Return a dead-letter policy as CMQ writes it, or raise `ConfigError`."""
    instance(policy, DeadLetterPolicy, "policy")
    check_name(policy.queue, "policy.queue")
    if (policy.max_receives is None) == (policy.max_age is None):
        raise ConfigError("policy must have max_receives or max_age, and not both")
    rule: JsonObject = {"deadLetterQueue": policy.queue}
    if policy.max_age is None:
        rule["policy"] = 0
        rule["maxReceiveCount"] = whole(policy.max_receives, "policy.max_receives", 1, 1000)
    else:
        rule["policy"] = 1
        rule["maxTimeToLive"] = whole(policy.max_age, "policy.max_age", 300, 43_200)
    return {"deadLetterPolicy": json.dumps(rule, separators=(",", ":"))}


def decode_policy(fields: JsonObject) -> DeadLetterPolicy | None:
    """Return the dead-letter policy of a queue's attributes, None where it has none."""
    text = fields.get("deadLetterPolicy")
    if not text:
        return None
    try:
        rule = json.loads(text) if isinstance(text, str) else text
        if rule["policy"]:
            return DeadLetterPolicy(str(rule["deadLetterQueue"]), None, int(rule["maxTimeToLive"]))
        return DeadLetterPolicy(str(rule["deadLetterQueue"]), int(rule["maxReceiveCount"]))
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable("the deadLetterPolicy", error) from error


def numbered(name: str, values: Sequence[str]) -> dict[str, str]:
    """Return a list as CMQ's parameters `name.0`, `name.1` and so on."""
    return {f"{name}.{index}": value for index, value in enumerate(values)}


def batches(bodies: Sequence[str]) -> list[range]:
    """Divide bodies into batches that CMQ takes; return the places of each."""
    made: list[range] = []
    room = 0
    for index, body in enumerate(bodies):
        size = size_of(body)
        if not made or len(made[-1]) == BATCH_LIMIT or size > room:
            made.append(range(index, index))
            room = MESSAGE_LIMIT
        room -= size
        made[-1] = range(made[-1].start, index + 1)
    return made


def request(
    action: str,
    parameters: dict[str, str],
    credentials: Credentials,
    host: str,
    *,
    method: str,
    sha256: bool,
    wall: float,
    nonce: int,
) -> Request:
    """Return the signed request of one action.

    Raises:
        ConfigError: it is a GET whose URL passes 2 KiB, which gateways cut, or a parameter cannot
            be encoded.
    """
    try:
        form = _native.form_encode(
            signed_parameters(
                action, parameters, credentials, method, host, sha256=sha256, wall=wall, nonce=nonce
            )
        )
    except UnicodeEncodeError:
        raise ConfigError(f"a parameter of {action} holds a lone surrogate") from None
    if method == "POST":
        return Request("POST", PATH, [("Content-Type", FORM_TYPE)], form.encode())
    target = f"{PATH}?{form}"
    if len(target) > GET_LIMIT:
        raise ConfigError(f'a GET may have {GET_LIMIT} characters, not {len(target)}: use "POST"')
    return Request("GET", target)


def parse(response: Response) -> JsonObject:
    """Return the fields of a reply.

    Raises:
        ServiceError: the service said no.
        ProtocolError: the reply is not what the service sends.
    """
    if response.status != 200:
        raise _refused(response)
    fields = _read(response.body)
    try:
        code = int(fields["code"])
    except (KeyError, TypeError, ValueError):
        raise ProtocolError(
            "the reply is no JSON object with a code",
            service="cmq",
            status=response.status,
            outcome="unknown",
            hint="is the endpoint a CMQ server?",
        ) from None
    if code:
        raise error_of(code, fields)
    return fields


def _read(body: bytes) -> JsonObject:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _refused(response: Response) -> WirespeedError:
    """Return the error of a reply whose status is not 200."""
    status = response.status
    ours = status in (401, 403)
    kind: type[ServiceError] = AccessDenied if ours else ServiceError
    outcome: Outcome = "rejected"
    retryable = False
    if status == 429:
        kind, retryable = Throttled, True
    elif status >= 500:
        kind, retryable, outcome = Busy, True, "unknown"
    return kind(
        f"CMQ: HTTP {status} {response.reason}".rstrip(),
        service="cmq",
        code=f"HTTP {status}",
        status=status,
        retryable=retryable,
        outcome=outcome,
        hint="check the endpoint" if status in (301, 302, 307, 308, 404) else "",
    )


def error_of(code: int, fields: Mapping[str, Any]) -> ServiceError:
    """Return the typed error of an error code."""
    kind: type[ServiceError] = ServiceError
    retryable = False
    if code in _DENIED or code == _EXPIRED:
        kind = AccessDenied
    elif code in _THROTTLED:
        kind, retryable = Throttled, True
    elif code in _NOT_FOUND:
        kind = NotFound
    elif code in _CONFLICT:
        kind = Conflict
    elif code == 6000:
        kind, retryable = Busy, True
    hint = _HINTS.get(code, "check the key pair and its permissions" if code in _DENIED else "")
    return kind(
        f"CMQ: {code}: {fields.get('message') or 'no reason'}",
        service="cmq",
        code=code,
        status=200,
        request_id=str(fields.get("requestId") or ""),
        retryable=retryable,
        outcome="rejected",
        hint=hint,
    )


def parse_batch_deletion(response: Response) -> dict[str, ServiceError]:
    """Return, by receipt handle, the errors of a batch deletion of which some or all failed.

    Raises:
        WirespeedError: the whole request failed.
    """
    fields = _read(response.body) if response.status == 200 else {}
    try:
        if int(fields.get("code", 0)) not in SOME_NOT_DELETED:
            parse(response)
            return {}
        return {
            str(item["receiptHandle"]): error_of(
                int(item["code"]), {"requestId": fields.get("requestId"), **item}
            )
            for item in fields["errorList"]
        }
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable("the deletion's reply", error) from error


def parse_stored(response: Response) -> str:
    """Return the id of a message that was sent or published."""
    return text_of(parse(response), "msgId")


def parse_stored_many(response: Response) -> list[str]:
    """Return the ids of the messages of a batch."""
    return [text_of(item, "msgId") for item in items_of(parse(response), "msgList")]


def parse_message(response: Response) -> list[ReceivedMessage]:
    """Return the message of ReceiveMessage, alone in a list."""
    return _messages([parse(response)])


def parse_messages(response: Response) -> list[ReceivedMessage]:
    """Return the messages of BatchReceiveMessage."""
    return _messages(items_of(parse(response), "msgInfoList"))


def _messages(items: Iterable[JsonObject]) -> list[ReceivedMessage]:
    try:
        return [
            ReceivedMessage(
                str(item["msgId"]),
                str(item["receiptHandle"]),
                str(item["msgBody"]),
                int(item.get("enqueueTime") or 0),
                int(item.get("firstDequeueTime") or 0),
                int(item.get("nextVisibleTime") or 0),
                int(item.get("dequeueCount") or 0),
            )
            for item in items
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable("the received messages", error) from error


def text_of(fields: JsonObject, name: str) -> str:
    """Return a text that every such reply has.

    Raises:
        ProtocolError: this one has not.
    """
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f"the reply has no {name}", service="cmq", outcome="unknown")
    return value


def items_of(fields: JsonObject, name: str) -> list[JsonObject]:
    """Return a list of objects that every such reply has.

    Raises:
        ProtocolError: this one has not.
    """
    items = fields.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ProtocolError(f"the reply has no {name}", service="cmq", outcome="unknown")
    return items


def plain(fields: JsonObject) -> dict[str, str | int]:
    """Return a reply's attributes without what is of the reply itself."""
    own = ("code", "message", "requestId", "codeDesc")
    return {
        name: value
        for name, value in fields.items()
        if name not in own and isinstance(value, (str, int))
    }


def texts(value: object) -> list[str]:
    """Return a list of a reply as texts; anything else has none."""
    return [str(item) for item in value] if isinstance(value, list) else []


def unreadable(what: str, error: Exception) -> ProtocolError:
    """Return the error of a reply that is not what the service sends."""
    return ProtocolError(f"{what} cannot be read: {error!r}", service="cmq", outcome="unknown")
