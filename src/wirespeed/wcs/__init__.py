"""Wangsu WCS: object storage."""

from __future__ import annotations

from .. import _lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..config import Retry as Retry
    from ..storage import RateLimit as RateLimit
    from .aio.bucket import AsyncBucket as AsyncBucket
    from .aio.bucket import AsyncListing as AsyncListing
    from .aio.client import AsyncClient as AsyncClient
    from .client.bucket import Bucket as Bucket
    from .client.bucket import Listing as Listing
    from .client.client import Client as Client
    from .models import ListPage as ListPage
    from .models import ObjectStat as ObjectStat
    from .models import Progress as Progress
    from .models import UploadResult as UploadResult
    from .operations import OperationStatus as OperationStatus
    from .sign import manager_token as manager_token
    from .sign import upload_token as upload_token

_HOMES = {
    "AsyncBucket": ".aio.bucket",
    "AsyncClient": ".aio.client",
    "AsyncListing": ".aio.bucket",
    "Bucket": ".client.bucket",
    "Client": ".client.client",
    "ListPage": ".models",
    "Listing": ".client.bucket",
    "ObjectStat": ".models",
    "OperationStatus": ".operations",
    "Progress": ".models",
    "RateLimit": "..storage.transfer",
    "Retry": "..config",
    "UploadResult": ".models",
    "manager_token": ".sign",
    "upload_token": ".sign",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    return _lazy.load(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
