"""What a WCS call does next: exchanges, retries, and the plan of a block upload."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .. import _native
from ..config import Credentials
from ..engine.effects import Compute, Effect, Flow, Sleep
from ..errors import (
    Conflict,
    DeadlineExceeded,
    IntegrityError,
    ObjectNotFound,
    ProtocolError,
    ServiceError,
    SourceChanged,
    Unsupported,
    WirespeedError,
)
from ..http.calls import Doubt, Patience, call
from ..http.models import Buffer, Origin, Request, Response
from ..storage import Journal, LoadedBlock, Part, RateLimit, UploadResult, carry, plan, room_for
from ..storage.download import Target, fetch
from . import wire
from .models import ListPage, ObjectStat, PieceReply

T = TypeVar("T")
_TOKEN_SECONDS = 3600.0
_HASH_INLINE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Patience):
    """What every call of a client shares.

    Args:
        credentials: the key pair.
        upload: where uploads go.
        manage: where stat, list and delete go.
        nonce: returns random text for upload ids and form boundaries.
        download: where objects are downloaded, "" for nowhere; "{bucket}" in it is the bucket.
    """

    service: str = "wcs"

    credentials: Credentials
    upload: Origin
    manage: Origin
    nonce: Callable[[], str]
    download: str = ""

    def token(self, bucket: str, key: str, *, overwrite: bool, form: bool) -> str:
        """Return an upload token for one object, good for an hour."""
        until = int((self.clock.wall() + _TOKEN_SECONDS) * 1000)
        return wire.put_token(self.credentials, bucket, key, until, overwrite=overwrite, form=form)


class Source(Protocol):
    """A file read by blocks; see `wirespeed.storage.FileSource`."""

    size: int

    def load(self, index: int) -> LoadedBlock:
        """Read a block."""

    def load_singly(self) -> None:
        """Expect that not every block will be asked for."""

    def release(self, block: LoadedBlock) -> None:
        """Give a block's buffer back."""

    def verify(self) -> None:
        """Raise `SourceChanged` if the file is no longer what was opened."""

    def close(self) -> None:
        """Close the file."""


class Reporter(Protocol):
    """Takes the progress; see `wirespeed.storage.ProgressReporter`."""

    def start(self) -> None:
        """Nothing is done yet."""

    def reach(self, block: int, offset: int, *, resumed: bool = False) -> None:
        """That many bytes of a block are confirmed."""


def stat(settings: Settings, bucket: str, key: str, deadline: float) -> Flow[ObjectStat]:
    """Ask what the service knows of an object."""
    return call(
        settings,
        settings.manage,
        lambda: wire.stat_request(settings.credentials, bucket, key),
        wire.parse_stat,
        deadline,
    )


def delete(settings: Settings, bucket: str, key: str, deadline: float) -> Flow[None]:
    """Delete an object. It is gone already when a try before may have deleted it."""
    doubt = Doubt()
    try:
        yield from call(
            settings,
            settings.manage,
            lambda: wire.delete_request(settings.credentials, bucket, key),
            wire.parse_done,
            deadline,
            doubt,
        )
    except ObjectNotFound:
        if not doubt.exists:
            raise


def transfer(
    settings: Settings, op: str, source: tuple[str, str], target: tuple[str, str], deadline: float
) -> Flow[None]:
    """Move or copy an object; where the answer is lost, stat decides whether it was done.

    Args:
        settings: the client's.
        op: "move" or "copy".
        source: its bucket and key.
        target: the bucket and key that it gets.
        deadline: when it must be over.
    """
    before = yield from stat(settings, *source, deadline)
    try:
        yield from call(
            settings,
            settings.manage,
            lambda: wire.transfer_request(settings.credentials, op, source, target),
            wire.parse_done,
            deadline,
            ambiguous=False,
        )
    except WirespeedError as error:
        if error.outcome != "unknown":
            raise
        try:
            after = yield from stat(settings, *target, deadline)
        except WirespeedError:
            raise error from None
        if after.hash != before.hash:
            raise
        if op == "move":
            try:
                yield from stat(settings, *source, deadline)
            except ObjectNotFound:
                return
            raise


def manage(
    settings: Settings,
    request: Callable[[], Request],
    parse: Callable[[Response], T],
    deadline: float,
    *,
    repeats: bool = True,
) -> Flow[T]:
    """Ask the managing host; what may be under way already is not begun twice."""
    return call(settings, settings.manage, request, parse, deadline, ambiguous=repeats)


def set_deadline(
    settings: Settings, bucket: str, key: str, days: int, deadline: float
) -> Flow[None]:
    """Let an object be deleted after a number of days."""
    return call(
        settings,
        settings.manage,
        lambda: wire.deadline_request(settings.credentials, bucket, key, days),
        wire.parse_done,
        deadline,
    )


def list_page(
    settings: Settings,
    bucket: str,
    prefix: str,
    marker: str,
    limit: int,
    mode: int,
    deadline: float,
) -> Flow[ListPage]:
    """Ask for one page of a listing."""

    def request() -> Request:
        return wire.list_request(
            settings.credentials, bucket, prefix=prefix, marker=marker, limit=limit, mode=mode
        )

    def parse(response: Response) -> ListPage:
        page = wire.parse_page(response)
        if marker and page.marker == marker:
            raise ProtocolError("the listing does not advance", service="wcs")
        return page

    return call(settings, settings.manage, request, parse, deadline)


def download_place(settings: Settings, bucket: str, key: str) -> tuple[Origin, str]:
    """Return where an object is downloaded: the server, and the target.

    Raises:
        Unsupported: the client has no address for downloads.
    """
    if not settings.download:
        raise Unsupported(
            "WCS objects are downloaded from the hosts of their owner",
            service="wcs",
            hint="give download_url",
        )
    return wire.download_place(settings.download, bucket, key)


def download(
    settings: Settings, bucket: str, key: str, headers: list[tuple[str, str]], deadline: float
) -> Flow[bytes]:
    """Download an object's bytes."""
    origin, target = download_place(settings, bucket, key)
    return call(
        settings, origin, lambda: Request("GET", target, headers), wire.check_download, deadline
    )


def download_file(
    settings: Settings,
    bucket: str,
    key: str,
    open_target: Callable[[list[Part], ObjectStat], Target],
    new_reporter: Callable[[int], Reporter],
    *,
    part_size: int,
    workers: int,
    limit: RateLimit | None,
    deadline: float,
    direct: bool,
) -> Flow[UploadResult]:
    """Download an object by ranges, `workers` at a time, into a file; see `storage.fetch`.

    Raises:
        IntegrityError: other bytes came than the service tells of.
    """
    origin, target = download_place(settings, bucket, key)
    known = yield from stat(settings, bucket, key, deadline)
    reporter = new_reporter(known.size)
    reporter.start()
    found = yield from fetch(
        settings,
        origin,
        lambda headers, sink: Request("GET", target, headers, sink=sink),
        wire.check_download,
        lambda parts: open_target(parts, known),
        reporter,
        key=key,
        size=known.size,
        expected=known.hash,
        part_size=part_size,
        workers=workers,
        limit=limit,
        deadline=deadline,
        direct=direct,
    )
    return UploadResult(key, found, known.size)


def put(
    settings: Settings,
    bucket: str,
    key: str,
    data: Buffer,
    mime_type: str,
    overwrite: bool,
    deadline: float,
) -> Flow[UploadResult]:
    """Upload bytes as a form, and compare the server's hash with ours."""
    view = memoryview(data).cast("B")
    if len(view) > _HASH_INLINE:
        etag = yield Compute(_native.etag, view)
    else:
        etag = _native.etag(view)
    boundary = settings.nonce()

    def request() -> Request:
        fields = {
            "token": settings.token(bucket, key, overwrite=overwrite, form=True),
            "key": key,
        }
        if mime_type:
            fields["mimeType"] = mime_type
        return wire.form_request(fields, view, mime_type, boundary)

    result = UploadResult(key, etag, len(view))
    yield from _store(settings, bucket, request, result, deadline)
    return result


def _store(
    settings: Settings,
    bucket: str,
    request: Callable[[], Request],
    result: UploadResult,
    deadline: float,
) -> Generator[Effect, Any, None]:
    """Send the request that makes the object, and make sure it is the one we meant.

    A try whose answer was lost may have made it; the next one is then refused (its contexts
    are used up, or the name exists), and stat decides.
    """
    doubt = Doubt()
    try:
        stored = yield from call(
            settings, settings.upload, request, wire.parse_stored, deadline, doubt
        )
    except ServiceError as error:
        done = error.code == wire.DEAD_CONTEXT or isinstance(error, (Conflict, ObjectNotFound))
        if not (doubt.exists and done):
            raise
        try:
            found = yield from stat(settings, bucket, result.key, deadline)
        except WirespeedError:
            raise error from None
        if found.hash != result.hash:
            raise
        return
    if not stored:
        found = yield from stat(settings, bucket, result.key, deadline)
        stored = found.hash
    if stored != result.hash:
        raise IntegrityError(
            f"WCS stored {result.key!r} with the hash {stored}, but sent was {result.hash}",
            service="wcs",
            endpoint=str(settings.upload),
            outcome="unknown",
            hint="upload it again",
        )


class BlockRequests:
    """Builds the requests of one block upload.

    Args:
        token: returns a valid upload token; an upload may take longer than one lasts.
        batch: the id of the upload.
        mime_type: the object's media type, or "".
    """

    def __init__(self, token: Callable[[], str], batch: str, mime_type: str = "") -> None:
        self._token = token
        self._batch = batch
        self._mime_type = mime_type

    def begin(self, order: int, size: int, data: Buffer) -> Request:
        """Return the request that begins a block with its first piece."""
        return wire.make_block_request(self._token(), self._batch, order, size, data)

    def go_on(self, context: str, offset: int, data: Buffer) -> Request:
        """Return the request that adds a piece to a block."""
        return wire.put_piece_request(self._token(), self._batch, context, offset, data)

    def join(self, size: int, contexts: Sequence[str]) -> Request:
        """Return the request that makes the object of its blocks."""
        return wire.make_file_request(
            self._token(), self._batch, size, contexts, mime_type=self._mime_type
        )


@dataclass
class Upload:
    """A block upload under way.

    Attributes:
        patience: how long its requests wait and how often they are tried.
        origin: where they go.
        key: the object's key, for messages.
        deadline: when it must be over.
        source: the file.
        reporter: takes the progress.
        requests: builds the requests.
        limit: spreads the bytes over time.
    """

    patience: Patience
    origin: Origin
    key: str
    deadline: float
    source: Source
    reporter: Reporter
    requests: BlockRequests
    limit: RateLimit | None = None


def upload_file(
    settings: Settings,
    bucket: str,
    key: str,
    open_source: Callable[[], Source],
    new_reporter: Callable[[int], Reporter],
    *,
    block_size: int,
    workers: int,
    mime_type: str,
    overwrite: bool,
    deadline: float,
    limit: RateLimit | None = None,
    open_journal: Callable[[Source, str], Journal | None] | None = None,
) -> Flow[UploadResult]:
    """Upload a file by blocks, `workers` at a time, and join them.

    Args:
        settings: the client's.
        bucket: the bucket.
        key: the object's key.
        open_source: opens the file.
        new_reporter: returns what takes the progress of that many bytes.
        block_size: bytes of a block.
        workers: how many blocks are sent at a time.
        mime_type: the object's media type, or "".
        overwrite: whether an object of that name may be replaced.
        deadline: when it must be over.
        limit: spreads the bytes over time.
        open_journal: opens the journal of an upload whose id is given, or of one begun before.

    Raises:
        SourceChanged: the file changed meanwhile; nothing was stored.
        IntegrityError: the service received or stored something else.
    """
    source: Source = yield Compute(open_source)
    journal: Journal | None = None
    finished = False
    try:
        reporter = new_reporter(source.size)
        reporter.start()
        if not source.size:
            return (yield from put(settings, bucket, key, b"", mime_type, overwrite, deadline))
        batch = settings.nonce()
        if open_journal is not None and source.size > block_size:
            journal = yield Compute(open_journal, source, batch)
            batch = batch if journal is None else str(journal.kept["batch"])
        requests = BlockRequests(
            lambda: settings.token(bucket, key, overwrite=overwrite, form=False), batch, mime_type
        )
        upload = Upload(settings, settings.upload, key, deadline, source, reporter, requests, limit)
        resumed = journal is not None and bool(journal.parts)
        if resumed:
            source.load_singly()
        sent = yield from _send_blocks(upload, block_size, workers, journal)
        yield Compute(source.verify)
        try:
            result = yield from _join(settings, bucket, upload, sent)
        except ServiceError as error:
            if not resumed or journal is None or error.code != wire.DEAD_CONTEXT:
                raise
            # Contexts of the earlier run have ended: every block is sent again.
            journal.restart()
            sent = yield from _send_blocks(upload, block_size, workers, None)
            yield Compute(source.verify)
            result = yield from _join(settings, bucket, upload, sent)
        finished = True
    except SourceChanged:
        finished = True
        raise
    finally:
        source.close()
        if journal is not None:
            journal.close(finished=finished)
    return result


def _join(
    settings: Settings, bucket: str, upload: Upload, sent: Sequence[tuple[str, bytes]]
) -> Generator[Effect, Any, UploadResult]:
    """Make the object of its blocks."""
    contexts = [context for context, _ in sent]
    size = upload.source.size
    etag = _native.etag_from_blocks(b"".join(digests for _, digests in sent))
    result = UploadResult(upload.key, etag, size)
    make = upload.requests.join
    yield from _store(settings, bucket, lambda: make(size, contexts), result, upload.deadline)
    return result


def _send_blocks(
    upload: Upload, block_size: int, workers: int, journal: Journal | None
) -> Flow[list[tuple[str, bytes]]]:
    """Send what the journal does not have; return each block's context and digests."""

    def done(part: Part) -> tuple[str, bytes] | None:
        noted = None if journal is None else journal.parts.get(part.index)
        try:
            return None if noted is None else (str(noted[0]), bytes.fromhex(noted[1]))
        except (TypeError, ValueError, IndexError):
            return None

    def note(part: Part, result: tuple[str, bytes]) -> None:
        if journal is not None:
            journal.note(part.index, [result[0], result[1].hex()])

    return carry(
        plan(upload.source.size, block_size),
        lambda part: upload_block(upload, part.index),
        room_for(workers, block_size),
        reporter=upload.reporter,
        done=done,
        note=note,
    )


def upload_block(upload: Upload, index: int) -> Flow[tuple[str, bytes]]:
    """Send one block; return its last context and the SHA-1s of its 4 MiB."""
    block = yield Compute(upload.source.load, index)
    try:
        context = yield from _send_block(upload, block)
    finally:
        upload.source.release(block)
    return context, block.digests


def _send_block(upload: Upload, block: LoadedBlock) -> Flow[str]:
    """Send a block's pieces; begin again when its context died or its bytes were garbled."""
    patience = upload.patience
    retry = patience.retry
    attempt = 0
    while True:
        attempt += 1
        try:
            return (yield from _send_pieces(upload, block))
        except (ServiceError, IntegrityError) as error:
            dead = isinstance(error, IntegrityError) or error.code == wire.DEAD_CONTEXT
            if not dead or attempt >= retry.attempts:
                raise
            delay = retry.delay(attempt, patience.clock.random())
            if patience.clock.monotonic() + delay >= upload.deadline:
                raise
        yield Sleep(delay)


def _send_pieces(upload: Upload, block: LoadedBlock) -> Flow[str]:
    patience = upload.patience
    context = ""
    for piece in block.pieces:
        if patience.clock.monotonic() >= upload.deadline:
            raise DeadlineExceeded(
                f"the upload of {upload.key!r} did not end within its timeout",
                service="wcs",
                endpoint=str(upload.origin),
                outcome="unknown",
            )

        if upload.limit is not None:
            yield Sleep(upload.limit.delay(len(piece.data), patience.clock.monotonic()))

        def request(piece: Any = piece, context: str = context) -> Request:
            if not context:
                return upload.requests.begin(block.index, block.size, piece.data)
            return upload.requests.go_on(context, piece.offset, piece.data)

        reply = yield from call(patience, upload.origin, request, wire.parse_piece, upload.deadline)
        _check_piece(upload, block, piece, reply)
        context = reply.context
        upload.reporter.reach(block.index, reply.offset)
    return context


def _check_piece(upload: Upload, block: LoadedBlock, piece: Any, reply: PieceReply) -> None:
    """Compare what the service says it received with what was sent."""
    end = piece.offset + len(piece.data)
    wrong = ""
    if reply.offset != end:
        wrong = f"{reply.offset} bytes, not {end}"
    elif reply.checksum is not None and reply.checksum != piece.checksum:
        wrong = "bytes with another SHA-1"
    elif reply.crc32 is not None and reply.crc32 != _native.crc32(piece.data):
        # The service gives the CRC of the piece, or of the block so far.
        so_far = 0
        for sent in block.pieces:
            if sent.offset <= piece.offset:
                so_far = _native.crc32(sent.data, so_far)
        if reply.crc32 != so_far:
            wrong = "bytes with another CRC-32"
    if wrong:
        raise IntegrityError(
            f"WCS received {wrong}, in block {block.index} of {upload.key!r}",
            service="wcs",
            endpoint=str(upload.origin),
        )
