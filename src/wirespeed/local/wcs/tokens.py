"""Checks upload and manager tokens with the standard library."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from .replies import Refusal


def decode_base64(text: str, what: str) -> bytes:
    """Decode URL-safe base64; anything else is a 400 that names `what`."""
    try:
        return base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, f"{what} is not URL-safe base64") from None


def decode_entry(text: str) -> tuple[str, str]:
    """Split an encoded `bucket:key`."""
    try:
        bucket, colon, key = decode_base64(text, "the entry").decode().partition(":")
    except UnicodeDecodeError:
        raise Refusal(400, "the entry is not UTF-8") from None
    if not (bucket and colon and key):
        raise Refusal(400, "the entry is not bucket:key")
    return bucket, key


@dataclass(frozen=True)
class Policy:
    """A verified upload policy.

    Attributes:
        bucket: the bucket the token opens.
        key: the only key it opens, or None for any.
        fields: the policy as signed.
    """

    bucket: str
    key: str | None
    fields: dict[str, Any]

    @property
    def overwrite(self) -> bool:
        """Whether an object of the same name may be replaced."""
        return str(self.fields.get("overwrite", 0)) == "1"

    @property
    def size_limit(self) -> int | None:
        """The largest object allowed, in bytes."""
        try:
            return int(self.fields["fsizeLimit"])
        except KeyError:
            return None
        except (TypeError, ValueError):
            raise Refusal(400, "fsizeLimit is no number") from None

    def object_key(self, asked: str | None, digest: str) -> str:
        """Return the object's key: the scope's, else the one asked for, else its hash."""
        if self.key is None:
            return asked or digest
        if asked is not None and asked != self.key:
            raise Refusal(401, "the key is not the one the upload token is for")
        return self.key


class Verifier:
    """Holds one key pair and checks tokens made with it."""

    def __init__(self, access_key: str, secret_key: str) -> None:
        self._access_key = access_key.encode()
        self._secret_key = secret_key.encode()

    def _signature(self, data: bytes) -> bytes:
        digest = hmac.new(self._secret_key, data, hashlib.sha1).hexdigest()
        return base64.urlsafe_b64encode(digest.encode())

    def _matches(self, access_key: str, signature: str, data: bytes) -> bool:
        named = hmac.compare_digest(access_key.encode(), self._access_key)
        return hmac.compare_digest(signature.encode(), self._signature(data)) and named

    def manager(self, token: str | None, target: bytes, body: bytes) -> None:
        """Check a manager token over path and query (`target`) and body, or refuse with 401."""
        access_key, _, signature = (token or "").partition(":")
        if not self._matches(access_key, signature, target + b"\n" + body):
            raise Refusal(401, "the manager token does not match the request")

    def upload(self, token: str | None, now: float) -> Policy:
        """Check an upload token at `now` (seconds since 1970) and return its policy."""
        parts = (token or "").split(":")
        if len(parts) != 3 or not self._matches(parts[0], parts[1], parts[2].encode()):
            raise Refusal(401, "the upload token does not match its signature")
        try:
            fields = json.loads(decode_base64(parts[2], "the policy"))
        except ValueError:
            raise Refusal(400, "the policy is not JSON") from None
        if not isinstance(fields, dict) or not isinstance(fields.get("scope"), str):
            raise Refusal(400, "the policy has no scope")
        try:
            deadline = int(fields["deadline"])
        except (KeyError, TypeError, ValueError):
            raise Refusal(401, "the policy has no deadline in milliseconds") from None
        if deadline < now * 1000:
            raise Refusal(401, "the upload token has expired")
        if fields.get("callbackUrl"):
            raise Refusal(400, "callbackUrl: the local cloud makes no callbacks")
        bucket, colon, key = fields["scope"].partition(":")
        if not bucket:
            raise Refusal(400, "the scope names no bucket")
        return Policy(bucket, key if colon else None, fields)
