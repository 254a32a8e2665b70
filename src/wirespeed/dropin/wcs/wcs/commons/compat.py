"""Text, bytes and URLs."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import urlparse

__all__ = ["BytesIO", "StringIO", "b", "is_py2", "is_py3", "s", "u", "urlparse"]

is_py2 = False
is_py3 = True
StringIO = io.StringIO
BytesIO = io.BytesIO


def b(data: Any) -> Any:
    """Return text as UTF-8 bytes, and anything else as it is."""
    return data.encode() if isinstance(data, str) else data


def s(data: Any) -> Any:
    """Return UTF-8 bytes as text, and anything else as it is."""
    return data.decode() if isinstance(data, bytes) else data


def u(data: Any) -> Any:
    """Return what is given."""
    return data
