"""Bytes of objects: in memory, or in files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FilePiece:
    """Bytes that are a whole file.

    Attributes:
        path: the file.
        size: its bytes.
    """

    path: Path
    size: int


class Content:
    """Bytes that do not change, in pieces.

    Args:
        pieces: the bytes, in order.
    """

    __slots__ = ("pieces", "size")

    def __init__(self, pieces: Sequence[bytes | FilePiece] = ()) -> None:
        self.pieces = tuple(pieces)
        self.size = sum(_size(piece) for piece in self.pieces)

    def __len__(self) -> int:
        """Return how many bytes there are."""
        return self.size

    def __add__(self, other: Content) -> Content:
        """Return the bytes of both."""
        return Content(self.pieces + other.pieces)

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `end`, a piece at a time."""
        stop = self.size if end is None else end
        at = 0
        for piece in self.pieces:
            size = _size(piece)
            low, high = max(start - at, 0), min(stop - at, size)
            if low < high:
                yield _read(piece, low, high)
            at += size

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from `start` to before `end`."""
        return b"".join(self.chunks(start, end))


def _size(piece: bytes | FilePiece) -> int:
    return piece.size if isinstance(piece, FilePiece) else len(piece)


def _read(piece: bytes | FilePiece, low: int, high: int) -> bytes:
    if isinstance(piece, FilePiece):
        with piece.path.open("rb") as file:
            file.seek(low)
            return file.read(high - low)
    return piece if (low, high) == (0, len(piece)) else piece[low:high]
