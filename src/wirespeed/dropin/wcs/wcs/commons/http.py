"""Requests that answer `(status, value)` and never raise."""

from __future__ import annotations

import atexit
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from wirespeed.engine import threads as engine
from wirespeed.engine.effects import Exchange, Flow
from wirespeed.errors import ConfigError, ConnectError, ProtocolError
from wirespeed.http import threads
from wirespeed.http.models import Buffer, Origin, Request, Response

from . import config
from .compat import b

_REDIRECTS = 10
_SLOWEST = 64 * 1024

transport = threads.Transport()
atexit.register(transport.close)


def split(url: str) -> tuple[Origin, str]:
    """Return a URL's server, and its path with the query."""
    parts = urlsplit(url)
    origin = Origin.parse(f"{parts.scheme}://{parts.netloc}", "the URL")
    path = parts.path or "/"
    return origin, f"{path}?{parts.query}" if parts.query else path


def send(
    method: str, url: str, headers: Mapping[str, str] | None, body: Buffer | list[Buffer] = b""
) -> Response:
    """Exchange a request for a response, following redirections.

    A connection that cannot be made is tried again, `connection_retries` times.
    """
    for _ in range(_REDIRECTS):
        origin, target = split(url)
        request = Request(method, target, list((headers or {}).items()), body)
        response: Response = engine.run(_exchange(origin, request), transport)
        location = response.header("location")
        if response.status not in (301, 302, 303, 307, 308) or not location:
            return response
        url = urljoin(url, location)
        if split(url)[0] != origin:
            headers = {k: v for k, v in (headers or {}).items() if k.lower() != "authorization"}
        if response.status in (301, 302, 303):
            method, body = "GET", b""
            headers = {k: v for k, v in (headers or {}).items() if k.lower() != "content-type"}
    raise ProtocolError(f"more than {_REDIRECTS} redirections")


def _exchange(origin: Origin, request: Request) -> Flow[Response]:
    size = sum(map(len, request.buffers()))
    tries = config.connection_retries
    while True:
        deadline = time.monotonic() + config.connection_timeout + size / _SLOWEST
        try:
            response: Response = yield Exchange(origin, request, deadline)
            return response
        except ConnectError:
            if tries <= 0:
                raise
            tries -= 1


def _old_names(value: Any) -> Any:
    """Give JSON's null, true and false the values that this API has always had."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return [_old_names(item) for item in value]
    if isinstance(value, dict):
        return {name: _old_names(item) for name, item in value.items()}
    return value


def interpret(response: Response) -> tuple[int, Any]:
    """Return status and parsed body; text that is not JSON becomes `{"message": text}`."""
    if not response.body:
        return -1, {"message": "Message Body is None. Please check your URL."}
    text = response.body.decode("utf-8", "replace")
    try:
        return response.status, _old_names(json.loads(text))
    except (ValueError, RecursionError):
        return response.status, {"message": text}


def _post(
    url: str,
    headers: Mapping[str, str] | None,
    data: Any = None,
    files: Mapping[str, Any] | None = None,
) -> tuple[int, Any]:
    """POST a body, or a form of `files` and the fields in `data`.

    Returns:
        The status and what the JSON body holds; `(-1, exception)` when there was no answer.
    """
    try:
        if files or isinstance(data, (dict, list)):
            # requests has the conventions of forms that callers of this function know.
            import requests

            prepared = requests.Request("POST", url, dict(headers or {}), files, data).prepare()
            headers = {
                name: str(value)
                for name, value in prepared.headers.items()
                if name.lower() != "content-length"
            }
            data = prepared.body
        body = data.read() if hasattr(data, "read") else b(data or b"")
        return interpret(send("POST", url, headers, body))
    except Exception as error:
        return -1, error


def _get(url: str, headers: Mapping[str, str] | None = None, data: Any = None) -> tuple[int, Any]:
    """GET a URL; `data` is ignored, for a GET has no body.

    Returns:
        The status and what the JSON body holds; `(-1, exception)` when there was no answer.
    """
    try:
        return interpret(send("GET", url, headers))
    except Exception as error:
        return -1, error


__all__ = ["ConfigError", "_get", "_post", "interpret", "send", "split", "transport"]
