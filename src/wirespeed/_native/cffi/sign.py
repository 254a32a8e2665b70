"""Encodings and request signatures through cffi; documented in the pure twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsIndex

from wirespeed._native.cffi._core import ffi, lib
from wirespeed._native.cffi.digest import held
from wirespeed._native.contract import Buffer
from wirespeed._native.pure.rocketmq.arguments import INT64_MAX, integer, text
from wirespeed._native.pure.sign import STYLES, pairs, policy_json


def _raw(value: str | Buffer, name: str) -> Any:
    return held(text(value, name) if isinstance(value, str) else value)


def _given(source: Any) -> Any:
    """Return a `ws_text_t` of what `held` returned; it lives as long as its source."""
    return ffi.new("ws_text_t *", (source, len(source)))[0]


class _Texts:
    """Makes `ws_text_t` values and keeps what they point to."""

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def of(self, value: object, name: str) -> Any:
        return self.around(held(text(value, name)))

    def around(self, source: Any) -> Any:
        self._kept.append(source)
        return _given(source)

    def fields(self, fields: dict[str, str], name: str) -> Any:
        texts = pairs(fields, name)
        result = ffi.new("ws_field_t[]", len(texts) or 1)
        for field, (key, value) in zip(result, texts, strict=False):
            key_held, value_held = held(key), held(value)
            self._kept += [key_held, value_held]
            field.name, field.name_length = key_held, len(key)
            field.value, field.value_length = value_held, len(value)
        self._kept.append(result)
        return result


def _written(room: Any, length: int) -> str:
    return bytes(ffi.buffer(room, length)).decode()


def base64_encode(data: Buffer) -> str:
    """Return `data` in the standard base64 alphabet (RFC 4648 section 4), padded with `=`."""
    source = held(data)
    out = ffi.new("char[]", (len(source) + 2) // 3 * 4)
    lib.ws_base64_encode(source, len(source), out)
    return _written(out, len(out))


def base64_decode(text: str | Buffer) -> bytes:
    """Return the bytes that `base64_encode` made `text` from; ValueError for anything else."""
    source = _raw(text, "text")
    room = ffi.new("uint8_t[]", len(source) // 4 * 3)
    written = ffi.new("size_t *")
    if not lib.ws_base64_decode(ffi.cast("char *", source), len(source), room, written):
        raise ValueError("text is not base64: a character or the padding is wrong")
    return bytes(ffi.buffer(room, written[0]))


def percent_encode(data: str | Buffer, style: str = "unreserved") -> str:
    """Return text (in UTF-8) or bytes percent-encoded, with upper-case hex digits."""
    if style not in STYLES:
        raise ValueError(f"style is {style!r}: it must be one of {', '.join(STYLES)}")
    source = _raw(data, "data")
    out = ffi.new("char[]", 3 * len(source))
    return _written(out, lib.ws_percent_encode(source, len(source), STYLES.index(style), out))


def _encoded(function: Callable[[Any, int, Any], int], params: dict[str, str]) -> str:
    texts = _Texts()
    fields = texts.fields(params, "params")
    out = ffi.new("char[]", lib.ws_form_bound(fields, len(params)))
    return _written(out, function(fields, len(params), out))


def form_encode(params: dict[str, str]) -> str:
    """Return `name=value&...` as `application/x-www-form-urlencoded`, in the dict's order."""
    return _encoded(lib.ws_form_encode, params)


def canonical_query(params: dict[str, str]) -> str:
    """Return SigV4's canonical query: names and values encoded, sorted by encoded name."""
    return _encoded(lib.ws_canonical_query, params)


_TWICE = "headers has a name twice: they must differ in more than case"


def canonical_headers(headers: dict[str, str]) -> tuple[str, str]:
    """Return SigV4's canonical headers, a line each, and their names joined by `;`."""
    texts = _Texts()
    fields, count = texts.fields(headers, "headers"), len(headers)
    if not lib.ws_headers_sort(fields, count):
        raise ValueError(_TWICE)
    room = sum(fields[i].name_length + fields[i].value_length + 2 for i in range(count))
    out = ffi.new("char[]", room)
    lines = _written(out, lib.ws_canonical_headers(fields, count, out))
    return lines, _written(out, lib.ws_signed_headers(fields, count, out))


def sign_cmq(
    method: str, host: str, path: str, params: dict[str, str], secret_key: str, sha256: bool
) -> str:
    """Return the `Signature` of a CMQ request: base64 of the HMAC."""
    texts = _Texts()
    out = ffi.new("char[]", 44)
    length = lib.ws_sign_cmq(
        texts.of(method, "method"),
        texts.of(host, "host"),
        texts.of(path, "path"),
        texts.fields(params, "params"),
        len(params),
        texts.of(secret_key, "secret_key"),
        bool(sha256),
        out,
    )
    return _written(out, length)


def sign_wcs_upload(access_key: str, secret_key: str, policy: str | Buffer | dict[str, Any]) -> str:
    """Return WCS's token of an upload policy: the access key, the signature and the policy."""
    texts = _Texts()
    access, signed = (
        texts.of(access_key, "access_key"),
        texts.around(_raw(policy_json(policy), "policy")),
    )
    out = ffi.new("char[]", access.length + 58 + (signed.length + 2) // 3 * 4)
    length = lib.ws_sign_wcs_upload(access, texts.of(secret_key, "secret_key"), signed, out)
    return _written(out, length)


def sign_wcs_manager(
    access_key: str, secret_key: str, target: str | Buffer, body: str | Buffer = b""
) -> str:
    """Return WCS's token of a management request: the access key and the signature."""
    texts = _Texts()
    access = texts.of(access_key, "access_key")
    out = ffi.new("char[]", access.length + 57)
    length = lib.ws_sign_wcs_manager(
        access,
        texts.of(secret_key, "secret_key"),
        texts.around(_raw(target, "target")),
        texts.around(_raw(body, "body")),
        out,
    )
    return _written(out, length)


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
    """Return a COS v4 signature: base64 of the HMAC-SHA1 of its fields, and of the fields."""
    texts = _Texts()
    request = ffi.new("ws_cos_t *")
    request.now = integer(now, "now", 0, INT64_MAX)
    request.expires = integer(expires, "expires", 0, INT64_MAX)
    request.nonce = integer(nonce, "nonce", 0, INT64_MAX)
    request.appid = texts.of(appid, "appid")
    request.bucket = texts.of(bucket, "bucket")
    request.secret_id = texts.of(secret_id, "secret_id")
    request.secret_key = texts.of(secret_key, "secret_key")
    request.fileid = texts.of(fileid, "fileid")
    out = ffi.new("char[]", lib.ws_sign_cos_bound(request))
    return _written(out, lib.ws_sign_cos(request, out))


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
    """Return the `Authorization` header of AWS Signature Version 4."""
    texts = _Texts()
    request = ffi.new("ws_v4_t *")
    request.timestamp = texts.of(timestamp, "timestamp")
    if not lib.ws_v4_timestamp(request.timestamp):
        raise ValueError(f"timestamp is {timestamp!r}: it must be as in 20150101T000000Z")
    request.method = texts.of(method, "method")
    request.path = texts.of(path, "path")
    request.body = texts.around(held(body))
    request.access_key = texts.of(access_key, "access_key")
    request.secret_key = texts.of(secret_key, "secret_key")
    request.region = texts.of(region, "region")
    request.service = texts.of(service, "service")
    request.query, request.query_count = texts.fields(query, "query"), len(query)
    request.headers, request.header_count = texts.fields(headers, "headers"), len(headers)
    out = ffi.new("char[]", lib.ws_sign_v4_bound(request))
    length = lib.ws_sign_v4(request, out)
    if not length:
        raise ValueError(_TWICE)
    return _written(out, length)


def sign_rocketmq(fields: dict[str, str], body: Buffer, secret_key: str) -> str:
    """Return a RocketMQ request's `Signature`: base64 of the HMAC-SHA1."""
    texts = _Texts()
    out = ffi.new("char[]", 28)
    lib.ws_sign_rocketmq(
        texts.fields(fields, "fields"),
        len(fields),
        texts.around(held(body)),
        texts.of(secret_key, "secret_key"),
        out,
    )
    return _written(out, 28)


def constant_time_equal(a: str | Buffer, b: str | Buffer) -> bool:
    """Tell whether two texts or buffers hold the same bytes, in a time that tells nothing more."""
    texts = _Texts()
    return bool(lib.ws_constant_time_equal(texts.around(_raw(a, "a")), texts.around(_raw(b, "b"))))
