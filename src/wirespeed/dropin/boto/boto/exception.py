"""What calls raise."""

from __future__ import annotations

import json
import xml.sax
from typing import Any

from . import handler
from .resultset import ResultSet


class BotoClientError(Exception):
    """This side is to blame.

    Attributes:
        reason: why.
    """

    def __init__(self, reason: Any, *args: Any) -> None:
        super().__init__(reason, *args)
        self.reason = reason

    def __repr__(self) -> str:
        return f"BotoClientError: {self.reason}"

    def __str__(self) -> str:
        return f"BotoClientError: {self.reason}"


class NoAuthHandlerFound(Exception):
    """There is no key pair."""


class InvalidInstanceMetadataError(Exception):
    """The machine's own keys cannot be had."""


class BotoServerError(Exception):
    """The service said no.

    Attributes:
        status: the HTTP status.
        reason: its phrase.
        body: the reply.
        request_id: the service's id of the request.
        error_code: its code; `code` too.
        message: its text; `error_message` too.
        box_usage: what it cost, where the service says so.
    """

    def __init__(self, status: int, reason: str, body: Any = None, *args: Any) -> None:
        super().__init__(status, reason, body, *args)
        self.status = status
        self.reason = reason
        self.body = body or ""
        self.request_id: Any = None
        self.error_code: Any = None
        self.message: Any = ""
        self.box_usage: Any = None
        if isinstance(self.body, bytes):
            self.body = self.body.decode("utf-8", "replace")
        if hasattr(self.body, "items"):
            self._read(self.body)
        elif self.body:
            self._parse(self.body)

    @property
    def error_message(self) -> Any:
        """The service's text."""
        return self.message

    @error_message.setter
    def error_message(self, value: Any) -> None:
        self.message = value

    @property
    def code(self) -> Any:
        """The service's code."""
        return self.error_code

    def _parse(self, text: str) -> None:
        try:
            handler.XmlHandlerWrapper(self, self).parseString(text)
            return
        except xml.sax.SAXException:
            pass
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, dict):
            self._read(parsed)
        else:
            # Text that is neither is the message, and no body to show again.
            self.message, self.body = text, None

    def _read(self, fields: Any) -> None:
        self.request_id = fields.get("RequestId")
        error = fields.get("Error")
        if isinstance(error, dict):
            self.error_code, self.message = error.get("Code"), error.get("Message")
        else:
            self.message = fields.get("message", self.message)

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.status} {self.reason}\n{self.body}"

    __str__ = __repr__

    def startElement(self, name: str, attrs: Any, connection: Any) -> Any:
        """An element of the reply begins."""
        return None

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element of the reply ends."""
        if name in ("RequestId", "RequestID"):
            self.request_id = value
        elif name == "Code":
            self.error_code = value
        elif name == "Message":
            self.message = value
        elif name == "BoxUsage":
            self.box_usage = value


class SQSError(BotoServerError):
    """SQS said no.

    Attributes:
        detail: more of its text.
        type: "Sender" or "Receiver".
    """

    def __init__(self, status: int, reason: str, body: Any = None) -> None:
        self.detail: Any = None
        self.type: Any = None
        super().__init__(status, reason, body)

    def startElement(self, name: str, attrs: Any, connection: Any) -> Any:
        """An element of the reply begins."""
        return super().startElement(name, attrs, connection)

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element of the reply ends."""
        if name == "Detail":
            self.detail = value
        elif name == "Type":
            self.type = value
        else:
            super().endElement(name, value, connection)


class SQSDecodeError(BotoClientError):
    """A message's body is not what its class writes.

    Attributes:
        message: the message.
    """

    def __init__(self, reason: Any, message: Any) -> None:
        super().__init__(reason, message)
        self.message = message

    def __repr__(self) -> str:
        return f"SQSDecodeError: {self.reason}"

    __str__ = __repr__


__all__ = [
    "BotoClientError",
    "BotoServerError",
    "InvalidInstanceMetadataError",
    "NoAuthHandlerFound",
    "ResultSet",
    "SQSDecodeError",
    "SQSError",
]
