"""How the pure twin takes a buffer."""

from __future__ import annotations

from wirespeed._native.contract import Buffer


def view_of(data: Buffer) -> memoryview:
    """Return the bytes of `data`.

    Raises:
        TypeError: `data` is no buffer.
        BufferError: it is not C-contiguous.
    """
    view = memoryview(data)
    if not view.c_contiguous:
        raise BufferError("the buffer is not C-contiguous")
    if not view.nbytes:
        return memoryview(b"")
    try:
        return view.cast("B")
    except (TypeError, ValueError):  # a format that memoryview cannot cast, as of ctypes
        return memoryview(view.tobytes())
