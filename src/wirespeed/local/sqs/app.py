"""The SQS requests, as a Starlette application: the JSON protocol and the query protocol."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ..longpoll import CLIENT_LEFT, while_there
from . import query
from .actions import Actions
from .fields import Fields
from .refusal import Refusal
from .signatures import verify
from .state import State

BODY_LIMIT = 8 * 1024 * 1024
JSON_TYPE = "application/x-amz-json-1.0"
_TARGET = "AmazonSQS."


def create_app(
    state: State,
    *,
    access_key: str = "local",
    secret_key: str = "local-secret",
    wall: Callable[[], float] = time.time,
) -> Starlette:
    """Return the application that serves `state` to holders of the key pair.

    `wall` is the time that signatures are checked by, which no travelling moves.
    """
    face = _Face(state, access_key, secret_key, wall)
    routes = [Route("/{path:path}", face.answer, methods=["GET", "POST"])]
    return Starlette(routes=routes)


class _Face:
    def __init__(
        self, state: State, access_key: str, secret_key: str, wall: Callable[[], float]
    ) -> None:
        self._state = state
        self._wall = wall
        self._keys = access_key, secret_key
        self._actions = Actions(state)

    async def answer(self, request: Request) -> Response:
        """Answer any request."""
        request_id = str(uuid.uuid4())
        target = request.headers.get("x-amz-target", "")
        try:
            body = await _whole(request)
            self._check(request, body)
            self._actions.base_url = f"http://{request.headers.get('host', '127.0.0.1')}"
            self._actions.trace = request.headers.get("x-amzn-trace-id", "")
            if target:
                return await self._answer_json(request, target, body, request_id)
            action, fields = query.read(request.url.path, request.url.query, body)
        except Refusal as refusal:
            return _refused(refusal, request_id, bool(target))
        except ClientDisconnect:
            return Response(status_code=CLIENT_LEFT)
        try:
            result = await self._run(request, action, fields)
        except Refusal as refusal:
            return _refused(refusal, request_id, False)
        except ClientDisconnect:
            return Response(status_code=CLIENT_LEFT)
        return Response(query.write(action, result, request_id), media_type="text/xml")

    async def _run(self, request: Request, action: str, fields: Fields) -> Fields:
        work = self._actions.run(action, fields)
        return await (while_there(request, work) if action == "ReceiveMessage" else work)

    async def _answer_json(
        self, request: Request, target: str, body: bytes, request_id: str
    ) -> Response:
        action = target.removeprefix(_TARGET)
        if action == target:
            raise Refusal("UnknownOperationException", f"X-Amz-Target is {target}", 404)
        try:
            fields: Any = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise Refusal("SerializationException", "The body is no JSON object.")
        result = await self._run(request, action, fields)
        return _json(result, 200, request_id)

    def _check(self, request: Request, body: bytes) -> None:
        raw_path = request.scope.get("raw_path") or request.scope["path"].encode()
        verify(
            request.method,
            raw_path.decode("latin-1"),
            request.scope["query_string"].decode("latin-1"),
            request.headers,
            body,
            *self._keys,
            self._wall(),
        )


async def _whole(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise Refusal("RequestEntityTooLarge", f"the body passes {BODY_LIMIT} bytes", 413)
    return bytes(body)


def _json(fields: Fields, status: int, request_id: str, headers: dict[str, str] | None = None
          ) -> Response:  # fmt: skip
    text = json.dumps(fields, separators=(",", ":"))
    return Response(
        text.encode(),
        status,
        {"x-amzn-RequestId": request_id, **(headers or {})},
        media_type=JSON_TYPE,
    )


def _refused(refusal: Refusal, request_id: str, as_json: bool) -> Response:
    if not as_json:
        text = query.write_error(refusal, request_id)
        return Response(text, refusal.status, media_type="text/xml")
    fields = {"__type": f"com.amazonaws.sqs#{refusal.code}", "message": refusal.message}
    fault = "Sender" if refusal.status < 500 else "Receiver"
    headers = {"x-amzn-query-error": f"{refusal.query_code};{fault}"}
    return _json(fields, refusal.status, request_id, headers)
