"""Attributes of queues and messages."""

from __future__ import annotations

from typing import Any


class Attributes(dict[str, Any]):
    """Attributes by name, as text."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent
        self.current_key: str | None = None
        self.current_value: str | None = None

    def startElement(self, name: str, attrs: Any, connection: Any) -> None:
        """An element begins."""

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element ends."""
        if name == "Attribute":
            self[str(self.current_key)] = self.current_value
        elif name == "Name":
            self.current_key = value
        elif name == "Value":
            self.current_value = value
        else:
            setattr(self, name, value)
