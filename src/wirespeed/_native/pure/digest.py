"""Digests, HMAC, CRCs and base64url on the standard library: the reference twin.

Every function here states the behaviour that the Cython and cffi backends share.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING, Any

from wirespeed._native.contract import Buffer
from wirespeed._native.pure.buffers import view_of as _view
from wirespeed._native.pure.sha import Sha1 as Sha1
from wirespeed._native.pure.sha import Sha256 as Sha256
from wirespeed._native.pure.sha import sha1_states as sha1_states

if TYPE_CHECKING:
    from hashlib import _Hash

BLOCK = 4 << 20
MAX_LANES = 32
MAX_KEYS = 64
_URL_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def cpu_path() -> str:
    """Return the set of kernels in use: "avx512", "sha-ni", "avx2", "armv8" or "portable".

    In the pure backend it is "hashlib".
    """
    return "hashlib"


def cpu_paths() -> tuple[str, ...]:
    """Return the sets of kernels that this CPU can run, the best first."""
    return ("hashlib",)


def cpu_plan() -> tuple[tuple[int, str], ...]:
    """Return which SHA-1 kernel serves how many inputs: (from this many on, its name).

    The first row that fits holds; the last is from 1.
    """
    return ((1, "hashlib"),)


def sha1_kernels() -> tuple[tuple[str, int], ...]:
    """Return every SHA-1 kernel that this CPU runs: (name, inputs it hashes side by side)."""
    return (("hashlib", 1),)


def set_cpu_path(name: str) -> None:
    """Use the set of kernels `name` from now on, in this process; for tests and measurements.

    Raises:
        ValueError: `name` is unknown or this CPU lacks it.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    if name != "hashlib":
        raise ValueError(f"name is {name!r}: this machine can run hashlib")


def sha1(data: Buffer) -> bytes:
    """Return the 20-byte SHA-1 digest of `data` (FIPS 180-4)."""
    return hashlib.sha1(_view(data)).digest()


def sha256(data: Buffer) -> bytes:
    """Return the 32-byte SHA-256 digest of `data` (FIPS 180-4)."""
    return hashlib.sha256(_view(data)).digest()


def sha1_blocks(data: Buffer, block_size: int) -> bytes:
    """Return the SHA-1 digests of each `block_size` bytes of `data`, joined; the last may be short.

    Empty data has no blocks: the result is then empty.

    Raises:
        ValueError: `block_size` is less than 1.
    """
    view = _view(data)
    block_size = index(block_size)
    if block_size < 1:
        raise ValueError(f"block_size is {block_size}: it must be at least 1")
    return b"".join(
        hashlib.sha1(view[at : at + block_size]).digest() for at in range(0, len(view), block_size)
    )


def sha1_many(messages: Sequence[Buffer]) -> list[bytes]:
    """Return the SHA-1 digest of each message, whatever their lengths, hashed side by side."""
    return [sha1(message) for message in messages]


class Sha1Lanes:
    """Running SHA-1 over `count` inputs of equal length, all advanced together.

    Not safe for use by two threads at once.

    Args:
        count: 1 to 32.
        kernel: a name of `sha1_kernels` to use where it fits, for measuring it; by default the
            plan of the CPU path decides.

    Raises:
        ValueError: `count` is out of its limits, or this CPU does not run `kernel`.
    """

    def __init__(self, count: int, kernel: str | None = None) -> None:
        count = index(count)
        if not 1 <= count <= MAX_LANES:
            raise ValueError(f"count is {count}: it must be 1 to {MAX_LANES}")
        if kernel is not None and kernel not in dict(sha1_kernels()):
            raise ValueError(f"kernel is {kernel!r}: this machine can run hashlib")
        self._lanes: list[_Hash] = [hashlib.sha1() for _ in range(count)]

    def update(self, data: Buffer, stride: int | None = None) -> None:
        """Append one piece to each lane.

        Args:
            data: the pieces of all lanes, in order.
            stride: from the beginning of one piece to that of the next; what is behind a piece is
                passed over, and every piece has as many bytes as the last. By default the pieces
                lie one after the other.

        Raises:
            ValueError: the pieces are no multiple of 64 bytes, or longer than `stride`.
        """
        view = _view(data)
        count = len(self._lanes)
        if stride is None:
            if len(view) % (count * 64):
                raise ValueError(
                    f"data has {len(view)} bytes: it must be a multiple of {count} x 64"
                )
            step = piece = len(view) // count
        else:
            step = index(stride)
            piece = len(view) - (count - 1) * step
            if step < 0 or not 0 <= piece <= step or piece % 64:
                raise ValueError(
                    f"stride is {step}: it leaves {count} pieces of no multiple of 64 bytes, "
                    f"or of more than stride, in {len(view)} bytes"
                )
        for number, lane in enumerate(self._lanes):
            lane.update(view[number * step : number * step + piece])

    def digests(self) -> bytes:
        """Return the digests of all lanes so far, 20 bytes each, joined."""
        return b"".join(lane.digest() for lane in self._lanes)


def etag(data: Buffer) -> str:
    """Return the etag of `data`: 28 characters of base64url, over the SHA-1 of each 4 MiB."""
    return etag_from_blocks(sha1_blocks(data, BLOCK))


def etag_from_blocks(digests: Buffer) -> str:
    """Return the etag of a file whose 4 MiB blocks have these SHA-1 digests, joined.

    One block: base64url of 0x16 and its digest. More: of 0x96 and the digest of the digests.
    `b""` is the empty file.

    Raises:
        ValueError: the length is no multiple of 20.
    """
    joined = bytes(_view(digests))
    if len(joined) % 20:
        raise ValueError(f"digests has {len(joined)} bytes: it must be a multiple of 20")
    if len(joined) <= 20:
        return base64url_encode(b"\x16" + (joined or hashlib.sha1().digest()))
    return base64url_encode(b"\x96" + hashlib.sha1(joined).digest())


class _KeySchedules:
    """The keyed HMAC states of the last `MAX_KEYS` keys."""

    def __init__(self) -> None:
        self._states: OrderedDict[tuple[str, bytes], Any] = OrderedDict()
        self._lock = threading.Lock()

    def digest(self, name: str, key: Buffer, message: Buffer) -> bytes:
        slot = (name, bytes(_view(key)))
        data = _view(message)
        with self._lock:
            keyed = self._states.get(slot)
            if keyed is None:
                keyed = self._states[slot] = hmac.new(slot[1], digestmod=name)
                if len(self._states) > MAX_KEYS:
                    self._states.popitem(last=False)
            else:
                self._states.move_to_end(slot)
            state = keyed.copy()
        state.update(data)
        result: bytes = state.digest()
        return result


_schedules = _KeySchedules()


def hmac_sha1(key: Buffer, message: Buffer) -> bytes:
    """Return the 20-byte HMAC-SHA1 of `message` (RFC 2104).

    The schedules of the last 64 keys are kept in memory, so that a known key costs no set-up;
    the native backends wipe one when it gives way to another.
    """
    return _schedules.digest("sha1", key, message)


def hmac_sha256(key: Buffer, message: Buffer) -> bytes:
    """Return the 32-byte HMAC-SHA256 of `message` (RFC 2104); keys are kept as in `hmac_sha1`."""
    return _schedules.digest("sha256", key, message)


def hmac_sha1_many(key: Buffer, messages: Sequence[Buffer]) -> list[bytes]:
    """Return the HMAC-SHA1 of each message with the same key, computed side by side."""
    return [hmac_sha1(key, message) for message in messages]


def crc32(data: Buffer, value: int = 0) -> int:
    """Return the CRC-32 (that of zlib and Ethernet) of `data`, continued from `value`.

    Raises:
        ValueError: `value` is not in 0 to 2**32 - 1.
    """
    view = _view(data)
    value = index(value)
    if not 0 <= value <= 0xFFFFFFFF:
        raise ValueError(f"value is {value}: it must be 0 to 2**32 - 1")
    return zlib.crc32(view, value)


def _crc64_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xC96C5795D7870F42 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC64_TABLE = _crc64_table()


def crc64(data: Buffer, value: int = 0) -> int:
    """Return the CRC-64/XZ (ECMA-182, reflected) of `data`, continued from `value`.

    Raises:
        ValueError: `value` is not in 0 to 2**64 - 1.
    """
    view = _view(data)
    value = index(value)
    if not 0 <= value <= 0xFFFFFFFFFFFFFFFF:
        raise ValueError(f"value is {value}: it must be 0 to 2**64 - 1")
    crc = value ^ 0xFFFFFFFFFFFFFFFF
    for byte in view:
        crc = crc >> 8 ^ _CRC64_TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFFFFFFFFFF


def base64url_encode(data: Buffer) -> str:
    """Return `data` in the URL-safe base64 alphabet (RFC 4648 section 5), padded with `=`."""
    return base64.urlsafe_b64encode(_view(data)).decode("ascii")


def base64url_decode(text: str | Buffer) -> bytes:
    """Return the bytes that `base64url_encode` made `text` from.

    Raises:
        ValueError: `text` is not what `base64url_encode` makes: a character outside the URL-safe
            alphabet, padding missing or misplaced, or bits set that carry no data.
    """
    if isinstance(text, str):
        try:
            raw = text.encode("ascii")
        except UnicodeEncodeError:
            raise ValueError("text is not base64url: it has a non-ASCII character") from None
    else:
        raw = bytes(_view(text))
    body = raw.rstrip(b"=")
    padding = len(raw) - len(body)
    if len(raw) % 4 or padding > 2 or not _URL_ALPHABET.issuperset(body):
        raise ValueError("text is not base64url: a character or the padding is wrong")
    try:
        decoded = base64.urlsafe_b64decode(raw)
    except binascii.Error:
        raise ValueError("text is not base64url: a character or the padding is wrong") from None
    if base64.urlsafe_b64encode(decoded) != raw:
        raise ValueError("text is not base64url: its last character carries stray bits")
    return decoded
