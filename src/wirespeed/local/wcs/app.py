"""The WCS requests, as a Starlette application."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ..multipart import FormError, FormReader, Part
from .operations import Operations
from .replies import Refusal, reply
from .state import (
    LIST_LIMIT,
    Block,
    BlockDigest,
    Piece,
    State,
    StoredObject,
    encode_base64,
    fold,
)
from .tokens import Policy, Verifier, decode_base64, decode_entry

BLOCK_LIMIT = 256 * 1024 * 1024
BODY_LIMIT = 1024 * 1024
_BODY_READ = "wirespeed.body_read"

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(
    state: State,
    *,
    access_key: str = "local",
    secret_key: str = "local-secret",
    wall: Callable[[], float] = time.time,
) -> Starlette:
    """Return the application that serves `state` to holders of the key pair.

    Args:
        state: what it stores; shared with nobody on another event loop.
        access_key: the access key of the only user.
        secret_key: the secret key that signs tokens.
        wall: the time that tokens are checked by, which no travelling moves.

    Serve it on listeners whose protocol is spelled out (`socket.IPPROTO_TCP`): only for these
    does asyncio turn Nagle's delay off, which else costs 40 ms a request.
    """
    face = _Face(state, Verifier(access_key, secret_key), wall)
    return Starlette(
        routes=[
            Route("/file/upload", _guarded(face.upload), methods=["POST"]),
            Route("/mkblk/{size}/{order}", _guarded(face.make_block), methods=["POST"]),
            Route("/bput/{context}/{offset}", _guarded(face.put_piece), methods=["POST"]),
            Route("/mkfile/{size}", _guarded(face.make_file), methods=["POST"]),
            Route("/mkfile/{size}/{variables:path}", _guarded(face.make_file), methods=["POST"]),
            Route("/stat/{entry}", _guarded(face.stat), methods=["GET"]),
            Route("/list", _guarded(face.list), methods=["GET"]),
            Route("/delete/{entry}", _guarded(face.delete), methods=["POST"]),
            Route("/move/{source}/{target}", _guarded(face.transfer), methods=["POST"]),
            Route("/copy/{source}/{target}", _guarded(face.transfer), methods=["POST"]),
            Route("/setdeadline", _guarded(face.set_deadline), methods=["POST"]),
            Route("/download/{bucket}/{key:path}", _guarded(face.download), methods=["GET"]),
            Route("/bucket/list", _guarded(face.buckets), methods=["GET"]),
            Route("/bucket/stat", _guarded(face.statistics), methods=["GET"]),
            Route("/bucket/statistics", _guarded(face.statistics), methods=["GET"]),
            Route("/wslive/list", _guarded(face.recordings), methods=["GET"]),
            Route("/fmgr/status", _guarded(face.operation_status), methods=["GET"]),
            Route("/fmgr/{kind}", _guarded(face.begin), methods=["POST"]),
            Route("/fops", _guarded(face.process), methods=["POST"]),
            Route("/status/get/prefop", _guarded(face.operation_status), methods=["GET"]),
        ],
        exception_handlers={404: _no_route, 405: _no_route},
    )


async def _no_route(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    text = "no such operation" if status == 404 else "the operation has another method"
    return reply({"code": status, "message": text}, status)


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Answer refusals, after the rest of the body: a client that still sends must not hang."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (FormError, Refusal) as error:
            refusal = error if isinstance(error, Refusal) else Refusal(400, str(error))
            try:
                async for _ in _rest(request):
                    pass
            except ClientDisconnect:
                pass
            return refusal.response()

    return guarded


async def _rest(request: Request) -> AsyncIterator[bytes]:
    """Yield the body from where the last reader stopped."""
    while not request.scope.get(_BODY_READ, False):
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        # To receive past the end would wait for the client to leave.
        request.scope[_BODY_READ] = not message.get("more_body", False)
        if message.get("body"):
            yield message["body"]


def _number(request: Request, name: str) -> int:
    text: str = request.path_params[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Refusal(400, f"{name} is no number")
    return int(text)


def _key_header(request: Request) -> str | None:
    encoded = request.headers.get("key")
    if encoded is None:
        return None
    try:
        return decode_base64(encoded, "the header Key").decode()
    except UnicodeDecodeError:
        raise Refusal(400, "the header Key is not UTF-8") from None


async def _small_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in _rest(request):
        body += chunk
        if len(body) > BODY_LIMIT:
            raise Refusal(400, f"the body passes {BODY_LIMIT} bytes")
    return bytes(body)


def _render(template: str, values: dict[str, str]) -> str:
    """Fill `$(name)` places; unknown names become empty."""
    text, *rest = template.split("$(")
    for piece in rest:
        name, closed, after = piece.partition(")")
        text += values.get(name, "") + after if closed else "$(" + piece
    return text


class _Face:
    """The operations, on one state."""

    def __init__(self, state: State, verifier: Verifier, wall: Callable[[], float]) -> None:
        self._state = state
        self._wall = wall
        self._verifier = verifier
        self._operations = Operations(state)

    def _upload_policy(self, request: Request) -> Policy:
        return self._verifier.upload(request.headers.get("authorization"), self._wall())

    def _check_manager(self, request: Request, body: bytes = b"") -> None:
        target: bytes = request.scope["raw_path"]
        query: bytes = request.scope["query_string"]
        if query:
            target += b"?" + query
        self._verifier.manager(request.headers.get("authorization"), target, body)

    async def upload(self, request: Request) -> Response:
        """Store the file of a form."""
        form = FormReader(request.headers.get("content-type", ""))
        state = self._state
        reserved = 0
        try:
            async for chunk in _rest(request):
                state.reserve(len(chunk))
                reserved += len(chunk)
                form.feed(chunk)
            stored, reply_to = self._upload_form(form.finish())
        except BaseException:
            state.release(reserved)
            raise
        # What the form's own lines took is given back.
        state.release(reserved - stored.size)
        return reply_to

    def _upload_form(self, parts: list[Part]) -> tuple[StoredObject, Response]:
        fields = {part.name: part.text() for part in parts if part.filename is None}
        files = [part for part in parts if part.filename is not None]
        policy = self._verifier.upload(fields.get("token"), self._wall())
        if len(files) != 1 or files[0].name != "file":
            raise Refusal(400, "the form has no field named file, or several files")
        digest = BlockDigest()
        for chunk in files[0].chunks:
            digest.update(chunk)
        content = self._state.journal.keep(files[0].chunks)
        stored = StoredObject(content, fold(digest.blocks()))
        stored.mime_type = fields.get("mimeType") or files[0].content_type or stored.mime_type
        variables = {name: text for name, text in fields.items() if name.startswith("x:")}
        return stored, self._store(
            policy, fields.get("key"), stored, fields.get("deadline"), variables, form=True
        )

    def _store(
        self,
        policy: Policy,
        asked: str | None,
        stored: StoredObject,
        days: str | None,
        variables: dict[str, str],
        *,
        form: bool,
    ) -> Response:
        limit = policy.size_limit
        if limit is not None and stored.size > limit:
            raise Refusal(401, f"the file passes fsizeLimit, {limit} bytes")
        if days:
            if not days.isdigit():
                raise Refusal(400, "deadline is no number of days")
            stored.expires = self._state.milliseconds() + int(days) * 86_400_000
        key = policy.object_key(asked, stored.hash)
        self._state.put(policy.bucket, key, stored, policy.overwrite)
        if policy.fields.get("returnUrl"):
            return RedirectResponse(str(policy.fields["returnUrl"]), 303)
        template = policy.fields.get("returnBody")
        if template:
            values = {
                "bucket": policy.bucket,
                "key": key,
                "hash": stored.hash,
                "fsize": str(stored.size),
                "mimeType": stored.mime_type,
                **variables,
            }
            return Response(_render(str(template), values), media_type="text/plain")
        answer: dict[str, Any] = {"hash": stored.hash, "key": key}
        if not form:
            return reply(answer)
        text = f"bucket={policy.bucket}&key={key}&hash={stored.hash}&fsize={stored.size}"
        return Response(encode_base64(text.encode()), media_type="text/plain")

    async def make_block(self, request: Request) -> Response:
        """Begin a block with its first piece."""
        policy = self._upload_policy(request)
        size = _number(request, "size")
        if size > BLOCK_LIMIT:
            raise Refusal(400, f"a block passes {BLOCK_LIMIT} bytes")
        batch = request.headers.get("uploadbatch", "")
        block = Block(policy.bucket, batch, _number(request, "order"), size)
        return await self._take_piece(request, block)

    async def put_piece(self, request: Request) -> Response:
        """Add the next piece to the block that the context names."""
        policy = self._upload_policy(request)
        batch = request.headers.get("uploadbatch", "")
        context = request.path_params["context"]
        block = self._state.find_block(context, batch, policy.bucket)
        if _number(request, "offset") != block.digest.size:
            raise Refusal(400, f"the block's next piece begins at {block.digest.size}", 701)
        # Nobody else may use the context while its piece comes in; a cut piece brings it back.
        del self._state.blocks[context]
        try:
            return await self._take_piece(request, block)
        except BaseException:
            self._state.blocks[context] = block
            raise

    async def _take_piece(self, request: Request, block: Block) -> Response:
        piece = Piece(self._state, block)
        try:
            async for chunk in _rest(request):
                piece.take(chunk)
        except BaseException:
            piece.abandon()
            raise
        answer = piece.commit()
        return reply({"ctx": self._state.new_context(block), **answer})

    async def make_file(self, request: Request) -> Response:
        """Join blocks into an object."""
        policy = self._upload_policy(request)
        text = (await _small_body(request)).decode("latin-1")
        contexts = text.split(",") if text else []
        batch = request.headers.get("uploadbatch", "")
        stored = self._state.assemble(contexts, _number(request, "size"), batch, policy.bucket)
        variables = {}
        pairs = request.path_params.get("variables", "").split("/")
        for name, value in zip(pairs[::2], pairs[1::2], strict=False):
            variables[name] = decode_base64(value, name).decode("utf-8", "replace")
        mime_type = request.headers.get("mimetype")
        if mime_type:
            stored.mime_type = mime_type
        days = request.headers.get("deadline")
        answer = self._store(policy, _key_header(request), stored, days, variables, form=False)
        self._state.finish(contexts)
        return answer

    async def stat(self, request: Request) -> Response:
        """Describe an object."""
        self._check_manager(request)
        bucket, key = decode_entry(request.path_params["entry"])
        return reply({"name": key, **self._state.get(bucket, key).describe()})

    async def delete(self, request: Request) -> Response:
        """Forget an object."""
        self._check_manager(request, await _small_body(request))
        bucket, key = decode_entry(request.path_params["entry"])
        self._state.delete(bucket, key)
        return reply({"code": 200, "message": "deleted"})

    async def transfer(self, request: Request) -> Response:
        """Move or copy an object."""
        self._check_manager(request, await _small_body(request))
        source = decode_entry(request.path_params["source"])
        target = decode_entry(request.path_params["target"])
        stored = self._state.get(*source)
        if source == target:
            return reply({"code": 200, "message": "done"})
        if request.url.path.startswith("/copy/"):
            self._state.reserve(stored.size)
            try:
                self._state.put(*target, replace(stored), overwrite=False)
            except Refusal:
                self._state.release(stored.size)
                raise
        else:
            # The bytes are only moved: what deletion gives back was never taken twice.
            self._state.put(*target, replace(stored), overwrite=False)
            self._state.reserve(stored.size)
            self._state.delete(*source)
        return reply({"code": 200, "message": "done"})

    async def set_deadline(self, request: Request) -> Response:
        """Let an object be deleted after some days; 0: never."""
        body = await _small_body(request)
        self._check_manager(request, body)
        fields = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
        bucket = decode_base64(fields.get("bucket", ""), "bucket").decode("utf-8", "replace")
        key = decode_base64(fields.get("key", ""), "key").decode("utf-8", "replace")
        days = fields.get("deadline", "")
        if not days.isdigit() or len(days) > 6:
            raise Refusal(400, "deadline is no number of days")
        stored = self._state.get(bucket, key)
        now = self._state.milliseconds()
        stored.expires = now + int(days) * 86_400_000 if int(days) else None
        self._state.journal.save(stored)
        return reply({"code": 200, "message": "done"})

    async def list(self, request: Request) -> Response:
        """List a bucket by pages."""
        self._check_manager(request)
        query = dict(parse_qsl(request.scope["query_string"].decode("latin-1")))
        bucket = query.get("bucket", "")
        if not bucket:
            raise Refusal(400, "bucket is missing")
        limit = query.get("limit", str(LIST_LIMIT))
        if not limit.isdigit() or not 1 <= int(limit) <= LIST_LIMIT:
            raise Refusal(400, f"limit is not 1 to {LIST_LIMIT}")
        mode = query.get("mode", "0")
        if mode not in ("0", "1"):
            raise Refusal(400, "mode is neither 0 nor 1")
        try:
            prefix = decode_base64(query.get("prefix", ""), "prefix").decode()
            marker = decode_base64(query.get("marker", ""), "marker").decode()
        except UnicodeDecodeError:
            raise Refusal(400, "prefix or marker is not UTF-8") from None
        return reply(self._state.list_page(bucket, prefix, marker, int(limit), int(mode)))

    async def download(self, request: Request) -> Response:
        """Give an object's bytes, or a range of them, to anybody, as an owner's host does."""
        stored = self._state.get(request.path_params["bucket"], request.path_params["key"])
        headers = {"ETag": f'"{stored.hash}"', "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d{1,18})-(\d{0,18})", request.headers.get("range", ""))
        if wanted is None:
            return _sent(stored, 0, stored.size, 200, headers)
        first = int(wanted[1])
        last = min(int(wanted[2] or stored.size - 1), stored.size - 1)
        if first > last:
            headers["Content-Range"] = f"bytes */{stored.size}"
            return Response(status_code=416, headers=headers)
        headers["Content-Range"] = f"bytes {first}-{last}/{stored.size}"
        return _sent(stored, first, last + 1, 206, headers)

    async def buckets(self, request: Request) -> Response:
        """List the owner's buckets."""
        self._check_manager(request)
        names = [{"name": name} for name in sorted(self._state.buckets)]
        return reply({"buckets": names})

    async def statistics(self, request: Request) -> Response:
        """Tell what buckets hold; nothing else is counted here."""
        self._check_manager(request)
        query = dict(parse_qsl(request.scope["query_string"].decode("latin-1")))
        text = decode_base64(query.get("name", ""), "name").decode("utf-8", "replace")
        names = [name for name in text.split("|") if name]
        what = query.get("type", "storage" if request.url.path == "/bucket/stat" else "")
        if not names or not what:
            raise Refusal(400, "name or type is missing")
        held = {
            name: sum(each.size for each in self._state.buckets.get(name, {}).values())
            for name in names
        }
        return reply({"type": what, "statistics": held})

    async def recordings(self, request: Request) -> Response:
        """List a live stream's recordings: there are none here."""
        self._check_manager(request)
        return reply({"items": [], "total": 0})

    async def begin(self, request: Request) -> Response:
        """Carry an operation out, and remember how it went."""
        body = await _small_body(request)
        self._check_manager(request, body)
        fields = dict(part.partition("=")[::2] for part in body.decode("latin-1").split("&"))
        identity = self._operations.run(request.path_params["kind"], fields.get("fops", ""))
        return reply({"persistentId": identity})

    async def process(self, request: Request) -> Response:
        """Take the processing of an object on: it ends at once, and makes nothing."""
        body = await _small_body(request)
        self._check_manager(request, body)
        fields = dict(part.partition("=")[::2] for part in body.decode("latin-1").split("&"))
        names = [decode_base64(fields.get(name, ""), name).decode() for name in ("bucket", "key")]
        self._state.get(*names)
        commands = decode_base64(fields.get("fops", ""), "fops").decode().split(";")
        return reply({"persistentId": self._operations.processed(commands)})

    async def operation_status(self, request: Request) -> Response:
        """Tell how an operation went."""
        query = dict(parse_qsl(request.scope["query_string"].decode("latin-1")))
        return reply(self._operations.status(query.get("persistentId", "")))


def _sent(
    stored: StoredObject, start: int, end: int, status: int, headers: dict[str, str]
) -> Response:
    """Return bytes of an object."""
    return Response(stored.content.read(start, end), status, headers, media_type=stored.mime_type)
