"""Messages whose bodies are in S3, of which there is only what needs no S3."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

from ..exception import SQSDecodeError
from .message import RawMessage


class BigMessage(RawMessage):
    """A message that holds the URL of its body in S3; it can be neither sent nor read here."""

    def __init__(self, queue: Any = None, body: Any = None, s3_url: str | None = None) -> None:
        self.s3_url = s3_url
        super().__init__(queue, body)

    def _get_bucket_key(self, s3_url: str | None) -> tuple[str | None, str | None]:
        """Return the bucket and the key of a URL, None for what it has not.

        Raises:
            SQSDecodeError: it is none of S3.
        """
        if not s3_url:
            return None, None
        parts = urlparse(s3_url)
        if parts.scheme != "s3":
            raise SQSDecodeError(f"URL scheme must be s3://, found {parts.scheme}://", self)
        return parts.netloc or None, parts.path[1:] or None

    def encode(self, value: Any) -> Any:
        """S3 is not part of this package.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("BigMessage needs S3: boto over wirespeed speaks to SQS alone")

    decode = encode
