"""Tencent COS v4: object storage over its JSON API."""

from __future__ import annotations

from .. import _lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..config import Credentials as Credentials
    from ..config import Retry as Retry
    from ..storage import Progress as Progress
    from ..storage import RateLimit as RateLimit
    from .aio import AsyncBucket as AsyncBucket
    from .aio import AsyncClient as AsyncClient
    from .aio import AsyncListing as AsyncListing
    from .client import Bucket as Bucket
    from .client import Client as Client
    from .client import Listing as Listing
    from .models import DownloadResult as DownloadResult
    from .models import Entry as Entry
    from .models import ListPage as ListPage
    from .models import UploadResult as UploadResult

_HOMES = {
    "AsyncBucket": ".aio",
    "AsyncClient": ".aio",
    "AsyncListing": ".aio",
    "Bucket": ".client",
    "Client": ".client",
    "Credentials": "..config",
    "DownloadResult": ".models",
    "Entry": ".models",
    "ListPage": ".models",
    "Listing": ".client",
    "Progress": "..storage",
    "RateLimit": "..storage.transfer",
    "Retry": "..config",
    "UploadResult": ".models",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    return _lazy.load(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
