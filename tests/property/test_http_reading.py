"""HTTP responses and forms read the same however they are cut; both codecs agree."""

from __future__ import annotations

import contextlib
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from wirespeed.errors import ProtocolError
from wirespeed.http.codec import H11Reader, HttptoolsReader, ResponseReader
from wirespeed.http.models import Limits
from wirespeed.local.multipart import FormError, FormReader

TOKEN = st.text("abcXYZ09-_", min_size=1, max_size=10)
VALUE = st.text("abc 09:;=/", max_size=20).map(str.strip)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(marks)]


def outcome(reader: ResponseReader, parts: list[bytes]) -> object:
    reader.start("GET")
    try:
        for part in parts:
            reader.feed(part)
            if reader.complete:
                break
        if not reader.complete and not reader.end_of_stream():
            return "cut"
    except ProtocolError:
        return "refused"
    response = reader.response()
    return response.status, response.headers, response.body


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    status = draw(st.sampled_from([200, 204, 301, 404, 500, 599]))
    names = draw(st.lists(TOKEN, max_size=5))
    head = f"HTTP/1.1 {status} Some Reason\r\n"
    head += "".join(f"X-{name}: {draw(VALUE)}\r\n" for name in names)
    body = b"" if status == 204 else draw(st.binary(max_size=200))
    if status == 204:
        return (head + "\r\n").encode()
    if draw(st.booleans()):
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(part), part)
            for part in pieces(body, draw(st.lists(st.integers(0, 200), max_size=4)))
            if part
        )
        return (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunks + b"0\r\n\r\n"
    return (head + f"Content-Length: {len(body)}\r\n\r\n").encode() + body


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@given(responses(), CUTS)
def test_cuts_make_no_difference_and_codecs_agree(data: bytes, cuts: list[int]) -> None:
    whole = outcome(HttptoolsReader(Limits()), [data])
    assert isinstance(whole, tuple)
    for kind in (HttptoolsReader, H11Reader):
        assert outcome(kind(Limits()), pieces(data, cuts)) == whole


@given(responses(), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6))
def test_mutated_responses_are_read_or_refused(data: bytes, changes: list[tuple[int, int]]) -> None:
    mutated = bytearray(data)
    for position, value in changes:
        mutated[position % len(mutated)] = value
    for kind in (HttptoolsReader, H11Reader):
        outcome(kind(Limits(head=500, headers=8, body=300)), [bytes(mutated)])


@settings(max_examples=60)
@given(st.lists(st.tuples(TOKEN, st.binary(max_size=100)), max_size=4), CUTS)
def test_forms_are_read_however_they_are_cut(
    fields: list[tuple[str, bytes]], cuts: list[int]
) -> None:
    body = b"".join(
        b'--XX\r\nContent-Disposition: form-data; name="%s"; filename="f"\r\n\r\n%s\r\n'
        % (name.encode(), value)
        for name, value in fields
        if b"\r\n--XX" not in value
    )
    wanted = [field for field in fields if b"\r\n--XX" not in field[1]]
    form = FormReader("multipart/form-data; boundary=XX")
    for part in pieces(body + b"--XX--\r\n", cuts):
        form.feed(part)
    assert [(part.name, b"".join(part.chunks)) for part in form.finish()] == wanted


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_refused(data: bytes) -> None:
    form = FormReader("multipart/form-data; boundary=X")
    with contextlib.suppress(FormError):
        form.feed(b"--X\r\n" + data)
        form.finish()
