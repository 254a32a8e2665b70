"""Wangsu WCS: object storage."""

from __future__ import annotations

from .. import _lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..config import Retry as Retry
    from .aio import AsyncBucket as AsyncBucket
    from .aio import AsyncClient as AsyncClient
    from .aio import AsyncListing as AsyncListing
    from .client import Bucket as Bucket
    from .client import Client as Client
    from .client import Listing as Listing
    from .models import ListPage as ListPage
    from .models import ObjectStat as ObjectStat
    from .models import Progress as Progress
    from .models import UploadResult as UploadResult
    from .sign import manager_token as manager_token
    from .sign import upload_token as upload_token

_HOMES = {
    "AsyncBucket": ".aio",
    "AsyncClient": ".aio",
    "AsyncListing": ".aio",
    "Bucket": ".client",
    "Client": ".client",
    "ListPage": ".models",
    "Listing": ".client",
    "ObjectStat": ".models",
    "Progress": ".models",
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
