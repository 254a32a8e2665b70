"""AWS Signature Version 4, checked with the standard library."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from urllib.parse import parse_qsl, quote

from .refusal import Refusal

SKEW_SECONDS = 900
_PARTS = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[^/]+)/"
    r"(?P<service>[^/]+)/aws4_request, ?SignedHeaders=(?P<names>[^,\s]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def verify(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    access_key: str,
    secret_key: str,
    now: float,
) -> str:
    """Check a request's signature and return the region it was made for.

    Args:
        method: the request's method.
        path: its path as it came.
        query: its query as it came.
        headers: its headers, by lower-case names.
        body: its body.
        access_key: the only user's access key.
        secret_key: the secret that goes with it.
        now: the time, seconds since 1970.

    Raises:
        Refusal: the signature is missing, wrong, or not of now.
    """
    given = headers.get("authorization", "")
    if not given:
        raise Refusal("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    parts = _PARTS.fullmatch(given)
    if parts is None or parts["service"] != "sqs":
        raise Refusal(
            "IncompleteSignature", "Authorization header is no signature of version 4 for sqs", 403
        )
    if parts["key"] != access_key:
        raise Refusal(
            "InvalidClientTokenId", "The security token included in the request is invalid.", 403
        )
    stamp = headers.get("x-amz-date", "")
    try:
        when = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        raise Refusal("IncompleteSignature", "X-Amz-Date is no date", 403) from None
    if abs(now - when) > SKEW_SECONDS or not stamp.startswith(parts["day"]):
        raise Refusal("SignatureDoesNotMatch", f"Signature expired: {stamp} is not now", 403)
    names = parts["names"].split(";")
    if "host" not in names or names != sorted(names):
        raise Refusal("IncompleteSignature", "SignedHeaders must have host and be sorted", 403)
    pairs = parse_qsl(query, keep_blank_values=True)
    canonical_query = "&".join(
        sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
    )
    lines = [
        method,
        quote(path, safe="/-_.~"),
        canonical_query,
        *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
        "",
        parts["names"],
        hashlib.sha256(body).hexdigest(),
    ]
    scope = f"{parts['day']}/{parts['region']}/sqs/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = ("AWS4" + secret_key).encode()
    for step in (parts["day"], parts["region"], "sqs", "aws4_request"):
        key = _hmac(key, step)
    wanted = _hmac(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}").hex()
    if not hmac.compare_digest(wanted, parts["signature"]):
        raise Refusal(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
            403,
        )
    return parts["region"]
