"""On generated and mutated input the encodings and signatures agree with the pure twin."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.parity.conftest import load
from wirespeed._native.pure import sign as twin

TEXT = st.text(max_size=80)
ANY_TEXT = st.one_of(TEXT, st.text(alphabet=st.characters(), max_size=8))
DICT = st.dictionaries(st.text(max_size=12), TEXT, max_size=40)
BODY = st.binary(max_size=700)
ERRORS = (TypeError, ValueError)


@pytest.fixture(scope="module", params=["cython", "cffi"])
def native(request: pytest.FixtureRequest) -> ModuleType:
    return load(request.param, "sign")


def outcome(call: Callable[[], Any]) -> Any:
    """Return what the call returns, or the kind of its error."""
    try:
        return call()
    except ERRORS as error:
        return next(kind for kind in ERRORS if isinstance(error, kind))


def agree(native: ModuleType, name: str, *arguments: Any) -> Any:
    ours = outcome(lambda: getattr(native, name)(*arguments))
    assert ours == outcome(lambda: getattr(twin, name)(*arguments))
    return ours


@given(data=BODY)
def test_base64(native: ModuleType, data: bytes) -> None:
    encoded = native.base64_encode(data)
    assert encoded == base64.b64encode(data).decode()
    assert native.base64_decode(encoded) == data


@given(data=st.binary(max_size=50), at=st.integers(0, 80), other=st.characters(codec="latin-1"))
def test_base64_of_mutated_text(native: ModuleType, data: bytes, at: int, other: str) -> None:
    text = twin.base64_encode(data)
    for mutated in (text[:at] + other + text[at + 1 :], text[:at] + other + text[at:], text[:at]):
        agree(native, "base64_decode", mutated)


@given(text=st.text(alphabet="AQgw+/=-_ \n", max_size=12))
def test_base64_of_text_that_looks_right(native: ModuleType, text: str) -> None:
    decoded = agree(native, "base64_decode", text)
    if isinstance(decoded, bytes):
        assert binascii.a2b_base64(text) == decoded


@given(data=BODY, style=st.sampled_from(["unreserved", "path", "form"]))
def test_percent_encoding_is_undone(native: ModuleType, data: bytes, style: str) -> None:
    encoded = agree(native, "percent_encode", data, style)
    if style == "form":
        encoded = encoded.replace("+", " ")
    assert unquote_to_bytes(encoded) == data


@given(text=ANY_TEXT)
def test_percent_encoding_of_text(native: ModuleType, text: str) -> None:
    encoded = agree(native, "percent_encode", text)
    assert encoded is ValueError or encoded == quote(text, safe="")


@given(params=DICT)
def test_forms_and_queries(native: ModuleType, params: dict[str, str]) -> None:
    assert native.form_encode(params) == urlencode(params)
    encoded = {quote(name, safe=""): quote(value, safe="") for name, value in params.items()}
    assert native.canonical_query(params) == "&".join(
        f"{name}={encoded[name]}" for name in sorted(encoded)
    )


@given(headers=st.dictionaries(st.text("aAbB-é", max_size=3), st.text(" \t\na\x1cÉ", max_size=9)))
def test_headers(native: ModuleType, headers: dict[str, str]) -> None:
    agree(native, "canonical_headers", headers)


@given(
    method=ANY_TEXT, host=TEXT, path=TEXT, params=DICT, secret=ANY_TEXT, sha256=st.booleans()
)  # fmt: skip
def test_cmq(
    native: ModuleType,
    method: str,
    host: str,
    path: str,
    params: dict[str, str],
    secret: str,
    sha256: bool,
) -> None:
    agree(native, "sign_cmq", method, host, path, params, secret, sha256)


@given(access=ANY_TEXT, secret=ANY_TEXT, target=st.one_of(ANY_TEXT, BODY), body=BODY)
def test_wcs(
    native: ModuleType, access: str, secret: str, target: str | bytes, body: bytes
) -> None:
    agree(native, "sign_wcs_manager", access, secret, target, body)
    agree(native, "sign_wcs_upload", access, secret, target)


@given(
    policy=st.dictionaries(
        st.one_of(st.text(max_size=9), st.integers()),
        st.one_of(ANY_TEXT, st.integers(), st.integers(-(2**64), 2**64), st.booleans(), st.none()),
        max_size=8,
    )
)
def test_wcs_policies(native: ModuleType, policy: dict[Any, Any]) -> None:
    token = agree(native, "sign_wcs_upload", "a", "s", policy)
    encoded = base64.urlsafe_b64encode(json.dumps(policy).encode()).decode()
    assert token.rpartition(":")[2] == encoded


@given(
    texts=st.lists(ANY_TEXT, min_size=5, max_size=5),
    numbers=st.lists(st.integers(-5, 2**64), min_size=3, max_size=3),
)
def test_cos(native: ModuleType, texts: list[str], numbers: list[int]) -> None:
    agree(native, "sign_cos", *texts[:4], *numbers, texts[4])


@given(
    path=st.one_of(TEXT, st.text(alphabet="/.a%é ", max_size=20)),
    query=DICT,
    headers=st.dictionaries(st.text("aAbBcCxX-", max_size=4), TEXT, max_size=6),
    body=BODY,
    secret=st.text(max_size=90),
    region=st.sampled_from(["us-east-1", "é", ""]),
    day=st.sampled_from(["20150830", "20260101", "2026010"]),
)
def test_v4(
    native: ModuleType,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
    secret: str,
    region: str,
    day: str,
) -> None:
    agree(
        native, "sign_v4", "POST", path, query, headers, body, "AK", secret, region, "sqs",
        f"{day}T123600Z",
    )  # fmt: skip


@given(fields=DICT, body=BODY, secret=st.text(max_size=90))
def test_rocketmq(native: ModuleType, fields: dict[str, str], body: bytes, secret: str) -> None:
    signature = agree(native, "sign_rocketmq", fields, body, secret)
    values = "".join(fields[name] for name in sorted(fields) if name != "Signature").encode()
    expected = hmac.digest(secret.encode(), values + body, "sha1")
    assert signature == base64.b64encode(expected).decode()


@given(a=BODY, b=BODY)
def test_constant_time_equal(native: ModuleType, a: bytes, b: bytes) -> None:
    assert native.constant_time_equal(a, b) == (a == b)
    assert native.constant_time_equal(a, a)
