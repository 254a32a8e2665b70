"""Reads multipart/form-data piece by piece, so that a file part is held only once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

HEAD_LIMIT = 16 * 1024
FIELD_LIMIT = 1024 * 1024

_PARAMETER = re.compile(r';\s*([\w-]+)=("(?:[^"\\]|\\.)*"|[^;\s]+)')


class FormError(Exception):
    """The bytes are no form."""


@dataclass
class Part:
    """One part of a form.

    Attributes:
        name: the field's name.
        filename: the file's name, or None for a plain field.
        content_type: the part's type, or "".
        chunks: its bytes, in order.
        size: how many there are.
    """

    name: str
    filename: str | None
    content_type: str
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0

    def text(self) -> str:
        """Return a plain field's value."""
        try:
            return b"".join(self.chunks).decode()
        except UnicodeDecodeError:
            raise FormError(f"the field {self.name} is not UTF-8") from None


def _parameters(value: str) -> dict[str, str]:
    found = {}
    for name, text in _PARAMETER.findall(value):
        if text.startswith('"'):
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        found[name.lower()] = text
    return found


class FormReader:
    """Takes a form's bytes in any slices; `parts` holds what came so far."""

    def __init__(self, content_type: str) -> None:
        kind, _, _ = content_type.partition(";")
        boundary = _parameters(content_type).get("boundary", "")
        if kind.strip().lower() != "multipart/form-data" or not boundary:
            raise FormError("the body is not multipart/form-data with a boundary")
        self.parts: list[Part] = []
        self.done = False
        self._delimiter = b"\r\n--" + boundary.encode("latin-1")
        self._buffer = bytearray(b"\r\n")
        self._part: Part | None = None
        self._in_head = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises `FormError` when they are no form."""
        self._buffer += data
        while not self.done:
            if self._in_head:
                if not self._read_head():
                    return
            elif not self._read_content():
                return

    def finish(self) -> list[Part]:
        """Return the parts, or refuse a form that was cut."""
        if not self.done:
            raise FormError("the form ends before its last boundary")
        return self.parts

    def _read_content(self) -> bool:
        buffer = self._buffer
        at = buffer.find(self._delimiter)
        if at < 0:
            keep = len(self._delimiter) - 1
            if len(buffer) > keep:
                self._take(bytes(memoryview(buffer)[:-keep]))
                del buffer[:-keep]
            return False
        after = at + len(self._delimiter)
        if len(buffer) < after + 2:
            return False
        self._take(bytes(memoryview(buffer)[:at]))
        mark = bytes(buffer[after : after + 2])
        del buffer[: after + 2]
        if mark == b"--":
            self.done = True
        elif mark == b"\r\n":
            self._in_head = True
        else:
            raise FormError("a boundary is followed by neither a line end nor --")
        return True

    def _take(self, data: bytes) -> None:
        part = self._part
        if part is None or not data:
            return
        part.chunks.append(data)
        part.size += len(data)
        if part.filename is None and part.size > FIELD_LIMIT:
            raise FormError(f"the field {part.name} passes {FIELD_LIMIT} bytes")

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise FormError(f"a part's head passes {HEAD_LIMIT} bytes")
            return False
        headers = {}
        for line in self._buffer[:end].decode("utf-8", "replace").split("\r\n"):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        del self._buffer[: end + 4]
        parameters = _parameters(headers.get("content-disposition", ""))
        if "name" not in parameters:
            raise FormError("a part has no name")
        self._part = Part(
            parameters["name"], parameters.get("filename"), headers.get("content-type", "")
        )
        self.parts.append(self._part)
        self._in_head = False
        return True
