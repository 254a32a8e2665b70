"""Gets what a URL gives, for the operation "fetch"."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from urllib.parse import quote, unquote, urlsplit

from ..content import Content
from .replies import Refusal
from .state import BlockDigest, StoredObject, fold

SECONDS = 60.0
"""How long a URL may take in all."""

SIZE_LIMIT = 256 * 1024 * 1024
"""The most bytes that are taken from a URL."""

_PIECE = 64 * 1024
_NOT_QUOTED = "!#$%&'()*+,/:;=?@[]~"


def checked_url(url: str) -> str:
    """Return a URL, its odd characters quoted, or refuse what is not of http or https."""
    try:
        parts = urlsplit(url)
        port_fits = parts.port != 0
    except ValueError:
        port_fits = False
    if not port_fits or parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refusal(400, "fetchURL is no URL of http or https")
    return quote(url, safe=_NOT_QUOTED)


def name_of(url: str) -> str:
    """Return the last part of a URL's path, "" where there is none."""
    return unquote(urlsplit(url).path).rpartition("/")[2]


def retrieve(url: str, md5: str = "") -> StoredObject:
    """Return what a URL gives; it blocks.

    No proxy is asked, redirections are followed to http and https alone.

    Args:
        url: the URL, as `checked_url` returned it.
        md5: what the MD5 must be, in hexadecimal; "" for any.

    Raises:
        Refusal: it gives nothing, too much, nothing in time or not what the MD5 is of.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    until = time.monotonic() + SECONDS
    wanted = urllib.request.Request(url, headers={"User-Agent": "wirespeed-local"})
    chunks: list[bytes] = []
    digest, whole = BlockDigest(), hashlib.md5(usedforsecurity=False)
    try:
        reply = opener.open(wanted, timeout=SECONDS)
        assert reply is not None
        with reply:
            length = reply.headers.get("content-length")
            while True:
                # A piece is what came, not all that was asked for: a slow sender is found out.
                piece: bytes = reply.read1(_PIECE)
                if not piece:
                    break
                if digest.size + len(piece) > SIZE_LIMIT:
                    raise Refusal(400, f"the URL gives more than {SIZE_LIMIT} bytes")
                if time.monotonic() > until:
                    raise Refusal(400, f"the URL did not give everything in {SECONDS:g} s")
                chunks.append(piece)
                digest.update(piece)
                whole.update(piece)
            kind = reply.headers.get("content-type")
    except urllib.error.HTTPError as error:
        error.close()
        raise Refusal(400, f"the URL answered {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Refusal(400, f"the URL could not be read: {error}") from None
    if length is not None and length.isdigit() and int(length) != digest.size:
        raise Refusal(400, f"the URL gave {digest.size} of {length} bytes")
    if md5 and whole.hexdigest() != md5:
        raise Refusal(400, "what the URL gives has another MD5")
    stored = StoredObject(Content(chunks), fold(digest.blocks()))
    stored.mime_type = kind or stored.mime_type
    return stored
