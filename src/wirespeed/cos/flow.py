"""What a COS v4 call does next: exchanges, retries, and the plan of a slice upload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from ..config import Credentials
from ..engine.effects import Compute, Flow, Sleep
from ..errors import (
    Conflict,
    IntegrityError,
    ObjectNotFound,
    ServiceError,
    WirespeedError,
)
from ..http.calls import Doubt, Patience, call
from ..http.models import Buffer, Origin, Request, Response
from ..storage import Part, RateLimit, carry, plan, room_for
from ..storage.download import Target, fetch
from . import sign, wire
from .models import DownloadResult, Entry, ListPage, Session, UploadResult
from .wire import JsonObject

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Patience):
    """What every call of a client shares.

    Args:
        credentials: the key pair.
        appid: the application's number, in decimal.
        origin: where requests go.
        nonce: returns a random number.
        boundary: returns random text for the forms.
    """

    service: str = "cos"
    credentials: Credentials
    appid: str
    origin: Origin
    nonce: Callable[[], int]
    boundary: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Place:
    """One object or folder of a bucket.

    Args:
        settings: the client's.
        bucket: the bucket.
        key: the key; "" for the bucket's root.
    """

    settings: Settings
    bucket: str
    key: str

    @property
    def target(self) -> str:
        """The path of its requests."""
        settings = self.settings
        return f"/files/v2/{settings.appid}/{self.bucket}{sign.path_of(self.key)}"

    def signature(self, *, once: bool = False) -> str:
        """Return a signature for a request on it."""
        settings = self.settings
        now = int(settings.clock.wall())
        return sign.signature(
            settings.credentials, settings.appid, self.bucket, sign.path_of(self.key),
            now=now, nonce=settings.nonce(), expires=0 if once else now + sign.SECONDS,
        )  # fmt: skip


class Source(Protocol):
    """Bytes read by slices; see `source.py`."""

    size: int
    sha1: str
    states: list[bytes]

    def load(self, offset: int, size: int) -> Buffer:
        """Read a slice."""

    def verify(self) -> None:
        """Raise `SourceChanged` if it is no longer what was opened."""

    def close(self) -> None:
        """Close it."""


class Reporter(Protocol):
    """Takes the progress; see `wirespeed.storage.ProgressReporter`."""

    def start(self) -> None:
        """Nothing is done yet."""

    def reach(self, block: int, offset: int, *, resumed: bool = False) -> None:
        """That many bytes of a slice are confirmed."""


def ask(
    place: Place,
    request: Callable[[], Request],
    parse: Callable[[Response], T],
    deadline: float,
    doubt: Doubt | None = None,
    *,
    ambiguous: bool = True,
) -> Flow[T]:
    """Exchange until an answer parses."""
    settings = place.settings
    return call(settings, settings.origin, request, parse, deadline, doubt, ambiguous=ambiguous)


def stat(place: Place, deadline: float) -> Flow[Entry]:
    """Ask what the service knows of an object or a folder."""
    data = yield from ask(
        place,
        lambda: wire.query_request(place.target, place.signature(), {"op": "stat"}),
        wire.parse,
        deadline,
    )
    return wire.parse_entry(place.key, data)


def change(place: Place, fields: JsonObject, deadline: float) -> Flow[JsonObject]:
    """Create, update or otherwise change, where saying it twice does no harm."""
    return ask(
        place,
        lambda: wire.json_request(place.target, place.signature(once=True), fields),
        wire.parse,
        deadline,
    )


def create_folder(place: Place, biz_attr: str, deadline: float) -> Flow[None]:
    """Create a folder. One that a try before may have made is no conflict."""
    doubt = Doubt()
    fields = {"op": "create", "biz_attr": biz_attr}
    try:
        yield from ask(
            place,
            lambda: wire.json_request(place.target, place.signature(), fields),
            wire.parse,
            deadline,
            doubt,
        )
    except Conflict:
        if not doubt.exists:
            raise


def delete(place: Place, deadline: float) -> Flow[None]:
    """Delete. It is gone already when a try before may have deleted it."""
    doubt = Doubt()
    fields = {"op": "delete"}
    try:
        yield from ask(
            place,
            lambda: wire.json_request(place.target, place.signature(once=True), fields),
            wire.parse,
            deadline,
            doubt,
        )
    except ObjectNotFound:
        if not doubt.exists:
            raise


def transfer(
    place: Place, op: str, destination: str, *, overwrite: bool, deadline: float
) -> Flow[None]:
    """Move or copy within the bucket; where the answer is lost, stat decides whether it was done.

    Args:
        place: what to move.
        op: "move" or "copy".
        destination: the new key.
        overwrite: whether an object of that name may be replaced.
        deadline: when it must be over.
    """
    settings = place.settings
    target = f"/{settings.appid}/{place.bucket}/{destination}"
    fields = {"op": op, "dest_fileid": target, "to_over_write": str(int(overwrite))}
    boundary = settings.boundary()
    before = yield from stat(place, deadline)
    try:
        yield from ask(
            place,
            lambda: wire.form_request(
                place.target, place.signature(once=True), fields, None, boundary
            ),
            wire.parse,
            deadline,
            ambiguous=False,
        )
    except WirespeedError as error:
        if error.outcome != "unknown":
            raise
        try:
            after = yield from stat(replace(place, key=destination), deadline)
        except WirespeedError:
            raise error from None
        if not before.sha1 or after.sha1 != before.sha1:
            raise
        if op == "move":
            try:
                yield from stat(place, deadline)
            except ObjectNotFound:
                return
            raise


def list_page(
    place: Place, prefix: str, count: int, context: str, delimiter: str, deadline: float
) -> Flow[ListPage]:
    """Ask for one page of a folder."""
    fields = {"op": "list", "num": str(count), "context": context}
    if delimiter:
        fields["delimiter"] = delimiter
    within = replace(place, key=place.key + prefix)

    def parse(response: Response) -> ListPage:
        return wire.parse_page(place.key, wire.parse(response), context)

    return ask(
        place,
        lambda: wire.query_request(within.target, within.signature(), fields),
        parse,
        deadline,
    )


def download(
    place: Place,
    origin: Origin,
    headers: list[tuple[str, str]],
    deadline: float,
) -> Flow[bytes]:
    """Download an object's bytes from its download host."""
    settings = place.settings

    def request() -> Request:
        return Request("GET", download_target(place, sign.SECONDS), headers)

    return call(settings, origin, request, wire.check_download, deadline)


def download_file(
    place: Place,
    origin: Origin,
    open_target: Callable[[list[Part], Entry], Target],
    new_reporter: Callable[[int], Reporter],
    *,
    part_size: int,
    workers: int,
    limit: RateLimit | None,
    deadline: float,
    direct: bool,
) -> Flow[DownloadResult]:
    """Download an object by ranges, `workers` at a time, into a file; see `storage.fetch`.

    Raises:
        IntegrityError: other bytes came than the service tells of.
    """
    entry = yield from stat(place, deadline)
    reporter = new_reporter(entry.size)
    reporter.start()
    sha1 = yield from fetch(
        place.settings,
        origin,
        lambda headers, sink: Request(
            "GET", download_target(place, sign.SECONDS), headers, sink=sink
        ),
        wire.check_download,
        lambda parts: open_target(parts, entry),
        reporter,
        key=place.key,
        size=entry.size,
        expected=entry.sha1.lower(),
        part_size=part_size,
        workers=workers,
        limit=limit,
        deadline=deadline,
        direct=direct,
    )
    return DownloadResult(place.key, sha1, entry.size, bool(entry.sha1))


def download_target(place: Place, seconds: int) -> str:
    """Return the path and query that let an object be downloaded for some seconds."""
    settings = place.settings
    now = int(settings.clock.wall())
    path = sign.path_of(place.key)
    made = sign.download_signature(
        settings.credentials, settings.appid, place.bucket, path, now, settings.nonce(),
        now + seconds,
    )  # fmt: skip
    return wire.query_request(path, "", {"sign": made}).target


# ---- uploads ----


def put(
    place: Place,
    content: Buffer,
    sha1: str,
    *,
    biz_attr: str,
    overwrite: bool,
    deadline: float,
) -> Flow[UploadResult]:
    """Upload bytes in one request."""
    fields = {
        "op": "upload",
        "sha": sha1,
        "biz_attr": biz_attr,
        "insertOnly": str(int(not overwrite)),
    }
    boundary = place.settings.boundary()
    size = len(memoryview(content).cast("B"))
    doubt = Doubt()
    try:
        data = yield from ask(
            place,
            lambda: wire.form_request(place.target, place.signature(), fields, content, boundary),
            wire.parse,
            deadline,
            doubt,
        )
    except Conflict:
        if not doubt.exists:
            raise
        data = {}
    found = yield from _confirm(place, wire.result_of(place.key, sha1, size, data), deadline)
    return found


def _confirm(place: Place, result: UploadResult, deadline: float) -> Flow[UploadResult]:
    """Compare what the service stored with what was meant.

    Raises:
        IntegrityError: it is something else.
    """
    entry = yield from stat(place, deadline)
    if entry.sha1 and entry.sha1.lower() != result.sha1:
        raise IntegrityError(
            f"COS stored {place.key!r} with the SHA-1 {entry.sha1}, but sent was {result.sha1}",
            service="cos",
            endpoint=str(place.settings.origin),
            outcome="unknown",
            hint="upload it again",
        )
    return replace(
        result,
        verified=bool(entry.sha1),
        access_url=result.access_url or entry.access_url,
    )


def upload(
    place: Place,
    open_source: Callable[[], Source],
    new_reporter: Callable[[int], Reporter],
    *,
    slice_size: int,
    workers: int,
    biz_attr: str,
    overwrite: bool,
    limit: RateLimit | None = None,
    deadline: float,
) -> Flow[UploadResult]:
    """Upload a file by slices, `workers` at a time.

    The service is told the digests first and answers at once where it has the bytes already. An
    upload of the same file that was begun before goes on where it ended.

    Raises:
        SourceChanged: the file changed meanwhile; nothing was stored.
        IntegrityError: the service stored something else.
    """
    source: Source = yield Compute(open_source)
    try:
        reporter = new_reporter(source.size)
        reporter.start()
        if not source.size:
            return (
                yield from put(
                    place, b"", source.sha1, biz_attr=biz_attr, overwrite=overwrite,
                    deadline=deadline,
                )
            )  # fmt: skip
        begun = _Begun(place, source, reporter, deadline, limit)
        session = yield from _begin(begun, slice_size, biz_attr, overwrite)
        result = UploadResult(place.key, source.sha1, source.size, session.access_url)
        if not session.name:
            reporter.reach(0, source.size, resumed=True)
            confirmed = yield from _confirm(place, result, deadline)
            return replace(confirmed, instant=True)
        yield from carry(
            plan(source.size, session.slice_size),
            lambda part: _send_slice(begun, session, part),
            1 if session.serial else room_for(workers, session.slice_size),
            reporter=reporter,
            done=lambda part: True if part.offset in session.done else None,
        )
        yield Compute(source.verify)
    finally:
        source.close()
    data = yield from _finish(begun, session)
    return (yield from _confirm(place, _with_url(result, data), deadline))


def _with_url(result: UploadResult, data: Mapping[str, Any]) -> UploadResult:
    return replace(result, access_url=str(data.get("access_url") or ""))


@dataclass(frozen=True, slots=True)
class _Begun:
    place: Place
    source: Source
    reporter: Reporter
    deadline: float
    limit: RateLimit | None

    def form(self, fields: Mapping[str, str], content: Buffer | None = None) -> Flow[JsonObject]:
        return self.ask(fields, wire.parse, content)

    def ask(
        self,
        fields: Mapping[str, str],
        parse: Callable[[Response], T],
        content: Buffer | None = None,
    ) -> Flow[T]:
        place = self.place
        boundary = place.settings.boundary()
        return ask(
            place,
            lambda: wire.form_request(place.target, place.signature(), fields, content, boundary),
            parse,
            self.deadline,
        )


def _begin(
    begun: _Begun,
    slice_size: int,
    biz_attr: str,
    overwrite: bool,
) -> Flow[Session]:
    source = begun.source
    fields = {
        "op": "upload_slice_init",
        "sha": source.sha1,
        "uploadparts": wire.upload_parts(source.states, slice_size, source.size),
        "filesize": str(source.size),
        "slice_size": str(slice_size),
        "biz_attr": biz_attr,
        "insertOnly": str(int(not overwrite)),
    }

    def parse(response: Response) -> Session:
        return wire.parse_session(response, slice_size)

    try:
        return (yield from begun.ask(fields, parse))
    except ServiceError as error:
        if error.code != wire.UNFINISHED:
            raise
    # It was begun before, by us or by another: the digests tell that it is the same file.
    return (yield from begun.ask({"op": "upload_slice_list"}, parse))


def _send_slice(begun: _Begun, session: Session, part: Part) -> Flow[bool]:
    if begun.limit is not None:
        yield Sleep(begun.limit.delay(part.size, begun.place.settings.clock.monotonic()))
    content = yield Compute(begun.source.load, part.offset, part.size)
    fields = {
        "op": "upload_slice_data",
        "session": session.name,
        "offset": str(part.offset),
        "sha": begun.source.sha1,
    }
    yield from begun.form(fields, content)
    return True


def _finish(begun: _Begun, session: Session) -> Flow[JsonObject]:
    """End a slice upload; where a try before may have ended it, `_confirm` decides."""
    fields = {
        "op": "upload_slice_finish",
        "session": session.name,
        "filesize": str(begun.source.size),
        "sha": begun.source.sha1,
    }
    place, boundary, doubt = begun.place, begun.place.settings.boundary(), Doubt()
    try:
        return (
            yield from ask(
                place,
                lambda: wire.form_request(place.target, place.signature(), fields, None, boundary),
                wire.parse,
                begun.deadline,
                doubt,
            )
        )
    except ServiceError:
        if not doubt.exists:
            raise
        return {}
