"""Digests beside hashlib, hmac, zlib and base64."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import random
import zlib
from collections.abc import Callable

import pytest

from benchmarks.conftest import Compare
from wirespeed import _native, digest
from wirespeed._native.pure.digest import sha1_states as pure_states

BLOCK = 4 << 20
LINE = random.Random(1).randbytes(200)
KEY = b"secret key of forty characters, or so it"


def by_hashlib(data: memoryview, size: int) -> Callable[[], bytes]:
    def peer() -> bytes:
        return b"".join(
            hashlib.sha1(data[at : at + size]).digest() for at in range(0, len(data), size)
        )

    return peer


@pytest.fixture(scope="module")
def blocks() -> memoryview:
    return memoryview(os.urandom(64 * BLOCK))


def test_sha1_of_64_blocks(compare: Compare, blocks: memoryview) -> None:
    peer = by_hashlib(blocks, BLOCK)
    assert digest.sha1_blocks(blocks, BLOCK) == peer()
    compare("digest", "SHA-1 of 64 blocks of 4 MiB, one core",
            lambda: digest.sha1_blocks(blocks, BLOCK), peer,
            against="hashlib", goal=5.5, unit="ms", calls=1)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "goal"), [("sha-ni", 2.6), ("avx2", 1.7), ("armv8", None), ("portable", None)]
)
def test_sha1_of_64_blocks_on_a_forced_path(
    compare: Compare, blocks: memoryview, path: str, goal: float | None
) -> None:
    if path not in _native.cpu_paths():
        pytest.skip(f"this CPU lacks {path}")
    before = _native.cpu_path()
    _native.set_cpu_path(path)
    try:
        compare("digest", f"the same, {path} forced",
                lambda: digest.sha1_blocks(blocks, BLOCK), by_hashlib(blocks, BLOCK),
                against="hashlib", goal=goal, unit="ms", calls=1)  # fmt: skip
    finally:
        _native.set_cpu_path(before)


def test_sha1_of_pieces(compare: Compare, blocks: memoryview) -> None:
    data = blocks[: 32 * BLOCK]
    peer = by_hashlib(data, 512 << 10)
    assert digest.sha1_blocks(data, 512 << 10) == peer()
    compare("digest", "SHA-1 of 256 pieces of 512 KiB, one core",
            lambda: digest.sha1_blocks(data, 512 << 10), peer,
            against="hashlib", goal=5.5, unit="ms", calls=1)  # fmt: skip


def test_sha1_of_many(compare: Compare) -> None:
    messages = [os.urandom(200) for _ in range(1000)]
    compare("digest", "SHA-1 of 1,000 messages of 200 bytes",
            lambda: digest.sha1_many(messages),
            lambda: [hashlib.sha1(message).digest() for message in messages],
            against="hashlib", calls=20)  # fmt: skip


def test_hmac_sha1_of_many(compare: Compare) -> None:
    messages = [os.urandom(200) for _ in range(1000)]
    expected = [hmac.digest(KEY, message, "sha1") for message in messages]
    assert digest.hmac_sha1_many(KEY, messages) == expected
    compare("digest", "HMAC-SHA1 of 1,000 messages of 200 bytes, one call",
            lambda: digest.hmac_sha1_many(KEY, messages),
            lambda: [hmac.digest(KEY, message, "sha1") for message in messages],
            against="hmac.digest", goal=20.0, calls=20)  # fmt: skip


def test_states_of_parts(compare: Compare) -> None:
    data = os.urandom(64 << 10)
    assert digest.sha1_states(data, 16 << 10) == pure_states(data, 16 << 10)
    compare("digest", "running SHA-1 after each of 4 parts of 16 KiB",
            lambda: digest.sha1_states(data, 16 << 10), lambda: pure_states(data, 16 << 10),
            against="pure Python", goal=500.0, calls=1)  # fmt: skip


def test_sha1_of_one_block(compare: Compare) -> None:
    data = random.Random(3).randbytes(BLOCK)
    assert digest.sha1_blocks(data, BLOCK) == hashlib.sha1(data).digest()
    compare("digest", "SHA-1 of one block of 4 MiB",
            lambda: digest.sha1_blocks(data, BLOCK), lambda: hashlib.sha1(data).digest(),
            against="hashlib", goal=1.0, unit="ms", calls=4)  # fmt: skip


def test_hmac_sha1(compare: Compare) -> None:
    assert digest.hmac_sha1(KEY, LINE) == hmac.digest(KEY, LINE, "sha1")
    compare("digest", "HMAC-SHA1 of 200 bytes, known key",
            lambda: digest.hmac_sha1(KEY, LINE), lambda: hmac.digest(KEY, LINE, "sha1"),
            against="hmac.digest", goal=6.0)  # fmt: skip


def test_hmac_sha256(compare: Compare) -> None:
    assert digest.hmac_sha256(KEY, LINE) == hmac.digest(KEY, LINE, "sha256")
    compare("digest", "HMAC-SHA256 of 200 bytes, known key",
            lambda: digest.hmac_sha256(KEY, LINE), lambda: hmac.digest(KEY, LINE, "sha256"),
            against="hmac.digest")  # fmt: skip


def test_crc32(compare: Compare) -> None:
    data = random.Random(4).randbytes(512 << 10)
    assert digest.crc32(data) == zlib.crc32(data)
    compare("digest", "CRC-32 of 512 KiB", lambda: digest.crc32(data), lambda: zlib.crc32(data),
            against="zlib", goal=1.0, calls=20)  # fmt: skip


def test_crc64(compare: Compare) -> None:
    data = random.Random(4).randbytes(512 << 10)
    compare("digest", "CRC-64 of 512 KiB", lambda: digest.crc64(data), lambda: zlib.crc32(data),
            against="zlib's CRC-32", calls=20)  # fmt: skip


def test_base64url(compare: Compare) -> None:
    ours = _native.base64url_encode
    assert ours(LINE) == base64.urlsafe_b64encode(LINE).decode()
    compare("digest", "base64url of 200 bytes", lambda: ours(LINE),
            lambda: base64.urlsafe_b64encode(LINE).decode(), against="base64")  # fmt: skip
