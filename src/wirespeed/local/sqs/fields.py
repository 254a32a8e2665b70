"""What requests to SQS say: their fields, each checked and within its limits."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from .refusal import Refusal, bad_value
from .state import Attributes

Fields = dict[str, Any]

SIZE_LIMIT = 1024 * 1024
BATCH_LIMIT = 10
TAG_LIMIT = 50
QUEUE_NUMBERS = {
    "DelaySeconds": (0, 900),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
    "MaximumMessageSize": (1024, SIZE_LIMIT),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}
QUEUE_TEXTS = frozenset(
    {
        "ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit",
        "KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled",
    }
)  # fmt: skip
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_TYPE = re.compile(r"(String|Number|Binary)(\..+)?")


def text(fields: Fields, name: str) -> str:
    """Return a required text."""
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal("MissingParameter", f"The request must contain the parameter {name}.")
    return value


def number(fields: Fields, name: str, low: int, high: int) -> int | None:
    """Return a number within limits, or None where it is not given."""
    value = fields.get(name)
    if value is None:
        return None
    try:
        found = int(value)
    except (TypeError, ValueError):
        found = low - 1
    if isinstance(value, float) or not low <= found <= high:
        raise bad_value(name, f"Must be between {low} and {high}, if provided.", value)
    return found


def listed(fields: Fields, name: str) -> list[str]:
    """Return a list of texts, empty where it is not given."""
    value = fields.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise bad_value(name, "It must be a list of strings.")
    return value


def strings(value: object, name: str) -> dict[str, str]:
    """Return a map of texts."""
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise bad_value(name, "It must be a map of strings.")
    return dict(value)


def checked_tags(queue: str, tags: dict[str, str]) -> dict[str, str]:
    """Return a queue's tags, or refuse too many."""
    if len(tags) > TAG_LIMIT:
        raise Refusal("InvalidParameterValue", f"Too many tags added for queue {queue}.")
    return tags


def page_token(fields: Fields) -> str:
    """Return the name that the next page begins after, "" for the first page."""
    try:
        return base64.urlsafe_b64decode(str(fields.get("NextToken") or "")).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise bad_value("NextToken", "It is none of ours.") from None


def checked_attributes(given: object) -> dict[str, str]:
    """Return a queue's attributes, each within its limits."""
    if not isinstance(given, dict):
        raise bad_value("Attributes", "It must be a map.")
    made = {}
    for name, value in given.items():
        if name in QUEUE_NUMBERS:
            low, high = QUEUE_NUMBERS[name]
            if not str(value).isdigit() or not low <= int(value) <= high:
                raise Refusal("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
        elif name not in QUEUE_TEXTS:
            raise Refusal("InvalidAttributeName", f"Unknown Attribute {name}.")
        made[name] = str(value)
    return made


def checked_message_attributes(given: object) -> Attributes:
    """Return a message's attributes, each of a type that there is."""
    if not isinstance(given, dict):
        raise bad_value("MessageAttributes", "It must be a map.")
    if len(given) > 10:
        raise bad_value("MessageAttributes", "There may be 10.")
    for name, attribute in given.items():
        kind = attribute.get("DataType") if isinstance(attribute, dict) else None
        key = "BinaryValue" if str(kind).startswith("Binary") else "StringValue"
        if name.lower().startswith(("aws.", "amazon.")):
            raise Refusal(
                "InvalidParameterValue",
                f"The message attribute name '{name}' is invalid. Attribute name cannot start "
                "with AWS. or Amazon.",
            )
        if name.startswith(".") or name.endswith(".") or ".." in name:
            raise Refusal(
                "InvalidParameterValue",
                f"The message attribute name '{name}' is invalid. Attribute name cannot start or "
                "end with a period, or have two in a row.",
            )
        if not _ATTRIBUTE_NAME.fullmatch(name):
            raise Refusal(
                "InvalidParameterValue",
                f"The message attribute name '{name}' is invalid. Attribute name can contain A-Z, "
                "a-z, 0-9, underscore (_), hyphen (-), and period (.) characters.",
            )
        if not isinstance(kind, str) or not kind:
            raise Refusal(
                "InvalidParameterValue",
                f"The message attribute '{name}' must contain non-empty message attribute type.",
            )
        if not _TYPE.fullmatch(kind):
            raise Refusal(
                "InvalidParameterValue",
                f"The message attribute '{name}' has an invalid message attribute type, the set "
                "of supported type prefixes is Binary, Number, and String.",
            )
        if not isinstance(attribute.get(key), str) or not attribute[key]:
            raise Refusal(
                "InvalidParameterValue",
                f"The message attribute '{name}' must contain non-empty message attribute value "
                f"for message attribute type '{kind}'.",
            )
        if key == "BinaryValue":
            try:
                base64.b64decode(attribute[key], validate=True)
            except binascii.Error:
                raise bad_value(f"MessageAttributes.{name}", "It is no base64.") from None
    return given


def message_size(body: str, attributes: Attributes) -> int:
    """Return the bytes that count of a message."""
    size = len(body.encode("utf-8", "surrogatepass"))
    for name, attribute in attributes.items():
        size += len(name.encode()) + len(attribute["DataType"])
        if "BinaryValue" in attribute:
            size += len(base64.b64decode(attribute["BinaryValue"]))
        else:
            size += len(attribute["StringValue"].encode())
    return size


def entries(action: str, fields: Fields) -> list[Fields]:
    """Return the entries of a batch of some action, their number and ids checked."""
    found = fields.get("Entries")
    if not isinstance(found, list) or not found:
        raise Refusal(
            "EmptyBatchRequest",
            f"There should be at least one {action}BatchRequestEntry in the request.",
        )
    if len(found) > BATCH_LIMIT:
        raise Refusal(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {BATCH_LIMIT}. You have sent {len(found)}.",
        )
    ids = [each.get("Id") if isinstance(each, dict) else None for each in found]
    if not all(isinstance(each, str) and _ENTRY_ID.fullmatch(each) for each in ids):
        raise Refusal(
            "InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
            "It can be at most 80 letters long.",
        )
    for at, each in enumerate(ids):
        if each in ids[:at]:
            raise Refusal("BatchEntryIdsNotDistinct", f"Id {each} repeated.")
    return found


def in_turn(action: str, fields: Fields, one: Callable[[Fields], Fields]) -> Fields:
    """Carry out each entry of a batch; some may fail."""
    done: list[Fields] = []
    failed: list[Fields] = []
    for entry in entries(action, fields):
        try:
            done.append({"Id": entry["Id"], **one(entry)})
        except Refusal as refusal:
            failed.append(
                {
                    "Id": entry["Id"],
                    "SenderFault": refusal.status < 500,
                    "Code": refusal.code,
                    "Message": refusal.message,
                }
            )
    reply: Fields = {}
    if done:
        reply["Successful"] = done
    if failed:
        reply["Failed"] = failed
    return reply
