"""Signatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wirespeed import _native


def text(value: Any) -> str:
    """Return a parameter as it is signed and sent."""
    return value.decode() if isinstance(value, (bytes, bytearray)) else str(value)


class Sign:
    """Signs with one key pair."""

    def __init__(self, secretId: str, secretKey: str) -> None:
        self.secretId = secretId
        self.secretKey = secretKey

    def make(
        self,
        requestHost: str,
        requestUri: str,
        params: Mapping[str, Any],
        method: str = "POST",
        sign_method: str = "sha1",
    ) -> str:
        """Return the signature of a request, in base64."""
        return _native.sign_cmq(
            method.upper(),
            requestHost,
            requestUri,
            {name: text(value) for name, value in params.items()},
            text(self.secretKey),
            sign_method == "sha256",
        )
