"""The WCS bucket for asyncio."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ...config import whole
from ...engine import aio as engine
from ...errors import ConfigError, Unsupported
from ...storage import (
    BufferSource,
    FileSource,
    FileTarget,
    Journal,
    Part,
    ProgressCallback,
    ProgressReporter,
    RateLimit,
    byte_range,
    check_progress,
    rate_limit,
)
from ...storage.opened import aio as opened
from ...storage.spool import aio as spool
from .. import flow, operations, wire
from ..models import BLOCK_UNIT, FORM_LIMIT, PAGE_LIMIT, ListPage, ObjectStat, UploadResult
from ..source import EtagText

if TYPE_CHECKING:
    from .client import AsyncClient

_BLOCK_LIMIT = 64 * BLOCK_UNIT
_BUFFER = 1024 * 1024
_MOST_WORKERS = 64
_WORKERS = 4


class AsyncBucket:
    """One bucket; made by `AsyncClient.bucket`.

    Every method takes `timeout`: seconds that the whole call may take, its retries included.
    None leaves it to the client's timeout for each request and its number of tries.

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

    def _deadline(self, timeout: float | str | None) -> float:
        return self._client._deadline(timeout)

    async def put(
        self,
        key: str,
        data: Any,
        *,
        mime_type: str = "",
        overwrite: bool = True,
        timeout: float | str | None = None,
    ) -> UploadResult:
        """Upload a body: in one request where it is small and in memory, else by blocks.

        Args:
            key: the object's key.
            data: bytes-like, which is not copied; a path (`os.PathLike`); a file object; an
                iterable of bytes, for asyncio also an async one; or a str, the URL of what is to
                be fetched first. What is neither in memory nor a file is kept in a temporary one.
            mime_type: its media type; the service's default if "".
            overwrite: whether an object of that name may be replaced.
            timeout: seconds for the whole call.

        Raises:
            ConfigError: an argument is wrong; nothing was sent.
            Conflict: the object exists and `overwrite` is False.
            AccessDenied, ServiceError, TransportError: the service or the network failed.
            IntegrityError: the service stored something else.
        """
        wire.check_key(key)
        wire.check_mime_type(mime_type)
        deadline = self._deadline(timeout)
        if isinstance(data, (bytes, bytearray, memoryview)):
            view = memoryview(data)
            if not view.c_contiguous:
                raise ConfigError("data must be contiguous in memory")
            if view.nbytes <= FORM_LIMIT:
                return await self._client._run(
                    flow.put(self._settings, self.name, key, view, mime_type, overwrite, deadline)
                )
            buffer = BufferSource(view, BLOCK_UNIT)
            return await self._upload(lambda: buffer, key, mime_type, overwrite, deadline)
        if isinstance(data, os.PathLike):
            return await self._upload(_opener(data), key, mime_type, overwrite, deadline)
        async with spool.AsyncSpool(data, self._client._run, self._settings, deadline) as path:
            return await self._upload(_opener(path), key, mime_type, overwrite, deadline)

    async def _upload(
        self,
        open_source: Callable[[], flow.Source],
        key: str,
        mime_type: str,
        overwrite: bool,
        deadline: float,
    ) -> UploadResult:
        clock = self._settings.clock.monotonic
        return await self._client._run(
            flow.upload_file(
                self._settings,
                self.name,
                key,
                open_source,
                lambda size: ProgressReporter(None, key, size, clock),
                block_size=BLOCK_UNIT,
                workers=_WORKERS,
                mime_type=mime_type,
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
        block_size: int = BLOCK_UNIT,
        piece_size: int | None = None,
        progress: ProgressCallback | None = None,
        limit_rate: int | RateLimit | None = None,
        resume: bool = True,
        mime_type: str = "",
        overwrite: bool = True,
        timeout: float | str | None = None,
    ) -> UploadResult:
        """Upload a file by blocks, several at a time, and check every one.

        Memory is at most 64 MiB, or one block. The service's checksums
        are compared with ours for each piece, and its hash with ours for the whole. What was
        confirmed is written down in a journal under WIRESPEED_STATE_DIR or the user's state
        folder, so that an upload that was killed goes on where it was.

        Args:
            path: a regular file.
            key: the object's key.
            workers: how many blocks are sent at a time, 1 to 64.
            block_size: bytes of a block: a multiple of 4 MiB, at most 256 MiB.
            piece_size: bytes of one request, at most `block_size`; None for a whole block.
            progress: called with a `Progress` in one thread at a time, at most ten times a
                second besides the first and the last; or an object with `update(n)`. What it
                raises stops the upload and is raised here.
            limit_rate: bytes a second at most, or a `RateLimit` that transfers share.
            resume: keep a journal, and go on with that of an upload of the same file.
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
        limit = rate_limit(limit_rate)
        clock = self._settings.clock.monotonic
        place = {
            "service": "wcs",
            "endpoint": str(self._settings.upload),
            "bucket": self.name,
            "key": wire.check_key(key),
            "path": os.path.realpath(path),
        }

        def open_journal(source: Any, batch: str) -> Journal | None:
            of = {"source": source.identity, "block_size": block_size, "mime_type": mime_type}
            return Journal.open(place, of, {"batch": batch})

        return await self._client._run(
            flow.upload_file(
                self._settings,
                self.name,
                key,
                lambda: FileSource(path, block_size, piece_size, workers),
                lambda size: ProgressReporter(progress, key, size, clock),
                block_size=block_size,
                workers=workers,
                mime_type=wire.check_mime_type(mime_type),
                overwrite=overwrite,
                deadline=self._deadline(timeout),
                limit=limit,
                open_journal=open_journal if resume else None,
            )
        )

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

        Raises:
            Unsupported: the client was given no `download_url`.
        """
        headers = byte_range(start, end)
        return await self._client._run(
            flow.download(
                self._settings, self.name, wire.check_key(key), headers, self._deadline(timeout)
            )
        )

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
        whole(buffer_size, "buffer_size", 1, 16 * BLOCK_UNIT)
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
        part_size: int = BLOCK_UNIT,
        progress: ProgressCallback | None = None,
        limit_rate: int | RateLimit | None = None,
        resume: bool = True,
        timeout: float | str | None = None,
    ) -> UploadResult:
        """Download an object by ranges, several at a time, into a file.

        The file appears under its name when every byte is there and their etag is the service's;
        until then what was there before stays. What a download that was killed had is used.

        Args:
            key: the object's key.
            path: the file's name.
            workers: how many ranges are asked for at a time, 1 to 64.
            part_size: bytes of a range, a multiple of 4 MiB up to 64 MiB.
            progress: as for `upload_file`.
            limit_rate: bytes a second at most, or a `RateLimit` that transfers share.
            resume: go on with an earlier download of the same object, and let one go on with this.
            timeout: seconds for the whole download.

        Raises:
            Unsupported: the client was given no `download_url`.
            OSError: the folder is missing or may not be written.
            IntegrityError: other bytes came than the service tells of.
        """
        whole(workers, "workers", 1, _MOST_WORKERS)
        whole(part_size, "part_size", BLOCK_UNIT, 16 * BLOCK_UNIT)
        if part_size % BLOCK_UNIT:
            raise ConfigError(f"part_size must be a multiple of {BLOCK_UNIT}, not {part_size}")
        check_progress(progress)
        limit = rate_limit(limit_rate)
        clock = self._settings.clock.monotonic

        def open_target(parts: list[Part], known: ObjectStat) -> FileTarget:
            identity = {"bucket": self.name, "key": key, "hash": known.hash}
            return FileTarget(path, parts, EtagText(), identity, resume=resume)

        return await self._client._run(
            flow.download_file(
                self._settings,
                self.name,
                wire.check_key(key),
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
        """WCS has no signed URLs of its own: their owner's hosts decide who may download.

        Raises:
            Unsupported: always.
        """
        raise Unsupported("WCS has no signed URLs of its own", service="wcs")

    async def stat(self, key: str, *, timeout: float | str | None = None) -> ObjectStat:
        """Ask what the service knows of an object.

        Raises:
            ObjectNotFound: there is no such object.
            AccessDenied, ServiceError, TransportError: the service or the network failed.
        """
        return await self._client._run(
            flow.stat(self._settings, self.name, wire.check_key(key), self._deadline(timeout))
        )

    async def delete(self, key: str, *, timeout: float | str | None = None) -> None:
        """Delete an object.

        Raises:
            ObjectNotFound: there is no such object.
            AccessDenied, ServiceError, TransportError: the service or the network failed.
        """
        await self._client._run(
            flow.delete(self._settings, self.name, wire.check_key(key), self._deadline(timeout))
        )

    async def move(
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
        await self._transfer("move", key, destination, bucket, timeout)

    async def copy(
        self,
        key: str,
        destination: str,
        *,
        bucket: str | None = None,
        timeout: float | str | None = None,
    ) -> None:
        """Copy an object to another key, in this bucket or in another; raises as `move`."""
        await self._transfer("copy", key, destination, bucket, timeout)

    async def _transfer(
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
        await self._client._run(
            flow.transfer(self._settings, op, source, target, self._deadline(timeout))
        )

    async def set_deadline(
        self, key: str, days: int, *, timeout: float | str | None = None
    ) -> None:
        """Let an object be deleted `days` days from now, 0 for never.

        Raises:
            ObjectNotFound: there is no such object.
            AccessDenied, ServiceError, TransportError: the service or the network failed.
        """
        whole(days, "days", 0, 36_500)
        await self._client._run(
            flow.set_deadline(
                self._settings, self.name, wire.check_key(key), days, self._deadline(timeout)
            )
        )

    # ---- what the service carries out by itself ----

    async def begin_move(
        self, key: str, destination: str, *, bucket: str | None = None, notify_url: str = ""
    ) -> str:
        """Begin to move an object; return the id for `AsyncClient.operation_status`."""
        job = operations.transfer_job((self.name, key), bucket or self.name, destination, None)
        return await self._client.begin("move", [job], notify_url=notify_url)

    async def begin_copy(
        self, key: str, destination: str, *, bucket: str | None = None, notify_url: str = ""
    ) -> str:
        """Begin to copy an object; as `begin_move`."""
        job = operations.transfer_job((self.name, key), bucket or self.name, destination, None)
        return await self._client.begin("copy", [job], notify_url=notify_url)

    async def begin_fetch(
        self, url: str, key: str, *, md5: str | None = None, notify_url: str = ""
    ) -> str:
        """Let the service fetch a URL and store what it gives."""
        job = operations.fetch_job(url, self.name, key, md5)
        return await self._client.begin("fetch", [job], notify_url=notify_url)

    async def begin_delete(self, *keys: str, notify_url: str = "") -> str:
        """Begin to delete objects."""
        jobs = [operations.delete_job(self.name, key) for key in keys]
        return await self._client.begin("delete", jobs, notify_url=notify_url)

    async def begin_delete_prefix(self, prefix: str, *, notify_url: str = "") -> str:
        """Begin to delete all objects whose keys begin with `prefix`, which must not be empty."""
        job = operations.delete_prefix_job(self.name, prefix)
        return await self._client.begin("deletePrefix", [job], notify_url=notify_url)

    async def begin_delete_playlist(
        self, key: str, *, segments: bool = True, notify_url: str = ""
    ) -> str:
        """Begin to delete an m3u8 playlist and, with `segments`, what it lists."""
        job = operations.delete_playlist_job(self.name, key, segments=segments)
        return await self._client.begin("deletem3u8", [job], notify_url=notify_url)

    async def begin_compress(
        self, keys: Sequence[str], destination: str, *, format: str = "zip", notify_url: str = ""
    ) -> str:
        """Begin to pack objects into one archive: "zip", "tar" or "tar.gz"."""
        job = operations.compress_job(self.name, keys, (self.name, destination), format)
        return await self._client.begin("compress", [job], notify_url=notify_url)

    async def process(
        self,
        key: str,
        commands: str,
        *,
        notify_url: str = "",
        separate: bool = False,
        force: bool = False,
        timeout: float | str | None = None,
    ) -> str:
        """Begin to process an object, such as a video.

        Args:
            key: the object's key.
            commands: as the service's manual has them: "avthumb/mp4/s/480x360|saveas/…", several
                joined by ";".
            notify_url: told when it is done, and with `separate` of each command.
            separate: see above.
            force: do again what was done before.
            timeout: seconds for the whole call.

        Returns:
            The id that `AsyncClient.processing_status` takes.
        """
        if not isinstance(commands, str) or not commands:
            raise ConfigError("commands must be a non-empty str")
        request = operations.process_request(
            self._settings.credentials, self.name, key, commands,
            notify_url=notify_url, separate=separate, force=force,
        )  # fmt: skip
        return await self._client._run(
            flow.manage(
                self._settings,
                lambda: request,
                operations.parse_begun,
                self._deadline(timeout),
                repeats=False,
            )
        )

    async def list_recordings(
        self,
        channel: str,
        start: str,
        end: str,
        *,
        offset: int = 0,
        limit: int = 100,
        timeout: float | str | None = None,
    ) -> Mapping[str, Any]:
        """Return a live stream's recordings of a time, as the service describes them.

        Args:
            channel: the stream's name.
            start: the time from, as the service's manual writes it: "YYYYMMDDhhmmss".
            end: the time to.
            offset: how many to skip.
            limit: how many at most.
            timeout: seconds for the whole call.
        """
        fields = {
            "channelname": channel,
            "startTime": start,
            "endTime": end,
            "bucket": self.name,
            "start": whole(offset, "offset", 0, 2**31),
            "limit": whole(limit, "limit", 1, 1000),
        }
        value = await self._client._ask("/wslive/list", fields, timeout)
        return value if isinstance(value, dict) else {}

    def list(
        self,
        prefix: str = "",
        limit: int | None = None,
        *,
        delimiter: str | None = None,
        page_size: int = PAGE_LIMIT,
        timeout: float | str | None = None,
    ) -> AsyncListing:
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
        return AsyncListing(self, prefix, limit, int(delimiter == "/"), page_size, timeout)

    async def _page(
        self, prefix: str, marker: str, limit: int, mode: int, timeout: float | str | None
    ) -> ListPage:
        return await self._client._run(
            flow.list_page(
                self._settings, self.name, prefix, marker, limit, mode, self._deadline(timeout)
            )
        )


class AsyncListing:
    """Objects of a bucket, fetched page by page. Each iteration begins anew."""

    def __init__(
        self,
        bucket: AsyncBucket,
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

    async def __aiter__(self) -> AsyncIterator[ObjectStat]:
        count = 0
        async for page in self.pages():
            for item in page.items:
                # A service may send more than it was asked for.
                if count == self._limit:
                    return
                count += 1
                yield item

    async def pages(self) -> AsyncIterator[ListPage]:
        """Iterate over whole pages, with their common prefixes."""
        left = self._limit
        marker = ""
        while left is None or left > 0:
            size = self._page_size if left is None else min(left, self._page_size)
            page = await self._bucket._page(self._prefix, marker, size, self._mode, self._timeout)
            yield page
            if left is not None:
                left -= len(page.items) + len(page.prefixes)
            marker = page.marker
            if not marker:
                return

    async def all(self) -> list[ObjectStat]:
        """Return the objects as a list."""
        items: list[ObjectStat] = []
        async for page in self.pages():
            items += page.items
        return items[: self._limit]


def _opener(path: str | os.PathLike[str]) -> Callable[[], FileSource]:
    return lambda: FileSource(path, BLOCK_UNIT, None, _WORKERS)
