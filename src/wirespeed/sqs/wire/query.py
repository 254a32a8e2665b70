"""The query protocol, 2012-11-05, between the JSON protocol's fields and bytes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit

from ...errors import ConfigError

JsonObject = dict[str, Any]

FORM_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
_VERSION = "2012-11-05"
_LISTS = {
    "AttributeNames": "AttributeName",
    "MessageAttributeNames": "MessageAttributeName",
    "AWSAccountIds": "AWSAccountId",
    "Actions": "ActionName",
    "TagKeys": "TagKey",
}
_MAPS = {
    "Attributes": ("Attribute", "Name"),
    "Tags": ("Tag", "Key"),
    "tags": ("Tag", "Key"),
}
_TYPED_MAPS = {
    "MessageAttributes": "MessageAttribute",
    "MessageSystemAttributes": "MessageSystemAttribute",
}
_CODE_PREFIX = "AWS.SimpleQueueService."


def path_of(fields: Mapping[str, Any]) -> str:
    """Return the path of a request: that of the queue's URL, where one is named."""
    path = urlsplit(str(fields.get("QueueUrl", ""))).path
    return quote(path, safe="/-._~%") or "/"


def encode(action: str, fields: Mapping[str, Any]) -> bytes:
    """Return the form of one action.

    Raises:
        ConfigError: a text cannot be encoded.
    """
    pairs = [("Action", action), ("Version", _VERSION), *_flatten(action, fields)]
    try:
        return urlencode(pairs).encode("ascii")
    except UnicodeEncodeError:
        raise ConfigError(f"a text of {action} holds a lone surrogate") from None


def _flatten(action: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield fields by their flat names: maps and lists become `Attribute.1.Name` and its kin."""
    for name, value in fields.items():
        if name == "Entries":
            for number, entry in enumerate(value, 1):
                for inner, text in _flatten(action, entry):
                    yield f"{action}RequestEntry.{number}.{inner}", text
        elif name in _LISTS:
            for number, item in enumerate(value, 1):
                yield f"{_LISTS[name]}.{number}", str(item)
        elif name in _MAPS:
            flat, key = _MAPS[name]
            for number, (item, text) in enumerate(value.items(), 1):
                yield f"{flat}.{number}.{key}", item
                yield f"{flat}.{number}.Value", str(text)
        elif name in _TYPED_MAPS:
            for number, (item, typed) in enumerate(value.items(), 1):
                yield f"{_TYPED_MAPS[name]}.{number}.Name", item
                for kind, text in typed.items():
                    yield f"{_TYPED_MAPS[name]}.{number}.Value.{kind}", text
        else:
            yield name, str(value).lower() if isinstance(value, bool) else str(value)


class _Builder(ET.TreeBuilder):
    """Builds elements, and refuses what an XML reply never has."""

    def doctype(self, *_: object) -> NoReturn:
        """Refuse a document type: entities grow, and name files."""
        raise ValueError("the XML has a document type")


def _read(body: bytes) -> ET.Element:
    """Return the root of a reply.

    Raises:
        ValueError: it is no XML, or has a document type.
    """
    parser = ET.XMLParser(target=_Builder())
    try:
        parser.feed(body)
        root: ET.Element = parser.close()
    except (ET.ParseError, LookupError) as error:
        raise ValueError(str(error)) from None
    return root


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def decode(body: bytes) -> JsonObject:
    """Return the fields of a reply, by the JSON protocol's names.

    Raises:
        ValueError: it is no reply of the query protocol.
    """
    root = _read(body)
    parts = {_name(element): element for element in root}
    # ElasticMQ calls the root of a reply without a result by another name.
    if "ResponseMetadata" not in parts and not _name(root).endswith("Response"):
        raise ValueError("the reply is none")
    result = next((part for name, part in parts.items() if name.endswith("Result")), None)
    return {} if result is None else _fields(result)


def decode_error(body: bytes) -> tuple[str, str, str]:
    """Return code, text and request id of a reply that says no.

    Raises:
        ValueError: it is no such reply.
    """
    found = {_name(element): element.text or "" for element in _read(body).iter()}
    if "Code" not in found:
        raise ValueError("the reply has no Code")
    code = found["Code"].removeprefix(_CODE_PREFIX)
    return code, found.get("Message") or "no reason", found.get("RequestId", "")


def _fields(element: ET.Element) -> JsonObject:
    fields: JsonObject = {}
    for child in element:
        name = _name(child)
        if name == "QueueUrl":
            # One as QueueUrl, and all of a listing as QueueUrls.
            fields["QueueUrl"] = child.text or ""
            fields.setdefault("QueueUrls", []).append(child.text or "")
        elif name in ("Attribute", "Tag"):
            key, value = _pair(child)
            fields.setdefault(f"{name}s", {})[key] = value.text or ""
        elif name == "MessageAttribute":
            key, value = _pair(child)
            typed = {_name(part): part.text or "" for part in value}
            fields.setdefault("MessageAttributes", {})[key] = typed
        elif name == "Message" and len(child):
            fields.setdefault("Messages", []).append(_fields(child))
        elif name.endswith("BatchResultEntry"):
            fields.setdefault("Successful", []).append(_fields(child))
        elif name == "BatchResultErrorEntry":
            item = _fields(child)
            item["SenderFault"] = item.get("SenderFault") != "false"
            fields.setdefault("Failed", []).append(item)
        elif name == "ListMessageMoveTasksResultEntry":
            fields.setdefault("Results", []).append(_fields(child))
        else:
            fields[name] = child.text or ""
    return fields


def _pair(element: ET.Element) -> tuple[str, ET.Element]:
    """Return a map entry's key and the element of its value.

    Raises:
        ValueError: it has none.
    """
    parts = {_name(part): part for part in element}
    key = parts.get("Name", parts.get("Key"))
    if key is None or "Value" not in parts:
        raise ValueError("an entry has no name or no value")
    return key.text or "", parts["Value"]
