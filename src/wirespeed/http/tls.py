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
        _default = new_context()
    return _default


def new_context(cafile: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies peers by the authorities of a file, or the system's.

    A certificate's names are its subjectAltName; its common name is none (RFC 9525).
    """
    import ssl

    context = ssl.create_default_context(cafile=cafile)
    if ssl.HAS_NEVER_CHECK_COMMON_NAME:
        context.hostname_checks_common_name = False
    return context
