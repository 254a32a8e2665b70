"""Messages: what a body means depends on the class that a queue reads with."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from typing import Any

from ..exception import SQSDecodeError
from .attributes import Attributes
from .messageattributes import MessageAttributes

log = logging.getLogger("boto")


class RawMessage:
    """A message whose body is sent as it is.

    Attributes:
        queue: the queue it is of.
        id: the service's id.
        receipt_handle: what deletes it.
        md5: the service's checksum of the body.
        attributes: the service's own attributes.
        message_attributes: the sender's.
        md5_message_attributes: the service's checksum of those.
    """

    def __init__(self, queue: Any = None, body: Any = "") -> None:
        self.queue = queue
        self.set_body(body)
        self.id: Any = None
        self.receipt_handle: Any = None
        self.md5: Any = None
        self.attributes: Any = Attributes(self)
        self.message_attributes: Any = MessageAttributes(self)
        self.md5_message_attributes: Any = None

    def __len__(self) -> int:
        return len(self.encode(self._body))

    def startElement(self, name: str, attrs: Any, connection: Any) -> Any:
        """An element of the reply begins."""
        if name == "Attribute":
            return self.attributes
        if name == "MessageAttribute":
            return self.message_attributes
        return None

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element of the reply ends."""
        if name == "Body":
            self.set_body(value)
        elif name == "MessageId":
            self.id = value
        elif name == "ReceiptHandle":
            self.receipt_handle = value
        elif name == "MD5OfBody":
            self.md5 = value
        elif name == "MD5OfMessageAttributes":
            self.md5_message_attributes = value
        else:
            setattr(self, name, value)

    def endNode(self, connection: Any) -> None:
        """The reply's message ends: its body is decoded."""
        self.set_body(self.decode(self.get_body()))

    def encode(self, value: Any) -> Any:
        """Return a body as it is sent."""
        return value

    def decode(self, value: Any) -> Any:
        """Return a body from what was sent."""
        return value

    def set_body(self, body: Any) -> None:
        """Set the body."""
        self._body = body

    def get_body(self) -> Any:
        """Return the body."""
        return self._body

    def get_body_encoded(self) -> Any:
        """Return the body as it is sent."""
        return self.encode(self.get_body())

    def delete(self) -> Any:
        """Delete the message from its queue."""
        return self.queue.delete_message(self) if self.queue else None

    def change_visibility(self, visibility_timeout: int) -> None:
        """Let the message come back after so many seconds."""
        if self.queue:
            self.queue.connection.change_message_visibility(
                self.queue, self.receipt_handle, visibility_timeout
            )


class Message(RawMessage):
    """A message whose body is sent in base64."""

    def encode(self, value: Any) -> str:
        """Return the base64 of text in UTF-8, or of bytes."""
        raw = value if isinstance(value, bytes) else str(value).encode()
        return base64.b64encode(raw).decode("ascii")

    def decode(self, value: Any) -> Any:
        """Return the text, the bytes where they are no UTF-8, or what is no base64 as it is."""
        try:
            raw = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            log.warning("the body is not in base64; it is returned as it came")
            return value
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw


class MHMessage(Message):
    """A message of `name: value` lines, which is used like a dict."""

    def __init__(self, queue: Any = None, body: Any = None, xml_attrs: Any = None) -> None:
        super().__init__(queue, {} if body in (None, "") else body)

    def decode(self, value: Any) -> Any:
        """Return the dict of some lines.

        Raises:
            SQSDecodeError: they are none.
        """
        try:
            pairs = (line.partition(":") for line in value.splitlines())
            return {name.strip(): rest.strip() for name, _, rest in pairs}
        except AttributeError as error:
            raise SQSDecodeError("Unable to decode message", self) from error

    def encode(self, value: Any) -> str:
        """Return the lines of a dict."""
        return "".join(f"{name}: {text}\n" for name, text in value.items())

    def __contains__(self, key: object) -> bool:
        return key in self._body

    def __getitem__(self, key: Any) -> Any:
        return self._body[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._body[key] = value
        self.set_body(self._body)

    def keys(self) -> KeysView[Any]:
        """Return the names."""
        keys: KeysView[Any] = self._body.keys()
        return keys

    def values(self) -> ValuesView[Any]:
        """Return the values."""
        values: ValuesView[Any] = self._body.values()
        return values

    def items(self) -> ItemsView[Any, Any]:
        """Return names and values."""
        items: ItemsView[Any, Any] = self._body.items()
        return items

    def has_key(self, key: Any) -> bool:
        """Whether there is such a name."""
        return key in self._body

    def update(self, d: Mapping[Any, Any]) -> None:
        """Set several values."""
        self._body.update(d)
        self.set_body(self._body)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return a value, or `default`."""
        return self._body.get(key, default)


class EncodedMHMessage(MHMessage):
    """The same, sent in base64."""

    def decode(self, value: Any) -> Any:
        """Return the dict of some lines in base64.

        Raises:
            SQSDecodeError: they are none.
        """
        try:
            text = base64.b64decode(value, validate=True).decode()
        except (ValueError, TypeError) as error:
            raise SQSDecodeError("Unable to decode message", self) from error
        return super().decode(text)

    def encode(self, value: Any) -> str:
        """Return the lines of a dict, in base64."""
        return base64.b64encode(super().encode(value).encode()).decode("ascii")
