"""Digests, HMAC, CRCs and base64url, over every backend and CPU path."""

from __future__ import annotations

import base64
import ctypes
import hashlib
import hmac
import mmap
import random
import sys
import threading
import zlib
from array import array
from types import ModuleType
from typing import Any

import pytest

SAMPLE = random.Random(2026).randbytes(8192 + 64)
LENGTHS = [*range(0, 300), 511, 512, 1000, 2047, 4095, 4096, 4097, 8191, 8192]
MIB = 1 << 20

# NIST, FIPS 180 examples
SHA1_VECTORS = {
    b"": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    b"abc": "a9993e364706816aba3e25717850c26c9cd0d89d",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
    ),
    b"a" * 1_000_000: "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
}
SHA256_VECTORS = {
    b"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    b"a" * 1_000_000: "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
}
# RFC 2202 and RFC 4231
HMAC_VECTORS = [
    (
        b"\x0b" * 20,
        b"Hi There",
        "b617318655057264e28bc0b6fb378c8ef146be00",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "90d0dace1c1bdc957339307803160335bde6df2b",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
]
ETAG_VECTORS = [
    (b"", "Fto5o-5ea0sNMlW_75VgGJCv2AcJ"),
    (bytes(1), "FlupPJ2wz_k_UrUh10IOQ_btonhP"),
    (bytes(4 * MIB), "FivMvS848VwT631aif2dhfWV4jvD"),
    (bytes(4 * MIB + 1), "lhCFgki5yzon0rjN9uJusf6qtsF6"),
    (b"UMUTech@qq.com", "FpAEzHGOWdh-QAYhattxl1vqHLMw"),
    (b"U" * (2 * MIB) + b"M" * (2 * MIB) + b"0", "ljQoZqmvLKtOnK_5OHnMRw1djggC"),
]
BUFFERS: list[Any] = [
    b"some bytes",
    bytearray(b"some bytes"),
    memoryview(b"some bytes"),
    memoryview(b"xsome bytesx")[1:-1],
    array("H", [1, 2, 65535]),
    memoryview(bytes(range(24))).cast("B", (2, 3, 4)),
    memoryview(array("d")),
    (ctypes.c_uint32 * 3)(1, 2, 3),
]
NOT_CONTIGUOUS = memoryview(bytes(100))[::2]


def joined_sha1(data: bytes, size: int) -> bytes:
    parts = range(0, len(data), size)
    return b"".join(hashlib.sha1(data[at : at + size]).digest() for at in parts)


def test_sha1(digest: ModuleType) -> None:
    for data, expected in SHA1_VECTORS.items():
        assert digest.sha1(data).hex() == expected
    for length in LENGTHS:
        data = SAMPLE[:length]
        assert digest.sha1(data) == hashlib.sha1(data).digest(), length
    for shift in range(64):
        view = memoryview(SAMPLE)[shift : shift + 777]
        assert digest.sha1(view) == hashlib.sha1(view).digest(), shift


def test_sha256(digest: ModuleType) -> None:
    for data, expected in SHA256_VECTORS.items():
        assert digest.sha256(data).hex() == expected
    for length in LENGTHS:
        data = SAMPLE[:length]
        assert digest.sha256(data) == hashlib.sha256(data).digest(), length
    for shift in range(64):
        view = memoryview(SAMPLE)[shift : shift + 777]
        assert digest.sha256(view) == hashlib.sha256(view).digest(), shift


@pytest.mark.parametrize("size", [1, 7, 63, 64, 65, 128, 200, 512, 8191, 8192, 10**9, 2**70])
def test_sha1_blocks(digest: ModuleType, size: int) -> None:
    for length in (0, 1, 63, 64, 65, 128, 640, 1024, 1025, 2111, 8192):
        data = SAMPLE[:length]
        assert digest.sha1_blocks(data, size) == joined_sha1(data, size), length


@pytest.mark.parametrize("blocks", range(1, 36))
def test_sha1_blocks_of_every_number_of_lanes(digest: ModuleType, blocks: int) -> None:
    data = SAMPLE[: blocks * 192 + 5]
    assert digest.sha1_blocks(data, 192) == joined_sha1(data, 192)


@pytest.mark.parametrize("size", [0, -1, -(2**70)])
def test_sha1_blocks_names_a_bad_block_size(digest: ModuleType, size: int) -> None:
    with pytest.raises(ValueError, match=r"^block_size is -?\d+: it must be at least 1$"):
        digest.sha1_blocks(b"", size)


@pytest.mark.parametrize("count", range(1, 33))
def test_sha1_lanes(digest: ModuleType, count: int) -> None:
    lanes = digest.Sha1Lanes(count)
    streams = [hashlib.sha1() for _ in range(count)]
    for piece in (64, 0, 128, 64):
        data = SAMPLE[piece : piece + piece * count]
        lanes.update(data)
        for number, stream in enumerate(streams):
            stream.update(data[number * piece : (number + 1) * piece])
        expected = b"".join(stream.digest() for stream in streams)
        assert lanes.digests() == lanes.digests() == expected


def test_sha1_lanes_names_bad_arguments(digest: ModuleType) -> None:
    for count in (0, 33, -1):
        with pytest.raises(ValueError, match=f"^count is {count}: it must be 1 to 32$"):
            digest.Sha1Lanes(count)
    with pytest.raises(ValueError, match=r"^kernel is 'x9': this machine can run "):
        digest.Sha1Lanes(1, "x9")
    with pytest.raises(ValueError, match=r"^data has 64 bytes: it must be a multiple of 2 x 64$"):
        digest.Sha1Lanes(2).update(bytes(64))
    for size, stride in ((192, 65), (192, -1), (64, 65), (256, 64), (128, 2**70)):
        with pytest.raises(ValueError, match=rf"^stride is {stride}: it leaves 2 pieces of no"):
            digest.Sha1Lanes(2).update(bytes(size), stride)


@pytest.mark.parametrize("count", [1, 2, 9, 20, 32])
def test_sha1_lanes_with_gaps(digest: ModuleType, count: int) -> None:
    lanes = digest.Sha1Lanes(count)
    lanes.update(SAMPLE[: 200 * (count - 1) + 128], 200)
    lanes.update(memoryview(SAMPLE)[: 64 * count], stride=64)
    expected = [
        hashlib.sha1(SAMPLE[200 * i : 200 * i + 128] + SAMPLE[64 * i : 64 * i + 64]).digest()
        for i in range(count)
    ]
    assert lanes.digests() == b"".join(expected)


def test_sha1_kernels(digest: ModuleType) -> None:
    for name, width in digest.sha1_kernels():
        for count in {1, width - 1, width, 32} - {0}:
            lanes = digest.Sha1Lanes(count, name)
            lanes.update(SAMPLE[: count * 192])
            assert lanes.digests() == joined_sha1(SAMPLE[: count * 192], 192), (name, count)


def test_cpu_plan(digest: ModuleType) -> None:
    plan, kernels = digest.cpu_plan(), dict(digest.sha1_kernels())
    assert [first for first, _ in plan] == sorted({first for first, _ in plan}, reverse=True)
    assert plan[-1][0] == 1 and kernels[plan[-1][1]] == 1
    assert all(first <= kernels[name] for first, name in plan)


def test_sha1_many(digest: ModuleType) -> None:
    order = random.Random(5)
    for count in [*range(36), 100]:
        for sizes in ([200], [55, 56], [0, 64, 1, 300, 700]):
            messages: list[Any] = [
                SAMPLE[at : at + order.choice(sizes)] for at in order.choices(range(999), k=count)
            ]
            expected = [hashlib.sha1(message).digest() for message in messages]
            assert digest.sha1_many(messages) == expected, (count, sizes)
    assert digest.sha1_many((memoryview(b"ab"), bytearray(b"c"))) == [
        hashlib.sha1(b"ab").digest(), hashlib.sha1(b"c").digest(),
    ]  # fmt: skip
    for wrong in (["text"], [b"", None], 5):
        with pytest.raises(TypeError):
            digest.sha1_many(wrong)
    with pytest.raises(BufferError):
        digest.sha1_many([b"", NOT_CONTIGUOUS])


def test_hmac_sha1_many(digest: ModuleType) -> None:
    order = random.Random(6)
    for count in [0, 1, 2, 8, 9, 17, 33, 300]:
        for key in (b"", b"key", SAMPLE[:64], SAMPLE[:65]):
            messages = [SAMPLE[at : at + order.randrange(300)] for at in range(count)]
            expected = [hmac.digest(key, message, "sha1") for message in messages]
            assert digest.hmac_sha1_many(key, messages) == expected, (count, key)
    for wrong in ("key", None):
        with pytest.raises(TypeError):
            digest.hmac_sha1_many(wrong, [b"m"])
    with pytest.raises(TypeError):
        digest.hmac_sha1_many(b"key", ["text"])


@pytest.mark.parametrize("name", ["Sha1", "Sha256"])
def test_running_digests(digest: ModuleType, name: str) -> None:
    make = {"Sha1": digest.Sha1, "Sha256": digest.Sha256}[name]
    assert (make.block_size if digest.cpu_path() == "hashlib" else make().block_size) == 64
    for size in (0, 1, 55, 56, 63, 64, 65, 200):
        running, known = make(SAMPLE[:size]), hashlib.new(name.lower(), SAMPLE[:size])
        assert running.digest() == known.digest() and running.hexdigest() == known.hexdigest()
        assert (running.digest_size, running.name) == (known.digest_size, known.name)
        other, taken = running.copy(), make.from_state(running.state())
        for step in (0, 1, 62, 3, 128, 70):
            running.update(SAMPLE[:step])
            known.update(SAMPLE[:step])
            assert running.digest() == running.digest() == known.digest(), (size, step)
        assert other.digest() == taken.digest() == make(SAMPLE[:size]).digest()
        assert taken.state() == other.state()


def test_running_digests_go_on_from_the_state_of_any_backend(digest: ModuleType) -> None:
    from wirespeed._native.pure import digest as twin

    for make, reference in ((digest.Sha1, twin.Sha1), (digest.Sha256, twin.Sha256)):
        for size in (0, 5, 64, 150):
            state = reference(SAMPLE[:size]).state()
            assert make(SAMPLE[:size]).state() == state
            taken = make.from_state(bytearray(state))
            taken.update(SAMPLE[size:400])
            assert taken.digest() == reference(SAMPLE[:400]).digest()
        good = make(b"ab").state()
        for wrong in (b"", good[:-1], good + b"x", bytes(27)):
            with pytest.raises(ValueError, match=r"^state has \d+ bytes: that is not what state"):
                make.from_state(wrong)
        with pytest.raises(TypeError):
            make.from_state("text")
        with pytest.raises(TypeError):
            make("text")


def test_sha1_states(digest: ModuleType) -> None:
    assert digest.sha1_states(bytes(65), 64)[0].hex() == "e504b492ed8c58564ecd1a6c683f05bf933af709"
    assert digest.sha1_states(b"", 64) == []
    for length in (1, 63, 64, 65, 128, 1000):
        for part_size in (64, 128, 1024, 2**70):
            states = digest.sha1_states(SAMPLE[:length], part_size)
            ends = range(part_size, length, part_size)
            running = [digest.Sha1(SAMPLE[:end]).state()[:20] for end in ends]
            assert states == [*running, hashlib.sha1(SAMPLE[:length]).digest()]
    for wrong in (0, -64, 63, 65):
        with pytest.raises(ValueError, match=f"^part_size is {wrong}: it must be a positive"):
            digest.sha1_states(b"", wrong)


@pytest.mark.parametrize("value", [-1, 2**64])
def test_crc64(digest: ModuleType, value: int) -> None:
    assert digest.crc64(b"123456789") == 0x995DC9BBDF1939FA
    for length in (0, 1, 7, 8, 9, 47, 48, 49, 200, 1001):
        data = SAMPLE[:length]
        expected = digest.crc64(b"")
        for at in range(0, length, 5):
            expected = digest.crc64(data[at : at + 5], expected)
        assert digest.crc64(data) == expected, length
    for byte in range(256):
        table = byte
        for _ in range(8):
            table = table >> 1 ^ (0xC96C5795D7870F42 if table & 1 else 0)
        before = byte ^ 2**64 - 1
        assert digest.crc64(b"\0", before) == table ^ 2**64 - 1
    with pytest.raises(ValueError, match=rf"^value is {value}: it must be 0 to 2\*\*64 - 1$"):
        digest.crc64(b"", value)


@pytest.mark.parametrize(("data", "expected"), ETAG_VECTORS)
def test_etag(digest: ModuleType, data: bytes, expected: str) -> None:
    assert digest.etag(data) == expected


@pytest.mark.parametrize(("data", "expected"), ETAG_VECTORS)
def test_etag_from_blocks(digest: ModuleType, data: bytes, expected: str) -> None:
    assert digest.etag_from_blocks(joined_sha1(data, 4 * MIB)) == expected


def test_etag_from_blocks_names_a_bad_length(digest: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"^digests has 21 bytes: it must be a multiple of 20$"):
        digest.etag_from_blocks(bytes(21))


def test_hmac_sha1(digest: ModuleType) -> None:
    for key, message, expected, _ in HMAC_VECTORS:
        assert digest.hmac_sha1(key, message).hex() == expected
    check_hmac(digest.hmac_sha1, "sha1")


def test_hmac_sha256(digest: ModuleType) -> None:
    for key, message, _, expected in HMAC_VECTORS:
        assert digest.hmac_sha256(key, message).hex() == expected
    check_hmac(digest.hmac_sha256, "sha256")


def check_hmac(function: Any, name: str) -> None:
    for length in LENGTHS:
        message, key = SAMPLE[:length], SAMPLE[: length % 150]
        expected = hmac.digest(key, message, name)
        assert function(key, message) == expected, "first use of the key"
        assert function(key, message) == expected, "the key is known"


def test_hmac_keeps_the_two_hashes_and_padded_keys_apart(digest: ModuleType) -> None:
    for key in (b"key", b"key\0", b"k", bytes(64), b""):
        assert digest.hmac_sha1(key, b"m") == hmac.digest(key, b"m", "sha1")
        assert digest.hmac_sha256(key, b"m") == hmac.digest(key, b"m", "sha256")


def test_hmac_of_more_keys_than_are_kept_by_many_threads(digest: ModuleType) -> None:
    keys = [b"key %d" % number for number in range(200)]
    message = bytes(5000)  # long enough for the native backends to let the other threads run
    expected = [hmac.digest(key, message, "sha1") for key in keys]
    start = threading.Barrier(4)
    wrong: list[bytes] = []

    def work(seed: int) -> None:
        order = random.Random(seed)
        start.wait(10)
        for _ in range(1000):
            number = order.randrange(len(keys))
            if digest.hmac_sha1(keys[number], message) != expected[number]:
                wrong.append(keys[number])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)


def test_crc32(digest: ModuleType) -> None:
    assert digest.crc32(b"123456789") == 0xCBF43926
    for length in LENGTHS:
        data = SAMPLE[:length]
        assert digest.crc32(data) == zlib.crc32(data), length
        half = length // 2
        assert digest.crc32(data[half:], digest.crc32(data[:half])) == zlib.crc32(data), length
    for byte in range(256):
        assert digest.crc32(bytes([byte]) * 9) == zlib.crc32(bytes([byte]) * 9)
    assert digest.crc32(b"x", value=0xFFFFFFFF) == zlib.crc32(b"x", 0xFFFFFFFF)


@pytest.mark.parametrize("value", [-1, 2**32])
def test_crc32_names_a_bad_value(digest: ModuleType, value: int) -> None:
    with pytest.raises(ValueError, match=rf"^value is {value}: it must be 0 to 2\*\*32 - 1$"):
        digest.crc32(b"", value)


def test_base64url_encode(digest: ModuleType) -> None:
    for length in LENGTHS:
        data = SAMPLE[:length]
        assert digest.base64url_encode(data) == base64.urlsafe_b64encode(data).decode(), length


def test_base64url_decode(digest: ModuleType) -> None:
    for length in LENGTHS:
        data = SAMPLE[:length]
        text = base64.urlsafe_b64encode(data)
        assert digest.base64url_decode(text) == data
        assert digest.base64url_decode(text.decode()) == data
        assert digest.base64url_decode(memoryview(text)) == data


@pytest.mark.parametrize(
    "text",
    [
        *("a", "ab", "abc", "abcde", "a===", "====", "=", "==", "ab=c", "a=bc", "=abc", "abcd===="),
        *("ab+/", "ab c", " abcd", "abcd\n", "ab==abcd", "ab=\n", "\x00bcd", "abc\x7f", "abc\x80"),
        *("äbcd", "ab\u2212d", "AB==", "ABD=", "QUJ=", "ABCDEFG*"),
    ],
)
def test_base64url_decode_refuses_all_else(digest: ModuleType, text: str) -> None:
    with pytest.raises(ValueError, match=r"^text is not base64url: "):
        digest.base64url_decode(text)


def test_cpu_path(digest: ModuleType) -> None:
    assert digest.cpu_path() in digest.cpu_paths()


def test_cpu_paths(digest: ModuleType) -> None:
    assert digest.cpu_paths()[-1] in ("portable", "hashlib")
    assert len(set(digest.cpu_paths())) == len(digest.cpu_paths())


@pytest.mark.parametrize("name", ["", "avx9", "sha-ni ", "portable\0", "é"])
def test_set_cpu_path(digest: ModuleType, name: str) -> None:
    before = digest.cpu_path()
    with pytest.raises(ValueError, match=r"^name is .*: this machine can run "):
        digest.set_cpu_path(name)
    assert digest.cpu_path() == before
    for path in digest.cpu_paths():
        digest.set_cpu_path(path)
        assert digest.cpu_path() == path


def one_buffer_calls(digest: ModuleType) -> list[Any]:
    return [
        digest.sha1,
        digest.sha256,
        digest.etag,
        digest.crc32,
        digest.crc64,
        digest.base64url_encode,
        lambda data: digest.Sha1(data).digest(),
        lambda data: digest.Sha256(data).digest(),
        lambda data: digest.sha1_states(data, 64),
        lambda data: digest.sha1_many([data, data]),
        lambda data: digest.hmac_sha1_many(data, [data]),
        lambda data: digest.sha1_blocks(data, 3),
        lambda data: digest.hmac_sha1(data, b"message"),
        lambda data: digest.hmac_sha1(b"key", data),
        lambda data: digest.hmac_sha256(data, b"message"),
        lambda data: digest.hmac_sha256(b"key", data),
    ]


@pytest.mark.parametrize("data", BUFFERS, ids=lambda data: type(data).__name__)
def test_any_contiguous_buffer_will_do(digest: ModuleType, data: Any) -> None:
    plain = memoryview(data).tobytes()
    for call in one_buffer_calls(digest):
        assert call(data) == call(plain)


def test_mmap_will_do(digest: ModuleType) -> None:
    with mmap.mmap(-1, 5000) as data:
        data[:4] = b"abcd"
        assert digest.sha1(data) == hashlib.sha1(data).digest()
        assert digest.base64url_decode(memoryview(data)[:4]) == base64.b64decode("abcd")


def test_other_arguments_are_refused(digest: ModuleType) -> None:
    calls = [
        *one_buffer_calls(digest),
        digest.etag_from_blocks,
        digest.base64url_decode,
        digest.Sha1Lanes(1).update,
    ]
    for call in calls:
        with pytest.raises(BufferError):
            call(NOT_CONTIGUOUS)
        for other in (None, 5, ["a"]):
            with pytest.raises(TypeError):
                call(other)
        if call is not digest.base64url_decode:
            with pytest.raises(TypeError):
                call("text")
    for number in ("7", None, 1.5):
        with pytest.raises(TypeError):
            digest.sha1_blocks(b"data", number)
        with pytest.raises(TypeError):
            digest.crc32(b"data", number)
        with pytest.raises(TypeError):
            digest.Sha1Lanes(number)
    for name in (None, b"portable", 7):
        with pytest.raises(TypeError):
            digest.set_cpu_path(name)


def test_no_buffer_stays_held(digest: ModuleType) -> None:
    data = bytearray(b"A" * 8000)
    for call in [*one_buffer_calls(digest), digest.etag_from_blocks, digest.base64url_decode]:
        call(data)
        data.append(65)
        data.pop()
