"""The life of an outgoing message, in the shape of RocketMQ's C API.

A setter returns 0, or 1 where the handle or a needed argument is None or the handle was
destroyed. A getter of such a handle gives the empty value. Tags, keys and the delay level are
the properties TAGS, KEYS and DELAY.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, SupportsIndex

from .arguments import INT32_MAX, INT32_MIN, PROPERTIES_LIMIT, byte_view, integer, plain_text, text

if TYPE_CHECKING:
    from wirespeed._native.contract import Buffer

OK = 0
NULL_POINTER = 1
TEXT_LIMIT = PROPERTIES_LIMIT


class MessageHandle:
    """A message under construction. Only the `message_*` functions look inside."""

    __slots__ = ("_alive", "_body", "_properties", "_size", "_topic")

    _alive: bool
    _body: bytes | memoryview
    _properties: dict[str, str]
    _size: int
    _topic: str

    def __init__(self) -> None:
        raise TypeError("use message_create()")


def message_create(topic: str | None) -> MessageHandle:
    """Return a new message; None means that the topic is set later.

    Raises:
        TypeError: `topic` is neither None nor a str.
        ValueError: it passes 32,767 bytes of UTF-8.
    """
    message = MessageHandle.__new__(MessageHandle)
    message._alive = True
    message._body = b""
    message._properties = {}
    message._size = 0
    message._topic = ""
    if topic is not None:
        message_set_topic(message, topic)
    return message


def _living(message: MessageHandle | None) -> MessageHandle | None:
    if message is None:
        return None
    if not isinstance(message, MessageHandle):
        raise TypeError(f"message must be a MessageHandle, not {type(message).__name__}")
    return message if message._alive else None


def message_destroy(message: MessageHandle | None) -> int:
    """Let go of all that the message holds. The second time returns 1.

    Raises:
        TypeError: `message` is neither None nor a handle.
    """
    living = _living(message)
    if living is None:
        return NULL_POINTER
    living._alive = False
    living._body = b""
    living._properties = {}
    living._size = 0
    living._topic = ""
    return OK


def message_is_alive(message: MessageHandle | None) -> bool:
    """Tell whether the handle is there and not destroyed.

    Raises:
        TypeError: `message` is neither None nor a handle.
    """
    return _living(message) is not None


def message_set_topic(message: MessageHandle | None, topic: str | None) -> int:
    """Set the topic.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the topic passes 32,767 bytes of UTF-8.
    """
    living = _living(message)
    if living is None or topic is None:
        return NULL_POINTER
    if len(text(topic, "topic")) > TEXT_LIMIT:
        raise ValueError(f"topic must not pass {TEXT_LIMIT} bytes")
    living._topic = topic
    return OK


def _put(message: MessageHandle | None, name: str | None, value: str | None, what: str) -> int:
    living = _living(message)
    if living is None or name is None or value is None:
        return NULL_POINTER
    encoded_name = plain_text(name, "property name")
    if not encoded_name:
        raise ValueError("property name must not be empty")
    size = living._size + len(encoded_name) + len(plain_text(value, what)) + 2
    if name in living._properties:
        size -= len(encoded_name) + len(living._properties[name].encode()) + 2
    if size > PROPERTIES_LIMIT:
        raise ValueError(f"{what}: properties must not pass {PROPERTIES_LIMIT} bytes")
    living._properties[name] = value
    living._size = size
    return OK


def message_set_tags(message: MessageHandle | None, tags: str | None) -> int:
    """Set the tag, the property TAGS.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: 0x01 or 0x02 in it, or the properties pass 32,767 bytes.
    """
    return _put(message, "TAGS", tags, "tags")


def message_set_keys(message: MessageHandle | None, keys: str | None) -> int:
    """Set the keys, separated by spaces: the property KEYS.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: 0x01 or 0x02 in it, or the properties pass 32,767 bytes.
    """
    return _put(message, "KEYS", keys, "keys")


def message_set_property(message: MessageHandle | None, name: str | None, value: str | None) -> int:
    """Set one property.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the name is empty, 0x01 or 0x02 in either, or the properties pass 32,767 bytes.
    """
    return _put(message, name, value, "property value")


def message_set_delay_level(message: MessageHandle | None, level: SupportsIndex | None) -> int:
    """Set the delay level, the property DELAY.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the level is no int32.
    """
    living = _living(message)
    if living is None or level is None:
        return NULL_POINTER
    return _put(living, "DELAY", str(integer(level, "level", INT32_MIN, INT32_MAX)), "level")


def held_body(body: str | Buffer) -> bytes | memoryview:
    """Return what a message holds of a body: bytes themselves, or a flat view of a buffer."""
    if isinstance(body, str):
        return body.encode()
    return body if type(body) is bytes else byte_view(body)


def message_set_body(message: MessageHandle | None, body: str | Buffer | None) -> int:
    """Hold the body; a buffer is not copied, a str is encoded as UTF-8.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: a str holds a lone surrogate.
        BufferError: the buffer is not contiguous.
    """
    living = _living(message)
    if living is None or body is None:
        return NULL_POINTER
    living._body = held_body(body)
    return OK


def message_set_body_length(
    message: MessageHandle | None, body: str | Buffer | None, length: SupportsIndex
) -> int:
    """Hold the first `length` bytes of the body.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: `length` is negative or more than the body has.
        BufferError: the buffer is not contiguous.
    """
    living = _living(message)
    if living is None or body is None:
        return NULL_POINTER
    held = held_body(body)
    count = integer(length, "length", 0, len(held))
    living._body = held if count == len(held) else memoryview(held)[:count]
    return OK


def message_get_topic(message: MessageHandle | None) -> str:
    """Return the topic, or "".

    Raises:
        TypeError: `message` is neither None nor a handle.
    """
    living = _living(message)
    return "" if living is None else living._topic


def message_get_tags(message: MessageHandle | None) -> str:
    """Return the property TAGS, or "".

    Raises:
        TypeError: `message` is neither None nor a handle.
    """
    return message_get_property(message, "TAGS")


def message_get_keys(message: MessageHandle | None) -> str:
    """Return the property KEYS, or "".

    Raises:
        TypeError: `message` is neither None nor a handle.
    """
    return message_get_property(message, "KEYS")


def message_get_property(message: MessageHandle | None, name: str | None) -> str:
    """Return one property, or "".

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the name holds a lone surrogate.
    """
    living = _living(message)
    if living is None or name is None:
        return ""
    text(name, "property name")
    return living._properties.get(name, "")


def message_get_properties(message: MessageHandle | None) -> dict[str, str]:
    """Return a new dict of all properties, TAGS, KEYS and DELAY among them.

    Raises:
        TypeError: `message` is neither None nor a handle.
    """
    living = _living(message)
    return {} if living is None else dict(living._properties)


def message_get_body(message: MessageHandle | None) -> bytes:
    """Return the body; the very object where bytes were set, a copy otherwise.

    Raises:
        TypeError: `message` is neither None nor a handle.
    """
    living = _living(message)
    if living is None:
        return b""
    body = living._body
    return body if isinstance(body, bytes) else body.tobytes()
