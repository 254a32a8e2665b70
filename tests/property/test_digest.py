"""On generated and mutated input the native digests agree with the pure twin."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parity.conftest import load
from wirespeed._native.pure import digest as twin

DATA = st.binary(max_size=3000)


@pytest.fixture(scope="module", params=["cython", "cffi"])
def native(request: pytest.FixtureRequest) -> ModuleType:
    return load(request.param, "digest")


@given(data=DATA, size=st.integers(1, 700))
def test_blocks(native: ModuleType, data: bytes, size: int) -> None:
    assert native.sha1_blocks(data, size) == twin.sha1_blocks(data, size)
    assert native.sha1(data) == twin.sha1(data)
    assert native.sha256(data) == twin.sha256(data)


@given(key=st.binary(max_size=200), message=DATA)
def test_hmac(native: ModuleType, key: bytes, message: bytes) -> None:
    assert native.hmac_sha1(key, message) == twin.hmac_sha1(key, message)
    assert native.hmac_sha256(key, message) == twin.hmac_sha256(key, message)


@given(data=DATA, value=st.integers(0, 2**32 - 1))
def test_crc32(native: ModuleType, data: bytes, value: int) -> None:
    assert native.crc32(data, value) == twin.crc32(data, value)


@settings(deadline=None)
@given(messages=st.lists(st.binary(max_size=300), max_size=80), key=st.binary(max_size=100))
def test_many(native: ModuleType, messages: list[bytes], key: bytes) -> None:
    assert native.sha1_many(messages) == twin.sha1_many(messages)
    assert native.hmac_sha1_many(key, messages) == twin.hmac_sha1_many(key, messages)


@settings(deadline=None)
@given(pieces=st.lists(st.binary(max_size=200), max_size=6), value=st.integers(0, 2**64 - 1))
def test_running(native: ModuleType, pieces: list[bytes], value: int) -> None:
    for ours, reference in ((native.Sha1(), twin.Sha1()), (native.Sha256(), twin.Sha256())):
        for piece in pieces:
            ours.update(piece)
            reference.update(piece)
            assert ours.state() == reference.state()
        assert ours.copy().digest() == reference.digest()
    data = b"".join(pieces)
    assert native.crc64(data, value) == twin.crc64(data, value)
    assert native.sha1_states(data, 128) == twin.sha1_states(data, 128)


def state_of(module: ModuleType, state: bytes) -> bytes | None:
    try:
        made: bytes = module.Sha1.from_state(state).state()
    except ValueError:
        return None
    return made


@settings(deadline=None)
@given(state=st.binary(max_size=100), length=st.integers(0, 2**64 - 1))
def test_states_from_outside(native: ModuleType, state: bytes, length: int) -> None:
    told = state[:20] + length.to_bytes(8, "little") + state[20:]
    for given_state in (state, told, told[: 28 + length % 64]):
        assert state_of(native, given_state) == state_of(twin, given_state)


def decoded(module: ModuleType, text: str) -> bytes | None:
    try:
        result: bytes = module.base64url_decode(text)
    except ValueError:
        return None
    return result


@given(data=st.binary(max_size=50), at=st.integers(0, 80), other=st.characters(codec="latin-1"))
def test_base64url_of_mutated_text(native: ModuleType, data: bytes, at: int, other: str) -> None:
    text = twin.base64url_encode(data)
    assert native.base64url_encode(data) == text
    assert decoded(native, text) == data
    for mutated in (text[:at] + other + text[at + 1 :], text[:at] + other + text[at:], text[:at]):
        assert decoded(native, mutated) == decoded(twin, mutated)


@given(text=st.text(alphabet="AQgw-_=+/ \n", max_size=12))
def test_base64url_of_text_that_looks_right(native: ModuleType, text: str) -> None:
    assert decoded(native, text) == decoded(twin, text)
