"""COS v4 clients for asyncio. `client` is generated from this file."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ..config import Credentials, Retry, whole
from ..engine import aio as engine
from ..engine.effects import Compute, Flow
from ..errors import ConfigError
from ..http.models import Origin
from ..http.service import aio as service
from ..storage import (
    FileTarget,
    Part,
    ProgressCallback,
    ProgressReporter,
    RateLimit,
    byte_range,
    check_progress,
    rate_limit,
)
from ..storage.opened import aio as opened
from ..storage.spool import aio as spool
from . import flow, wire
from .models import (
    PAGE_LIMIT,
    PUT_LIMIT,
    SLICE_SIZES,
    DownloadResult,
    Entry,
    ListPage,
    UploadResult,
)
from .source import FileSource, Sha1Text, sha1_of

if TYPE_CHECKING:
    import ssl

    import requests

T = TypeVar("T")
_BUFFER = 1024 * 1024
_MOST_WORKERS = 64
_WORKERS = 4
_MIB = 1024 * 1024
_LARGEST_NONCE = 1_000_000_000
_HASH_INLINE = 64 * 1024
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_REGIONS = {
    "shanghai": "sh",
    "guangzhou": "gz",
    "tianjin": "tj",
    "tianjing": "tj",
    "singapore": "sgp",
}


class AsyncClient(service.AsyncServiceClient[flow.Settings]):
    """Speaks to Tencent COS by its v4 JSON API. May be used by many callers at a time.

    Args:
        appid: the application's number.
        secret_id: the public half of the key pair.
        secret_key: the secret half; it is never shown.
        region: such as "sh", "gz", "tj" or "sgp"; its hosts are used, over https.
        endpoint: where requests go instead, such as "http://127.0.0.1:8080".
        download_endpoint: where downloads go instead; "{bucket}" in it becomes BUCKET-APPID.
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
        appid: int | str,
        secret_id: str,
        secret_key: str,
        *,
        region: str = "",
        endpoint: str = "",
        download_endpoint: str = "",
        timeout: float | str = 30.0,
        retry: Retry | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
        if isinstance(appid, bool) or not str(appid).isdecimal():
            raise ConfigError(f"appid must be a number, not {appid!r}")
        if not isinstance(region, str) or (region and not _REGION.fullmatch(region)):
            raise ConfigError(f'region must be a str such as "sh", not {region!r}')
        if not region and not (endpoint and download_endpoint):
            raise ConfigError("region must be given, or endpoint and download_endpoint")
        short = _REGIONS.get(region, region)
        self._download = download_endpoint or f"https://{{bucket}}.cos{short}.myqcloud.com"
        Origin.parse(self._download.replace("{bucket}", "b"), "download_endpoint")
        settings = flow.Settings(
            credentials=Credentials(secret_id, secret_key),
            appid=str(appid),
            origin=Origin.parse(endpoint or f"https://{short}.file.myqcloud.com", "endpoint"),
            nonce=lambda: secrets.randbelow(_LARGEST_NONCE),
            boundary=lambda: secrets.token_hex(16),
            **service.patience("cos", timeout, retry),
        )
        self._open(settings, tls, proxy, session)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.appid}, {str(self._settings.origin)!r})"

    def bucket(self, name: str) -> AsyncBucket:
        """Return a bucket of this client; nothing is sent.

        Raises:
            ConfigError: it is no bucket's name.
        """
        return AsyncBucket(self, wire.check_bucket(name))

    def open_bucket(self, name: str) -> AsyncBucket:
        """Return a bucket that closes this client when it is closed.

        Raises:
            ConfigError: it is no bucket's name.
        """
        opened = self.bucket(name)
        opened._owns_client = True
        return opened

    async def __aenter__(self) -> AsyncClient:
        return self


class AsyncBucket:
    """One bucket; made by `AsyncClient.bucket`.

    A key has no "/" at its beginning; that of a folder ends in "/". Every method takes `timeout`:
    seconds that the whole call may take, its retries included. None leaves it to the client's
    timeout for each request and its number of tries. Every method raises ConfigError for a wrong
    argument, ObjectNotFound, AccessDenied, and ServiceError or TransportError where the service
    or the network failed.

    Attributes:
        name: the bucket's name.
    """

    def __init__(self, client: AsyncClient, name: str) -> None:
        self.name = name
        self._client = client
        self._settings = client._settings
        self._owns_client = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    # ---- uploads ----

    async def put(
        self,
        key: str,
        data: Any,
        *,
        biz_attr: str = "",
        overwrite: bool = True,
        timeout: float | str | None = None,
    ) -> UploadResult:
        """Upload a body, and compare the stored SHA-1 with its own.

        Up to 20 MiB in memory go in one request, more by slices.

        Args:
            key: the object's key.
            data: bytes-like, which is not copied; a path (`os.PathLike`); a file object; an
                iterable of bytes, for asyncio also an async one; or a str, the URL of what is to
                be fetched first. What is neither small nor a file is kept in a temporary one.
            biz_attr: a text that stat gives back.
            overwrite: whether an object of that name may be replaced.
            timeout: seconds for the whole call.

        Raises:
            Conflict: the object exists and `overwrite` is False.
            IntegrityError: the service stored something else.
        """
        place, deadline = self._place(key), self._deadline(timeout)
        attribute = _text(biz_attr, "biz_attr")
        body = data
        if isinstance(data, (bytes, bytearray, memoryview)):
            view = memoryview(data)
            if not view.c_contiguous:
                raise ConfigError("data must be contiguous in memory")
            if view.nbytes <= PUT_LIMIT:
                return await self._run(_put(place, view, attribute, overwrite, deadline))
            body = [view]
        if isinstance(body, os.PathLike):
            return await self._upload(body, place, attribute, overwrite, deadline)
        async with spool.AsyncSpool(body, self._run, self._settings, deadline) as path:
            return await self._upload(path, place, attribute, overwrite, deadline)

    async def _upload(
        self,
        path: str | os.PathLike[str],
        place: flow.Place,
        biz_attr: str,
        overwrite: bool,
        deadline: float,
    ) -> UploadResult:
        clock = self._settings.clock.monotonic
        return await self._run(
            flow.upload(
                place,
                lambda: FileSource(path, _MIB),
                lambda size: ProgressReporter(None, place.key, size, clock),
                slice_size=_MIB,
                workers=_WORKERS,
                biz_attr=biz_attr,
                overwrite=overwrite,
                deadline=deadline,
            )
        )

    async def upload_file(
        self,
        path: str | os.PathLike[str],
        key: str,
        *,
        workers: int = _WORKERS,
        slice_size: int = _MIB,
        progress: ProgressCallback | None = None,
        limit_rate: int | RateLimit | None = None,
        biz_attr: str = "",
        overwrite: bool = True,
        timeout: float | str | None = None,
    ) -> UploadResult:
        """Upload a file by slices, several at a time.

        The service is told the digests of all slices first: it takes the file at once where it has
        the bytes already, checks each slice, and an upload that was cut or killed goes on where it
        ended. The stored SHA-1 is compared with the file's, where the service tells it.

        Args:
            path: a regular file.
            key: the object's key.
            workers: how many slices are sent at a time, 1 to 64.
            slice_size: bytes of a slice: 512 KiB, 1, 2 or 3 MiB; the service may ask for another.
            progress: called with a `Progress` in one thread at a time, at most ten times a
                second besides the first and the last; or an object with `update(n)`. What it
                raises stops the upload and is raised here.
            limit_rate: bytes a second at most, or a `RateLimit` that transfers share.
            biz_attr: a text that stat gives back.
            overwrite: whether an object of that name may be replaced.
            timeout: seconds for the whole upload.

        Raises:
            OSError: the file is missing, a directory, or may not be read; nothing was sent.
            SourceChanged: the file changed meanwhile; nothing was stored.
            Conflict: the object exists and `overwrite` is False.
            IntegrityError: the service stored something else.
        """
        whole(workers, "workers", 1, _MOST_WORKERS)
        if slice_size not in SLICE_SIZES:
            raise ConfigError(f"slice_size must be one of {SLICE_SIZES}, not {slice_size!r}")
        check_progress(progress)
        limit = rate_limit(limit_rate)
        place = self._place(key)
        clock = self._settings.clock.monotonic
        return await self._run(
            flow.upload(
                place,
                lambda: FileSource(path, slice_size),
                lambda size: ProgressReporter(progress, key, size, clock),
                slice_size=slice_size,
                workers=workers,
                biz_attr=_text(biz_attr, "biz_attr"),
                overwrite=overwrite,
                limit=limit,
                deadline=self._deadline(timeout),
            )
        )

    # ---- downloads ----

    async def get(
        self,
        key: str,
        *,
        start: int | None = None,
        end: int | None = None,
        timeout: float | str | None = None,
    ) -> bytes:
        """Download an object's bytes, at most 64 MiB at a time.

        Args:
            key: the object's key.
            start: the first byte, 0 and up; None for the beginning.
            end: the byte after the last; None for the end.
            timeout: seconds for the whole call.
        """
        place = self._place(key)
        headers = byte_range(start, end)
        origin = Origin.parse(self._download_url(), "download_endpoint")
        return await self._run(flow.download(place, origin, headers, self._deadline(timeout)))

    async def open(
        self, key: str, *, buffer_size: int = _BUFFER, timeout: float | str | None = None
    ) -> opened.Reader:
        """Return an object as a file to read: `read`, `seek`, `tell`, `close`, a `with` block.

        Nothing is compared with the service's digest: `download_file` does that.

        Args:
            key: the object's key.
            buffer_size: bytes to ask for at a time at least, 1 to 64 MiB.
            timeout: seconds for each request, retries included.
        """
        whole(buffer_size, "buffer_size", 1, 64 * _MIB)
        size = (await self.stat(key, timeout=timeout)).size

        async def fetch(start: int, end: int) -> bytes:
            return await self.get(key, start=start, end=end, timeout=timeout)

        return opened.opened(key, size, fetch, buffer_size)

    async def download_file(
        self,
        key: str,
        path: str | os.PathLike[str],
        *,
        workers: int = _WORKERS,
        part_size: int = 4 * _MIB,
        progress: ProgressCallback | None = None,
        limit_rate: int | RateLimit | None = None,
        resume: bool = True,
        timeout: float | str | None = None,
    ) -> DownloadResult:
        """Download an object by ranges, several at a time, into a file.

        The file appears under its name when every byte is there and their SHA-1 is the service's;
        until then what was there before stays. What a download that was killed had is used.

        Args:
            key: the object's key.
            path: the file's name.
            workers: how many ranges are asked for at a time, 1 to 64.
            part_size: bytes of a range, 64 KiB to 64 MiB.
            progress: as for `upload_file`.
            limit_rate: bytes a second at most, or a `RateLimit` that transfers share.
            resume: go on with an earlier download of the same object, and let one go on with this.
            timeout: seconds for the whole download.

        Raises:
            OSError: the folder is missing or may not be written.
            IntegrityError: other bytes came than the service tells of.
        """
        whole(workers, "workers", 1, _MOST_WORKERS)
        whole(part_size, "part_size", 64 * 1024, 64 * _MIB)
        check_progress(progress)
        limit = rate_limit(limit_rate)
        clock = self._settings.clock.monotonic

        def open_target(parts: list[Part], entry: Entry) -> FileTarget:
            changed = entry.modified.isoformat() if entry.modified else ""
            identity = {"bucket": self.name, "key": key, "sha1": entry.sha1, "modified": changed}
            return FileTarget(path, parts, Sha1Text(), identity, resume=resume)

        return await self._run(
            flow.download_file(
                self._place(key),
                Origin.parse(self._download_url(), "download_endpoint"),
                open_target,
                lambda size: ProgressReporter(progress, key, size, clock),
                part_size=part_size,
                workers=workers,
                limit=limit,
                deadline=self._deadline(timeout),
                direct=engine.MAY_BLOCK,
            )
        )

    def presign(self, key: str, expires: int = 300) -> str:
        """Return a URL by which anybody can download an object.

        Args:
            key: the object's key.
            expires: seconds that it is good, 1 to 90 days.
        """
        whole(expires, "expires", 1, 90 * 24 * 3600)
        return self._download_url() + flow.download_target(self._place(key), expires)

    # ---- objects and folders ----

    async def stat(self, key: str, *, timeout: float | str | None = None) -> Entry:
        """Ask what the service knows of an object, or of a folder where `key` ends in "/"."""
        return await self._run(flow.stat(self._place(key, any=True), self._deadline(timeout)))

    async def delete(self, key: str, *, timeout: float | str | None = None) -> None:
        """Delete an object, or an empty folder where `key` ends in "/".

        Raises:
            Conflict: the folder is not empty.
        """
        await self._run(flow.delete(self._place(key, any=True), self._deadline(timeout)))

    async def create_folder(
        self, key: str, *, biz_attr: str = "", timeout: float | str | None = None
    ) -> None:
        """Create a folder.

        Raises:
            Conflict: it exists.
        """
        place = flow.Place(self._settings, self.name, wire.check_key(key, folder=True))
        if not place.key:
            raise ConfigError("key must name a folder: the bucket's root is always there")
        attribute = _text(biz_attr, "biz_attr")
        await self._run(flow.create_folder(place, attribute, self._deadline(timeout)))

    async def update(
        self,
        key: str,
        *,
        biz_attr: str | None = None,
        authority: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | str | None = None,
    ) -> None:
        """Change what the service keeps beside an object or a folder.

        Args:
            key: the key; that of a folder, which has a `biz_attr` alone, ends in "/".
            biz_attr: its text.
            authority: "eInvalid" for its bucket's, "eWRPrivate" or "eWPrivateRPublic".
            headers: what its downloads get: Cache-Control, Content-Type, Content-Disposition,
                Content-Language, Content-Encoding and names that begin with x-cos-meta-.
            timeout: seconds for the whole call.
        """
        place = self._place(key, any=True)
        fields: wire.JsonObject = {"op": "update"}
        if biz_attr is not None:
            fields["biz_attr"] = _text(biz_attr, "biz_attr")
        if authority is not None:
            if authority not in wire.AUTHORITIES:
                raise ConfigError(f"authority must be one of {wire.AUTHORITIES}, not {authority!r}")
            fields["authority"] = authority
        if headers:
            for name in headers:
                if name not in wire.HEADER_NAMES and not name.startswith("x-cos-meta-"):
                    raise ConfigError(f"headers has {name!r}, which COS does not keep")
            fields["custom_headers"] = {name: _text(value, name) for name, value in headers.items()}
        if len(fields) == 1:
            raise ConfigError("biz_attr, authority or headers must be given")
        await self._run(flow.change(place, fields, self._deadline(timeout)))

    async def move(
        self,
        key: str,
        destination: str,
        *,
        overwrite: bool = False,
        timeout: float | str | None = None,
    ) -> None:
        """Give an object another key of this bucket.

        Raises:
            Conflict: there is an object of that key and `overwrite` is False.
        """
        await self._transfer("move", key, destination, overwrite, timeout)

    async def copy(
        self,
        key: str,
        destination: str,
        *,
        overwrite: bool = False,
        timeout: float | str | None = None,
    ) -> None:
        """Copy an object to another key of this bucket; raises as `move`."""
        await self._transfer("copy", key, destination, overwrite, timeout)

    def list(
        self,
        folder: str = "",
        prefix: str = "",
        *,
        delimiter: str = "",
        page_size: int = PAGE_LIMIT,
        timeout: float | str | None = None,
    ) -> AsyncListing:
        """List a folder, one level; a page is asked for when it is needed.

        Args:
            folder: its key, "" for the bucket's root.
            prefix: what the names within it begin with.
            delimiter: "/" to list folders' names alone beside objects.
            page_size: how many entries one request asks for, 1 to 199.
            timeout: seconds for each page.
        """
        if not isinstance(prefix, str) or "/" in prefix:
            raise ConfigError("prefix must be a str without /")
        if delimiter not in ("", "/"):
            raise ConfigError('delimiter must be "" or "/"')
        whole(page_size, "page_size", 1, PAGE_LIMIT)
        self._deadline(timeout)
        key = wire.check_key(folder, folder=True)
        return AsyncListing(self, key, prefix, delimiter, page_size, timeout)

    async def close(self) -> None:
        """Close the client if this bucket came from `open_bucket`. Twice is fine."""
        if self._owns_client:
            await self._client.close()

    async def __aenter__(self) -> AsyncBucket:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _transfer(
        self, op: str, key: str, destination: str, overwrite: bool, timeout: float | str | None
    ) -> None:
        place, target = self._place(key), wire.check_key(destination)
        if key == target:
            raise ConfigError("destination must be another key")
        await self._run(
            flow.transfer(place, op, target, overwrite=overwrite, deadline=self._deadline(timeout))
        )

    def _place(self, key: str, *, any: bool = False) -> flow.Place:
        folder = any and isinstance(key, str) and (key == "" or key.endswith("/"))
        return flow.Place(self._settings, self.name, wire.check_key(key, folder=folder))

    def _download_url(self) -> str:
        return self._client._download.replace("{bucket}", f"{self.name}-{self._settings.appid}")

    def _deadline(self, timeout: float | str | None) -> float:
        return self._client._deadline(timeout)

    async def _run(self, work: Flow[T]) -> T:
        return await self._client._run(work)


class AsyncListing:
    """Entries of a folder, fetched page by page. Each iteration begins anew."""

    def __init__(
        self,
        bucket: AsyncBucket,
        folder: str,
        prefix: str,
        delimiter: str,
        page_size: int,
        timeout: float | str | None,
    ) -> None:
        self._bucket = bucket
        self._place = flow.Place(bucket._settings, bucket.name, folder)
        self._prefix = prefix
        self._delimiter = delimiter
        self._page_size = page_size
        self._timeout = timeout

    async def __aiter__(self) -> AsyncIterator[Entry]:
        async for page in self.pages():
            for entry in page.entries:
                yield entry

    async def pages(self) -> AsyncIterator[ListPage]:
        """Iterate over whole pages."""
        context = ""
        while True:
            page = await self._bucket._run(
                flow.list_page(
                    self._place, self._prefix, self._page_size, context, self._delimiter,
                    self._bucket._deadline(self._timeout),
                )
            )  # fmt: skip
            yield page
            context = page.context
            if not context:
                return

    async def all(self) -> list[Entry]:
        """Return the entries as a list."""
        entries: list[Entry] = []
        async for page in self.pages():
            entries += page.entries
        return entries


def _put(
    place: flow.Place, view: memoryview, biz_attr: str, overwrite: bool, deadline: float
) -> Flow[UploadResult]:
    digest = (yield Compute(sha1_of, view)) if len(view) > _HASH_INLINE else sha1_of(view)
    return (
        yield from flow.put(
            place, view, digest, biz_attr=biz_attr, overwrite=overwrite, deadline=deadline
        )
    )


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be a str, not {type(value).__name__}")
    return value
