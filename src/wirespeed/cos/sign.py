"""COS v4 signatures: HMAC-SHA1 over who may do what to which object, and until when."""

from __future__ import annotations

from .. import _native
from ..config import Credentials

SECONDS = 300
"""How long a signature is good that the client makes for a request of its own."""


def path_of(key: str) -> str:
    """Return a key as a URL's path, percent-encoded."""
    return "/" + _native.percent_encode(key, "path")


def signature(
    credentials: Credentials,
    appid: str,
    bucket: str,
    path: str,
    *,
    now: int,
    nonce: int,
    expires: int = 0,
) -> str:
    """Return the signature of a request on one object.

    Args:
        credentials: the key pair.
        appid: the application's number.
        bucket: the bucket.
        path: the object's path, percent-encoded.
        now: seconds since 1970.
        nonce: a random number.
        expires: seconds since 1970 until which it is good; 0: it is good once, as deletions,
            updates and moves want it.
    """
    return _native.sign_cos(
        appid, bucket, credentials.access_key, credentials.secret_key, now, expires, nonce,
        f"/{appid}/{bucket}{path}",
    )  # fmt: skip


def download_signature(
    credentials: Credentials, appid: str, bucket: str, path: str, now: int, nonce: int, expires: int
) -> str:
    """Return the signature that lets one object be downloaded until `expires`."""
    return _native.sign_cos(
        appid, bucket, credentials.access_key, credentials.secret_key, now, expires, nonce, path
    )
