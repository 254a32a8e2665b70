"""SQS requests are signed with AWS Signature Version 4."""

from __future__ import annotations

import functools
from datetime import datetime, timezone

from .. import _native
from ..config import Credentials

SERVICE = "sqs"
TARGET_PREFIX = "AmazonSQS."
JSON_TYPE = "application/x-amz-json-1.0"


def signed_headers(
    credentials: Credentials,
    region: str,
    host: str,
    path: str,
    extra: dict[str, str],
    body: bytes,
    wall: float,
) -> list[tuple[str, str]]:
    """Return the headers of one request, Host left to the connection.

    Args:
        credentials: the key pair, perhaps with a session token.
        region: such as "us-east-1".
        host: the Host header that will be sent.
        path: the request's path.
        extra: further headers that are signed.
        body: the request's body.
        wall: the time, seconds since 1970.
    """
    stamp = _stamp(int(wall))
    headers = {**extra, "X-Amz-Date": stamp}
    if credentials.token:
        headers["X-Amz-Security-Token"] = credentials.token
    authorization = _native.sign_v4(
        "POST", path, {}, {"Host": host, **headers}, body, credentials.access_key,
        credentials.secret_key, region, SERVICE, stamp,
    )  # fmt: skip
    return [*headers.items(), ("Authorization", authorization)]


@functools.lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return datetime.fromtimestamp(second, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
