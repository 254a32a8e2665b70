"""The console's requests, as a Starlette application.

Whoever reads needs to come by a name of this machine; whoever changes anything needs the token,
which the page holds and no other page can read.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ...errors import ConfigError
from ..faults import Faults
from ..vault import Vault
from . import view
from .changes import Changes, text

TOKEN_HEADER = "x-wirespeed-token"
BODY_LIMIT = 8 * 1024 * 1024
_MOST_SHOWN = 500
_HERE = Path(__file__).parent
_TOKEN_MARK = "{{token}}"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(vault: Vault, faults: Faults, token: str, reset: Callable[[], None]) -> Starlette:
    """Return the application that shows and changes what a cloud holds.

    Args:
        vault: the services' states.
        faults: what goes wrong in them, and their request log.
        token: what a request that changes something must bring.
        reset: forgets everything.
    """
    face = _Face(vault, faults, token, reset)
    reads = {
        "/": face.page,
        "/page.css": face.style,
        "/page.js": face.script,
        "/api/overview": face.overview,
        "/api/requests": face.requests,
        "/api/messages": face.messages,
        "/api/objects": face.objects,
    }
    changes: list[tuple[str, str, Endpoint]] = [
        ("POST", "/api/reset", face.reset),
        ("POST", "/api/travel", face.travel),
        ("POST", "/api/snapshots", face.take_snapshot),
        ("DELETE", "/api/snapshots", face.delete_snapshot),
        ("POST", "/api/restore", face.restore_snapshot),
        ("POST", "/api/faults", face.add_fault),
        ("DELETE", "/api/faults", face.remove_faults),
        ("POST", "/api/{verb:str}", face.change),
    ]
    return Starlette(
        routes=[
            *(Route(path, face.reading(read), methods=["GET"]) for path, read in reads.items()),
            *(Route(path, face.changing(change), methods=[method])
              for method, path, change in changes),
        ]
    )  # fmt: skip


class _Face:
    def __init__(self, vault: Vault, faults: Faults, token: str, reset: Callable[[], None]) -> None:
        self._vault = vault
        self._faults = faults
        self._token = token
        self._reset = reset
        self._changes = Changes(vault)

    def reading(self, endpoint: Endpoint) -> Endpoint:
        """Let requests through that come by a name of this machine."""

        async def guarded(request: Request) -> Response:
            host = urlsplit(f"//{request.headers.get('host', '')}").hostname
            if host not in _LOOPBACK:
                return _refused(421, "the console answers to localhost and loopback addresses")
            try:
                response = await endpoint(request)
            except ConfigError as error:
                response = _refused(400, str(error))
            response.headers.update(_HEADERS)
            return response

        return guarded

    def changing(self, endpoint: Endpoint) -> Endpoint:
        """Let requests through that bring the token too."""

        async def guarded(request: Request) -> Response:
            given = request.headers.get(TOKEN_HEADER, "")
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                return _refused(403, f"{TOKEN_HEADER} is missing or wrong")
            response = await endpoint(request)
            self._vault.commit()
            return response

        return self.reading(guarded)

    # ---- the page ----

    async def page(self, request: Request) -> Response:
        """Return the page, which holds the token."""
        html = (_HERE / "page.html").read_text(encoding="utf-8")
        return Response(html.replace(_TOKEN_MARK, self._token), media_type="text/html")

    async def style(self, request: Request) -> Response:
        """Return how the page looks."""
        return Response((_HERE / "page.css").read_bytes(), media_type="text/css")

    async def script(self, request: Request) -> Response:
        """Return what moves the page."""
        return Response((_HERE / "page.js").read_bytes(), media_type="text/javascript")

    # ---- reading ----

    async def overview(self, request: Request) -> Response:
        """Return the depth of everything, faults, snapshots and the clock."""
        return JSONResponse(view.overview(self._vault, self._faults))

    async def requests(self, request: Request) -> Response:
        """Return the request log past the number `after`."""
        after = _number(request, "after", 0, 2**53)
        return JSONResponse([asdict(entry) for entry in self._faults.requests(after)])

    async def messages(self, request: Request) -> Response:
        """Return some messages of a queue or topic."""
        asked = request.query_params
        count = _number(request, "count", 50, _MOST_SHOWN)
        name = asked.get("name", "")
        found = view.messages(self._vault, asked.get("service", ""), name, count)
        if found is None:
            raise ConfigError(f"name: there is no {name!r}")
        return JSONResponse(found)

    async def objects(self, request: Request) -> Response:
        """Return some objects of a bucket."""
        asked = request.query_params
        count = _number(request, "count", 200, _MOST_SHOWN)
        bucket, prefix = asked.get("bucket", ""), asked.get("prefix", "")
        found = view.objects(self._vault, asked.get("service", ""), bucket, prefix, count)
        if found is None:
            raise ConfigError(f"bucket: there is no {bucket!r}")
        return JSONResponse(found)

    # ---- changing ----

    async def reset(self, request: Request) -> Response:
        """Forget everything but the snapshots."""
        self._reset()
        return JSONResponse({})

    async def travel(self, request: Request) -> Response:
        """Move the clock ahead by `seconds`."""
        seconds = (await _fields(request)).get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            raise ConfigError("seconds must be a number")
        self._vault.travel(seconds)
        return JSONResponse({"ahead": self._vault.clock.ahead})

    async def take_snapshot(self, request: Request) -> Response:
        """Remember all that is held, as `name`."""
        self._vault.take_snapshot(text(await _fields(request), "name", "default"))
        return JSONResponse({"snapshots": self._vault.snapshots()})

    async def restore_snapshot(self, request: Request) -> Response:
        """Hold again what the snapshot `name` remembers."""
        self._vault.restore_snapshot(text(await _fields(request), "name", "default"))
        return JSONResponse({})

    async def delete_snapshot(self, request: Request) -> Response:
        """Forget the snapshot `name`."""
        self._vault.delete_snapshot(request.query_params.get("name", ""))
        return JSONResponse({"snapshots": self._vault.snapshots()})

    async def add_fault(self, request: Request) -> Response:
        """Let requests go wrong; the fields are the arguments of `Faults.add`."""
        fields = await _fields(request)
        known = {"kind", "service", "operation", "seconds", "status", "probability", "count"}
        if fields.keys() - known:
            raise ConfigError(f"a fault has no {', '.join(sorted(fields.keys() - known))}")
        try:
            fault = self._faults.add(**fields)
        except TypeError:
            raise ConfigError("a fault needs its kind, and each field its type") from None
        return JSONResponse(asdict(fault))

    async def remove_faults(self, request: Request) -> Response:
        """End the fault of a `number`, or all."""
        number = _number(request, "number", 0, 2**53)
        for fault in self._faults.active():
            if number in (0, fault.number):
                self._faults.remove(fault)
        return JSONResponse({})

    async def change(self, request: Request) -> Response:
        """Send, purge, redrive, skip or delete."""
        verb = request.path_params["verb"]
        if verb not in Changes.VERBS:
            return _refused(404, f"there is no {verb}")
        return JSONResponse(await self._changes.run(verb, await _fields(request)))


def _refused(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)


def _number(request: Request, name: str, default: int, most: int) -> int:
    given = request.query_params.get(name, str(default))
    if not (given.isascii() and given.isdigit()) or int(given[:17]) > most:
        raise ConfigError(f"{name} must be from 0 to {most}")
    return int(given)


async def _fields(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise ConfigError(f"the body passes {BODY_LIMIT} bytes")
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise ConfigError("the body must be a JSON object")
    return fields
