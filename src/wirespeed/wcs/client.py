# Generated from its twin under aio by .github/scripts/generate_sync.py; edit that.
"""WCS clients."""

from __future__ import annotations

import functools
import os
import secrets
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from ..config import Credentials, Retry, whole
from ..errors import ConfigError, Unsupported
from ..http.models import Buffer, Origin
from ..http.service import client as service
from ..storage import FileSource, ProgressCallback, ProgressReporter, check_progress
from . import flow, wire
from .models import BLOCK_UNIT, FORM_LIMIT, PAGE_LIMIT, ListPage, ObjectStat, UploadResult

if TYPE_CHECKING:
    import ssl

    import requests

_BLOCK_LIMIT = 64 * BLOCK_UNIT
_MOST_WORKERS = 64
_NO_DOWNLOADS = "WCS objects are downloaded from the hosts of their owner"


class Client(service.ServiceClient[flow.Settings]):
    """Speaks to Wangsu WCS. May be used by many callers at a time; connections are kept.

    Args:
        access_key: the public half of the key pair.
        secret_key: the secret half; it is never shown.
        upload_url: where uploads go, such as "https://user.up0.v1.wcsapi.com".
        manage_url: where stat, list and delete go, such as "https://bucket.mgr0.v1.wcsapi.com".
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
        timeout: float | str = 30.0,
        retry: Retry | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
        settings = flow.Settings(
            credentials=Credentials(access_key, secret_key),
            upload=Origin.parse(upload_url, "upload_url"),
            manage=Origin.parse(manage_url, "manage_url"),
            nonce=functools.partial(secrets.token_hex, 16),
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


class Bucket:
    """One bucket; made by `Client.bucket`.

    Every method takes `timeout`: seconds that the whole call may take, its retries included.
    None leaves it to the client's timeout for each request and its number of tries.

    Attributes:
        name: the bucket's name.
    """

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client = client
        self._settings = client._settings
        self._owns_client = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def close(self) -> None:
        """Close the client if this bucket came from `open_bucket`. Twice is fine."""
        if self._owns_client:
            self._client.close()

    def __enter__(self) -> Bucket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _deadline(self, timeout: float | str | None) -> float:
        return self._client._deadline(timeout)

    def put(
        self,
        key: str,
        data: Buffer,
        *,
        mime_type: str = "",
        overwrite: bool = True,
        timeout: float | str | None = None,
    ) -> UploadResult:
        """Upload bytes in one request.

        Args:
            key: the object's key.
            data: its bytes, at most 500 MB; not copied.
            mime_type: its media type; the service's default if "".
            overwrite: whether an object of that name may be replaced.
            timeout: seconds for the whole call.

        Raises:
            ConfigError: an argument is wrong; nothing was sent.
            Conflict: the object exists and `overwrite` is False.
            AccessDenied, ServiceError, TransportError: the service or the network failed.
            IntegrityError: the service stored something else.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ConfigError(f"data must be bytes-like, not {type(data).__name__}")
        view = memoryview(data)
        if not view.c_contiguous:
            raise ConfigError("data must be contiguous in memory")
        if view.nbytes > FORM_LIMIT:
            raise ConfigError(
                f"data may have {FORM_LIMIT} bytes, not {view.nbytes}", hint="use upload_file"
            )
        return self._client._run(
            flow.put(
                self._settings,
                self.name,
                wire.check_key(key),
                view,
                wire.check_mime_type(mime_type),
                overwrite,
                self._deadline(timeout),
            )
        )

    def upload_file(
        self,
        path: str | os.PathLike[str],
        key: str,
        *,
        workers: int = 4,
        block_size: int = BLOCK_UNIT,
        piece_size: int | None = 512 * 1024,
        progress: ProgressCallback | None = None,
        mime_type: str = "",
        overwrite: bool = True,
        timeout: float | str | None = None,
    ) -> UploadResult:
        """Upload a file by blocks, several at a time, and check every one.

        Memory is `workers` times `block_size`. The service's checksums are compared with ours
        for each piece, and its hash with ours for the whole.

        Args:
            path: a regular file.
            key: the object's key.
            workers: how many blocks are sent at a time, 1 to 64.
            block_size: bytes of a block: a multiple of 4 MiB, at most 256 MiB.
            piece_size: bytes of one request, at most `block_size`; None for a whole block.
            progress: called with a `Progress` in one thread at a time, at most ten times a
                second besides the first and the last; or an object with `update(n)`. What it
                raises stops the upload and is raised here.
            mime_type: its media type; the service's default if "".
            overwrite: whether an object of that name may be replaced.
            timeout: seconds for the whole upload.

        Raises:
            OSError: the file is missing, a directory, or may not be read; nothing was sent.
            ConfigError: an argument is wrong; nothing was sent.
            SourceChanged: the file changed meanwhile; nothing was stored.
            Conflict: the object exists and `overwrite` is False.
            AccessDenied, ServiceError, TransportError: the service or the network failed.
            IntegrityError: the service received or stored something else.
        """
        whole(workers, "workers", 1, _MOST_WORKERS)
        whole(block_size, "block_size", BLOCK_UNIT, _BLOCK_LIMIT)
        if block_size % BLOCK_UNIT:
            raise ConfigError(f"block_size must be a multiple of {BLOCK_UNIT}, not {block_size}")
        if piece_size is not None:
            whole(piece_size, "piece_size", 1, block_size)
        check_progress(progress)
        clock = self._settings.clock.monotonic
        return self._client._run(
            flow.upload_file(
                self._settings,
                self.name,
                wire.check_key(key),
                lambda: FileSource(path, block_size, piece_size),
                lambda size: ProgressReporter(progress, key, size, clock),
                workers=workers,
                mime_type=wire.check_mime_type(mime_type),
                overwrite=overwrite,
                deadline=self._deadline(timeout),
            )
        )

    def get(
        self,
        key: str,
        *,
        start: int | None = None,
        end: int | None = None,
        timeout: float | str | None = None,
    ) -> bytes:
        """WCS objects are downloaded from the hosts of their owner.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(_NO_DOWNLOADS, service="wcs")

    def download_file(
        self,
        key: str,
        path: str | os.PathLike[str],
        *,
        workers: int = 4,
        progress: ProgressCallback | None = None,
        timeout: float | str | None = None,
    ) -> UploadResult:
        """WCS objects are downloaded from the hosts of their owner.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(_NO_DOWNLOADS, service="wcs")

    def presign(self, key: str, expires: int = 300) -> str:
        """WCS objects are downloaded from the hosts of their owner.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(_NO_DOWNLOADS, service="wcs")

    def stat(self, key: str, *, timeout: float | str | None = None) -> ObjectStat:
        """Ask what the service knows of an object.

        Raises:
            ObjectNotFound: there is no such object.
            AccessDenied, ServiceError, TransportError: the service or the network failed.
        """
        return self._client._run(
            flow.stat(self._settings, self.name, wire.check_key(key), self._deadline(timeout))
        )

    def delete(self, key: str, *, timeout: float | str | None = None) -> None:
        """Delete an object.

        Raises:
            ObjectNotFound: there is no such object.
            AccessDenied, ServiceError, TransportError: the service or the network failed.
        """
        self._client._run(
            flow.delete(self._settings, self.name, wire.check_key(key), self._deadline(timeout))
        )

    def move(
        self,
        key: str,
        destination: str,
        *,
        bucket: str | None = None,
        timeout: float | str | None = None,
    ) -> None:
        """Give an object another key, in this bucket or in another of the same owner.

        Where the answer is lost it is not asked again; stat then tells whether it was done.

        Raises:
            ObjectNotFound: there is no such object.
            Conflict: there is an object of that key.
            AccessDenied, ServiceError, TransportError: the service or the network failed.
        """
        self._transfer("move", key, destination, bucket, timeout)

    def copy(
        self,
        key: str,
        destination: str,
        *,
        bucket: str | None = None,
        timeout: float | str | None = None,
    ) -> None:
        """Copy an object to another key, in this bucket or in another; raises as `move`."""
        self._transfer("copy", key, destination, bucket, timeout)

    def _transfer(
        self,
        op: str,
        key: str,
        destination: str,
        bucket: str | None,
        timeout: float | str | None,
    ) -> None:
        source = self.name, wire.check_key(key)
        target = (
            self.name if bucket is None else wire.check_bucket(bucket), wire.check_key(destination)
        )  # fmt: skip
        if source == target:
            raise ConfigError("destination must be another key")
        self._client._run(
            flow.transfer(self._settings, op, source, target, self._deadline(timeout))
        )

    def set_deadline(
        self, key: str, days: int, *, timeout: float | str | None = None
    ) -> None:
        """Let an object be deleted `days` days from now, 0 for never.

        Raises:
            ObjectNotFound: there is no such object.
            AccessDenied, ServiceError, TransportError: the service or the network failed.
        """
        whole(days, "days", 0, 36_500)
        self._client._run(
            flow.set_deadline(
                self._settings, self.name, wire.check_key(key), days, self._deadline(timeout)
            )
        )

    def list(
        self,
        prefix: str = "",
        limit: int | None = None,
        *,
        delimiter: str | None = None,
        page_size: int = PAGE_LIMIT,
        timeout: float | str | None = None,
    ) -> Listing:
        """List objects in the order of their keys; a page is asked for when it is needed.

        Args:
            prefix: what the keys begin with.
            limit: how many objects at most; all if None.
            delimiter: "/" to list one level and see deeper ones as the pages' `prefixes`.
            page_size: how many entries one request asks for, 1 to 1000.
            timeout: seconds for each page.

        Raises:
            ConfigError: an argument is wrong. What the service says is raised while iterating.
        """
        if not isinstance(prefix, str):
            raise ConfigError("prefix must be a str")
        if limit is not None:
            whole(limit, "limit", 0, 2**63)
        if delimiter not in (None, "/"):
            raise ConfigError('delimiter must be None or "/"')
        whole(page_size, "page_size", 1, PAGE_LIMIT)
        self._deadline(timeout)
        return Listing(self, prefix, limit, int(delimiter == "/"), page_size, timeout)

    def _page(
        self, prefix: str, marker: str, limit: int, mode: int, timeout: float | str | None
    ) -> ListPage:
        return self._client._run(
            flow.list_page(
                self._settings, self.name, prefix, marker, limit, mode, self._deadline(timeout)
            )
        )


class Listing:
    """Objects of a bucket, fetched page by page. Each iteration begins anew."""

    def __init__(
        self,
        bucket: Bucket,
        prefix: str,
        limit: int | None,
        mode: int,
        page_size: int,
        timeout: float | str | None,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._limit = limit
        self._mode = mode
        self._page_size = page_size
        self._timeout = timeout

    def __iter__(self) -> Iterator[ObjectStat]:
        count = 0
        for page in self.pages():
            for item in page.items:
                # A service may send more than it was asked for.
                if count == self._limit:
                    return
                count += 1
                yield item

    def pages(self) -> Iterator[ListPage]:
        """Iterate over whole pages, with their common prefixes."""
        left = self._limit
        marker = ""
        while left is None or left > 0:
            size = self._page_size if left is None else min(left, self._page_size)
            page = self._bucket._page(self._prefix, marker, size, self._mode, self._timeout)
            yield page
            if left is not None:
                left -= len(page.items) + len(page.prefixes)
            marker = page.marker
            if not marker:
                return

    def all(self) -> list[ObjectStat]:
        """Return the objects as a list."""
        items: list[ObjectStat] = []
        for page in self.pages():
            items += page.items
        return items[: self._limit]
