"""The enumerations of the original's binding; there is no library to load."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["MessageModel", "TraceModel"]


class MessageModel(IntEnum):
    """How the consumers of a group share messages."""

    BROADCASTING = 0
    CLUSTERING = 1


class TraceModel(IntEnum):
    """Whether messages are traced."""

    OPEN = 0
    CLOSE = 1
