# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""The WCS client."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...config import Credentials, Retry
from ...errors import ConfigError
from ...http.models import Origin
from ...http.service import client as service
from .. import flow, operations, wire
from ..models import BLOCK_UNIT
from ..operations import OperationStatus
from .bucket import Bucket

if TYPE_CHECKING:
    import ssl

    import requests

_BLOCK_LIMIT = 64 * BLOCK_UNIT
_MOST_WORKERS = 64
_WORKERS = 4


class Client(service.ServiceClient[flow.Settings]):
    """Speaks to Wangsu WCS. May be used by many callers at a time; connections are kept.

    Args:
        access_key: the public half of the key pair.
        secret_key: the secret half; it is never shown.
        upload_url: where uploads go, such as "https://user.up0.v1.wcsapi.com".
        manage_url: where stat, list and delete go, such as "https://bucket.mgr0.v1.wcsapi.com".
        download_url: where objects are downloaded, such as "https://{bucket}.example.org", whose
            "{bucket}" becomes the bucket's name; without it downloads raise Unsupported.
        timeout: seconds that one request may take, and one more for each 64 KiB that it sends
            beyond 4 MiB.
        retry: how often a request is tried; 3 times by default.
        tls: an `ssl.SSLContext`; by default the peer is verified by the system's certificates.
        proxy: "http://[user:password@]host:port", "" for none; None asks HTTP_PROXY, HTTPS_PROXY,
            ALL_PROXY and NO_PROXY.
        session: a `requests.Session` to send over instead, whose adapters and proxies count; the
            sync client alone has it.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(
        self,
        access_key: str,
        secret_key: str,
        *,
        upload_url: str,
        manage_url: str,
        download_url: str = "",
        timeout: float | str = 30.0,
        retry: Retry | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
        if download_url:
            wire.download_place(download_url, "b", "k")
        settings = flow.Settings(
            credentials=Credentials(access_key, secret_key),
            upload=Origin.parse(upload_url, "upload_url"),
            manage=Origin.parse(manage_url, "manage_url"),
            nonce=functools.partial(secrets.token_hex, 16),
            download=download_url,
            **service.patience("wcs", timeout, retry),
        )
        self._open(settings, tls, proxy, session)

    def __repr__(self) -> str:
        settings = self._settings
        return f"{type(self).__name__}({str(settings.upload)!r}, {str(settings.manage)!r})"

    def bucket(self, name: str) -> Bucket:
        """Return a bucket of this client; nothing is sent.

        Raises:
            ConfigError: `name` is empty, has a colon or does not print.
        """
        return Bucket(self, wire.check_bucket(name))

    def list_buckets(self, *, timeout: float | str | None = None) -> list[Mapping[str, Any]]:
        """Return the owner's buckets, as the service describes them."""
        value = self._ask("/bucket/list", {}, timeout)
        found = value.get("buckets") if isinstance(value, dict) else None
        return [each for each in found if isinstance(each, dict)] if found else []

    def bucket_statistics(
        self,
        buckets: Sequence[str],
        kind: str,
        start: str,
        end: str,
        *,
        timeout: float | str | None = None,
    ) -> Mapping[str, Any]:
        """Return what the service counted of buckets, as it describes it.

        Args:
            buckets: their names.
            kind: "uploadRequest", "uploadFlow", "downloadRequest", "downloadFlow" or "storage".
            start: the first day, "YYYY-MM-DD".
            end: the last day.
            timeout: seconds for the whole call.
        """
        names = "|".join(wire.check_bucket(name) for name in buckets)
        if not names:
            raise ConfigError("buckets must name at least one bucket")
        fields = {"name": wire.encode(names), "type": kind, "startdate": start, "enddate": end}
        value = self._ask("/bucket/statistics", fields, timeout)
        return value if isinstance(value, dict) else {}

    def begin(
        self,
        kind: str,
        jobs: Sequence[str],
        *,
        notify_url: str = "",
        separate: bool = False,
        force: bool = False,
        timeout: float | str | None = None,
    ) -> str:
        """Begin an operation that the service carries out by itself.

        Buckets have a method for each kind; this one takes jobs of several buckets.

        Args:
            kind: "move", "copy", "fetch", "delete", "deletePrefix", "deletem3u8" or "compress".
            jobs: what `wirespeed.wcs.operations` makes.
            notify_url: told when it is done, and with `separate` of each job.
            separate: see above.
            force: do again what was done before.
            timeout: seconds for the whole call.

        Returns:
            The id that `operation_status` takes.
        """
        credentials = self._settings.credentials
        request = operations.begin_request(
            credentials, kind, jobs, notify_url=notify_url, separate=separate, force=force
        )
        return self._run(
            flow.manage(
                self._settings,
                lambda: request,
                operations.parse_begun,
                self._deadline(timeout),
                repeats=False,
            )
        )

    def operation_status(
        self, operation_id: str, *, timeout: float | str | None = None
    ) -> OperationStatus:
        """Ask how far an operation is."""
        return self._status("/fmgr/status", operation_id, timeout)

    def processing_status(
        self, operation_id: str, *, timeout: float | str | None = None
    ) -> OperationStatus:
        """Ask how far the processing of an object is, that `Bucket.process` began."""
        return self._status("/status/get/prefop", operation_id, timeout)

    def _status(
        self, target: str, operation_id: str, timeout: float | str | None
    ) -> OperationStatus:
        request = operations.status_request(target, operation_id)
        parse = functools.partial(operations.parse_status, operation_id)
        return self._run(
            flow.manage(self._settings, lambda: request, parse, self._deadline(timeout))
        )

    def _ask(
        self, target: str, fields: Mapping[str, object], timeout: float | str | None
    ) -> Any:
        request = operations.query_request(self._settings.credentials, target, fields)
        return self._run(
            flow.manage(self._settings, lambda: request, operations.parse, self._deadline(timeout))
        )

    def open_bucket(self, name: str) -> Bucket:
        """Return a bucket that closes this client when it is closed.

        Raises:
            ConfigError: `name` is empty, has a colon or does not print.
        """
        opened = self.bucket(name)
        opened._owns_client = True
        return opened

    def __enter__(self) -> Client:
        return self
