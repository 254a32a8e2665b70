"""Messages of JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

from ..exception import SQSDecodeError
from .message import MHMessage


class JSONMessage(MHMessage):
    """A message whose body is what JSON can hold, sent in base64."""

    def decode(self, value: Any) -> Any:
        """Return what JSON in base64 holds.

        Raises:
            SQSDecodeError: it is none.
        """
        try:
            return json.loads(base64.b64decode(value, validate=True))
        except (ValueError, TypeError, RecursionError) as error:
            raise SQSDecodeError("Unable to decode message", self) from error

    def encode(self, value: Any) -> str:
        """Return the JSON of a value, in base64."""
        return base64.b64encode(json.dumps(value).encode()).decode("ascii")
