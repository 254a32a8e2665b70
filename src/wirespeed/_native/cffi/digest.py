"""Digests, HMAC, CRCs and base64url through cffi; documented in the pure twin."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from operator import index
from typing import Any, TypeVar

from wirespeed._native.cffi._core import ffi, lib
from wirespeed._native.contract import Buffer

_SHA1_SIZE: int = lib.WS_SHA1_SIZE
_SHA256_SIZE: int = lib.WS_SHA256_SIZE


def held(data: Buffer) -> Any:
    """Return a `uint8_t[]` over `data`, which it keeps alive and fixed.

    Raises:
        TypeError: `data` is no buffer.
        BufferError: `data` is not C-contiguous.
    """
    view = memoryview(data)
    if not view.c_contiguous:
        raise BufferError("the buffer is not C-contiguous")
    return ffi.from_buffer("uint8_t[]", view)


def _digest(function: Callable[[Any, int, Any], None], size: int, data: Buffer) -> bytes:
    source = held(data)
    out = ffi.new("uint8_t[]", size)
    function(source, len(source), out)
    return bytes(ffi.buffer(out))


def _hmac(
    function: Callable[[Any, int, Any, int, Any], None], size: int, key: Buffer, message: Buffer
) -> bytes:
    secret, source = held(key), held(message)
    out = ffi.new("uint8_t[]", size)
    function(secret, len(secret), source, len(source), out)
    return bytes(ffi.buffer(out))


def cpu_path() -> str:
    """Return the set of kernels in use: "avx512", "sha-ni", "avx2", "armv8" or "portable"."""
    name: bytes = ffi.string(lib.ws_cpu_path())
    return name.decode("ascii")


def cpu_paths() -> tuple[str, ...]:
    """Return the sets of kernels that this CPU can run, the best first."""
    found: list[str] = []
    while (name := lib.ws_cpu_path_at(len(found))) != ffi.NULL:
        found.append(ffi.string(name).decode("ascii"))
    return tuple(found)


def cpu_plan() -> tuple[tuple[int, str], ...]:
    """Return which SHA-1 kernel serves how many inputs: (from this many on, its name)."""
    rows: list[tuple[int, str]] = []
    first, kernel = ffi.new("uint32_t *"), ffi.new("char **")
    while lib.ws_cpu_plan_at(len(rows), first, kernel):
        rows.append((first[0], ffi.string(kernel[0]).decode("ascii")))
    return tuple(rows)


def sha1_kernels() -> tuple[tuple[str, int], ...]:
    """Return every SHA-1 kernel that this CPU runs: (name, inputs it hashes side by side)."""
    found: list[tuple[str, int]] = []
    width = ffi.new("uint32_t *")
    while (name := lib.ws_sha1_kernel_at(len(found), width)) != ffi.NULL:
        found.append((ffi.string(name).decode("ascii"), width[0]))
    return tuple(found)


def set_cpu_path(name: str) -> None:
    """Use the set of kernels `name` from now on; ValueError if this CPU does not run it."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    encoded = name.encode("utf-8")
    if b"\0" in encoded or not lib.ws_cpu_set_path(encoded):
        raise ValueError(f"name is {name!r}: this machine can run {', '.join(cpu_paths())}")


def sha1(data: Buffer) -> bytes:
    """Return the 20-byte SHA-1 digest of `data`."""
    return _digest(lib.ws_sha1, _SHA1_SIZE, data)


def sha256(data: Buffer) -> bytes:
    """Return the 32-byte SHA-256 digest of `data`."""
    return _digest(lib.ws_sha256, _SHA256_SIZE, data)


def sha1_blocks(data: Buffer, block_size: int) -> bytes:
    """Return the SHA-1 digests of each `block_size` bytes of `data`, joined."""
    source = held(data)
    block_size = index(block_size)
    if block_size < 1:
        raise ValueError(f"block_size is {block_size}: it must be at least 1")
    length = len(source)
    if not length:
        return b""
    size = min(block_size, length)
    out = ffi.new("uint8_t[]", -(-length // size) * _SHA1_SIZE)
    lib.ws_sha1_blocks(source, length, size, out)
    return bytes(ffi.buffer(out))


def _split(digests: Any) -> list[bytes]:
    joined = bytes(ffi.buffer(digests))
    return [joined[at : at + _SHA1_SIZE] for at in range(0, len(joined), _SHA1_SIZE)]


def sha1_states(data: Buffer, part_size: int) -> list[bytes]:
    """Return the running SHA-1 after each `part_size` bytes of `data`, and last its digest."""
    source = held(data)
    part_size = index(part_size)
    if part_size < 1 or part_size % lib.WS_SHA_BLOCK:
        raise ValueError(f"part_size is {part_size}: it must be a positive multiple of 64")
    length = len(source)
    out = ffi.new("uint8_t[]", -(-length // part_size) * _SHA1_SIZE)
    lib.ws_sha1_states(source, length, min(part_size, length + 64 - length % 64), out)
    return _split(out)


def _inputs(messages: Sequence[Buffer]) -> tuple[Any, list[Any]]:
    """Return a `ws_input_t[]`, and what keeps its pointers alive."""
    sources = [held(message) for message in messages]
    inputs = ffi.new("ws_input_t[]", len(sources))
    for given, source in zip(inputs, sources, strict=True):
        given.data = source
        given.length = len(source)
    return inputs, sources


def sha1_many(messages: Sequence[Buffer]) -> list[bytes]:
    """Return the SHA-1 digest of each message, whatever their lengths, hashed side by side."""
    inputs, sources = _inputs(messages)
    out = ffi.new("uint8_t[]", len(sources) * _SHA1_SIZE)
    lib.ws_sha1_many(inputs, len(sources), out)
    return _split(out)


def hmac_sha1_many(key: Buffer, messages: Sequence[Buffer]) -> list[bytes]:
    """Return the HMAC-SHA1 of each message with the same key, computed side by side."""
    secret = held(key)
    inputs, sources = _inputs(messages)
    out = ffi.new("uint8_t[]", len(sources) * _SHA1_SIZE)
    lib.ws_hmac_sha1_many(secret, len(secret), inputs, len(sources), out)
    return _split(out)


_T = TypeVar("_T", bound="_Running")


class _Running:
    _WORDS: int
    block_size = 64
    digest_size: int
    name: str

    def __init__(self, data: Buffer = b"") -> None:
        self._hash = ffi.new("ws_hash_t *")
        lib.ws_hash_start(self._hash, self._WORDS)
        self.update(data)

    def update(self, data: Buffer) -> None:
        """Append bytes."""
        source = held(data)
        lib.ws_hash_update(self._hash, source, len(source))

    def digest(self) -> bytes:
        """Return the digest of all bytes so far; more may be appended afterwards."""
        out = ffi.new("uint8_t[]", self.digest_size)
        lib.ws_hash_digest(self._hash, out)
        return bytes(ffi.buffer(out))

    def hexdigest(self) -> str:
        """Return the digest in hexadecimal."""
        return self.digest().hex()

    def copy(self: _T) -> _T:
        """Return a second one with the same bytes behind it."""
        other = type(self)()
        ffi.memmove(other._hash, self._hash, ffi.sizeof("ws_hash_t"))
        return other

    def state(self) -> bytes:
        """Return what `from_state` goes on from: words, length, bytes since a multiple of 64."""
        words = [self._hash.state[i] for i in range(self._WORDS)]
        pending = bytes(ffi.buffer(self._hash.pending, self._hash.length % 64))
        return struct.pack(f"<{self._WORDS}IQ", *words, self._hash.length) + pending

    @classmethod
    def from_state(cls: type[_T], state: Buffer) -> _T:
        """Return a digest that goes on from a `state()`; ValueError for a wrong length."""
        source = held(state)
        raw = bytes(ffi.buffer(source))
        size = cls._WORDS * 4
        if len(raw) < size + 8 or len(raw) != size + 8 + raw[size] % 64:
            raise ValueError(f"state has {len(raw)} bytes: that is not what state() returns")
        made = cls()
        for number, word in enumerate(struct.unpack_from(f"<{cls._WORDS}I", raw)):
            made._hash.state[number] = word
        made._hash.length = int.from_bytes(raw[size : size + 8], "little")
        ffi.memmove(made._hash.pending, raw[size + 8 :], len(raw) - size - 8)
        return made


class Sha1(_Running):
    """Running SHA-1, as of hashlib, whose state can be taken out and put back."""

    _WORDS = lib.WS_SHA1_WORDS
    digest_size = 20
    name = "sha1"


class Sha256(_Running):
    """Running SHA-256, as of hashlib, whose state can be taken out and put back."""

    _WORDS = lib.WS_SHA256_WORDS
    digest_size = 32
    name = "sha256"


class Sha1Lanes:
    """Running SHA-1 over `count` inputs of equal length, all advanced together."""

    def __init__(self, count: int, kernel: str | None = None) -> None:
        count = index(count)
        if not 1 <= count <= lib.WS_LANES:
            raise ValueError(f"count is {count}: it must be 1 to {lib.WS_LANES}")
        number = -1
        if kernel is not None:
            names = [name for name, _ in sha1_kernels()]
            if kernel not in names:
                raise ValueError(f"kernel is {kernel!r}: this machine can run {', '.join(names)}")
            number = names.index(kernel)
        self._lanes = ffi.new("ws_sha1_lanes_t *")
        lib.ws_sha1_lanes_start(self._lanes, count, number)

    def update(self, data: Buffer, stride: int | None = None) -> None:
        """Append one piece to each lane: `data` has them all, `stride` apart or one by one."""
        source = held(data)
        length, count = len(source), self._lanes.count
        if stride is None:
            if length % (count * lib.WS_SHA_BLOCK):
                raise ValueError(f"data has {length} bytes: it must be a multiple of {count} x 64")
            step = piece = length // count
        else:
            step = index(stride)
            piece = length - (count - 1) * step
            if step < 0 or not 0 <= piece <= step or piece % lib.WS_SHA_BLOCK:
                raise ValueError(
                    f"stride is {step}: it leaves {count} pieces of no multiple of 64 bytes, "
                    f"or of more than stride, in {length} bytes"
                )
        lib.ws_sha1_lanes_update(self._lanes, source, piece, min(step, length))

    def digests(self) -> bytes:
        """Return the digests of all lanes so far, 20 bytes each, joined."""
        out = ffi.new("uint8_t[]", self._lanes.count * _SHA1_SIZE)
        lib.ws_sha1_lanes_digests(self._lanes, out)
        return bytes(ffi.buffer(out))


def etag(data: Buffer) -> str:
    """Return the etag of `data`: 28 characters of base64url, over the SHA-1 of each 4 MiB."""
    return etag_from_blocks(sha1_blocks(data, lib.WS_ETAG_BLOCK))


def etag_from_blocks(digests: Buffer) -> str:
    """Return the etag of a file whose 4 MiB blocks have these SHA-1 digests, joined."""
    source = held(digests)
    length = len(source)
    if length % _SHA1_SIZE:
        raise ValueError(f"digests has {length} bytes: it must be a multiple of 20")
    text = ffi.new("char[]", lib.WS_ETAG_LENGTH)
    lib.ws_etag_from_blocks(source, length // _SHA1_SIZE, text)
    return bytes(ffi.buffer(text)).decode("ascii")


def hmac_sha1(key: Buffer, message: Buffer) -> bytes:
    """Return the 20-byte HMAC-SHA1 of `message`."""
    return _hmac(lib.ws_hmac_sha1, _SHA1_SIZE, key, message)


def hmac_sha256(key: Buffer, message: Buffer) -> bytes:
    """Return the 32-byte HMAC-SHA256 of `message`."""
    return _hmac(lib.ws_hmac_sha256, _SHA256_SIZE, key, message)


def crc32(data: Buffer, value: int = 0) -> int:
    """Return the CRC-32 of `data`, continued from `value`."""
    source = held(data)
    value = index(value)
    if not 0 <= value <= 0xFFFFFFFF:
        raise ValueError(f"value is {value}: it must be 0 to 2**32 - 1")
    crc: int = lib.ws_crc32(source, len(source), value)
    return crc


def crc64(data: Buffer, value: int = 0) -> int:
    """Return the CRC-64/XZ of `data`, continued from `value`."""
    source = held(data)
    value = index(value)
    if not 0 <= value <= 0xFFFFFFFFFFFFFFFF:
        raise ValueError(f"value is {value}: it must be 0 to 2**64 - 1")
    crc: int = lib.ws_crc64(source, len(source), value)
    return crc


def base64url_encode(data: Buffer) -> str:
    """Return `data` in the URL-safe base64 alphabet, padded with `=`."""
    source = held(data)
    text = ffi.new("char[]", (len(source) + 2) // 3 * 4)
    lib.ws_base64url_encode(source, len(source), text)
    return bytes(ffi.buffer(text)).decode("ascii")


def base64url_decode(text: str | Buffer) -> bytes:
    """Return the bytes that `base64url_encode` made `text` from; ValueError for anything else."""
    if isinstance(text, str):
        if not text.isascii():
            raise ValueError("text is not base64url: it has a non-ASCII character")
        text = text.encode("ascii")
    source = held(text)
    room = ffi.new("uint8_t[]", len(source) // 4 * 3)
    written = ffi.new("size_t *")
    if not lib.ws_base64url_decode(ffi.cast("char *", source), len(source), room, written):
        raise ValueError("text is not base64url: a character or the padding is wrong")
    return bytes(ffi.buffer(room, written[0]))
