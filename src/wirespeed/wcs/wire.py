"""WCS requests and replies, between values and bytes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qs, quote

from .. import _native
from .._debug import redact
from ..config import Credentials
from ..errors import (
    AccessDenied,
    Busy,
    ConfigError,
    Conflict,
    ObjectNotFound,
    ProtocolError,
    ServiceError,
    Throttled,
)
from ..http.models import Buffer, Origin, Request, Response
from .models import ListPage, ObjectStat, PieceReply
from .sign import manager_token, upload_token

DEAD_CONTEXT = 701
_RETURN_BODY = "hash=$(hash)&fsize=$(fsize)"


def check_bucket(bucket: object) -> str:
    """Return a bucket's name, or raise `ConfigError`."""
    if not isinstance(bucket, str) or not bucket or ":" in bucket or not bucket.isprintable():
        raise ConfigError("bucket must be a non-empty printable str without a colon")
    return bucket


def check_key(key: object) -> str:
    """Return an object's key, or raise `ConfigError`."""
    if not isinstance(key, str) or not key:
        raise ConfigError("key must be a non-empty str")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise ConfigError("key must be encodable as UTF-8; it has a lone surrogate") from None
    return key


def check_mime_type(mime_type: object) -> str:
    """Return a media type, "" for none, or raise `ConfigError`."""
    if not isinstance(mime_type, str) or not mime_type.isascii() or not mime_type.isprintable():
        raise ConfigError("mime_type must be a printable ASCII str such as text/plain")
    return mime_type


def download_place(url: str, bucket: str, key: str) -> tuple[Origin, str]:
    """Return the server and the target of an object below a URL for downloads.

    Raises:
        ConfigError: the URL is none.
    """
    scheme, mark, rest = url.replace("{bucket}", bucket).partition("://")
    host, _, path = rest.partition("/")
    origin = Origin.parse(f"{scheme}{mark}{host}", "download_url")
    folder = f"/{path.rstrip('/')}" if path.strip("/") else ""
    return origin, f"{folder}/{quote(key, safe='/~')}"


def check_download(response: Response) -> bytes:
    """Return the bytes of a download.

    Raises:
        ServiceError: the service said no.
    """
    if response.status not in (200, 206):
        check_status(response)
        raise ProtocolError(f"a download was answered {response.status}", service="wcs")
    return response.body


def encode(text: str) -> str:
    """Return text in URL-safe base64, or raise `ConfigError`."""
    try:
        return _native.base64url_encode(text.encode())
    except UnicodeEncodeError:
        raise ConfigError("the text must be encodable as UTF-8; it has a lone surrogate") from None


def put_token(
    credentials: Credentials, bucket: str, key: str, deadline: int, *, overwrite: bool, form: bool
) -> str:
    """Return an upload token for one object.

    Args:
        credentials: the key pair.
        bucket: the bucket.
        key: the object's key.
        deadline: until when it is good, milliseconds since 1970.
        overwrite: whether an object of that name may be replaced.
        form: whether it is for a form upload, whose answer then tells hash and size.
    """
    policy: dict[str, Any] = {
        "scope": f"{bucket}:{key}",
        "deadline": str(deadline),
        "overwrite": int(overwrite),
    }
    if form:
        policy["returnBody"] = _RETURN_BODY
    return upload_token(credentials, policy)


def form_request(fields: Mapping[str, str], data: Buffer, mime_type: str, boundary: str) -> Request:
    """Return a form upload.

    Args:
        fields: the form's plain fields, `token` among them.
        data: the file's bytes; not copied.
        mime_type: the file's media type, or "".
        boundary: random text that the data does not hold.
    """
    lines = []
    for name, value in fields.items():
        if any(character in name for character in '\r\n"\0'):
            raise ConfigError(f"the form field {name!r} has a quote or control character")
        lines.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        )
    kind = mime_type or "application/octet-stream"
    lines.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="filename"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    return Request(
        "POST",
        "/file/upload",
        [("Content-Type", f"multipart/form-data; boundary={boundary}")],
        ["".join(lines).encode(), data, f"\r\n--{boundary}--\r\n".encode()],
    )


def _block_headers(token: str, batch: str, kind: str) -> list[tuple[str, str]]:
    return [("Authorization", token), ("uploadBatch", batch), ("Content-Type", kind)]


def make_block_request(token: str, batch: str, order: int, size: int, data: Buffer) -> Request:
    """Return the request that begins block `order`, of `size` bytes, with its first piece.

    Args:
        token: the upload token.
        batch: the id of the upload, the same in each of its requests.
        order: which block, from 0.
        size: the block's size in bytes.
        data: the first piece, which may be all of the block; not copied.
    """
    headers = _block_headers(token, batch, "application/octet-stream")
    return Request("POST", f"/mkblk/{size}/{order}", headers, data)


def put_piece_request(token: str, batch: str, context: str, offset: int, data: Buffer) -> Request:
    """Return the request that adds a piece at `offset` to the block of `context`."""
    headers = _block_headers(token, batch, "application/octet-stream")
    return Request("POST", f"/bput/{quote(context, safe='=')}/{offset}", headers, data)


def make_file_request(
    token: str,
    batch: str,
    size: int,
    contexts: Sequence[str],
    *,
    key: str | None = None,
    mime_type: str = "",
    variables: Mapping[str, str] | None = None,
) -> Request:
    """Return the request that joins blocks into an object.

    Args:
        token: the upload token.
        batch: the id of the upload.
        size: the object's size in bytes.
        contexts: the last context of each block, in order.
        key: the object's key, or None where the token's scope names it.
        mime_type: the object's media type, or "".
        variables: the caller's own values, without the `x:`.
    """
    headers = _block_headers(token, batch, "text/plain")
    if key is not None:
        headers.append(("Key", encode(key)))
    if mime_type:
        headers.append(("MimeType", mime_type))
    target = f"/mkfile/{size}"
    for name, value in (variables or {}).items():
        target += f"/x:{quote(name, safe='')}/{encode(value)}"
    return Request("POST", target, headers, ",".join(contexts).encode())


def _managed(credentials: Credentials, method: str, target: str, body: bytes = b"") -> Request:
    token = manager_token(credentials, target, body)
    return Request(method, target, [("Authorization", token)], body)


def stat_request(credentials: Credentials, bucket: str, key: str) -> Request:
    """Return the request for what the service tells about an object."""
    return _managed(credentials, "GET", f"/stat/{encode(f'{bucket}:{key}')}")


def delete_request(credentials: Credentials, bucket: str, key: str) -> Request:
    """Return the request that deletes an object."""
    return _managed(credentials, "POST", f"/delete/{encode(f'{bucket}:{key}')}")


def transfer_request(
    credentials: Credentials, op: str, source: tuple[str, str], target: tuple[str, str]
) -> Request:
    """Return the request that moves or copies an object; `op` is "move" or "copy"."""
    places = "/".join(encode(":".join(place)) for place in (source, target))
    return _managed(credentials, "POST", f"/{op}/{places}")


def deadline_request(credentials: Credentials, bucket: str, key: str, days: int) -> Request:
    """Return the request that lets an object be deleted after a number of days."""
    body = f"bucket={encode(bucket)}&key={encode(key)}&deadline={days}"
    return _managed(credentials, "POST", "/setdeadline", body.encode())


def list_request(
    credentials: Credentials,
    bucket: str,
    *,
    prefix: str = "",
    marker: str = "",
    limit: int | None = None,
    mode: int | None = None,
) -> Request:
    """Return the request for one page of a listing.

    Args:
        credentials: the key pair.
        bucket: the bucket.
        prefix: what the keys begin with.
        marker: the page before's marker, as it came.
        limit: how many entries at most, 1 to 1000.
        mode: 1 to list one level, where `/` separates levels; 0 or None for all.
    """
    query = [("bucket", bucket)]
    if marker:
        query.append(("marker", marker))
    if limit is not None:
        query.append(("limit", str(limit)))
    if prefix:
        query.append(("prefix", encode(prefix)))
    if mode is not None:
        query.append(("mode", str(mode)))
    text = "&".join(f"{name}={quote(value, safe='=')}" for name, value in query)
    return _managed(credentials, "GET", f"/list?{text}")


def _object(response: Response) -> dict[str, Any]:
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _malformed(response, "is not a JSON object")
    return value


def _malformed(response: Response, what: str) -> ProtocolError:
    return ProtocolError(
        f"the answer of WCS {what}",
        service="wcs",
        status=response.status,
        request_id=response.header("x-reqid"),
        outcome="unknown",
    )


def _integer(response: Response, value: Any, name: str) -> int:
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            number = int(value)
        except ValueError:
            number = -1
        if number >= 0:
            return number
    raise _malformed(response, f"has no number {name}")


def check_status(response: Response) -> None:
    """Raise the error that a response stands for, if it is not 200.

    Raises:
        AccessDenied: 401, 403.
        ObjectNotFound: 404 and the codes 612 and 631.
        Conflict: the codes 406 and 614: an object of that name exists.
        Throttled: 429. Busy: 5xx but 579.
        ServiceError: anything else.
    """
    status = response.status
    if status == 200:
        return
    code: int | str = status
    message = ""
    try:
        answer = json.loads(response.body)
        if isinstance(answer, dict):
            message = str(answer.get("message", ""))
            if str(answer.get("code", "")).isdigit():
                code = int(answer["code"])
    except (ValueError, RecursionError):
        message = response.body[:200].decode("utf-8", "replace")
    # A service may repeat the token that it refuses.
    message = redact("".join(c if c.isprintable() else " " for c in message)[:200])
    message = message or response.reason
    kind: type[ServiceError] = ServiceError
    hint = ""
    retryable = False
    if status in (401, 403):
        kind = AccessDenied
        hint = "check access_key, secret_key, the bucket's owner and this machine's clock"
    elif code in (612, 631) or status == 404:
        kind = ObjectNotFound
    elif code in (406, 614):
        kind = Conflict
        hint = "pass overwrite=True to replace it"
    elif status == 429:
        kind, retryable = Throttled, True
    elif status == 579:
        hint = "the object is stored; only the callback failed"
    elif 500 <= status < 600:
        kind, retryable = Busy, True
    raise kind(
        f"WCS answered {code}: {message}",
        service="wcs",
        code=code,
        status=status,
        request_id=response.header("x-reqid"),
        retryable=retryable,
        outcome="unknown" if retryable and status >= 500 else "rejected",
        hint=hint,
    )


def parse_piece(response: Response) -> PieceReply:
    """Read the answer to mkblk or bput."""
    check_status(response)
    answer = _object(response)
    context = answer.get("ctx")
    if not isinstance(context, str) or not context or "," in context or not context.isascii():
        raise _malformed(response, "has no ctx")
    crc32 = answer.get("crc32")
    checksum = answer.get("checksum")
    digest = None
    if checksum:
        try:
            digest = _native.base64url_decode(str(checksum))
        except ValueError:
            raise _malformed(response, "has a checksum that is not base64") from None
    return PieceReply(
        context,
        _integer(response, answer.get("offset"), "offset"),
        None if crc32 is None else _integer(response, crc32, "crc32"),
        digest,
    )


def parse_stored(response: Response) -> str:
    """Read the answer to mkfile or a form upload; return the hash, or "" where it has none.

    The service answers in JSON, as `name=value` pairs, or with either in URL-safe base64.
    """
    check_status(response)
    texts = [response.body]
    with contextlib.suppress(ValueError):
        texts.append(_native.base64url_decode(response.body.strip()))
    for text in texts:
        found = _fields(text).get("hash")
        if isinstance(found, str):
            return found
    return ""


def _fields(text: bytes) -> Mapping[str, Any]:
    """Read a JSON object or `name=value` pairs; anything else has no fields."""
    with contextlib.suppress(ValueError, RecursionError):
        answer = json.loads(text)
        return answer if isinstance(answer, dict) else {}
    with contextlib.suppress(ValueError):
        pairs = parse_qs(text.decode(), max_num_fields=100)
        return {name: values[0] for name, values in pairs.items()}
    return {}


def _time(value: Any) -> datetime | None:
    """Read a time since 1970, whose unit shows in its size: s, ms, µs or 100 ns."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    for limit, unit in ((1e11, 1.0), (1e14, 1e3), (3e15, 1e6), (1e18, 1e7)):
        if 0 < number < limit:
            return datetime.fromtimestamp(number / unit, timezone.utc)
    return None


def _entry(response: Response, key: Any, answer: Mapping[str, Any]) -> ObjectStat:
    if not isinstance(key, str):
        raise _malformed(response, "has an entry without a name")
    return ObjectStat(
        key,
        _integer(response, answer.get("fsize"), "fsize"),
        str(answer.get("hash") or ""),
        str(answer.get("mimeType") or ""),
        _time(answer.get("putTime")),
        _time(answer.get("expirationDate")),
    )


def parse_stat(response: Response) -> ObjectStat:
    """Read the answer to stat."""
    check_status(response)
    answer = _object(response)
    return _entry(response, answer.get("name"), answer)


def parse_page(response: Response) -> ListPage:
    """Read the answer to list."""
    check_status(response)
    answer = _object(response)
    items = answer.get("items") or []
    prefixes = answer.get("commonPrefixes") or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _malformed(response, "has no list of items")
    if not isinstance(prefixes, list):
        raise _malformed(response, "has no list of commonPrefixes")
    return ListPage(
        tuple(_entry(response, item.get("key"), item) for item in items),
        tuple(map(str, prefixes)),
        str(answer.get("marker") or ""),
    )


def parse_done(response: Response) -> None:
    """Read the answer to delete, move, copy or setdeadline."""
    check_status(response)
