"""The COS v4 requests, as a Starlette application."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..content import Content
from ..multipart import FormError, FormReader
from .refusal import Refusal, bad_parameter, no_object
from .signatures import Verifier
from .state import Bucket, State, Stored, Upload, check_path, described

PUT_LIMIT = 20 * 1024 * 1024
BODY_LIMIT = 32 * 1024 * 1024
SLICE_SIZES = (65_536, 524_288, 1_048_576, 2_097_152, 3_145_728)
DEFAULT_SLICE = 1_048_576
_PATH = re.compile(r"/files/v2/([0-9]+)/([a-z0-9-]+)(/.*)")
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")
_ONCE = frozenset({"copy", "delete", "move", "update"})
_HEADERS = frozenset(
    {
        "Cache-Control",
        "Content-Type",
        "Content-Disposition",
        "Content-Language",
        "Content-Encoding",
    }
)

Fields = Mapping[str, Any]


def create_app(
    state: State,
    *,
    access_key: str = "local",
    secret_key: str = "local-secret",
    wall: Callable[[], float] = time.time,
) -> Starlette:
    """Return the application that serves `state` to holders of the key pair, of any appid.

    `wall` is the time that signatures are checked by, which no travelling moves.
    """
    face = _Face(state, access_key, secret_key, wall)
    return Starlette(routes=[Route("/{path:path}", face.answer, methods=["GET", "POST"])])


@dataclass(frozen=True, slots=True)
class _Call:
    """One request, its signature checked."""

    bucket: Bucket
    path: str
    fields: Fields
    url: str
    appid: str
    name: str


class _Face:
    def __init__(
        self, state: State, access_key: str, secret_key: str, wall: Callable[[], float]
    ) -> None:
        self._state = state
        self._wall = wall
        self._verifier = Verifier(access_key, secret_key)
        self._operations = {
            "copy": self._transfer,
            "create": self._create,
            "delete": self._delete,
            "list": self._list,
            "move": self._transfer,
            "stat": self._stat,
            "update": self._update,
            "upload": self._upload,
            "upload_slice_data": self._slice_data,
            "upload_slice_finish": self._slice_finish,
            "upload_slice_init": self._slice_init,
            "upload_slice_list": self._slice_list,
        }

    async def answer(self, request: Request) -> Response:
        """Answer any request."""
        request_id = secrets.token_hex(12)
        try:
            raw = request.scope.get("raw_path") or request.scope["path"].encode()
            found = _PATH.fullmatch(raw.decode("latin-1"))
            if found is None:
                return self._download(request, raw.decode("latin-1"))
            data = await self._answer(request, *found.groups())
            reply = {"code": 0, "message": "SUCCESS", "request_id": request_id, "data": data}
            status = 200
        except (Refusal, FormError) as error:
            refusal = error if isinstance(error, Refusal) else bad_parameter("body", "a form")
            reply = {"code": refusal.code, "message": refusal.message, "request_id": request_id}
            status = refusal.status
        return Response(json.dumps(reply).encode(), status, media_type="application/json")

    async def _answer(
        self, request: Request, appid: str, name: str, encoded: str
    ) -> dict[str, Any]:
        fields = await _fields(request)
        op = fields.get("op")
        operation = self._operations.get(op) if isinstance(op, str) else None
        if operation is None:
            raise bad_parameter("op", "one that there is")
        if (request.method == "GET") != (op in ("list", "stat")):
            raise Refusal(-4001, f"ERROR_METHOD: {op} is not for {request.method}", 405)
        path = unquote(encoded, errors="strict")
        # What is signed may be encoded in another way than what was sent.
        fileid = f"/{appid}/{name}{quote(path, safe='~/')}"
        self._verifier.check(
            request.headers.get("authorization", ""), appid, name, fileid, self._wall(),
            once=op in _ONCE,
        )  # fmt: skip
        host = request.headers.get("host", "127.0.0.1")
        bucket = self._state.bucket(f"{name}-{appid}")
        return operation(_Call(bucket, check_path(path), fields, f"http://{host}", appid, name))

    # ---- objects and folders ----

    def _stat(self, call: _Call) -> dict[str, Any]:
        stored = call.bucket.find(call.path)
        name = call.path.rstrip("/").rpartition("/")[2]
        return described(name, stored, _url(call))

    def _list(self, call: _Call) -> dict[str, Any]:
        folder, _, prefix = call.path.rpartition("/")
        count = _number(call.fields, "num", 1, 1000)
        page, context = call.bucket.listing(
            folder + "/", prefix, count, str(call.fields.get("context") or ""),
            folders_only=False,
        )  # fmt: skip
        base = f"{call.url}{quote(folder, safe='~/')}/"
        return {
            "context": context,
            "listover": not context,
            "infos": [described(name, each, base + quote(name, safe="~/")) for name, each in page],
        }

    def _create(self, call: _Call) -> dict[str, Any]:
        made = call.bucket.create(call.path, _text(call.fields, "biz_attr"))
        return {"ctime": made.created, "resource_path": _resource(call)}

    def _update(self, call: _Call) -> dict[str, Any]:
        stored = call.bucket.entries.get(call.path)
        if stored is None:
            raise no_object(call.path)
        fields = call.fields
        authority = _text(fields, "authority")
        if authority not in ("", "eInvalid", "eWRPrivate", "eWPrivateRPublic"):
            raise bad_parameter("authority", "eInvalid, eWRPrivate or eWPrivateRPublic")
        headers = fields.get("custom_headers") or {}
        if not isinstance(headers, dict) or not all(
            name in _HEADERS or str(name).startswith("x-cos-meta-") for name in headers
        ):
            raise bad_parameter("custom_headers", "headers that COS keeps")
        if "biz_attr" in fields:
            stored.biz_attr = _text(fields, "biz_attr")
        if authority:
            stored.authority = authority
        stored.headers.update({name: str(value) for name, value in headers.items()})
        stored.modified = int(self._state.now())
        self._state.journal.save(stored)
        return {}

    def _delete(self, call: _Call) -> dict[str, Any]:
        if call.path == "/":
            raise Refusal(-180, "ERROR_CMD_COS_PATH_ILLEGAL: /")
        call.bucket.delete(call.path)
        return {}

    def _transfer(self, call: _Call) -> dict[str, Any]:
        target = _text(call.fields, "dest_fileid")
        whole = f"/{call.appid}/{call.name}/"
        if target.startswith(whole):
            target = target[len(whole) - 1 :]
        elif not target.startswith("/"):
            target = call.path.rpartition("/")[0] + "/" + target
        move = call.fields["op"] == "move"
        overwrite = _text(call.fields, "to_over_write") == "1"
        call.bucket.transfer(call.path, check_path(target), move=move, overwrite=overwrite)
        return {}

    # ---- uploads ----

    def _upload(self, call: _Call) -> dict[str, Any]:
        data = _content(call.fields)
        if len(data) > PUT_LIMIT:
            raise Refusal(-175, f"ERROR_SIZE: upload takes {PUT_LIMIT} bytes")
        sha = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        if _text(call.fields, "sha").lower() not in ("", sha):
            raise Refusal(-174, "ERROR_SHA: the bytes have another SHA-1")
        call.bucket.check_free(call.path, insert_only=_insert_only(call.fields))
        biz_attr = _text(call.fields, "biz_attr")
        self._state.reserve(len(data))
        call.bucket.store(call.path, self._state.journal.keep([data]), sha, biz_attr)
        return _stored(call)

    def _slice_init(self, call: _Call) -> dict[str, Any]:
        fields = call.fields
        size = _number(fields, "filesize", 1, 2**40)
        slice_size = _number(fields, "slice_size", 1, 2**31, DEFAULT_SLICE)
        if slice_size not in SLICE_SIZES:
            slice_size = DEFAULT_SLICE
        sha, biz_attr = _text(fields, "sha").lower(), _text(fields, "biz_attr")
        if "uploadparts" in fields:
            check_parts(_text(fields, "uploadparts"), size, slice_size, sha)
        insert_only = _insert_only(fields)
        call.bucket.check_free(call.path, insert_only=insert_only)
        there = call.bucket.with_sha(sha, size) if sha else None
        if there is not None:
            self._state.reserve(size)
            call.bucket.store(call.path, there, sha, biz_attr)
            return _stored(call)
        upload = Upload(size, slice_size, sha, biz_attr, insert_only)
        call.bucket.begin(call.path, upload)
        return {"session": upload.session, "slice_size": slice_size, "serial_upload": 0}

    def _slice_data(self, call: _Call) -> dict[str, Any]:
        upload = self._begun(call)
        offset = _number(call.fields, "offset", 0, 2**40)
        data = _content(call.fields)
        call.bucket.add(upload, offset, data)
        return {"session": upload.session, "offset": offset, "datalen": len(data)}

    def _slice_finish(self, call: _Call) -> dict[str, Any]:
        upload = self._begun(call)
        if _number(call.fields, "filesize", 1, 2**40) != upload.size:
            raise Refusal(-175, "ERROR_SIZE: the upload was begun with another size")
        call.bucket.finish(call.path, upload)
        return _stored(call)

    def _begun(self, call: _Call) -> Upload:
        upload = call.bucket.upload_of(call.path, _text(call.fields, "session"))
        if _text(call.fields, "sha").lower() != upload.sha:
            raise Refusal(-29094, "ERROR_SHA: it must be that of the beginning")
        return upload

    def _slice_list(self, call: _Call) -> dict[str, Any]:
        upload = call.bucket.uploads.get(call.path)
        if upload is None:
            raise Refusal(-290, "ERROR_SESSION: there is no such upload")
        parts = [
            {"offset": offset, "datalen": len(part.data)}
            for offset, part in sorted(upload.parts.items())
        ]
        return {
            "session": upload.session,
            "slice_size": upload.slice_size,
            "filesize": upload.size,
            "serial_upload": 0,
            "listparts": parts,
        }

    # ---- downloads ----

    def _download(self, request: Request, encoded: str) -> Response:
        """Answer a download; its signature tells the bucket, as one host serves them all."""
        if request.method != "GET":
            raise Refusal(-4001, "ERROR_METHOD", 405)
        # Older clients do not encode the + of a signature, which a query reads as a space.
        sign = request.query_params.get("sign", "").replace(" ", "+")
        signed = self._verifier.read(sign, self._wall())
        path = check_path(unquote(encoded))
        if signed.fileid not in (quote(path, safe="~/"), encoded) or not signed.expires:
            raise Refusal(-63, "ERROR_PROXY_AUTH_FILEID: it is of another object", 401)
        stored = self._state.bucket(f"{signed.bucket}-{signed.appid}").find(path)
        if stored.data is None:
            raise no_object(path)
        return _sent(stored, request.headers.get("range", ""))


def _sent(stored: Stored, wanted: str) -> Response:
    data = stored.data or Content()
    headers = {"ETag": f'"{stored.sha}"', "Accept-Ranges": "bytes"}
    headers |= {name: value for name, value in stored.headers.items() if value.isascii()}
    kind = headers.pop("Content-Type", "application/octet-stream")
    found = _RANGE.fullmatch(wanted)
    if found is None:
        return Response(data.read(), 200, headers, kind)
    first = int(found[1])
    last = min(int(found[2] or len(data)), len(data) - 1)
    if first > last:
        headers["Content-Range"] = f"bytes */{len(data)}"
        return Response(b"", 416, headers)
    headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(data.read(first, last + 1), 206, headers, kind)


def check_parts(text: str, size: int, slice_size: int, sha: str) -> None:
    """Refuse an `uploadparts` that is not that of the file; the states within are not computed."""
    try:
        parts = [(p["offset"], p["datalen"], p["datasha"]) for p in json.loads(text)]
    except (ValueError, KeyError, TypeError):
        raise bad_parameter("uploadparts", "a JSON list") from None
    wanted = [(at, min(slice_size, size - at)) for at in range(0, size, slice_size)]
    if [(offset, length) for offset, length, _ in parts] != wanted:
        raise bad_parameter("uploadparts", "the file's slices")
    if not all(re.fullmatch("[0-9a-f]{40}", str(state)) for _, _, state in parts):
        raise bad_parameter("uploadparts", "digests in hexadecimal")
    if parts[-1][2] != sha:
        raise Refusal(-4016, "ERROR_SHA: the last of uploadparts must be sha")


async def _fields(request: Request) -> Fields:
    """Return what a request says: a form, a JSON object, or its query."""
    query = dict(request.query_params)
    if request.method == "GET":
        return query
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form = FormReader(request.headers["content-type"]) if kind == "multipart/form-data" else None
    body = bytearray()
    size = 0
    wrong: Exception | None = None
    # A refused body is read to its end: a client that still sends must not hang.
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_LIMIT:
            wrong = Refusal(-175, f"ERROR_SIZE: a request has {BODY_LIMIT} bytes at most", 413)
        elif form is None:
            body += chunk
        elif wrong is None:
            try:
                form.feed(chunk)
            except FormError as error:
                wrong = error
    if wrong is not None:
        raise wrong
    if form is not None:
        made: dict[str, Any] = dict(query)
        for part in form.finish():
            content = b"".join(part.chunks)
            made[part.name] = content if part.name == "filecontent" else _decoded(content)
        return made
    if not body:
        return query
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise bad_parameter("the body", "a form or a JSON object")
    return fields


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise bad_parameter("the form", "UTF-8") from None


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name, "")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise bad_parameter(name, "text")
    return value


def _number(fields: Fields, name: str, low: int, high: int, default: int | None = None) -> int:
    text = _text(fields, name) or ("" if default is None else str(default))
    if not re.fullmatch("[0-9]{1,15}", text) or not low <= int(text) <= high:
        raise bad_parameter(name, f"from {low} to {high}")
    return int(text)


def _content(fields: Fields) -> bytes:
    content = fields.get("filecontent")
    if not isinstance(content, bytes):
        raise bad_parameter("filecontent", "given")
    return content


def _insert_only(fields: Fields) -> bool:
    return _text(fields, "insertOnly") != "0"


def _resource(call: _Call) -> str:
    return f"/{call.appid}/{call.name}{quote(call.path, safe='~/')}"


def _url(call: _Call) -> str:
    return call.url + quote(call.path, safe="~/")


def _stored(call: _Call) -> dict[str, Any]:
    """Return what an upload's last reply tells."""
    url = _url(call)
    return {
        "access_url": url,
        "source_url": url,
        "url": f"{call.url}/files/v2{_resource(call)}",
        "resource_path": _resource(call),
        "vid": secrets.token_hex(16),
    }
