"""SQS."""

from __future__ import annotations

from typing import Any

from ..regioninfo import connect, get_regions
from .regioninfo import SQSRegionInfo


def regions() -> list[Any]:
    """Return the regions that the original knew."""
    from .connection import SQSConnection

    return get_regions("sqs", region_cls=SQSRegionInfo, connection_cls=SQSConnection)


def connect_to_region(region_name: str, **kw_params: Any) -> Any:
    """Return a connection to a region, None where the name is none of a region."""
    from .connection import SQSConnection

    return connect(
        "sqs", region_name, region_cls=SQSRegionInfo, connection_cls=SQSConnection, **kw_params
    )
