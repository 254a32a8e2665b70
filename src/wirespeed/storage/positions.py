"""Reads a file at given places, from any thread."""

from __future__ import annotations

import os
import threading


def read_at(handle: int, view: memoryview, offset: int, lock: threading.Lock) -> bool:
    """Fill a buffer from an offset on; False where the file ends before that.

    Args:
        handle: the file's descriptor.
        view: the buffer.
        offset: where in the file.
        lock: held while the file's own place is moved, on systems that read there alone.
    """
    while view:
        if hasattr(os, "preadv"):
            count = os.preadv(handle, [view], offset)
        else:
            with lock:
                os.lseek(handle, offset, os.SEEK_SET)
                piece = os.read(handle, len(view))
            count = len(piece)
            view[:count] = piece
        if not count:
            return False
        view = view[count:]
        offset += count
    return True
