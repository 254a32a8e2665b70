"""Open a queue or a bucket by its URL.

```
rocketmq://[KEY:SECRET@]HOST:PORT[,HOST:PORT]/TOPIC[?group=NAME&tags=A||B]
sqs://[KEY:SECRET@]REGION/QUEUE[?endpoint=URL&profile=NAME&timeout=SECONDS&ambiguous=raise]
cmqs://[ID:KEY@]HOST/QUEUE[?signature=sha1&method=GET&timeout=SECONDS&ambiguous=retry]
cmq://[ID:KEY@]HOST[:PORT]/QUEUE   the same without TLS
wcs://[KEY:SECRET@]BUCKET[?upload_url=URL&manage_url=URL&download_url=URL&timeout=SECONDS]
cos4://[ID:KEY@]BUCKET-APPID[?region=NAME&endpoint=URL&download_endpoint=URL&timeout=SECONDS]
```

The name servers of rocketmq:///TOPIC are NAMESRV_ADDR, its group is "wirespeed" unless given.

Keys that a URL does not have come from where the service's own client takes them. Those of WCS are
WIRESPEED_WCS_ACCESS_KEY and WIRESPEED_WCS_SECRET_KEY, its addresses WIRESPEED_WCS_URL and, for
downloads, WIRESPEED_WCS_DOWNLOAD_URL. Those of CMQ are WIRESPEED_CMQ_SECRET_ID and
WIRESPEED_CMQ_SECRET_KEY, or TENCENTCLOUD_SECRET_ID,
TENCENTCLOUD_SECRET_KEY and TENCENTCLOUD_TOKEN; the host of cmq:///QUEUE is WIRESPEED_CMQ_URL. Those
of COS are WIRESPEED_COS4_SECRET_ID and WIRESPEED_COS4_SECRET_KEY, or Tencent's; its region is
WIRESPEED_COS4_REGION or TENCENTCLOUD_REGION, its addresses WIRESPEED_COS4_URL.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from .config import Credentials
from .errors import ConfigError

if TYPE_CHECKING:
    from . import cmq, cos, rocketmq, sqs, wcs

_CMQ_QUERY = frozenset({"ambiguous", "method", "signature", "timeout"})
_QUERY = {
    "cmq": _CMQ_QUERY,
    "cmqs": _CMQ_QUERY,
    "cos4": frozenset({"download_endpoint", "endpoint", "region", "timeout"}),
    "rocketmq": frozenset({"group", "tags"}),
    "sqs": frozenset({"ambiguous", "endpoint", "profile", "protocol", "timeout"}),
    "wcs": frozenset({"download_url", "manage_url", "timeout", "upload_url"}),
}


def connect(
    url: str, **overrides: Any
) -> sqs.Queue | cmq.Queue | rocketmq.Queue | wcs.Bucket | cos.Bucket:
    """Open what `url` names; nothing is sent yet. Close it, or use `with`.

    Args:
        url: see above. Its secret is never shown.
        overrides: further arguments of the service's `Client`; they go before what the URL says.

    Returns:
        An `sqs.Queue`, a `cmq.Queue`, a `rocketmq.Queue`, a `wcs.Bucket` or a `cos.Bucket`.

    Raises:
        ConfigError: the URL or an argument is wrong.
    """
    parts, options = _read(url, overrides)
    if parts.scheme == "sqs":
        from .sqs.client.client import Client as SqsClient

        return SqsClient(**options).open_queue(parts.path[1:])
    if parts.scheme in ("cmq", "cmqs"):
        from .cmq.client import Client as CmqClient

        return CmqClient(**options).open_queue(parts.path[1:])
    if parts.scheme == "rocketmq":
        from .rocketmq.client.queue import Queue as RocketmqQueue

        return RocketmqQueue(unquote(parts.path[1:]), **options)
    if parts.scheme == "cos4":
        from .cos.client import Client as CosClient

        return CosClient(**options).open_bucket(_cos_bucket(parts)[0])
    from .wcs.client.client import Client as WcsClient

    return WcsClient(**options).open_bucket(_bucket(parts))


def connect_async(
    url: str, **overrides: Any
) -> sqs.AsyncQueue | cmq.AsyncQueue | rocketmq.AsyncQueue | wcs.AsyncBucket | cos.AsyncBucket:
    """Open what `url` names for asyncio: as `connect`. Close it, or use `async with`."""
    parts, options = _read(url, overrides)
    if parts.scheme == "sqs":
        from .sqs.aio.client import AsyncClient as SqsClient

        return SqsClient(**options).open_queue(parts.path[1:])
    if parts.scheme in ("cmq", "cmqs"):
        from .cmq.aio import AsyncClient as CmqClient

        return CmqClient(**options).open_queue(parts.path[1:])
    if parts.scheme == "rocketmq":
        from .rocketmq.aio.queue import AsyncQueue as RocketmqQueue

        return RocketmqQueue(unquote(parts.path[1:]), **options)
    if parts.scheme == "cos4":
        from .cos.aio import AsyncClient as CosClient

        return CosClient(**options).open_bucket(_cos_bucket(parts)[0])
    from .wcs.aio.client import AsyncClient as WcsClient

    return WcsClient(**options).open_bucket(_bucket(parts))


def _read(url: str, overrides: dict[str, Any]) -> tuple[SplitResult, dict[str, Any]]:
    """Return a URL's parts and the arguments of the client it asks for."""
    if not isinstance(url, str):
        raise ConfigError(f"url must be a str, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("cmq", "cmqs", "rocketmq") and parts.port is not None:
            raise ValueError
    except ValueError:
        raise ConfigError("url has a port or brackets where a name belongs") from None
    known = _QUERY.get(parts.scheme)
    if known is None:
        schemes = ", ".join(f"{scheme}://" for scheme in _QUERY)
        raise ConfigError(f"url must begin with one of {schemes}, not {parts.scheme!r}")
    options: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            raise ConfigError(f"url has the option {name!r}: there are {', '.join(sorted(known))}")
        options[name] = value
    if parts.scheme == "sqs":
        _read_sqs(parts, options)
    elif parts.scheme in ("cmq", "cmqs"):
        _read_cmq(parts, options)
    elif parts.scheme == "rocketmq":
        _read_rocketmq(parts, options)
    elif parts.scheme == "cos4":
        _read_cos(parts, options)
    else:
        _read_wcs(parts, options)
    if "timeout" in options and options["timeout"].replace(".", "", 1).isdigit():
        options["timeout"] = float(options["timeout"])
    return parts, {**options, **overrides}


def _read_sqs(parts: SplitResult, options: dict[str, Any]) -> None:
    if not parts.hostname or not parts.path[1:]:
        raise ConfigError("url must be sqs://REGION/QUEUE")
    options["region"] = parts.hostname
    if parts.username is not None:
        options["credentials"] = Credentials(unquote(parts.username), unquote(parts.password or ""))


def _read_rocketmq(parts: SplitResult, options: dict[str, Any]) -> None:
    if not parts.path[1:] or "/" in parts.path[1:]:
        raise ConfigError("url must be rocketmq://HOST:PORT/TOPIC")
    options["namesrv"] = parts.netloc.rpartition("@")[2] or None
    options.setdefault("group", "wirespeed")
    if parts.username is not None:
        options["credentials"] = Credentials(unquote(parts.username), unquote(parts.password or ""))


def _read_cmq(parts: SplitResult, options: dict[str, Any]) -> None:
    if not parts.path[1:]:
        raise ConfigError(f"url must be {parts.scheme}://HOST/QUEUE")
    host = parts.netloc.rpartition("@")[2]
    scheme = "https" if parts.scheme == "cmqs" else "http"
    options["endpoint"] = f"{scheme}://{host}" if host else os.environ.get("WIRESPEED_CMQ_URL", "")
    options["credentials"] = _tencent(parts, "WIRESPEED_CMQ")


def _tencent(parts: SplitResult, prefix: str) -> Credentials:
    """Return the key pair of a URL, of our variables, or of Tencent's."""
    if parts.username is not None:
        return Credentials(unquote(parts.username), unquote(parts.password or ""))
    if f"{prefix}_SECRET_ID" in os.environ:
        return Credentials(
            os.environ[f"{prefix}_SECRET_ID"], os.environ.get(f"{prefix}_SECRET_KEY", "")
        )
    names = ("SECRET_ID", "SECRET_KEY", "TOKEN")
    return Credentials(*(os.environ.get(f"TENCENTCLOUD_{name}", "") for name in names))


def _read_cos(parts: SplitResult, options: dict[str, Any]) -> None:
    options["appid"] = _cos_bucket(parts)[1]
    pair = _tencent(parts, "WIRESPEED_COS4")
    options["secret_id"], options["secret_key"] = pair.access_key, pair.secret_key
    address = os.environ.get("WIRESPEED_COS4_URL", "")
    region = os.environ.get("WIRESPEED_COS4_REGION") or os.environ.get("TENCENTCLOUD_REGION", "")
    if not options.get("region"):
        options.setdefault("endpoint", address)
        options.setdefault("download_endpoint", options["endpoint"])
        options["region"] = region


def _cos_bucket(parts: SplitResult) -> tuple[str, str]:
    """Return the bucket and the application's number."""
    name, _, appid = (parts.hostname or "").rpartition("-")
    if not name or not appid.isdecimal() or parts.path not in ("", "/"):
        raise ConfigError("url must be cos4://BUCKET-APPID")
    return name, appid


def _read_wcs(parts: SplitResult, options: dict[str, Any]) -> None:
    _bucket(parts)
    address = os.environ.get("WIRESPEED_WCS_URL", "")
    for name in ("upload_url", "manage_url"):
        options.setdefault(name, address)
    options.setdefault("download_url", os.environ.get("WIRESPEED_WCS_DOWNLOAD_URL", ""))
    for name, given in (("access_key", parts.username), ("secret_key", parts.password)):
        options[name] = (
            os.environ.get(f"WIRESPEED_WCS_{name.upper()}", "") if given is None else unquote(given)
        )


def _bucket(parts: SplitResult) -> str:
    # The host's own spelling: hostname is in lower case.
    name = parts.netloc.rpartition("@")[2]
    if not name or parts.path not in ("", "/"):
        raise ConfigError("url must be wcs://BUCKET")
    return unquote(name)
