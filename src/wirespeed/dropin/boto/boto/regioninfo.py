"""Regions and their hosts."""

from __future__ import annotations

import re
from typing import Any

# The regions of the original, whose hosts bear the names of their time.
_OLD = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "cn-north-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
)
_NAME = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]+")


class RegionInfo:
    """One region.

    Attributes:
        name: such as "eu-west-1".
        endpoint: its host.
        connection_cls: what `connect` makes.
    """

    def __init__(
        self,
        connection: Any = None,
        name: str | None = None,
        endpoint: str | None = None,
        connection_cls: Any = None,
    ) -> None:
        self.connection = connection
        self.name = name
        self.endpoint = endpoint
        self.connection_cls = connection_cls

    def __repr__(self) -> str:
        return f"RegionInfo:{self.name}"

    def startElement(self, name: str, attrs: Any, connection: Any) -> None:
        """An element begins."""

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element ends."""
        if name == "regionName":
            self.name = value
        elif name == "regionEndpoint":
            self.endpoint = value
        else:
            setattr(self, name, value)

    def connect(self, **kw_params: Any) -> Any:
        """Return a connection to the region, None where nothing is known that connects."""
        return self.connection_cls(region=self, **kw_params) if self.connection_cls else None


def endpoint_of(region_name: str) -> str:
    """Return the host of a region's SQS."""
    domain = "amazonaws.com.cn" if region_name.startswith("cn-") else "amazonaws.com"
    if region_name == "us-east-1":
        return f"queue.{domain}"
    if region_name in _OLD:
        return f"{region_name}.queue.{domain}"
    return f"sqs.{region_name}.{domain}"


def get_regions(service_name: str, region_cls: Any = None, connection_cls: Any = None) -> list[Any]:
    """Return the regions that the original knew; `connect` knows every one."""
    kind = region_cls or RegionInfo
    return [
        kind(name=name, endpoint=endpoint_of(name), connection_cls=connection_cls) for name in _OLD
    ]


def connect(
    service_name: str,
    region_name: str,
    region_cls: Any = None,
    connection_cls: Any = None,
    **kw_params: Any,
) -> Any:
    """Return a connection to a region, None where the name is none of a region."""
    if not isinstance(region_name, str) or not _NAME.fullmatch(region_name):
        return None
    kind = region_cls or RegionInfo
    region = kind(
        name=region_name, endpoint=endpoint_of(region_name), connection_cls=connection_cls
    )
    return region.connect(**kw_params)
