"""Lists of what a reply describes."""

from __future__ import annotations

from typing import Any


class ResultSet(list[Any]):
    """A list; `marker_elem` says which elements become which objects.

    Attributes:
        status: whether the call went well.
    """

    def __init__(self, marker_elem: Any = None) -> None:
        super().__init__()
        self.markers = list(marker_elem) if isinstance(marker_elem, list) else []
        self.marker: Any = None
        self.next_token: Any = None
        self.is_truncated = False
        self.status = True

    def startElement(self, name: str, attrs: Any, connection: Any) -> Any:
        """An element begins: one of the list, or a setting."""
        for tag, kind in self.markers:
            if name == tag:
                made = kind(connection)
                self.append(made)
                return made
        return None

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element ends."""
        if name in ("IsTruncated", "isTruncated", "return"):
            attribute = "status" if name == "return" else "is_truncated"
            setattr(self, attribute, value.lower() == "true")
        elif name in ("Marker", "NextToken", "nextToken"):
            setattr(self, "marker" if name == "Marker" else "next_token", value)
        elif name in ("StatusCode", "Status"):
            self.status = value == "Success" or value.isdigit()
        elif name in ("IsValid",):
            self.status = value == "True"
        else:
            setattr(self, name, value)


class BooleanResult:
    """Whether a call went well."""

    def __init__(self, marker_elem: Any = None) -> None:
        self.status = True
        self.request_id: str | None = None
        self.box_usage: str | None = None

    def __bool__(self) -> bool:
        return self.status

    def __repr__(self) -> str:
        return str(self.status)

    def startElement(self, name: str, attrs: Any, connection: Any) -> None:
        """An element begins."""

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element ends."""
        if name == "return":
            self.status = value.lower() == "true"
        elif name in ("RequestId", "requestId"):
            self.request_id = value
        elif name == "BoxUsage":
            self.box_usage = value
        else:
            setattr(self, name, value)
