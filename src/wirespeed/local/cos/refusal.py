"""How COS says no."""

from __future__ import annotations


class Refusal(Exception):
    """A request is refused.

    Args:
        code: COS's code, below 0.
        message: why.
        status: the HTTP status.
    """

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def no_object(path: str) -> Refusal:
    """Return the refusal of a path that is not there."""
    return Refusal(-197, f"ERROR_CMD_COS_FILE_NOTEXIST: {path}", 404)


def bad_parameter(name: str, limit: str) -> Refusal:
    """Return the refusal of a parameter."""
    return Refusal(-4000, f"ERROR_PARAMS: {name} must be {limit}")
