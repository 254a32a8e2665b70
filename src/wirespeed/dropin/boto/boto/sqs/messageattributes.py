"""Attributes that senders give to messages."""

from __future__ import annotations

from typing import Any

_NAMES = {
    "DataType": "data_type",
    "StringValue": "string_value",
    "BinaryValue": "binary_value",
    "StringListValue": "string_list_value",
    "BinaryListValue": "binary_list_value",
}


class MessageAttributeValue(dict[str, Any]):
    """One attribute: `data_type` and one of `string_value` and `binary_value`."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent

    def startElement(self, name: str, attrs: Any, connection: Any) -> None:
        """An element begins."""

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element ends."""
        if name in _NAMES:
            self[_NAMES[name]] = value


class MessageAttributes(dict[str, Any]):
    """A message's attributes by name."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent
        self.current_key: str | None = None
        self.current_value: MessageAttributeValue | None = None

    def startElement(self, name: str, attrs: Any, connection: Any) -> Any:
        """An element begins."""
        if name == "Value":
            self.current_value = MessageAttributeValue(self)
            return self.current_value
        return None

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element ends."""
        if name == "MessageAttribute":
            self[str(self.current_key)] = self.current_value
        elif name == "Name":
            self.current_key = value
        else:
            setattr(self, name, value)
