"""Tokens."""

from __future__ import annotations

from typing import Any

from wirespeed.config import Credentials
from wirespeed.wcs import sign

from .compat import urlparse


class Auth:
    """A key pair that makes upload tokens and manager tokens.

    Raises:
        ValueError: a key is empty.
    """

    def __init__(self, access_key: str, secret_key: str) -> None:
        self.checkKey(access_key, secret_key)
        self.access_key = access_key
        self.secret_key = secret_key

    def __repr__(self) -> str:
        return f"Auth({self.access_key!r})"

    def uploadtoken(self, putPolicy: dict[str, Any]) -> str:
        """Return the upload token of a policy, whose order is kept."""
        return sign.upload_token(Credentials(self.access_key, self.secret_key), putPolicy)

    def managertoken(self, url: str, body: str | None = None) -> str:
        """Return the manager token of a request: path, query and body are signed."""
        parts = urlparse(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        pair = Credentials(self.access_key, self.secret_key)
        return sign.manager_token(pair, target, (body or "").encode())

    @staticmethod
    def checkKey(access_key: str, secret_key: str) -> None:
        """Raise ValueError for an empty key."""
        if not (access_key and secret_key):
            raise ValueError("invalid key")
