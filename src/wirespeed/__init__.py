"""Fast clients for message queues and object stores, sync and asyncio, with a C core.

The services are folders of this package: `wirespeed.rocketmq`, `wirespeed.sqs`,
`wirespeed.cmq`, `wirespeed.wcs`, `wirespeed.cos`.
`wirespeed.digest` has the hashes, `wirespeed.local` a cloud for a laptop, `wirespeed.dropin` the
older import names.
"""

from __future__ import annotations

import os

from . import _lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "digest": ".digest",
    "dropin": ".dropin",
    "errors": ".errors",
    "local": ".local",
    "rocketmq": ".rocketmq",
    "cmq": ".cmq",
    "cos": ".cos",
    "sqs": ".sqs",
    "wcs": ".wcs",
    "Credentials": ".config",
    "WirespeedError": ".errors",
    "connect": ".urls",
    "connect_async": ".urls",
}

__all__ = ["__version__", *_HOMES]

if os.environ.get("WIRESPEED_DEBUG"):
    from . import _debug

    _debug.enable(os.environ["WIRESPEED_DEBUG"])


def __getattr__(name: str) -> Any:
    return _lazy.load(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
