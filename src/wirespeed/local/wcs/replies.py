"""What the WCS face answers: JSON bodies, and errors as `{"code": ..., "message": ...}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response


class Refusal(Exception):
    """A request the service says no to.

    Attributes:
        status: the HTTP status of the answer.
        code: the code in its JSON body; the status where the service has no finer one.
        message: its text. Never holds a key or a token.
    """

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = status if code is None else code
        self.message = message

    def response(self) -> Response:
        """Return the answer itself."""
        return reply({"code": self.code, "message": self.message}, self.status)


def reply(value: Mapping[str, Any], status: int = 200) -> Response:
    """Return a JSON answer."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode(), status, media_type="application/json")
