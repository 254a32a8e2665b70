"""WCS flows driven by a plain list of replies: no socket, no clock, no loop."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable
from typing import Any

import pytest

from wirespeed import digest
from wirespeed.config import Clock, Credentials, Retry
from wirespeed.engine.effects import Compute, Exchange, Gather, Sleep
from wirespeed.errors import (
    AccessDenied,
    Busy,
    Conflict,
    DeadlineExceeded,
    IntegrityError,
    ObjectNotFound,
    ProtocolError,
    ServiceError,
    SourceChanged,
    TransportError,
)
from wirespeed.http.models import Origin, Request, Response
from wirespeed.storage import LoadedBlock, Piece, ProgressReporter, UploadResult
from wirespeed.wcs import flow

UP = Origin("http", "up", 80)
MANAGE = Origin("http", "manage", 80)
LOST = TransportError("lost", retryable=True, outcome="unknown")
REFUSED = TransportError("refused", retryable=True, outcome="not_sent")
BLOCK = 4 << 20


class Time:
    """A clock that only sleeps move."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def settings(time: Time | None = None, attempts: int = 3) -> flow.Settings:
    time = time or Time()
    clock = Clock(time.monotonic, lambda: 1_700_000_000.0, lambda: 0.5)
    retry = Retry(attempts, base=0.1, cap=1.0)
    return flow.Settings(
        credentials=Credentials("a", "s"),
        upload=UP,
        manage=MANAGE,
        nonce=lambda: "nonce",
        timeout=30.0,
        retry=retry,
        clock=clock,
    )


def answer(value: object, status: int = 200) -> Response:
    return Response(status, "", [], json.dumps(value).encode())


class Player:
    """Runs a flow on a list of replies; what is an exception is raised."""

    def __init__(self, replies: Iterable[Any], time: Time | None = None) -> None:
        self.replies = list(replies)
        self.requests: list[Request] = []
        self.deadlines: list[float] = []
        self.slept: list[float] = []
        self.time = time or Time()

    def run(self, what: Any) -> Any:
        outcome: Any = None
        error: BaseException | None = None
        try:
            while True:
                effect = what.send(outcome) if error is None else what.throw(error)
                outcome, error = None, None
                try:
                    outcome = self.perform(effect)
                except Exception as caught:
                    error = caught
        except StopIteration as stop:
            return stop.value

    def perform(self, effect: Any) -> Any:
        if type(effect) is Exchange:
            self.requests.append(effect.request)
            self.deadlines.append(effect.deadline)
            reply = self.replies.pop(0)
            if callable(reply):
                reply = reply(effect.request)
            if isinstance(reply, Exception):
                raise reply
            return reply
        if type(effect) is Sleep:
            self.slept.append(effect.seconds)
            self.time.now += effect.seconds
            return False
        if type(effect) is Compute:
            return effect.function(*effect.args)
        assert type(effect) is Gather
        return [self.run(each) for each in effect.flows]

    def targets(self) -> list[str]:
        return [request.target for request in self.requests]


STAT = {"name": "k", "fsize": 3, "hash": "H"}


def test_a_call_that_succeeds_yields_one_effect() -> None:
    player = Player([answer(STAT)])
    assert player.run(flow.stat(settings(), "b", "k", float("inf"))).hash == "H"
    assert player.deadlines == [130.0]
    assert player.slept == []


@pytest.mark.parametrize("failure", [LOST, REFUSED, answer({}, 503), answer({}, 429)])
def test_what_may_be_retried_is_retried_with_jitter(failure: Any) -> None:
    player = Player([failure, failure, answer(STAT)])
    assert player.run(flow.stat(settings(), "b", "k", float("inf"))).key == "k"
    assert player.slept == [0.05, 0.1]


def test_tries_are_bounded_and_counted() -> None:
    player = Player([answer({}, 500)] * 3)
    with pytest.raises(Busy) as caught:
        player.run(flow.stat(settings(), "b", "k", float("inf")))
    assert (caught.value.attempts, caught.value.service) == (3, "wcs")
    assert caught.value.endpoint == "http://manage:80"
    assert player.replies == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 579])
def test_a_refusal_is_not_retried(status: int) -> None:
    player = Player([answer({}, status)])
    with pytest.raises(ServiceError) as caught:
        player.run(flow.stat(settings(), "b", "k", float("inf")))
    assert caught.value.attempts == 1
    assert player.slept == []


def test_the_deadline_bounds_each_try_and_the_retries() -> None:
    time = Time()
    player = Player([answer({}, 500)] * 3, time)
    with pytest.raises(Busy):
        player.run(flow.stat(settings(time), "b", "k", 100.06))
    assert player.deadlines == [100.06, 100.06]
    assert player.slept == [0.05]


def test_delete_after_a_lost_answer_is_done_when_the_object_is_gone() -> None:
    gone = answer({"message": "none"}, 404)
    assert Player([LOST, gone]).run(flow.delete(settings(), "b", "k", float("inf"))) is None
    for replies in ([gone], [REFUSED, gone]):
        with pytest.raises(ObjectNotFound):
            Player(replies).run(flow.delete(settings(), "b", "k", float("inf")))


def test_a_listing_that_does_not_advance_is_refused() -> None:
    page = answer({"marker": "m", "items": []})
    with pytest.raises(ProtocolError, match="advance"):
        Player([page]).run(flow.list_page(settings(), "b", "", "m", 10, 0, float("inf")))


def put(data: bytes = b"abc", overwrite: bool = True) -> Any:
    return flow.put(settings(), "b", "k", data, "", overwrite, float("inf"))


ETAG = digest.etag(b"abc")


def test_put_compares_the_hash() -> None:
    result = Player([Response(200, "", [], f"hash={ETAG}&fsize=3".encode())]).run(put())
    assert result == UploadResult("k", ETAG, 3)
    with pytest.raises(IntegrityError, match="other"):
        Player([answer({"hash": "other"})]).run(put())


def test_put_asks_stat_when_the_answer_has_no_hash() -> None:
    player = Player([answer({}), answer({**STAT, "hash": ETAG})])
    assert player.run(put()).hash == ETAG
    assert player.targets() == ["/file/upload", "/stat/Yjpr"]


def test_put_that_finds_its_work_done_is_done() -> None:
    exists = answer({"code": 614, "message": "exists"}, 400)
    player = Player([LOST, exists, answer({**STAT, "hash": ETAG})])
    assert player.run(put(overwrite=False)).hash == ETAG
    for replies in ([exists], [REFUSED, exists], [LOST, exists, answer(STAT)]):
        with pytest.raises(Conflict):
            Player(replies).run(put(overwrite=False))
    with pytest.raises(Conflict):
        Player([LOST, exists, answer({}, 404)]).run(put(overwrite=False))


class MemorySource:
    """A source of bytes, in blocks of 4 MiB."""

    def __init__(self, data: bytes, piece_size: int) -> None:
        self.data = data
        self.size = len(data)
        self.piece_size = piece_size
        self.loaded = 0
        self.most_loaded = 0
        self.closed = False
        self.changed = False

    def load(self, index: int) -> LoadedBlock:
        self.loaded += 1
        self.most_loaded = max(self.most_loaded, self.loaded)
        data = self.data[index * BLOCK :][:BLOCK]
        pieces = []
        for at in range(0, len(data), self.piece_size):
            piece = data[at : at + self.piece_size]
            checksum = hashlib.sha1(data[: at + len(piece)]).digest()
            pieces.append(Piece(at, memoryview(piece), checksum))
        return LoadedBlock(index, len(data), pieces, hashlib.sha1(data).digest(), bytearray())

    def load_singly(self) -> None:
        pass

    def release(self, block: LoadedBlock) -> None:
        self.loaded -= 1

    def verify(self) -> None:
        if self.changed:
            raise SourceChanged("changed")

    def close(self) -> None:
        self.closed = True


class Upload:
    """A block upload with its source, its progress and its script."""

    def __init__(self, data: bytes, piece_size: int = BLOCK, attempts: int = 3) -> None:
        self.source = MemorySource(data, piece_size)
        self.seen: list[int] = []
        self.time = Time()
        self.attempts = attempts
        self.player = Player([], self.time)

    def run(self, *replies: Any, deadline: float = float("inf")) -> UploadResult:
        self.player.replies = list(replies)

        def see(progress: Any) -> None:
            self.seen.append(progress.done)

        def reporter(size: int) -> ProgressReporter:
            return ProgressReporter(see, "k", size, self.time.monotonic)

        result: UploadResult = self.player.run(
            flow.upload_file(
                settings(self.time, self.attempts),
                "b",
                "k",
                lambda: self.source,
                reporter,
                block_size=BLOCK,
                workers=2,
                mime_type="",
                overwrite=True,
                deadline=deadline,
            )
        )
        assert self.player.replies == []
        return result


def piece(context: str, data: bytes, so_far: bytes | None = None, **changes: Any) -> Response:
    so_far = data if so_far is None else so_far
    checksum = base64.urlsafe_b64encode(hashlib.sha1(so_far).digest()).decode()
    reply = {
        "ctx": context,
        "offset": len(so_far),
        "crc32": zlib.crc32(data),
        "checksum": checksum,
    }
    return answer({**reply, **changes})


def stored(data: bytes) -> Response:
    return answer({"hash": digest.etag(data), "key": "k"})


def test_an_upload_by_pieces_and_blocks() -> None:
    data = bytes(range(256)) * (BLOCK // 256) + b"tail"
    half = BLOCK // 2
    upload = Upload(data, half)
    first, second = data[:half], data[half:BLOCK]
    result = upload.run(
        piece("c0", first),
        piece("c1", second, data[:BLOCK]),
        piece("d0", b"tail"),
        stored(data),
    )
    assert result == UploadResult("k", digest.etag(data), BLOCK + 4)
    assert upload.player.targets() == [
        f"/mkblk/{BLOCK}/0",
        f"/bput/c0/{half}",
        "/mkblk/4/1",
        f"/mkfile/{BLOCK + 4}",
    ]
    assert upload.player.requests[-1].body == b"c1,d0"
    assert upload.seen == [0, BLOCK + 4]
    assert upload.source.closed
    assert upload.source.loaded == 0


def test_an_empty_file_is_a_form_upload() -> None:
    upload = Upload(b"")
    assert upload.run(stored(b"")).hash == "Fto5o-5ea0sNMlW_75VgGJCv2AcJ"
    assert upload.player.targets() == ["/file/upload"]
    assert upload.source.closed


def test_a_lost_bput_is_sent_again_and_a_dead_context_restarts_its_block() -> None:
    data = b"abcdef"
    dead = answer({"code": 701, "message": "used"}, 400)
    upload = Upload(data, 3)
    upload.run(
        piece("c0", b"abc"),
        LOST,
        dead,
        piece("d0", b"abc"),
        piece("d1", b"def", data),
        stored(data),
    )
    assert upload.player.targets() == [
        "/mkblk/6/0",
        "/bput/c0/3",
        "/bput/c0/3",
        "/mkblk/6/0",
        "/bput/d0/3",
        "/mkfile/6",
    ]
    assert upload.seen == [0, 6]


@pytest.mark.parametrize(
    "changes",
    [
        {"offset": 2},
        {"offset": 4},
        {"crc32": 1},
        {"checksum": base64.urlsafe_b64encode(b"x" * 20).decode()},
    ],
)
def test_garbled_bytes_restart_the_block_and_then_fail(changes: dict[str, Any]) -> None:
    bad = piece("c", b"abc", **changes)
    Upload(b"abc").run(bad, bad, piece("c", b"abc"), stored(b"abc"))
    upload = Upload(b"abc")
    with pytest.raises(IntegrityError, match="block 0"):
        upload.run(bad, bad, bad)
    assert upload.source.closed
    assert "/mkfile/3" not in upload.player.targets()


def test_the_crc_may_be_of_the_block_so_far() -> None:
    data = b"abcdef"
    so_far = piece("c1", b"def", data, crc32=zlib.crc32(data))
    Upload(data, 3).run(piece("c0", b"abc"), so_far, stored(data))


def test_restarts_are_bounded() -> None:
    dead = answer({"code": 701}, 400)
    with pytest.raises(ServiceError) as caught:
        Upload(b"abc").run(dead, dead, dead)
    assert caught.value.code == 701


def test_a_refused_block_ends_the_upload() -> None:
    upload = Upload(bytes(BLOCK + 1))
    with pytest.raises(AccessDenied):
        upload.run(answer({"message": "no"}, 401))
    assert upload.source.closed
    assert upload.source.loaded == 0


def test_a_changed_file_is_never_joined() -> None:
    upload = Upload(b"abc")
    upload.source.changed = True
    with pytest.raises(SourceChanged):
        upload.run(piece("c", b"abc"))
    assert upload.player.targets() == ["/mkblk/3/0"]


def test_a_lost_mkfile_that_was_carried_out_is_found_by_stat() -> None:
    used = answer({"code": 701}, 400)
    stat = answer({**STAT, "hash": ETAG})
    assert Upload(b"abc").run(piece("c", b"abc"), LOST, used, stat).hash == ETAG
    with pytest.raises(ServiceError) as caught:
        Upload(b"abc").run(piece("c", b"abc"), used)
    assert caught.value.code == 701
    with pytest.raises(ServiceError):
        Upload(b"abc").run(piece("c", b"abc"), LOST, used, answer(STAT))


def test_another_hash_is_an_integrity_error() -> None:
    with pytest.raises(IntegrityError, match="FbigPxhrk") as caught:
        Upload(b"abc").run(piece("c", b"abc"), answer({"hash": "FbigPxhrk"}))
    assert caught.value.outcome == "unknown"


def test_the_deadline_ends_an_upload_between_pieces() -> None:
    upload = Upload(b"abcdef", 3)

    def late(request: Request) -> Response:
        upload.time.now += 10
        return piece("c0", b"abc")

    with pytest.raises(DeadlineExceeded):
        upload.run(late, deadline=105.0)
    assert upload.player.deadlines == [105.0]


def test_an_exception_of_the_callback_stops_the_upload() -> None:
    class Stop(Exception):
        pass

    def reporter(size: int) -> Any:
        def stop(progress: Any) -> None:
            if progress.done:
                raise Stop

        return ProgressReporter(stop, "k", size, Time().monotonic)

    source = MemorySource(bytes(BLOCK) + b"x", BLOCK)
    player = Player([piece("c", bytes(BLOCK)), piece("d", b"x")])
    with pytest.raises(Stop):
        player.run(
            flow.upload_file(
                settings(),
                "b",
                "k",
                lambda: source,
                reporter,
                block_size=BLOCK,
                workers=1,
                mime_type="",
                overwrite=True,
                deadline=float("inf"),
            )
        )
    assert source.closed


def test_a_large_body_gets_more_time() -> None:
    player = Player([answer({"hash": digest.etag(bytes(BLOCK + (1 << 20)))})])
    player.run(put(bytes(BLOCK + (1 << 20))))
    assert player.deadlines[0] == pytest.approx(100 + 30 + 16, abs=0.1)
