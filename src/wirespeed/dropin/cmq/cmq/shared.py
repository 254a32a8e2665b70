"""What queues, topics and subscriptions share."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping
from typing import Any

Triple = tuple[Any, list[dict[str, Any]], Any]


def encode(body: Any, encoding: bool) -> Any:
    """Return a body as it is sent: in base64 where that is switched on."""
    if not encoding:
        return body
    raw = body.encode() if isinstance(body, str) else bytes(body)
    return base64.b64encode(raw).decode("ascii")


def decode(body: Any, encoding: bool) -> Any:
    """Return a body as it was: text, or bytes where they are no UTF-8."""
    if not encoding:
        return body
    raw = base64.b64decode(body)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def numbered(name: str, values: Iterable[Any] | None) -> dict[str, Any]:
    """Return a list as the parameters `name.1`, `name.2` and so on."""
    return {f"{name}.{place}": value for place, value in enumerate(values or (), 1)}


def listing(searchWord: str, limit: int, offset: Any) -> dict[str, Any]:
    """Return the parameters of a listing."""
    params: dict[str, Any] = {}
    if searchWord != "":
        params["searchWord"] = searchWord
    if limit != -1:
        params["limit"] = limit
    if offset != "":
        params["offset"] = offset
    return params


def triple(reply: Mapping[str, Any], name: str, offset: Any) -> Triple:
    """Return a listing's total, its items, and where the next begins or ""."""
    items = reply[name]
    following = int(offset or 0) + len(items)
    return reply["totalCount"], items, following if following < reply["totalCount"] else ""


def copy_known(target: Any, reply: Mapping[str, Any], names: Iterable[str]) -> None:
    """Set the attributes of these names that a reply has."""
    for name in names:
        if name in reply:
            setattr(target, name, reply[name])


def moment(seconds: float) -> str:
    """Return a time as the SDK shows it."""
    return time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(seconds))


def shown(info: Mapping[str, Any]) -> str:
    """Return names and values, a line each."""
    return "\n".join(f"{name.ljust(30)}: {value}" for name, value in info.items())
