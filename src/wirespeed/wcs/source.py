"""The digest of a download, as WCS spells it."""

from __future__ import annotations

from .. import _native
from .models import BLOCK_UNIT


class EtagText:
    """Computes an etag of parts that are multiples of 4 MiB, but the last."""

    def __init__(self) -> None:
        self._digests = bytearray()

    def update(self, data: memoryview) -> None:
        """Take the next part."""
        self._digests += _native.sha1_blocks(data, BLOCK_UNIT)

    def text(self) -> str:
        """Return the etag."""
        if not self._digests:
            return _native.etag(b"")
        return _native.etag_from_blocks(bytes(self._digests))
