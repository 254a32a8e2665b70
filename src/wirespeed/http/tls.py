"""The TLS settings that connections share; ssl is imported with the first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

_default: ssl.SSLContext | None = None


def default_context() -> ssl.SSLContext:
    """Return the one context that verifies peers by the system's certificates."""
    global _default
    if _default is None:
        import ssl

        _default = ssl.create_default_context()
    return _default
