"""What WCS carries out by itself, and asks later about: requests and replies, without I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from ..config import Credentials
from ..errors import ConfigError, ProtocolError
from ..http.models import Request, Response
from . import wire
from .sign import manager_token

_KINDS = ("move", "copy", "fetch", "delete", "deletePrefix", "deletem3u8", "compress")


@dataclass(frozen=True, slots=True)
class OperationStatus:
    """How far an operation is.

    Attributes:
        operation_id: its id.
        code: the service's code: 1 waiting, 2 under way, 3 done, 4 failed; 0 where it says none.
        text: what the service calls it.
        items: the parts, as the service describes them.
    """

    operation_id: str
    code: int
    text: str
    items: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self.code >= 3

    @property
    def failed(self) -> bool:
        """Whether it has ended and not well."""
        return self.code > 3


def entry(bucket: str, key: str) -> str:
    """Return how an object is named within an operation."""
    return wire.encode(f"{wire.check_bucket(bucket)}:{wire.check_key(key)}")


def transfer_job(source: tuple[str, str], bucket: str, key: str | None, prefix: str | None) -> str:
    """Return the job that moves or copies an object."""
    job = f"resource/{entry(*source)}/bucket/{wire.encode(wire.check_bucket(bucket))}"
    return job + _named("key", key) + _named("prefix", prefix)


def fetch_job(url: str, bucket: str, key: str | None, md5: str | None) -> str:
    """Return the job that stores what a URL gives."""
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise ConfigError("url must begin with http:// or https://")
    job = f"fetchURL/{wire.encode(url)}/bucket/{wire.encode(wire.check_bucket(bucket))}"
    return job + _named("key", key) + (f"/md5/{md5}" if md5 else "")


def delete_job(bucket: str, key: str) -> str:
    """Return the job that deletes an object."""
    return f"bucket/{wire.encode(wire.check_bucket(bucket))}/key/{wire.encode(wire.check_key(key))}"


def delete_prefix_job(bucket: str, prefix: str) -> str:
    """Return the job that deletes the objects whose keys begin with a prefix."""
    named = wire.encode(wire.check_bucket(bucket))
    return f"bucket/{named}/prefix/{wire.encode(wire.check_key(prefix))}"


def delete_playlist_job(bucket: str, key: str, *, segments: bool) -> str:
    """Return the job that deletes a playlist, and what it lists."""
    return f"{delete_job(bucket, key)}/deletets/{int(segments)}"


def compress_job(bucket: str, keys: Iterable[str], target: tuple[str, str], form: str) -> str:
    """Return the job that packs objects into one archive."""
    if form not in ("zip", "tar", "tar.gz"):
        raise ConfigError(f'format must be "zip", "tar" or "tar.gz", not {form!r}')
    listed = "".join(f"/key/{wire.encode(wire.check_key(key))}" for key in keys)
    if not listed:
        raise ConfigError("keys must name at least one object")
    named = wire.encode(wire.check_bucket(bucket))
    return f"bucket/{named}{listed}/format/{form}/saveas/{entry(*target)}"


def _named(name: str, value: str | None) -> str:
    return "" if value is None else f"/{name}/{wire.encode(wire.check_key(value))}"


def begin_request(
    credentials: Credentials,
    kind: str,
    jobs: Iterable[str],
    *,
    notify_url: str = "",
    separate: bool = False,
    force: bool = False,
) -> Request:
    """Return the request that begins an operation of one kind."""
    if kind not in _KINDS:
        raise ConfigError(f"kind must be one of {', '.join(_KINDS)}, not {kind!r}")
    fields = {"fops": ";".join(jobs)}
    if not fields["fops"]:
        raise ConfigError("jobs must have at least one job")
    if notify_url:
        fields["notifyURL"] = wire.encode(notify_url)
    if force:
        fields["force"] = "1"
    if separate:
        fields["separate"] = "1"
    return _signed(credentials, f"/fmgr/{kind}", fields)


def process_request(
    credentials: Credentials,
    bucket: str,
    key: str,
    commands: str,
    *,
    notify_url: str = "",
    separate: bool = False,
    force: bool = False,
) -> Request:
    """Return the request that begins the processing of an object."""
    fields = {
        "bucket": wire.encode(bucket),
        "key": wire.encode(wire.check_key(key)),
        "fops": wire.encode(commands),
    }
    if notify_url:
        fields["notifyURL"] = wire.encode(notify_url)
    if force:
        fields["force"] = "1"
    if separate:
        fields["separate"] = "1"
    return _signed(credentials, "/fops", fields)


def _signed(credentials: Credentials, target: str, fields: Mapping[str, str]) -> Request:
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    token = manager_token(credentials, target, body)
    return Request("POST", target, [("Authorization", token)], body)


def status_request(target: str, operation_id: str) -> Request:
    """Return the request that asks how far an operation is; it needs no token."""
    if not isinstance(operation_id, str) or not operation_id:
        raise ConfigError("operation_id must be a non-empty str")
    return Request("GET", f"{target}?persistentId={quote(operation_id, safe='')}")


def query_request(credentials: Credentials, target: str, fields: Mapping[str, object]) -> Request:
    """Return a signed request whose parameters are in the query."""
    query = urlencode({name: str(value) for name, value in fields.items()})
    whole = f"{target}?{query}" if query else target
    return Request("GET", whole, [("Authorization", manager_token(credentials, whole, b""))])


def parse(response: Response) -> Any:
    """Return what an answer says, a JSON value.

    Raises:
        ServiceError: the service said no.
        ProtocolError: it is no JSON.
    """
    wire.check_status(response)
    try:
        return json.loads(response.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the answer is no JSON", service="wcs") from error


def parse_begun(response: Response) -> str:
    """Return the id of an operation that was begun."""
    value = parse(response)
    found = value.get("persistentId") if isinstance(value, dict) else None
    if not isinstance(found, str) or not found:
        raise ProtocolError("the answer has no persistentId", service="wcs", outcome="unknown")
    return found


def parse_status(operation_id: str, response: Response) -> OperationStatus:
    """Return how far an operation is."""
    value = parse(response)
    if not isinstance(value, dict):
        raise ProtocolError("the status is no JSON object", service="wcs")
    code = value.get("code")
    items = value.get("items")
    return OperationStatus(
        operation_id,
        code if isinstance(code, int) and not isinstance(code, bool) else 0,
        str(value.get("desc") or value.get("description") or ""),
        [item for item in items if isinstance(item, dict)] if isinstance(items, list) else [],
    )
