"""Faults and the request log of RocketMQ, and what is written down before an answer."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..faults import Fault, Faults, Logged
from . import codes
from .server import Request, Watch

_SERVICE = "rocketmq"
_NAMED_BY = ("topic", "b", "consumerGroup", "producerGroup", "group")


class Watched(Watch):
    """Looks on for a cloud.

    Args:
        faults: what may go wrong, and the log.
        commit: writes down what a command did.
    """

    def __init__(self, faults: Faults, commit: Callable[[], None]) -> None:
        self._faults = faults
        self._commit = commit

    def strike(self, request: Request) -> Fault | None:
        """Return the fault that strikes a command: it is known by its name and its fields."""
        if not self._faults.armed:
            return None
        return self._faults.strike(
            _SERVICE, f"{_name(request)} {' '.join(request.fields.values())}"
        )

    def commit(self) -> None:
        """Write down what a command did."""
        self._commit()

    def answered(self, request: Request, code: int) -> None:
        """Take note of a command."""
        about = next((request.fields[name] for name in _NAMED_BY if name in request.fields), "")
        took = time.monotonic() - request.came
        self._faults.log(Logged(_SERVICE, _name(request), about, code, took, request.fault))


def _name(request: Request) -> str:
    return codes.REQUEST_NAMES.get(request.code, str(request.code))
