"""Responses that two readers might end at different places: refused, or the connection ends."""

from __future__ import annotations

import random

import pytest

from wirespeed.errors import ProtocolError
from wirespeed.http.codec import new_reader
from wirespeed.http.models import Limits

LINE = b"HTTP/1.1 200 OK\r\n"
CHUNKED = LINE + b"Transfer-Encoding: chunked\r\n\r\n"
REST = b"\r\nhi\r\n0\r\n\r\n"

REFUSED_BY_BOTH = {
    "encoding and length": LINE
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length and encoding": LINE
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": LINE + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
    "lengths listed": LINE + b"Content-Length: 2, 3\r\n\r\nhi",
    "chunked, identity": LINE + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "identity, chunked": LINE + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "gzip": LINE + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    "xchunked": LINE + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": LINE + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "chunked in quotes": LINE + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "vertical tab": LINE + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "two carriage returns": LINE + b"Transfer-Encoding: chunked\r\r\n\r\n0\r\n\r\n",
    "bare carriage return": LINE + b"X: a\rContent-Length: 2\r\n\r\nhi",
    "plus": LINE + b"Content-Length: +2\r\n\r\nhi",
    "minus": LINE + b"Content-Length: -2\r\n\r\nhi",
    "hexadecimal": LINE + b"Content-Length: 0x2\r\n\r\nhi",
    "space in the length": LINE + b"Content-Length: 2 2\r\n\r\nhi",
    "underscore": LINE + b"Content-Length: 1_0\r\n\r\nhi",
    "no length": LINE + b"Content-Length:\r\n\r\nhi",
    "huge length": LINE + b"Content-Length: 99999999999999999999999\r\n\r\nhi",
    "space before the colon": LINE + b"Content-Length : 2\r\n\r\nhi",
    "tab before the colon": LINE + b"Content-Length\t: 2\r\n\r\nhi",
    "space before the name": LINE + b" Content-Length: 2\r\n\r\nhi",
    "no colon": LINE + b"Content-Length 2\r\n\r\nhi",
    "NUL in a name": LINE + b"Content\x00-Length: 2\r\n\r\nhi",
    "NUL in a value": LINE + b"X: a\x00b\r\nContent-Length: 2\r\n\r\nhi",
    "no name": LINE + b": a\r\nContent-Length: 2\r\n\r\nhi",
    "chunk plus": CHUNKED + b"+2" + REST,
    "chunk minus": CHUNKED + b"-2" + REST,
    "chunk 0x": CHUNKED + b"0x2" + REST,
    "chunk with a space": CHUNKED + b" 2" + REST,
    "chunk with a bare line feed": CHUNKED + b"2\nhi\r\n0\r\n\r\n",
    "chunk without its end": CHUNKED + b"2\r\nhi0\r\n\r\n",
    "chunk with more": CHUNKED + b"2\r\nhiXX0\r\n\r\n",
    "chunk extension with a line feed": CHUNKED + b"2;a\nb" + REST,
    "chunk without a size": CHUNKED + REST,
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nhi",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nhi",
    "small letters": b"http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
}

REFUSED_BY_HTTPTOOLS = {
    "equal lengths": (LINE + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
    "equal lengths listed": (LINE + b"Content-Length: 2, 2\r\n\r\nhi", b"hi"),
    "folded header": (LINE + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n", b""),
    "folded encoding": (LINE + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", b""),
    "bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", b"hi"),
    "one bare line feed": (LINE + b"X: a\nContent-Length: 2\r\n\r\nhi", b"hi"),
    "chunk extension with a return": (CHUNKED + b"2;a\rb" + REST, b"hi"),
    "length in the trailer": (CHUNKED + b"2\r\nhi\r\n0\r\nContent-Length: 9\r\n\r\n", b"hi"),
}

THE_CONNECTION_ENDS = {
    "204 with a body": b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nhi",
    "304 with a body": b"HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\nhi",
    "two responses": (LINE + b"Content-Length: 2\r\n\r\nhi") * 2,
    "a longer body": LINE + b"Content-Length: 2\r\n\r\nhi, extra",
    "chunks of HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2" + REST,
}


@pytest.fixture(params=["httptools", "h11"])
def codec(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param)
    return str(request.param)


Outcome = str | tuple[int, bytes, bool]


def read(codec: str, data: bytes, step: int = 0) -> Outcome:
    """Return "refused", "cut", or status, body and whether the connection may be used again."""
    reader = new_reader(Limits(), codec)
    reader.start("GET")
    try:
        for at in range(0, len(data), step or len(data)):
            reader.feed(data[at : at + (step or len(data))])
    except ProtocolError:
        return "refused"
    if not reader.complete and not reader.end_of_stream():
        return "cut"
    response = reader.response()
    return response.status, response.body, reader.reusable


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("name", REFUSED_BY_BOTH)
def test_refused(codec: str, name: str, step: int) -> None:
    assert read(codec, REFUSED_BY_BOTH[name], step) == "refused"


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("name", REFUSED_BY_HTTPTOOLS)
def test_refused_by_httptools_and_read_one_way_by_h11(codec: str, name: str, step: int) -> None:
    data, body = REFUSED_BY_HTTPTOOLS[name]
    expected: Outcome = "refused" if codec == "httptools" else (200, body, True)
    assert read(codec, data, step) == expected


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("name", THE_CONNECTION_ENDS)
def test_what_follows_is_never_another_answer(codec: str, name: str, step: int) -> None:
    outcome = read(codec, THE_CONNECTION_ENDS[name], step)
    assert isinstance(outcome, tuple)
    assert outcome[2] is False


def test_the_codecs_end_bodies_at_the_same_place() -> None:
    pytest.importorskip("httptools")
    pytest.importorskip("h11")
    chance = random.Random(1)
    seeds = [
        *REFUSED_BY_BOTH.values(),
        *(data for data, _ in REFUSED_BY_HTTPTOOLS.values()),
        *THE_CONNECTION_ENDS.values(),
        CHUNKED + b"2" + REST,
        LINE + b"Content-Length: 2\r\n\r\nhi",
    ]
    pieces = [
        b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b"chunked", b"Content-Length: 2\r\n",
        b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"2\r\nhi\r\n", b"\x0b", b"+", b"1", b"hi",
        b"Connection: close\r\n", LINE, b"HTTP/1.1 100 C\r\n\r\n",
    ]  # fmt: skip
    both = 0
    for _ in range(100_000):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(0, 3)):
            at = chance.randrange(len(data) + 1)
            kind = chance.random()
            if kind < 0.4:
                data[at:at] = chance.choice(pieces)
            elif kind < 0.6:
                del data[at : at + chance.randint(1, 4)]
            else:
                data[at : at + 1] = bytes([chance.randrange(256)])
        first, second = read("httptools", bytes(data) or b"x"), read("h11", bytes(data) or b"x")
        if isinstance(first, tuple) and isinstance(second, tuple):
            both += 1
            assert first[:2] == second[:2], bytes(data)
    assert both > 2000
