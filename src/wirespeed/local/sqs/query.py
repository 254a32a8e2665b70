"""The query protocol, 2012-11-05: a form in, XML out; between them the JSON protocol's fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from .refusal import Refusal

Fields = dict[str, Any]

NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"
_LISTS = {
    "AttributeName": "AttributeNames",
    "MessageAttributeName": "MessageAttributeNames",
    "MessageSystemAttributeName": "MessageSystemAttributeNames",
    "AWSAccountId": "AWSAccountIds",
    "ActionName": "Actions",
    "TagKey": "TagKeys",
}
_MAPS = {"Attribute": "Attributes", "Tag": "Tags"}
_TYPED_MAPS = {
    "MessageAttribute": "MessageAttributes",
    "MessageSystemAttribute": "MessageSystemAttributes",
}
_ENTRY = re.compile(r"\w+BatchRequestEntry")
_EMPTY = frozenset(
    {
        "AddPermission", "ChangeMessageVisibility", "DeleteMessage", "DeleteQueue", "PurgeQueue",
        "RemovePermission", "SetQueueAttributes", "TagQueue", "UntagQueue",
    }
)  # fmt: skip


def read(path: str, query: str, body: bytes) -> tuple[str, Fields]:
    """Return the action and the fields of a request.

    Raises:
        Refusal: it names no action.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
        pairs += parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise Refusal("InvalidParameterValue", "The request is not UTF-8.") from None
    given = dict(pairs)
    action = given.pop("Action", "")
    if not action:
        raise Refusal("MissingAction", "The request must contain the parameter Action.")
    given.pop("Version", None)
    if path.strip("/") and "QueueUrl" not in given:
        given["QueueUrl"] = path
    return action, fields_of(given.items())


def fields_of(pairs: Iterable[tuple[str, str]]) -> Fields:
    """Return flat names as fields: `Attribute.1.Name` and its kin become maps and lists."""
    fields: Fields = {}
    groups: dict[str, dict[int, dict[str, str]]] = {}
    for name, value in pairs:
        head, _, rest = name.partition(".")
        index, _, inner = rest.partition(".")
        if rest and index.isdigit() and len(index) < 6:
            groups.setdefault(head, {}).setdefault(int(index), {})[inner] = value
        elif rest:
            # What boto sends for one: AttributeName, Attribute.Name and Attribute.Value.
            groups.setdefault(head, {}).setdefault(1, {})[rest] = value
        elif head in _LISTS:
            groups.setdefault(head, {}).setdefault(1, {})[""] = value
        else:
            fields[head] = value
    for head, by_index in groups.items():
        items = [by_index[index] for index in sorted(by_index)]
        if head in _LISTS:
            fields[_LISTS[head]] = [item.get("", "") for item in items]
        elif head in _MAPS:
            fields[_MAPS[head]] = {
                item.get("Name", item.get("Key", "")): item.get("Value", "") for item in items
            }
        elif head in _TYPED_MAPS:
            fields[_TYPED_MAPS[head]] = {
                item.get("Name", ""): {
                    name.removeprefix("Value."): value
                    for name, value in item.items()
                    if name.startswith("Value.")
                }
                for item in items
            }
        elif _ENTRY.fullmatch(head):
            fields["Entries"] = [fields_of(item.items()) for item in items]
    return fields


def write(action: str, result: Fields, request_id: str) -> bytes:
    """Return a reply."""
    inner = ""
    if action not in _EMPTY:
        inner = f"<{action}Result>{_result(action, result)}</{action}Result>"
    return _document(f"{action}Response", inner, request_id)


def write_error(refusal: Refusal, request_id: str) -> bytes:
    """Return the reply that says no."""
    fault = "Sender" if refusal.status < 500 else "Receiver"
    return (
        f'<?xml version="1.0"?><ErrorResponse xmlns="{NAMESPACE}"><Error><Type>{fault}</Type>'
        f"<Code>{_escaped(refusal.query_code)}</Code>"
        f"<Message>{_escaped(refusal.message)}</Message><Detail/></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _document(root: str, inner: str, request_id: str) -> bytes:
    return (
        f'<?xml version="1.0"?><{root} xmlns="{NAMESPACE}">{inner}<ResponseMetadata>'
        f"<RequestId>{request_id}</RequestId></ResponseMetadata></{root}>"
    ).encode()


def _escaped(value: object) -> str:
    return escape(str(value), {"\r": "&#13;", '"': "&quot;"})


def _element(name: str, value: object) -> str:
    return f"<{name}>{_escaped(value)}</{name}>"


def _map(name: str, values: Mapping[str, str], key: str = "Name") -> str:
    return "".join(
        f"<{name}>{_element(key, each)}{_element('Value', value)}</{name}>"
        for each, value in values.items()
    )


def _result(action: str, result: Fields) -> str:
    if action in ("ListQueues", "ListDeadLetterSourceQueues"):
        urls = result.get("QueueUrls") or result.get("queueUrls") or []
        text = "".join(_element("QueueUrl", url) for url in urls)
        token = result.get("NextToken")
        return text + (_element("NextToken", token) if token else "")
    if action == "GetQueueAttributes":
        return _map("Attribute", result.get("Attributes", {}))
    if action == "ListQueueTags":
        return _map("Tag", result.get("Tags", {}), "Key")
    if action == "ReceiveMessage":
        return "".join(map(_message, result.get("Messages", ())))
    if action.endswith("Batch"):
        entry = action.removesuffix("Batch") + "BatchResultEntry"
        done = "".join(f"<{entry}>{_flat(item)}</{entry}>" for item in result.get("Successful", ()))
        failed = "".join(
            f"<BatchResultErrorEntry>{_flat(item)}</BatchResultErrorEntry>"
            for item in result.get("Failed", ())
        )
        return done + failed
    if action == "ListMessageMoveTasks":
        return "".join(
            f"<ListMessageMoveTasksResultEntry>{_flat(item)}</ListMessageMoveTasksResultEntry>"
            for item in result.get("Results", ())
        )
    return _flat(result)


def _flat(item: Mapping[str, object]) -> str:
    return "".join(
        _element(name, str(value).lower() if isinstance(value, bool) else value)
        for name, value in item.items()
    )


def _message(message: Mapping[str, Any]) -> str:
    text = "".join(
        _element(name, message[name])
        for name in ("MessageId", "ReceiptHandle", "MD5OfBody", "Body", "MD5OfMessageAttributes")
        if name in message
    )
    text += _map("Attribute", message.get("Attributes", {}))
    for name, attribute in message.get("MessageAttributes", {}).items():
        value = "".join(_element(key, each) for key, each in attribute.items())
        text += (
            f"<MessageAttribute>{_element('Name', name)}<Value>{value}</Value></MessageAttribute>"
        )
    return f"<Message>{text}</Message>"
