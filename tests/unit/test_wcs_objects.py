"""Objects of WCS are moved, copied and let expire, by clients of both kinds."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer
from wirespeed import wcs
from wirespeed.config import Retry
from wirespeed.errors import (
    AccessDenied,
    Busy,
    ConfigError,
    Conflict,
    ObjectNotFound,
    ServiceError,
    TransportError,
    Unsupported,
)
from wirespeed.local import LocalCloud


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(["wcs"]) as made:
        yield made


class Side:
    """A client of either kind, called the same way."""

    def __init__(self, kind: str, url: str) -> None:
        self.loop = asyncio.new_event_loop() if kind == "asyncio" else None
        client = wcs.AsyncClient if kind == "asyncio" else wcs.Client
        self.client: Any = client("local", "local-secret", upload_url=url, manage_url=url)
        self.bucket: Any = self.client.bucket("b")

    def do(self, value: Any) -> Any:
        """Return a value, of a coroutine its result."""
        if self.loop is not None and inspect.isawaitable(value):
            return self.loop.run_until_complete(value)
        return value

    def close(self) -> None:
        self.do(self.client.close())
        if self.loop is not None:
            self.loop.close()


@pytest.fixture(params=["sync", "asyncio"])
def side(request: pytest.FixtureRequest, cloud: LocalCloud) -> Iterator[Side]:
    cloud.reset()
    made = Side(request.param, cloud.wcs_url)
    yield made
    made.close()


def test_move(side: Side, cloud: LocalCloud) -> None:
    stored = side.do(side.bucket.put("дир/a", b"bytes"))
    side.do(side.bucket.move("дир/a", "b 中"))
    assert side.do(side.bucket.stat("b 中")).hash == stored.hash
    with pytest.raises(ObjectNotFound):
        side.do(side.bucket.stat("дир/a"))
    side.do(side.bucket.move("b 中", "c", bucket="other"))
    assert side.do(side.client.bucket("other").stat("c")).size == 5
    assert cloud._vault.states["wcs"].used == 5


def test_copy(side: Side, cloud: LocalCloud) -> None:
    side.do(side.bucket.put("a", b"bytes"))
    side.do(side.bucket.copy("a", "b"))
    assert {side.do(side.bucket.stat(key)).size for key in "ab"} == {5}
    assert cloud._vault.states["wcs"].used == 10
    side.do(side.bucket.put("c", b"others"))
    for call in (side.bucket.copy, side.bucket.move):
        with pytest.raises(Conflict):
            side.do(call("a", "c"))
        with pytest.raises(ObjectNotFound):
            side.do(call("none", "d"))
    assert cloud._vault.states["wcs"].used == 16


def test_set_deadline(side: Side) -> None:
    side.do(side.bucket.put("a", b"bytes"))
    side.do(side.bucket.set_deadline("a", 3))
    expires = side.do(side.bucket.stat("a")).expires
    assert abs(expires.timestamp() - time.time() - 3 * 86_400) < 60
    side.do(side.bucket.set_deadline("a", 0))
    assert side.do(side.bucket.stat("a")).expires is None
    with pytest.raises(ObjectNotFound):
        side.do(side.bucket.set_deadline("none", 1))


def test_arguments_are_checked(side: Side) -> None:
    for call, words in (
        (lambda: side.bucket.move("a", "a"), "another key"),
        (lambda: side.bucket.move("a", ""), "key must be"),
        (lambda: side.bucket.copy("a", "b", bucket="x:y"), "bucket must be"),
        (lambda: side.bucket.set_deadline("a", -1), "days must be"),
    ):
        with pytest.raises(ConfigError, match=words):
            side.do(call())


def test_what_wcs_lacks_is_unsupported(side: Side) -> None:
    bucket = side.bucket
    for call in (
        lambda: bucket.get("k"),
        lambda: bucket.download_file("k", "path"),
    ):
        with pytest.raises(Unsupported, match="give download_url"):
            side.do(call())
    with pytest.raises(Unsupported, match="no signed URLs"):
        side.do(bucket.presign("k"))


def test_wrong_keys_are_denied(cloud: LocalCloud) -> None:
    with wcs.Client(
        "local", "s3cret", upload_url=cloud.wcs_url, manage_url=cloud.wcs_url
    ) as client:
        for call in (lambda b: b.move("a", "b"), lambda b: b.set_deadline("a", 1)):
            with pytest.raises(AccessDenied) as caught:
                call(client.bucket("b"))
            assert "s3cret" not in repr(caught.value)


STAT = (200, {"name": "k", "fsize": 1, "hash": "h"})
OTHER = (200, {"name": "k", "fsize": 1, "hash": "x"})
GONE = (404, {"code": 404, "message": "none"})


@pytest.mark.parametrize(
    ("op", "answers", "done"),
    [
        ("move", [STAT, None, STAT, GONE], True),
        ("move", [STAT, None, STAT, STAT], False),
        ("move", [STAT, None, GONE], False),
        ("copy", [STAT, None, STAT], True),
        ("copy", [STAT, None, OTHER], False),
        ("copy", [STAT, (503, {}), OTHER], False),
    ],
)
def test_where_the_answer_is_lost_stat_decides(op: str, answers: list[Any], done: bool) -> None:
    left, seen = list(answers), []

    def handler(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            seen.append(request[0].partition(b" ")[0])
            answer = left.pop(0)
            if answer is None:
                return
            peer.answer(answer[0], json.dumps(answer[1]).encode())

    with (
        ScriptedServer(handler) as server,
        wcs.Client(
            "a", "b", upload_url=server.url, manage_url=server.url, retry=Retry(3, base=0)
        ) as client,
    ):
        call = getattr(client.bucket("b"), op)
        if done:
            call("k", "l")
        else:
            with pytest.raises((TransportError, Busy, ServiceError)) as caught:
                call("k", "l")
            assert caught.value.outcome == "unknown"
    assert seen.count(b"POST") == 1, "it is not sent again"
