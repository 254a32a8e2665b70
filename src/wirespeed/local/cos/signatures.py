"""Reads and checks COS v4 signatures."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass

from .refusal import Refusal


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature says.

    Attributes:
        appid: the application.
        bucket: the bucket.
        expires: until when it is good; 0: once.
        fileid: what it is for, percent-encoded, or "" for anything in the bucket.
    """

    appid: str
    bucket: str
    expires: int
    fileid: str


class Verifier:
    """Checks signatures by one key pair, and remembers those that are good once.

    Args:
        secret_id: the public half of the key pair.
        secret_key: the secret half.
    """

    def __init__(self, secret_id: str, secret_key: str) -> None:
        self._secret_id = secret_id
        self._secret_key = secret_key.encode()
        self._used: set[str] = set()

    def read(self, text: str, now: float) -> Signed:
        """Return what a signature says, or refuse it."""
        try:
            raw = base64.b64decode(text, validate=True)
            digest, plain = raw[:20], raw[20:]
            pairs = [pair.split("=", 1) for pair in plain.decode().split("&")]
            fields = dict(pairs)
            signed = Signed(fields["a"], fields["b"], int(fields["e"]), fields["f"])
            made, secret_id = int(fields["t"]), fields["k"]
            int(fields["r"])
        except (ValueError, KeyError, binascii.Error):
            raise Refusal(-97, "ERROR_PROXY_AUTH_FAILED: it cannot be read", 401) from None
        wanted = hmac.digest(self._secret_key, plain, "sha1")
        if secret_id != self._secret_id or not hmac.compare_digest(wanted, digest):
            raise Refusal(-97, "ERROR_PROXY_AUTH_FAILED: the signature is wrong", 401)
        if (signed.expires and signed.expires < now) or made > now + 900:
            raise Refusal(-96, "ERROR_PROXY_AUTH_EXPIRED", 401)
        return signed

    def check(
        self, text: str, appid: str, bucket: str, fileid: str, now: float, *, once: bool
    ) -> None:
        """Refuse a signature that is not for this request.

        Args:
            text: the signature.
            appid: the application of the request.
            bucket: its bucket.
            fileid: what it is on, percent-encoded.
            now: the time, seconds since 1970.
            once: whether it wants a signature that is good once.
        """
        signed = self.read(text, now)
        if (signed.appid, signed.bucket) != (appid, bucket):
            raise Refusal(-61, "ERROR_PROXY_AUTH_BUCKET: it is of another bucket", 401)
        if signed.fileid != fileid and (once or signed.fileid):
            raise Refusal(-63, "ERROR_PROXY_AUTH_FILEID: it is of another object", 401)
        if once:
            if signed.expires:
                raise Refusal(-62, "ERROR_PROXY_AUTH_ONCE: it must be good once", 401)
            if text in self._used:
                raise Refusal(-77, "ERROR_PROXY_AUTH_USED", 401)
            self._used.add(text)
        elif not signed.expires:
            raise Refusal(-62, "ERROR_PROXY_AUTH_MULTI: it must have an end", 401)
