"""A region of SQS."""

from __future__ import annotations

from typing import Any

from ..regioninfo import RegionInfo


class SQSRegionInfo(RegionInfo):
    """A region whose `connect` returns an `SQSConnection`."""

    def __init__(
        self,
        connection: Any = None,
        name: str | None = None,
        endpoint: str | None = None,
        connection_cls: Any = None,
    ) -> None:
        if connection_cls is None:
            from .connection import SQSConnection

            connection_cls = SQSConnection
        super().__init__(connection, name, endpoint, connection_cls)
