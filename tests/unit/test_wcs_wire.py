"""WCS tokens, requests and replies."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime, timezone

import pytest

from wirespeed.config import Credentials
from wirespeed.errors import (
    AccessDenied,
    Busy,
    ConfigError,
    Conflict,
    ObjectNotFound,
    ProtocolError,
    ServiceError,
    Throttled,
    WirespeedError,
)
from wirespeed.http.models import Request, Response
from wirespeed.wcs import sign, wire

PAIR = Credentials("1234", "qwer")


def response(status: int = 200, body: object = b"", **headers: str) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, "Reason", list(headers.items()), data)


def test_upload_token_is_the_golden_one() -> None:
    assert sign.upload_token(PAIR, {"scope": "test"}) == (
        "1234:OWE0NTdhNDk4MzJiZGIwODlkMWFiYmFmMGRjNjIzMThlOWEyZGUxMg==:eyJzY29wZSI6ICJ0ZXN0In0="
    )


def test_manager_tokens_are_the_golden_ones() -> None:
    assert sign.manager_token(PAIR, "/list?bucket=test") == (
        "1234:ZjE3NTA4Mjg1NGMyOTg4ZjNlODRlOWI3M2JhYTA3ZWVjZTM4NzM3ZA=="
    )
    body = b"bucket=dGVzdA==&key=MQ==&deadline=3"
    assert sign.manager_token(PAIR, "/setdeadline", body) == (
        "1234:NzZiMjJlNGVkYjQxZGVmYWY5NDllM2Q5YmQyODk5YmYzOTZiODRkYg=="
    )


def test_put_token_describes_one_object_until_its_deadline() -> None:
    token = wire.put_token(PAIR, "b", "k中", 1700000000000, overwrite=True, form=False)
    access_key, signature, policy = token.split(":")
    digest = hmac.new(b"qwer", policy.encode(), hashlib.sha1).hexdigest()
    assert access_key == "1234"
    assert base64.urlsafe_b64decode(signature).decode() == digest
    assert json.loads(base64.urlsafe_b64decode(policy)) == {
        "scope": "b:k中",
        "deadline": "1700000000000",
        "overwrite": 1,
    }


def head(request: Request) -> tuple[str, str, dict[str, str]]:
    return request.method, request.target, dict(request.headers)


def test_block_requests() -> None:
    method, target, headers = head(wire.make_block_request("T", "B", 3, 4194304, b"x"))
    assert (method, target) == ("POST", "/mkblk/4194304/3")
    assert headers == {
        "Authorization": "T",
        "uploadBatch": "B",
        "Content-Type": "application/octet-stream",
    }
    request = wire.put_piece_request("T", "B", "c-_=", 524288, b"y")
    assert head(request)[:2] == ("POST", "/bput/c-_=/524288")
    assert bytes(request.body) == b"y"  # type: ignore[arg-type]
    request = wire.make_file_request(
        "T", "B", 9, ["a", "b"], key="k", mime_type="text/x", variables={"p": "local"}
    )
    method, target, headers = head(request)
    assert (method, target) == ("POST", "/mkfile/9/x:p/bG9jYWw=")
    assert (headers["Key"], headers["MimeType"]) == ("aw==", "text/x")
    assert request.body == b"a,b"


def test_management_requests_are_signed() -> None:
    request = wire.stat_request(PAIR, "b", "k")
    assert head(request)[:2] == ("GET", "/stat/Yjpr")
    assert dict(request.headers)["Authorization"] == sign.manager_token(PAIR, "/stat/Yjpr")
    assert head(wire.delete_request(PAIR, "b", "k"))[:2] == ("POST", "/delete/Yjpr")
    request = wire.list_request(PAIR, "b&c", prefix="a/", marker="m=", limit=5, mode=1)
    target = "/list?bucket=b%26c&marker=m=&limit=5&prefix=YS8=&mode=1"
    assert request.target == target
    assert dict(request.headers)["Authorization"] == sign.manager_token(PAIR, target)


def test_form_holds_fields_and_the_file_uncopied() -> None:
    data = bytearray(b"abc")
    request = wire.form_request({"token": "T", "key": "k中"}, data, "", "BB")
    assert dict(request.headers)["Content-Type"] == "multipart/form-data; boundary=BB"
    assert request.body[1] is data
    assert (
        b"".join(bytes(piece) for piece in request.body)
        == (  # type: ignore[arg-type]
            '--BB\r\nContent-Disposition: form-data; name="token"\r\n\r\nT\r\n'
            '--BB\r\nContent-Disposition: form-data; name="key"\r\n\r\nk中\r\n'
            '--BB\r\nContent-Disposition: form-data; name="file"; filename="filename"\r\n'
            "Content-Type: application/octet-stream\r\n\r\nabc\r\n--BB--\r\n"
        ).encode()
    )
    with pytest.raises(ConfigError, match="form field"):
        wire.form_request({'x"\r\n': "v"}, b"", "", "BB")


@pytest.mark.parametrize("bucket", ["", "a:b", "a\nb", "a\0", 3, None, b"b"])
def test_bad_buckets(bucket: object) -> None:
    with pytest.raises(ConfigError, match="bucket"):
        wire.check_bucket(bucket)


@pytest.mark.parametrize("key", ["", "\ud800", 3, None, b"k"])
def test_bad_keys(key: object) -> None:
    with pytest.raises(ConfigError, match="key"):
        wire.check_key(key)


@pytest.mark.parametrize("mime_type", ["a\r\nb", "ä", 3, "\0"])
def test_bad_media_types(mime_type: object) -> None:
    with pytest.raises(ConfigError, match="mime_type"):
        wire.check_mime_type(mime_type)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "retryable", "outcome"),
    [
        (401, {"code": 401, "message": "no"}, AccessDenied, 401, False, "rejected"),
        (403, b"", AccessDenied, 403, False, "rejected"),
        (404, {"message": "none"}, ObjectNotFound, 404, False, "rejected"),
        (400, {"code": 631, "message": "no bucket"}, ObjectNotFound, 631, False, "rejected"),
        (400, {"code": 614, "message": "exists"}, Conflict, 614, False, "rejected"),
        (406, b"exists", Conflict, 406, False, "rejected"),
        (701, b"", ServiceError, 701, False, "rejected"),
        (400, {"code": "701"}, ServiceError, 701, False, "rejected"),
        (429, b"", Throttled, 429, True, "rejected"),
        (500, b"<html>", Busy, 500, True, "unknown"),
        (579, {"message": "callback"}, ServiceError, 579, False, "rejected"),
        (302, b"", ServiceError, 302, False, "rejected"),
        (400, b"[" * 100000, ServiceError, 400, False, "rejected"),
    ],
)
def test_statuses_become_errors(
    status: int,
    body: object,
    kind: type[WirespeedError],
    code: int,
    retryable: bool,
    outcome: str,
) -> None:
    with pytest.raises(kind) as caught:
        wire.check_status(response(status, body, **{"x-reqid": "R1"}))
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.status, error.retryable) == (code, status, retryable)
    assert (error.outcome, error.request_id, error.service) == (outcome, "R1", "wcs")


def test_a_long_message_is_cut_and_made_printable() -> None:
    with pytest.raises(ServiceError) as caught:
        wire.check_status(response(400, {"message": "a\r\nb" + "x" * 1000}))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_token_that_the_service_repeats_is_masked() -> None:
    token = sign.manager_token(PAIR, "/stat/x")
    with pytest.raises(AccessDenied) as caught:
        wire.check_status(response(401, {"message": f"bad token {token} given"}))
    assert token.partition(":")[2] not in str(caught.value)
    assert "given" in str(caught.value)


def test_piece_replies() -> None:
    digest = hashlib.sha1(b"x").digest()
    reply = wire.parse_piece(
        response(
            200,
            {
                "ctx": "C",
                "offset": "5",
                "crc32": 7,
                "checksum": base64.urlsafe_b64encode(digest).decode(),
            },
        )
    )
    assert (reply.context, reply.offset, reply.crc32, reply.checksum) == ("C", 5, 7, digest)
    bare = wire.parse_piece(response(200, {"ctx": "C", "offset": 5}))
    assert (bare.crc32, bare.checksum) == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"nonsense",
        {"offset": 1},
        {"ctx": "", "offset": 1},
        {"ctx": "a,b", "offset": 1},
        {"ctx": "é", "offset": 1},
        {"ctx": "a"},
        {"ctx": "a", "offset": -1},
        {"ctx": "a", "offset": True},
        {"ctx": "a", "offset": "x"},
        {"ctx": "a", "offset": 1, "crc32": "x"},
        {"ctx": "a", "offset": 1, "checksum": "!!"},
    ],
)
def test_malformed_piece_replies(body: object) -> None:
    with pytest.raises(ProtocolError):
        wire.parse_piece(response(200, body))


@pytest.mark.parametrize(
    "body",
    [
        b'{"hash":"H-_","key":"k"}',
        b"hash=H-_&fsize=3",
        base64.urlsafe_b64encode(b"key=k&hash=H-_"),
        base64.urlsafe_b64encode(b'{"hash":"H-_"}') + b"\n",
    ],
)
def test_stored_replies(body: bytes) -> None:
    assert wire.parse_stored(response(200, body)) == "H-_"


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff\xfe", b'{"hash":5}', b"a=b&" * 1000])
def test_stored_replies_without_a_hash(body: bytes) -> None:
    assert wire.parse_stored(response(200, body)) == ""


def test_stat_replies() -> None:
    stat = wire.parse_stat(
        response(
            200,
            {
                "name": "k",
                "fsize": "12",
                "hash": "H",
                "mimeType": None,
                "putTime": 1700000000000,
                "expirationDate": "",
            },
        )
    )
    put_time = datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
    assert (stat.key, stat.size, stat.hash, stat.mime_type) == ("k", 12, "H", "")
    assert (stat.put_time, stat.expires) == (put_time, None)
    for unit in (1, 10**3, 10**6, 10**7):
        body = {"name": "k", "fsize": 1, "putTime": 1700000000 * unit}
        assert wire.parse_stat(response(200, body)).put_time == put_time


def test_pages() -> None:
    page = wire.parse_page(
        response(
            200, {"marker": "m", "commonPrefixes": ["a/"], "items": [{"key": "k", "fsize": 1}]}
        )
    )
    assert [item.key for item in page.items] == ["k"]
    assert (page.prefixes, page.marker) == (("a/",), "m")
    empty = wire.parse_page(response(200, {"marker": None, "commonPrefixes": None, "items": None}))
    assert (empty.items, empty.prefixes, empty.marker) == ((), (), "")
    for items in ("x", [1], [{"fsize": 1}], [{"key": "k", "fsize": "?"}]):
        with pytest.raises(ProtocolError):
            wire.parse_page(response(200, {"items": items}))
