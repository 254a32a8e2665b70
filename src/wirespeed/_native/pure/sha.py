"""Running SHA-1 and SHA-256 whose state can be taken out and put back: the reference twin.

hashlib does not give its state, so the compression is written out here; it is slow.
"""

from __future__ import annotations

import struct
from operator import index
from typing import ClassVar, TypeVar

from wirespeed._native.contract import Buffer
from wirespeed._native.pure.buffers import view_of

_MASK = 0xFFFFFFFF
_T = TypeVar("_T", bound="_Running")

_SHA1_BEGIN = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)


def _primes() -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < 64:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _root(number: int, degree: int) -> int:
    """Return the first 32 bits behind the point of a root."""
    scaled = number << 32 * degree
    low, high = 0, 1 << 40
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= scaled else (low, middle)
    return low & _MASK


_SHA256_BEGIN = tuple(_root(prime, 2) for prime in _primes()[:8])
_SHA256_CONSTANTS = tuple(_root(prime, 3) for prime in _primes())


def _sha1_compress(state: tuple[int, ...], block: memoryview) -> tuple[int, ...]:
    w = list(struct.unpack(">16I", block))
    for t in range(16, 80):
        mixed = w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16]
        w.append((mixed << 1 | mixed >> 31) & _MASK)
    a, b, c, d, e = state
    for t in range(80):
        if t < 20:
            f, k = d ^ (b & (c ^ d)), 0x5A827999
        elif t < 40:
            f, k = b ^ c ^ d, 0x6ED9EBA1
        elif t < 60:
            f, k = (b & c) | (d & (b | c)), 0x8F1BBCDC
        else:
            f, k = b ^ c ^ d, 0xCA62C1D6
        a, b, c, d, e = (
            ((a << 5 | a >> 27) + f + e + k + w[t]) & _MASK,
            a,
            (b << 30 | b >> 2) & _MASK,
            c,
            d,
        )
    return tuple((x + y) & _MASK for x, y in zip(state, (a, b, c, d, e), strict=True))


def _turn(x: int, n: int) -> int:
    return x >> n | x << 32 - n


def _sha256_compress(state: tuple[int, ...], block: memoryview) -> tuple[int, ...]:
    w = list(struct.unpack(">16I", block))
    for t in range(16, 64):
        x, y = w[t - 15], w[t - 2]
        s0 = (_turn(x, 7) ^ _turn(x, 18) ^ x >> 3) & _MASK
        s1 = (_turn(y, 17) ^ _turn(y, 19) ^ y >> 10) & _MASK
        w.append((w[t - 16] + s0 + w[t - 7] + s1) & _MASK)
    a, b, c, d, e, f, g, h = state
    for t in range(64):
        s1 = (_turn(e, 6) ^ _turn(e, 11) ^ _turn(e, 25)) & _MASK
        t1 = h + s1 + (g ^ (e & (f ^ g))) + _SHA256_CONSTANTS[t] + w[t]
        s0 = (_turn(a, 2) ^ _turn(a, 13) ^ _turn(a, 22)) & _MASK
        t2 = s0 + ((a & b) | (c & (a | b)))
        a, b, c, d, e, f, g, h = (t1 + t2) & _MASK, a, b, c, (d + t1) & _MASK, e, f, g
    return tuple((x + y) & _MASK for x, y in zip(state, (a, b, c, d, e, f, g, h), strict=True))


class _Running:
    """What both digests share."""

    _BEGIN: ClassVar[tuple[int, ...]]
    block_size = 64
    digest_size: int
    name: str

    def __init__(self, data: Buffer = b"") -> None:
        self._words = self._BEGIN
        self._length = 0
        self._pending = b""
        self.update(data)

    def _compress(self, state: tuple[int, ...], block: memoryview) -> tuple[int, ...]:
        raise NotImplementedError

    def update(self, data: Buffer) -> None:
        """Append bytes."""
        view = view_of(data)
        self._length += len(view)
        joined = memoryview(self._pending + bytes(view))
        whole = len(joined) // 64 * 64
        for at in range(0, whole, 64):
            self._words = self._compress(self._words, joined[at : at + 64])
        self._pending = bytes(joined[whole:])

    def digest(self) -> bytes:
        """Return the digest of all bytes so far; more may be appended afterwards."""
        padded = self._pending + b"\x80" + bytes(-(self._length + 9) % 64)
        last = memoryview(padded + struct.pack(">Q", self._length * 8 & (1 << 64) - 1))
        words = self._words
        for at in range(0, len(last), 64):
            words = self._compress(words, last[at : at + 64])
        return struct.pack(f">{len(words)}I", *words)

    def hexdigest(self) -> str:
        """Return the digest in hexadecimal."""
        return self.digest().hex()

    def copy(self: _T) -> _T:
        """Return a second one with the same bytes behind it."""
        return self.from_state(self.state())

    def state(self) -> bytes:
        """Return what `from_state` goes on from.

        The words of the unfinished digest, little-endian, 4 bytes each; the number of bytes so
        far, little-endian, 8 bytes; the bytes since the last multiple of 64.
        """
        words = struct.pack(f"<{len(self._words)}I", *self._words)
        return words + struct.pack("<Q", self._length) + self._pending

    @classmethod
    def from_state(cls: type[_T], state: Buffer) -> _T:
        """Return a digest that goes on from a `state()`.

        Raises:
            ValueError: `state` has the wrong length.
        """
        raw = bytes(view_of(state))
        size = len(cls._BEGIN) * 4
        if len(raw) < size + 8 or len(raw) != size + 8 + raw[size] % 64:
            raise ValueError(f"state has {len(raw)} bytes: that is not what state() returns")
        made = cls.__new__(cls)
        made._words = struct.unpack_from(f"<{len(cls._BEGIN)}I", raw)
        made._length = int.from_bytes(raw[size : size + 8], "little")
        made._pending = raw[size + 8 :]
        return made


class Sha1(_Running):
    """Running SHA-1, as of hashlib, whose state can be taken out and put back.

    Not safe for use by two threads at once.
    """

    _BEGIN = _SHA1_BEGIN
    digest_size = 20
    name = "sha1"

    def _compress(self, state: tuple[int, ...], block: memoryview) -> tuple[int, ...]:
        return _sha1_compress(state, block)


class Sha256(_Running):
    """Running SHA-256, as of hashlib, whose state can be taken out and put back.

    Not safe for use by two threads at once.
    """

    _BEGIN = _SHA256_BEGIN
    digest_size = 32
    name = "sha256"

    def _compress(self, state: tuple[int, ...], block: memoryview) -> tuple[int, ...]:
        return _sha256_compress(state, block)


def sha1_states(data: Buffer, part_size: int) -> list[bytes]:
    """Return the running SHA-1 after each `part_size` bytes of `data`, the last part perhaps short.

    20 bytes each: the five words of the unfinished digest, little-endian; for the last part the
    digest of all `data`. That is the `datasha` of COS v4's `uploadparts`. Empty data has no part.

    Raises:
        ValueError: `part_size` is no positive multiple of 64.
    """
    view = view_of(data)
    part_size = index(part_size)
    if part_size < 1 or part_size % 64:
        raise ValueError(f"part_size is {part_size}: it must be a positive multiple of 64")
    running = Sha1()
    states = []
    for at in range(0, len(view), part_size):
        running.update(view[at : at + part_size])
        states.append(running.state()[:20])
    if states:
        states[-1] = running.digest()
    return states
