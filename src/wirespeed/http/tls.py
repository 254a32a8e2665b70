"""The TLS settings that connections share; ssl is imported with the first use."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@functools.lru_cache(maxsize=8)
def shared_context(cafile: str | None = None) -> ssl.SSLContext:
    """Return the one context that verifies peers by the authorities of a file, or the system's."""
    return new_context(cafile)


def new_context(cafile: str | None = None) -> ssl.SSLContext:
    """Return a context of its own that verifies peers as `shared_context` does.

    A certificate's names are its subjectAltName; its common name is none (RFC 9525).
    """
    import ssl

    context = ssl.create_default_context(cafile=cafile)
    if ssl.HAS_NEVER_CHECK_COMMON_NAME:
        context.hostname_checks_common_name = False
    return context
