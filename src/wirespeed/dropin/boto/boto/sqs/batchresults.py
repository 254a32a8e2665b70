"""What a batch did."""

from __future__ import annotations

from typing import Any

_NAMES = {
    "Id": "id",
    "MessageId": "message_id",
    "MD5OfMessageBody": "message_md5",
    "SenderFault": "sender_fault",
    "Code": "error_code",
    "Message": "error_message",
}


class ResultEntry(dict[str, Any]):
    """What became of one entry."""

    def startElement(self, name: str, attrs: Any, connection: Any) -> None:
        """An element begins."""

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element ends."""
        if name in _NAMES:
            self[_NAMES[name]] = value


class BatchResults:
    """What a batch did.

    Attributes:
        results: the entries that went well.
        errors: those that did not.
    """

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.results: list[ResultEntry] = []
        self.errors: list[ResultEntry] = []

    def startElement(self, name: str, attrs: Any, connection: Any) -> Any:
        """An element begins."""
        if name != "BatchResultErrorEntry" and not name.endswith("BatchResultEntry"):
            return None
        entry = ResultEntry()
        (self.errors if name == "BatchResultErrorEntry" else self.results).append(entry)
        return entry

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element ends."""
        setattr(self, name, value)
