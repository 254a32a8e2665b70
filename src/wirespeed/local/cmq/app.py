"""The CMQ requests, as a Starlette application."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ..longpoll import CLIENT_LEFT, while_there
from .actions import Actions
from .refusal import Refusal, bad_parameter
from .state import State

PATH = "/v2/index.php"
BODY_LIMIT = 8 * 1024 * 1024
_CLOCK_SKEW = 300
_HASHES = {"HmacSHA1": hashlib.sha1, "HmacSHA256": hashlib.sha256}


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
    return Starlette(routes=[Route(PATH, face.answer, methods=["GET", "POST"])])


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
        request_id = str(secrets.randbelow(2**63))
        try:
            fields = await _parameters(request)
            self._check(request, fields)
            work = self._actions.run(fields)
            polls = fields.get("Action", "").endswith("ReceiveMessage")
            reply = await (while_there(request, work) if polls else work)
        except ClientDisconnect:
            return Response(status_code=CLIENT_LEFT)
        except Refusal as refusal:
            reply = {"code": refusal.code, "message": refusal.message, **refusal.fields}
        whole: dict[str, Any] = {"code": 0, "message": "", "requestId": request_id, **reply}
        return Response(json.dumps(whole).encode(), media_type="application/json")

    def _check(self, request: Request, fields: dict[str, str]) -> None:
        """Refuse a request that is not signed by the key pair, or long ago."""
        access_key, secret_key = self._keys
        for name in ("SecretId", "Timestamp", "Nonce", "Signature", "Action"):
            if not fields.get(name):
                raise bad_parameter(name, "given")
        function = _HASHES.get(fields.get("SignatureMethod", "HmacSHA1"))
        if function is None:
            raise bad_parameter("SignatureMethod", "HmacSHA1 or HmacSHA256")
        if fields["SecretId"] != access_key:
            raise Refusal(4100, "(100)signature error: the SecretId is not known")
        text = "&".join(
            f"{name.replace('_', '.')}={fields[name]}"
            for name in sorted(fields)
            if name != "Signature"
        )
        host = request.headers.get("host", "")
        signed = f"{request.method}{host}{PATH}?{text}".encode()
        wanted = base64.b64encode(hmac.digest(secret_key.encode(), signed, function))
        if not hmac.compare_digest(wanted, fields["Signature"].encode()):
            raise Refusal(4100, "(100)signature error: it is not that of the request")
        stamp = fields["Timestamp"]
        if not stamp.isdigit() or abs(int(stamp) - self._wall()) > _CLOCK_SKEW:
            raise Refusal(4300, "the request's Timestamp is not of now")


async def _parameters(request: Request) -> dict[str, str]:
    raw = request.scope["query_string"]
    if request.method == "POST":
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                raise Refusal(4400, f"the request passes {BODY_LIMIT} bytes")
        raw = bytes(body)
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise Refusal(4000, "the parameters are not encoded as a form of UTF-8") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refusal(4000, "a parameter stands twice")
    return fields
