"""SHA-1 with its state inside, which the service's `uploadparts` asks for."""

from __future__ import annotations

import hashlib
from typing import Any

from wirespeed import _native

_INITIAL = "0123456789abcdeffedcba9876543210f0e1d2c3"


class Sha1Hash:
    """A running SHA-1."""

    name = "python-sha1"
    digest_size = 20
    block_size = 64

    def __init__(self) -> None:
        self._data = bytearray()

    def update(self, arg: Any) -> Sha1Hash:
        """Take bytes, or the rest of a binary stream."""
        self._data += arg if isinstance(arg, (bytes, bytearray)) else arg.read()
        return self

    def digest(self) -> bytes:
        """Return the digest of what was taken so far."""
        return hashlib.sha1(self._data, usedforsecurity=False).digest()

    def hexdigest(self) -> str:
        """Return the digest in hexadecimal."""
        return self.digest().hex()

    def inner_digest(self) -> str:
        """Return the unfinished state after the last whole 64 bytes, in hexadecimal."""
        size = len(self._data) // 64 * 64
        if not size:
            return _INITIAL
        # The last part's entry is a finished digest: one more part keeps the state before it.
        return _native.sha1_states(bytes(self._data[:size]) + bytes(64), size)[0].hex()


def sha1(data: Any) -> str:
    """Return the SHA-1 of bytes, or of a binary stream, in hexadecimal."""
    return Sha1Hash().update(data).hexdigest()


def parts_of(data: bytes, slice_size: int) -> list[dict[str, Any]]:
    """Return the entries of `uploadparts` for some bytes."""
    return [
        {
            "offset": index * slice_size,
            "datalen": min(slice_size, len(data) - index * slice_size),
            "datasha": state.hex(),
        }
        for index, state in enumerate(_native.sha1_states(data, slice_size))
    ]


class Sha1Util:
    """Digests of files."""

    @staticmethod
    def get_sha1_by_slice(file_name: str, slice_size: int) -> list[dict[str, Any]]:
        """Return the entries of `uploadparts` for a file."""
        with open(file_name, "rb") as stream:
            return parts_of(stream.read(), slice_size)
