"""Encodings and signatures: the same values and the same errors in every backend."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections import OrderedDict
from types import ModuleType
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest

from tests.parity.conftest import load
from wirespeed._native.contract import BACKENDS

UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
STAMP = "20150830T123600Z"
V4 = ("AK", "secret", "us-east-1", "sqs", STAMP)
LONE = "\ud800"


@pytest.fixture(scope="module", params=BACKENDS)
def sign(request: pytest.FixtureRequest) -> ModuleType:
    return load(request.param, "sign")


# ---- encodings ----


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 63, 64, 3000])
def test_base64(sign: ModuleType, length: int) -> None:
    data = bytes((7 * i + 250) & 255 for i in range(length))
    encoded = base64.b64encode(data).decode()
    assert sign.base64_encode(data) == encoded
    assert sign.base64_encode(memoryview(bytearray(data))) == encoded
    assert sign.base64_decode(encoded) == data
    assert sign.base64_decode(encoded.encode()) == data


@pytest.mark.parametrize(
    "text",
    ["A", "AA", "AAA", "A===", "AA=A", "AAAAA", "AB==", "AAB=", "AA-_", "AA A", "AAA\n", "====",
     "A\0AA", "AA==AAAA", "AAÿA", "AAAA===="],
)  # fmt: skip
def test_base64_decode_is_strict(sign: ModuleType, text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        sign.base64_decode(text)


def test_percent_encode_keeps_exactly_the_characters_of_its_style(sign: ModuleType) -> None:
    for number in range(256):
        byte = bytes([number])
        kept = chr(number) in UNRESERVED
        escaped = f"%{number:02X}"
        assert sign.percent_encode(byte) == (chr(number) if kept else escaped)
        assert sign.percent_encode(byte, "path") == (
            chr(number) if kept or byte == b"/" else escaped
        )
        assert sign.percent_encode(byte, "form") == (
            chr(number) if kept else "+" if byte == b" " else escaped
        )
    assert sign.percent_encode("é 中😀/") == quote("é 中😀/", safe="")
    assert sign.percent_encode("é 中😀/", style="form") == quote_plus("é 中😀/")
    assert sign.percent_encode("x" * 5000 + "/") == "x" * 5000 + "%2F"
    with pytest.raises(ValueError, match="style is 'query'"):
        sign.percent_encode("x", "query")


def test_form_encode(sign: ModuleType) -> None:
    params = {"b": "1 2", "a": "x&y=z", "é": "中/~", "": "", "e": "+"}
    assert sign.form_encode(params) == urlencode(params)
    many = {f"name {i}": str(i) for i in range(200)}
    assert sign.form_encode(many) == urlencode(many)
    assert sign.form_encode({}) == ""


def test_canonical_query(sign: ModuleType) -> None:
    params = {"b": "2", "a-": "1", "a b": "3", "é": "4", "aé": "5", "a": ""}
    assert sign.canonical_query(params) == "%C3%A9=4&a=&a%20b=3&a%C3%A9=5&a-=1&b=2"
    assert sign.canonical_query({}) == ""


def test_canonical_headers(sign: ModuleType) -> None:
    headers = {"X-Amz-Date": STAMP, "Host": " example.com ", "My-Header": "a   b \t c", "E": " "}
    assert sign.canonical_headers(headers) == (
        f"e:\nhost:example.com\nmy-header:a b c\nx-amz-date:{STAMP}\n",
        "e;host;my-header;x-amz-date",
    )
    assert sign.canonical_headers({}) == ("", "")
    for call in (sign.canonical_headers, lambda h: sign.sign_v4("GET", "/", {}, h, b"", *V4)):
        with pytest.raises(ValueError, match="twice"):
            call({"Host": "a", "b": "c", "hOST": "a"})


@pytest.mark.parametrize("count", [0, 1, 2, 15, 17, 32, 33, 500])
def test_many_fields_are_sorted(sign: ModuleType, count: int) -> None:
    names = [hashlib.sha1(bytes([i & 255, i >> 8])).hexdigest()[: i % 7 + 3] for i in range(count)]
    params = dict.fromkeys(names, "v")
    assert sign.canonical_query(params) == "&".join(f"{name}=v" for name in sorted(params))
    signed = "mhp" + "?" * bool(params) + "&".join(f"{name}=v" for name in sorted(params))
    expected = hmac.digest(b"k", signed.encode(), "sha1")
    assert sign.sign_cmq("m", "h", "p", params, "k", False) == base64.b64encode(expected).decode()


# ---- signatures ----


def test_cmq_signs_dots_for_the_underscores_of_names(sign: ModuleType) -> None:
    params = {"_a_b_": "1_2", "Z": "", "a.b": "3"}
    signed = b"GEThost:80/p?Z=&.a.b.=1_2&a.b=3"
    for sha256, name in ((False, "sha1"), (True, "sha256")):
        expected = base64.b64encode(hmac.digest(b"key", signed, name)).decode()
        assert sign.sign_cmq("GET", "host:80", "/p", params, "key", sha256) == expected


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 511, 512, 513, 1024, 5000, 70_000])
def test_texts_of_any_length_are_signed_whole(sign: ModuleType, size: int) -> None:
    body = bytes(i * 31 & 255 for i in range(size))
    fields = {"n": "v" * size, "m": "é"}
    signed = "é".encode() + b"v" * size + body
    expected = base64.b64encode(hmac.digest(b"secret", signed, "sha1")).decode()
    assert sign.sign_rocketmq(fields, body, "secret") == expected
    assert sign.sign_rocketmq(fields, memoryview(bytearray(body)), "secret") == expected
    signature = hmac.digest(b"secret", b"/t\n" + body, "sha1").hex().encode()
    assert sign.sign_wcs_manager("ak", "secret", "/t", body) == (
        f"ak:{base64.urlsafe_b64encode(signature).decode()}"
    )
    policy = base64.urlsafe_b64encode(body)
    signature = hmac.digest(b"secret", policy, "sha1").hex().encode()
    assert sign.sign_wcs_upload("ák", "secret", body) == (
        f"ák:{base64.urlsafe_b64encode(signature).decode()}:{policy.decode()}"
    )
    plain = f"a=1&k=id&e=0&t=2&r=3&f=/{'x' * size}&b=bkt".encode()
    expected = base64.b64encode(hmac.digest(b"secret", plain, "sha1") + plain).decode()
    assert sign.sign_cos("1", "bkt", "id", "secret", 2, 0, 3, "/" + "x" * size) == expected


class Text(str):
    pass


class Number(int):
    pass


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"scope": "bucket:key", "deadline": "1500000000000", "overwrite": 1},
        {"".join(map(chr, range(128))): "".join(map(chr, range(127, -1, -1)))},
        {"a": 0, "b": -1, "c": 2**63 - 1, "d": -(2**63)},
        {"a": 2**63},
        {"a": -(10**40)},
        {"é": "a"},
        {"a": "中😀"},
        {"a": "\ud800"},
        {"a": True, "b": None, "c": 1.5, "d": [1, "x"], "e": {"f": "g"}},
        {1: "a", None: "b", 2.5: "c"},
        {Text("a"): Text("b"), "c": Number(5)},
        OrderedDict(scope="b", deadline="1"),
        {"long": "x\x01" * 5000},
        {f"name {number}": number for number in range(300)},
    ],
)
def test_a_wcs_policy_is_written_as_json_dumps_does(sign: ModuleType, policy: Any) -> None:
    assert sign.sign_wcs_upload("a", "s", policy) == sign.sign_wcs_upload(
        "a", "s", json.dumps(policy)
    )


def test_cos_numbers(sign: ModuleType) -> None:
    largest = 2**63 - 1
    signature = sign.sign_cos("", "", "", "k", largest, largest, largest, "")
    plain = base64.b64decode(signature)[20:].decode()
    assert plain == f"a=&k=&e={largest}&t={largest}&r={largest}&f=&b="
    for numbers in ((-1, 0, 0), (0, 2**63, 0), (0, 0, -(2**70))):
        with pytest.raises(ValueError, match="must be within 0"):
            sign.sign_cos("", "", "", "k", *numbers, "")
    with pytest.raises(TypeError):
        sign.sign_cos("", "", "", "k", 1.5, 0, 0, "")


def expected_v4(
    path: str, query: str, headers: str, names: str, body: bytes, secret: str, steps: list[str]
) -> str:
    request = f"PUT\n{path}\n{query}\n{headers}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{STAMP}\n{'/'.join(steps)}\n" + (
        hashlib.sha256(request.encode()).hexdigest()
    )
    key = b"AWS4" + secret.encode()
    for step in steps:
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


@pytest.mark.parametrize("secret", ["", "s", "s" * 60, "s" * 61, "é" * 300])
@pytest.mark.parametrize("size", [0, 100, 5000])
def test_v4(sign: ModuleType, secret: str, size: int) -> None:
    body = b"b" * size
    steps = ["20150830", "cn-north-1", "sqs", "aws4_request"]
    for _ in range(2):  # the second time the key is known
        header = sign.sign_v4(
            "PUT", "/a//b/./c/../d e/%20/", {"y": "1 2", "x": "é"}, {"Host": "h", "B": " q  r "},
            body, "AK", secret, "cn-north-1", "sqs", STAMP,
        )  # fmt: skip
        signature = expected_v4(
            "/a/b/d%20e/%2520/", "x=%C3%A9&y=1%202", "b:q r\nhost:h\n", "b;host", body, secret,
            steps,
        )  # fmt: skip
        assert header == (
            f"AWS4-HMAC-SHA256 Credential=AK/{'/'.join(steps)}, SignedHeaders=b;host, "
            f"Signature={signature}"
        )


@pytest.mark.parametrize(
    ("path", "canonical"),
    [("", "/"), ("/", "/"), ("a", "/a"), ("/..", "/"), ("/../a", "/a"), ("/a/..", "/"),
     ("/a/../", "/"), ("/a/.", "/a"), ("/a/./", "/a/"), ("/.../..a", "/.../..a"), ("///", "/"),
     ("/a/b/../../../c/", "/c/"), ("/~-._é", "/~-._%C3%A9")],
)  # fmt: skip
def test_v4_paths(sign: ModuleType, path: str, canonical: str) -> None:
    header = sign.sign_v4("PUT", path, {}, {"host": "h"}, b"", *V4)
    steps = ["20150830", "us-east-1", "sqs", "aws4_request"]
    expected = expected_v4(canonical, "", "host:h\n", "host", b"", "secret", steps)
    assert header.endswith(f"Signature={expected}")


def test_v4_keys_give_way_and_come_back(sign: ModuleType) -> None:
    """More secrets, regions and days than are kept, in turn."""

    def signature(number: int) -> str:
        stamp = f"201508{number % 28 + 1:02d}T123600Z"
        header: str = sign.sign_v4(
            "PUT", "/", {}, {"host": "h"}, b"", "AK", f"secret-{number}", f"r-{number}", "s", stamp
        )
        return header[-64:]

    first = [signature(number) for number in range(50)]
    assert len(set(first)) == 50
    assert [signature(number) for number in range(50)] == first
    twins = load("pure", "sign")
    assert first[7] == twins.sign_v4(
        "PUT", "/", {}, {"host": "h"}, b"", "AK", "secret-7", "r-7", "s", "20150808T123600Z"
    )[-64:]  # fmt: skip


def test_the_parts_of_a_v4_scope_are_told_apart(sign: ModuleType) -> None:
    """A known key is known by its four parts, not by what they make when joined."""
    headers = {"host": "h"}
    one = sign.sign_v4("PUT", "/", {}, headers, b"", "AK", "ab", "c", "d", STAMP)
    other = sign.sign_v4("PUT", "/", {}, headers, b"", "AK", "a", "bc", "d", STAMP)
    steps = ["20150830", "bc", "d", "aws4_request"]
    assert one[-64:] != other[-64:]
    assert other[-64:] == expected_v4("/", "", "host:h\n", "host", b"", "a", steps)


@pytest.mark.parametrize(
    "stamp",
    ["", "20150830", "20150830t123600Z", STAMP + "0", "2015083٣T123600Z", "20150830T12360aZ",
     STAMP + "\n"],
)  # fmt: skip
def test_v4_timestamps(sign: ModuleType, stamp: str) -> None:
    with pytest.raises(ValueError, match="timestamp"):
        sign.sign_v4("PUT", "/", {}, {}, b"", "AK", "s", "r", "s", stamp)


def test_constant_time_equal(sign: ModuleType) -> None:
    assert sign.constant_time_equal("abc", b"abc")
    assert sign.constant_time_equal(b"", "")
    assert sign.constant_time_equal("é", bytearray("é".encode()))
    assert not sign.constant_time_equal("abc", "abd")
    assert not sign.constant_time_equal("abc", "abcd")
    assert not sign.constant_time_equal(b"\x00", b"")


# ---- errors ----

STRIDED = memoryview(b"abcdef")[::2]


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("base64_encode", ["text"], TypeError),
        ("base64_encode", [STRIDED], BufferError),
        ("base64_decode", [None], TypeError),
        ("base64_decode", [LONE], ValueError),
        ("percent_encode", [1], TypeError),
        ("percent_encode", [LONE], ValueError),
        ("percent_encode", [STRIDED], BufferError),
        ("form_encode", [[("a", "b")]], TypeError),
        ("form_encode", [{"a": 1}], TypeError),
        ("form_encode", [{1: "a"}], TypeError),
        ("form_encode", [{"a": LONE}], ValueError),
        ("canonical_query", [None], TypeError),
        ("canonical_query", [{"a": b"b"}], TypeError),
        ("canonical_headers", [{"a": None}], TypeError),
        ("sign_cmq", ["POST", "h", "/", {"a": 1}, "k", False], TypeError),
        ("sign_cmq", ["POST", b"h", "/", {}, "k", False], TypeError),
        ("sign_cmq", ["POST", "h", "/", {}, None, False], TypeError),
        ("sign_cmq", ["POST", "h", "/", {"a": LONE}, "k", False], ValueError),
        ("sign_cmq", ["POST", "h", "/", "a=b", "k", False], TypeError),
        ("sign_wcs_upload", ["a", "s", None], TypeError),
        ("sign_wcs_upload", ["a", b"s", "p"], TypeError),
        ("sign_wcs_upload", ["a", "s", {"a": b"b"}], TypeError),
        ("sign_wcs_upload", ["a", "s", {(1,): "b"}], TypeError),
        ("sign_wcs_upload", [LONE, "s", "p"], ValueError),
        ("sign_wcs_manager", ["a", "s", "/", 5], TypeError),
        ("sign_wcs_manager", ["a", "s", None], TypeError),
        ("sign_wcs_manager", ["a", "s", "/", STRIDED], BufferError),
        ("sign_cos", [1, "b", "i", "k", 1, 1, 1, "/"], TypeError),
        ("sign_cos", ["1", "b", "i", "k", 1, 1, "1", "/"], TypeError),
        ("sign_v4", ["GET", "/", None, {}, b"", *V4], TypeError),
        ("sign_v4", ["GET", "/", {}, [], b"", *V4], TypeError),
        ("sign_v4", ["GET", "/", {}, {}, "", *V4], TypeError),
        ("sign_v4", ["GET", "/", {}, {}, STRIDED, *V4], BufferError),
        ("sign_v4", ["GET", "/", {}, {"a": 1}, b"x" * 9999, *V4], TypeError),
        ("sign_v4", ["GET", "/", {}, {}, b"", None, *V4[1:]], TypeError),
        ("sign_rocketmq", [{}, "body", "k"], TypeError),
        ("sign_rocketmq", [None, b"x" * 9999, "k"], TypeError),
        ("sign_rocketmq", [{"a": 1}, b"", "k"], TypeError),
        ("sign_rocketmq", [{}, b"", b"k"], TypeError),
        ("constant_time_equal", ["a", None], TypeError),
        ("constant_time_equal", [1, "a"], TypeError),
    ],
)
def test_errors(sign: ModuleType, name: str, arguments: list[Any], error: type) -> None:
    with pytest.raises(error):
        getattr(sign, name)(*arguments)


def test_one_dict_signed_by_several_threads_while_it_changes(sign: ModuleType) -> None:
    """Each signature is that of the dict at some moment; nothing else is read."""
    body = bytes(200_000)
    fields = {"a": "1"}
    possible = {sign.sign_rocketmq({"a": value}, body, "k") for value in ("1", "2")}
    seen: set[str] = set()

    def signs() -> None:
        for _ in range(50):
            seen.add(sign.sign_rocketmq(fields, body, "k"))

    threads = [threading.Thread(target=signs) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        fields["a"] = "2" if fields["a"] == "1" else "1"
    assert seen and seen <= possible


def test_buffers_are_let_go(sign: ModuleType) -> None:
    """One that is still held could not grow."""
    body = bytearray(b"AAAA" * 3000)
    sign.base64_encode(body)
    sign.base64_decode(body)
    sign.percent_encode(body)
    sign.sign_wcs_upload("a", "s", body)
    sign.sign_wcs_manager("a", "s", body, body)
    sign.sign_v4("PUT", "/", {}, {}, body, *V4)
    sign.sign_rocketmq({}, body, "k")
    sign.constant_time_equal(body, body)
    body += b"!"
    for name, arguments in (
        ("base64_decode", [body]),
        ("sign_wcs_manager", ["a", "s", body, None]),
        ("sign_v4", ["PUT", "/", {}, {"a": 1}, body, *V4]),
        ("sign_rocketmq", [{"a": 1}, body, "k"]),
        ("constant_time_equal", [body, None]),
    ):
        with pytest.raises((TypeError, ValueError)):
            getattr(sign, name)(*arguments)
    body += b"!"
