"""Encodings and request signatures on the standard library: the reference twin.

Every function here states the behaviour that the Cython and cffi backends share. All of them raise
TypeError for a text that is no `str`, and ValueError (UnicodeEncodeError) for one that holds a
lone surrogate. The schedules of secret keys are kept as by `hmac_sha1`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any, SupportsIndex
from urllib.parse import quote, quote_plus

from wirespeed._native.contract import Buffer
from wirespeed._native.pure.buffers import view_of
from wirespeed._native.pure.digest import hmac_sha1, hmac_sha256
from wirespeed._native.pure.rocketmq.arguments import INT64_MAX, integer, text

if TYPE_CHECKING:
    from collections.abc import Iterable

STYLES = ("unreserved", "path", "form")
_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_TIMESTAMP = re.compile(rb"[0-9]{8}T[0-9]{6}Z")


def raw(value: str | Buffer, name: str) -> bytes:
    """Return the bytes of a buffer, or of a str in UTF-8."""
    return text(value, name) if isinstance(value, str) else bytes(view_of(value))


def pairs(fields: dict[str, str], name: str) -> list[tuple[bytes, bytes]]:
    """Return the names and values of a dict in UTF-8.

    Raises:
        TypeError: `fields` is no dict, or a name or value is no str; `name` is the argument's.
        ValueError: a text holds a lone surrogate.
    """
    if not isinstance(fields, dict):
        raise TypeError(f"{name} must be a dict, not {type(fields).__name__}")
    return [
        (text(key, f"a name in {name}"), text(value, f"a value in {name}"))
        for key, value in fields.items()
    ]


def base64_encode(data: Buffer) -> str:
    """Return `data` in the standard base64 alphabet (RFC 4648 section 4), padded with `=`."""
    return base64.b64encode(view_of(data)).decode("ascii")


def base64_decode(text: str | Buffer) -> bytes:
    """Return the bytes that `base64_encode` made `text` from.

    Raises:
        ValueError: `text` is not what `base64_encode` makes: a character outside the alphabet,
            padding missing or misplaced, or bits set that carry no data.
    """
    encoded = raw(text, "text")
    body = encoded.rstrip(b"=")
    padding = len(encoded) - len(body)
    if len(encoded) % 4 or padding > 2 or not _ALPHABET.issuperset(body):
        raise ValueError("text is not base64: a character or the padding is wrong")
    try:
        decoded = base64.b64decode(encoded)
    except binascii.Error:
        raise ValueError("text is not base64: a character or the padding is wrong") from None
    if base64.b64encode(decoded) != encoded:
        raise ValueError("text is not base64: its last character carries stray bits")
    return decoded


def percent_encode(data: str | Buffer, style: str = "unreserved") -> str:
    """Return text (in UTF-8) or bytes percent-encoded (RFC 3986), with upper-case hex digits.

    Args:
        data: what to encode.
        style: what stays as it is: `unreserved` letters, digits and `-._~` (as SigV4 wants it);
            `path` these and `/` (COS); `form` the unreserved ones, and a space becomes `+` (CMQ).

    Raises:
        ValueError: `style` is none of these.
    """
    if style not in STYLES:
        raise ValueError(f"style is {style!r}: it must be one of {', '.join(STYLES)}")
    encoded = raw(data, "data")
    if style == "form":
        return quote_plus(encoded)
    return quote(encoded, safe="/" if style == "path" else "")


def form_encode(params: dict[str, str]) -> str:
    """Return `name=value&...` as `application/x-www-form-urlencoded`, in the dict's order."""
    return "&".join(
        f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs(params, "params")
    )


def canonical_query(params: dict[str, str]) -> str:
    """Return SigV4's canonical query: names and values encoded, sorted by encoded name."""
    encoded = [(quote(n, safe=""), quote(v, safe="")) for n, v in pairs(params, "params")]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def canonical_headers(headers: dict[str, str]) -> tuple[str, str]:
    """Return SigV4's canonical headers, a line each, and their names joined by `;`.

    Names are lower case (ASCII) and sorted; white space at the ends of a value is cut off, and
    inside it becomes one space.

    Raises:
        ValueError: two names differ in case alone.
    """
    lines, names = _canonical_headers(pairs(headers, "headers"))
    return lines.decode(), names.decode()


def _canonical_headers(headers: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    lowered = sorted((name.lower(), b" ".join(value.split())) for name, value in headers)
    names = [name for name, _ in lowered]
    if len(set(names)) != len(names):
        raise ValueError("headers has a name twice: they must differ in more than case")
    return b"".join(name + b":" + value + b"\n" for name, value in lowered), b";".join(names)


def _canonical_path(path: bytes) -> bytes:
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    closed = b"/" if path.endswith(b"/") and kept else b""
    return quote(b"/" + b"/".join(kept) + closed).encode()


def sign_cmq(
    method: str, host: str, path: str, params: dict[str, str], secret_key: str, sha256: bool
) -> str:
    """Return the `Signature` of a CMQ request: base64 of the HMAC.

    Args:
        method: `POST` or `GET`.
        host: as in the Host header, with the port if there is one.
        path: most often `/v2/index.php`.
        params: every parameter of the request but `Signature`, not encoded.
        secret_key: the secret.
        sha256: HMAC-SHA256 instead of HMAC-SHA1; `SignatureMethod` in `params` must agree.

    The signed text is the method, host, path, `?` and `name=value&...` sorted by name, in which
    an underscore of a name is a dot.
    """
    parts = [text(method, "method") + text(host, "host") + text(path, "path")]
    for name, value in sorted(pairs(params, "params")):
        parts.append(b"&" if len(parts) > 1 else b"?")
        parts.append(name.replace(b"_", b".") + b"=" + value)
    function = hmac_sha256 if sha256 else hmac_sha1
    return base64_encode(function(text(secret_key, "secret_key"), b"".join(parts)))


def _wcs(access_key: str, secret_key: str, signed: bytes) -> str:
    prefix = text(access_key, "access_key").decode()
    digest = hmac_sha1(text(secret_key, "secret_key"), signed)
    return f"{prefix}:{base64.urlsafe_b64encode(digest.hex().encode()).decode('ascii')}"


def policy_json(policy: str | Buffer | dict[str, Any]) -> str | Buffer:
    """Return the JSON of a policy, which is given as JSON or as a dict."""
    return json.dumps(policy) if isinstance(policy, dict) else policy


def sign_wcs_upload(access_key: str, secret_key: str, policy: str | Buffer | dict[str, Any]) -> str:
    """Return WCS's token of an upload policy: the access key, the signature and the policy.

    Args:
        access_key: the public half of the key pair.
        secret_key: the secret half.
        policy: the JSON of the policy, or a dict, of which the JSON is that of `json.dumps`.
    """
    encoded = base64.urlsafe_b64encode(raw(policy_json(policy), "policy"))
    return f"{_wcs(access_key, secret_key, encoded)}:{encoded.decode('ascii')}"


def sign_wcs_manager(
    access_key: str, secret_key: str, target: str | Buffer, body: str | Buffer = b""
) -> str:
    """Return WCS's token of a management request: the access key and the signature.

    Args:
        access_key: the public half of the key pair.
        secret_key: the secret half.
        target: the path, with `?` and the query where there is one.
        body: the request's body.
    """
    return _wcs(access_key, secret_key, raw(target, "target") + b"\n" + raw(body, "body"))


def sign_cos(
    appid: str,
    bucket: str,
    secret_id: str,
    secret_key: str,
    now: SupportsIndex,
    expires: SupportsIndex,
    nonce: SupportsIndex,
    fileid: str,
) -> str:
    """Return a COS v4 signature: base64 of the HMAC-SHA1 of its fields, and of the fields.

    Args:
        appid: the application's number.
        bucket: the bucket.
        secret_id: the public half of the key pair.
        secret_key: the secret half.
        now: seconds since 1970.
        expires: seconds since 1970 until which the signature is good; 0: it is good once.
        nonce: a random number.
        fileid: what is signed, percent-encoded: `/appid/bucket/path` or, to download, `/path`.

    Raises:
        ValueError: a number is below 0 or above 2**63 - 1.
    """
    numbers = [
        integer(number, name, 0, INT64_MAX)
        for number, name in ((now, "now"), (expires, "expires"), (nonce, "nonce"))
    ]
    plain = b"a=%b&k=%b&e=%d&t=%d&r=%d&f=%b&b=%b" % (
        text(appid, "appid"),
        text(secret_id, "secret_id"),
        numbers[1],
        numbers[0],
        numbers[2],
        text(fileid, "fileid"),
        text(bucket, "bucket"),
    )
    return base64_encode(hmac_sha1(text(secret_key, "secret_key"), plain) + plain)


def sign_v4(
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    body: Buffer,
    access_key: str,
    secret_key: str,
    region: str,
    service: str,
    timestamp: str,
) -> str:
    """Return the `Authorization` header of AWS Signature Version 4.

    Args:
        method: the request's method.
        path: its path as it is sent.
        query: the parameters of its query, not encoded.
        headers: the headers to sign, `Host` and every `X-Amz-` one at least.
        body: its body.
        access_key: the public half of the key pair.
        secret_key: the secret half.
        region: such as `us-east-1`.
        service: such as `sqs`.
        timestamp: the time in UTC as `X-Amz-Date` has it, such as `20150101T000000Z`.

    The native backends keep the keys derived for the last 16 secrets, days, regions and services.

    Raises:
        ValueError: `timestamp` is written in another way, or two headers have the same name.
    """
    moment = text(timestamp, "timestamp")
    if not _TIMESTAMP.fullmatch(moment):
        raise ValueError(f"timestamp is {timestamp!r}: it must be as in 20150101T000000Z")
    lines, names = _canonical_headers(pairs(headers, "headers"))
    request = b"\n".join(
        (
            text(method, "method"),
            _canonical_path(text(path, "path")),
            canonical_query(query).encode("ascii"),
            lines,
            names,
            hashlib.sha256(view_of(body)).hexdigest().encode("ascii"),
        )
    )
    day = moment[:8]
    steps = (day, text(region, "region"), text(service, "service"), b"aws4_request")
    scope = b"/".join(steps)
    content = b"\n".join(
        (b"AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request).hexdigest().encode("ascii"))
    )
    key = _signing_key(text(secret_key, "secret_key"), steps)
    signature = hmac.digest(key, content, "sha256").hex()
    owner = text(access_key, "access_key").decode()
    return (
        f"AWS4-HMAC-SHA256 Credential={owner}/{scope.decode()}, "
        f"SignedHeaders={names.decode()}, Signature={signature}"
    )


def _signing_key(secret_key: bytes, steps: Iterable[bytes]) -> bytes:
    key = b"AWS4" + secret_key
    for step in steps:
        key = hmac.digest(key, step, "sha256")
    return key


def sign_rocketmq(fields: dict[str, str], body: Buffer, secret_key: str) -> str:
    """Return a RocketMQ request's `Signature`: base64 of the HMAC-SHA1.

    Args:
        fields: the header's fields, of which the values are signed, sorted by name; one named
            `Signature` is passed over.
        body: the request's body, signed after them.
        secret_key: the secret.
    """
    values = [value for name, value in sorted(pairs(fields, "fields")) if name != b"Signature"]
    values.append(bytes(view_of(body)))
    return base64_encode(hmac_sha1(text(secret_key, "secret_key"), b"".join(values)))


def constant_time_equal(a: str | Buffer, b: str | Buffer) -> bool:
    """Tell whether two texts or buffers hold the same bytes, in a time that tells nothing more.

    The time depends on the lengths alone; a str stands for its UTF-8.
    """
    return hmac.compare_digest(raw(a, "a"), raw(b, "b"))
