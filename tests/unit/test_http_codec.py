"""HTTP heads written, responses read: both codecs, whole and byte by byte."""

from __future__ import annotations

import pytest

from wirespeed.errors import ConfigError, FrameTooLarge, ProtocolError
from wirespeed.http.codec import ResponseReader, encode_head, new_reader
from wirespeed.http.models import Limits, Origin, Request

ORIGIN = Origin("http", "example.org", 80)


@pytest.fixture(params=["httptools", "h11"])
def codec(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param)
    return str(request.param)


def read(codec: str, data: bytes, *, step: int = 0, limits: Limits | None = None) -> ResponseReader:
    reader = new_reader(limits or Limits(), codec)
    reader.start("GET")
    for at in range(0, len(data), step or len(data)):
        reader.feed(data[at : at + (step or len(data))])
    return reader


def test_head_has_host_length_and_headers() -> None:
    head = encode_head(Request("POST", "/a?b=c", [("X-One", "1")], b"hi"), ORIGIN, 2)
    assert head == (
        b"POST /a?b=c HTTP/1.1\r\nHost: example.org\r\nX-One: 1\r\n"
        b"Content-Length: 2\r\nAccept-Encoding: identity\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://h", "h"),
        ("http://h:8080/", "h:8080"),
        ("https://h:443", "h"),
        ("https://h:80", "h:80"),
        ("http://[::1]:9", "[::1]:9"),
    ],
)
def test_host_header(url: str, host: str) -> None:
    assert Origin.parse(url).host_header == host


@pytest.mark.parametrize(
    "url",
    [
        "h",
        "ftp://h",
        "http://",
        "http://h/path",
        "http://h?q",
        "http://u:sesame@h",
        "http://h:0",
        "http://h:99999",
        "http://h\r\nX: y",
        "http://h o",
        "http://hé",
    ],
)
def test_bad_urls_are_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError, match="upload_url") as caught:
        Origin.parse(url, "upload_url")
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\x01", "\x7f", "\u2028", "中", " "])
def test_header_injection_is_refused_and_named(bad: str) -> None:
    with pytest.raises(ConfigError, match="X-Secret") as caught:
        encode_head(Request("GET", "/", [("X-Secret", f"sesame{bad}")]), ORIGIN, 0)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    "request_",
    [
        Request("GE T", "/"),
        Request("GET", "no-slash"),
        Request("GET", "/a b"),
        Request("GET", "/a\r\nX: y"),
        Request("GET", "/é"),
        Request("GET", "/", [("a b", "c")]),
        Request("GET", "/", [("", "c")]),
        Request("GET", "/", [("Content-Length", "3")]),
        Request("GET", "/", [("transfer-encoding", "chunked")]),
        Request("GET", "/", [("Host", "other")]),
    ],
)
def test_bad_heads_are_refused(request_: Request) -> None:
    with pytest.raises(ConfigError):
        encode_head(request_, ORIGIN, 0)


RESPONSES = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello", 200, b"hello", True),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        200,
        b"hello",
        True,
    ),
    "close": (
        b"HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        500,
        b"x",
        False,
    ),
    "no body": (b"HTTP/1.1 204 None\r\n\r\n", 204, b"", True),
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        200,
        b"hi",
        True,
    ),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
}


@pytest.mark.parametrize("name", RESPONSES)
@pytest.mark.parametrize("step", [0, 1, 7])
def test_responses(codec: str, name: str, step: int) -> None:
    data, status, body, reusable = RESPONSES[name]
    reader = read(codec, data, step=step)
    assert reader.complete
    response = reader.response()
    assert (response.status, response.body) == (status, body)
    assert reader.reusable is reusable
    if name == "length":
        assert response.header("x-a") == "b"
        assert response.header("X-None", "d") == "d"


def test_one_reader_reads_one_response_after_the_other(codec: str) -> None:
    reader = new_reader(Limits(), codec)
    for text in (b"one", b"two!"):
        reader.start("GET")
        assert not reader.complete
        reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        assert reader.complete
        assert reader.response().body == text
        assert reader.reusable


def test_body_until_the_connection_ends(codec: str) -> None:
    reader = read(codec, b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert not reader.complete
    assert reader.end_of_stream()
    assert reader.response().body == b"hello"
    assert not reader.reusable


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-",
    ],
)
def test_a_cut_response_is_not_whole(codec: str, data: bytes) -> None:
    reader = read(codec, data)
    assert not reader.end_of_stream()


def test_bytes_after_the_response_spoil_the_connection(codec: str) -> None:
    reader = read(codec, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n")
    assert reader.complete
    assert reader.response().body == b"hi"
    assert not reader.reusable


def test_a_head_response_has_no_body(codec: str) -> None:
    reader = new_reader(Limits(), codec)
    reader.start("HEAD")
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert reader.response().body == b""


@pytest.mark.parametrize(
    "data",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n",
    ],
)
def test_broken_responses_are_refused(codec: str, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(codec, data)


@pytest.mark.parametrize("step", [0, 997])
def test_limits(codec: str, step: int) -> None:
    limits = Limits(head=2000, headers=5, body=3000)
    start = b"HTTP/1.1 200 OK\r\n"
    big_head = start + b"X: " + b"a" * 200_000 + b"\r\nContent-Length: 0\r\n\r\n"
    many = start + b"".join(b"X%d: 1\r\n" % n for n in range(6)) + b"Content-Length: 0\r\n\r\n"
    big_body = start + b"Content-Length: 3001\r\n\r\n" + b"b" * 3001
    for data in (big_head, many, big_body):
        with pytest.raises(FrameTooLarge):
            read(codec, data, step=step, limits=limits)
    fine = start + b"Content-Length: 3000\r\n\r\n" + b"b" * 3000
    assert read(codec, fine, step=step, limits=limits).complete


def test_endless_chunk_framing_is_refused(codec: str) -> None:
    reader = new_reader(Limits(), codec)
    reader.start("GET")
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;")
    with pytest.raises(ProtocolError):
        for _ in range(100):
            reader.feed(b"e" * 10_000)


def test_unknown_codec_is_refused() -> None:
    with pytest.raises(ConfigError, match="codec"):
        new_reader(Limits(), "other")
