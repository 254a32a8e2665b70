"""COS v4 requests and replies, between values and bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

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
from ..http.models import Buffer, Request, Response
from .models import Entry, ListPage, Session, UploadResult

JsonObject = dict[str, Any]

UNFINISHED = -4019
AUTHORITIES = ("eInvalid", "eWRPrivate", "eWPrivateRPublic")
HEADER_NAMES = (
    "Cache-Control",
    "Content-Type",
    "Content-Disposition",
    "Content-Language",
    "Content-Encoding",
)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_FORBIDDEN = frozenset('?*:|\\<>"')
_NOT_FOUND = frozenset({-166, -197})
_DENIED = frozenset({-61, -62, -63, -64, -70, -77, -96, -97, -98, -102, -133, -134, -190})
_CONFLICT = frozenset({-173, -177, -178, -4018, UNFINISHED})
_THROTTLED = frozenset({-71, -4024, -4027})
_HINTS = {
    -61: "the signature is of another bucket",
    -71: "make fewer requests a second",
    -96: "set this machine's clock",
    -97: "check secret_id, secret_key, appid and the region",
    -173: "delete what is in the folder first",
    -177: "pass overwrite=True to replace it",
    -178: "there is a folder or an object in the way",
    -29094: "an upload of another file was begun under this key: delete it first",
    UNFINISHED: "another upload of it was begun; delete it, or upload the same file again",
}


def check_bucket(bucket: object) -> str:
    """Return a bucket's name, or raise `ConfigError`."""
    if not isinstance(bucket, str) or not _BUCKET.fullmatch(bucket):
        raise ConfigError(
            f"bucket must be 1 to 40 lower-case letters, digits and -, not {bucket!r}"
        )
    return bucket


def check_key(key: object, *, folder: bool = False) -> str:
    """Return an object's key, or a folder's with one "/" at its end, or raise `ConfigError`."""
    if not isinstance(key, str):
        raise ConfigError(f"key must be a str, not {type(key).__name__}")
    bad = sorted(_FORBIDDEN.intersection(key))
    if bad or "//" in key or key.startswith("/") or not key.isprintable():
        what = bad[0] if bad else "a / at its beginning, // or what does not print"
        raise ConfigError(f"key must not hold {what}: {key!r}")
    if folder:
        return key if key.endswith("/") or not key else key + "/"
    if not key or key.endswith("/"):
        raise ConfigError("key must be a non-empty str that does not end in /")
    return key


# ---- requests ----


def query_request(path: str, sign: str, fields: Mapping[str, str]) -> Request:
    """Return a GET, such as op=stat."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    return Request("GET", f"{path}?{query}", [("Authorization", sign)])


def json_request(path: str, sign: str, fields: JsonObject) -> Request:
    """Return a POST of a JSON object, such as op=delete."""
    body = json.dumps(fields, separators=(",", ":")).encode()
    headers = [("Authorization", sign), ("Content-Type", "application/json")]
    return Request("POST", path, headers, body)


def form_request(
    path: str, sign: str, fields: Mapping[str, str], content: Buffer | None, boundary: str
) -> Request:
    """Return a POST of a form; `content` is the field filecontent, not copied."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    end = f"--{boundary}--\r\n".encode()
    body: list[Buffer] = ["".join(parts).encode()]
    if content is not None:
        body.append(
            f"--{boundary}\r\nContent-Disposition: form-data; "
            'name="filecontent"; filename="filecontent"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n".encode()
        )
        body += [content, b"\r\n"]
    body.append(end)
    headers = [
        ("Authorization", sign),
        ("Content-Type", f"multipart/form-data; boundary={boundary}"),
    ]
    return Request("POST", path, headers, body)


def upload_parts(states: Sequence[bytes], slice_size: int, size: int) -> str:
    """Return the JSON that tells the digests of a file's slices."""
    return json.dumps(
        [
            {
                "offset": index * slice_size,
                "datalen": min(slice_size, size - index * slice_size),
                "datasha": state.hex(),
            }
            for index, state in enumerate(states)
        ]
    )


# ---- replies ----


def parse(response: Response) -> JsonObject:
    """Return the `data` of a reply.

    Raises:
        ServiceError: the service said no.
        ProtocolError: the reply is not what the service sends.
    """
    try:
        reply = json.loads(response.body)
        code = int(reply["code"])
    except (ValueError, TypeError, KeyError, RecursionError):
        if response.status != 200:
            raise _error(f"HTTP {response.status}", response.reason, "", response) from None
        raise ProtocolError(
            "the reply is no JSON object with a code",
            service="cos",
            status=response.status,
            outcome="unknown",
            hint="is the endpoint a COS v4 server?",
        ) from None
    if code or response.status != 200:
        request_id = str(reply.get("request_id") or "")
        raise _error(code, str(reply.get("message") or "no reason"), request_id, response)
    data = reply.get("data")
    return data if isinstance(data, dict) else {}


def _error(code: int | str, message: str, request_id: str, response: Response) -> ServiceError:
    """Return the typed error of a code."""
    status = response.status
    kind: type[ServiceError] = ServiceError
    retryable = False
    if code in _NOT_FOUND or status == 404:
        kind = ObjectNotFound
    elif code in _DENIED or status in (401, 403):
        kind = AccessDenied
    elif code in _CONFLICT:
        kind = Conflict
    elif code in _THROTTLED or status == 429:
        kind, retryable = Throttled, True
    elif status >= 500:
        kind, retryable = Busy, True
    return kind(
        f"COS: {code}: {message}",
        service="cos",
        code=code,
        status=status,
        request_id=request_id,
        retryable=retryable,
        outcome="unknown" if status >= 500 else "rejected",
        hint=_HINTS.get(code, "") if isinstance(code, int) else "",
    )


def parse_session(response: Response, slice_size: int) -> Session:
    """Return the upload that a reply to upload_slice_init or upload_slice_list tells of."""
    data = parse(response)
    url = data.get("access_url")
    if url:
        return Session("", slice_size, False, frozenset(), str(url))
    try:
        size = int(data.get("slice_size") or slice_size)
        parts = data.get("listparts") or ()
        done = frozenset(int(part["offset"]) for part in parts if int(part["datalen"]) > 0)
        name = str(data["session"])
        if size <= 0 or not name:
            raise ValueError
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable("the upload's beginning", error) from error
    return Session(name, size, str(data.get("serial_upload") or 0) != "0", done)


def result_of(key: str, sha1: str, size: int, data: JsonObject) -> UploadResult:
    """Return what an upload stored."""
    return UploadResult(key, sha1, size, str(data.get("access_url") or ""))


def parse_entry(key: str, data: JsonObject) -> Entry:
    """Return what a stat or a listing tells of an object."""
    headers = data.get("custom_headers")
    try:
        size = data.get("filesize", data.get("filelen"))
        if size is None and not key.endswith("/"):
            raise ValueError("it has no filesize")
        return Entry(
            key,
            int(size or 0),
            str(data.get("sha") or ""),
            str(data.get("biz_attr") or ""),
            _time(data.get("ctime")),
            _time(data.get("mtime")),
            str(data.get("access_url") or ""),
            str(data.get("authority") or ""),
            {str(name): str(value) for name, value in headers.items()}
            if isinstance(headers, dict)
            else {},
        )
    except (TypeError, ValueError) as error:
        raise _unreadable("what is told of an object", error) from error


def parse_page(folder: str, data: JsonObject, before: str) -> ListPage:
    """Return one page of a listing of `folder`; `before` is the context that it was asked with."""
    try:
        entries = []
        for item in data.get("infos") or ():
            name = str(item["name"])
            # A folder is told by its end, or by lacking what only an object has.
            if not name.endswith("/") and "filesize" not in item and "sha" not in item:
                name += "/"
            entries.append(parse_entry(folder + name, item))
        over = bool(data.get("listover", True))
        context = "" if over else str(data.get("context") or "")
    except (KeyError, TypeError) as error:
        raise _unreadable("the listing", error) from error
    if context and context == before:
        raise ProtocolError("the listing does not advance", service="cos")
    return ListPage(tuple(entries), context)


def check_download(response: Response) -> bytes:
    """Return the bytes of a download.

    Raises:
        ServiceError: the service said no.
    """
    if response.status in (200, 206):
        return response.body
    raise _error(f"HTTP {response.status}", response.reason, "", response)


def _time(value: Any) -> datetime | None:
    return datetime.fromtimestamp(int(value), timezone.utc) if value else None


def _unreadable(what: str, error: Exception) -> ProtocolError:
    return ProtocolError(f"{what} cannot be read: {error!r}", service="cos", outcome="unknown")
