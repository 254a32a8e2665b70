"""How CMQ says no."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A request is refused.

    Args:
        code: CMQ's code.
        message: why.
        fields: what the reply has besides.
    """

    def __init__(self, code: int, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields


def bad_parameter(name: str, limit: str) -> Refusal:
    """Return the refusal of a parameter."""
    return Refusal(4000, f"(10100)parameter error: {name} must be {limit}")
