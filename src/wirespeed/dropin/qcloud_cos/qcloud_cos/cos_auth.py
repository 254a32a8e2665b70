"""Signatures."""

from __future__ import annotations

import secrets
import time

from wirespeed import _native

from .cos_cred import CredInfo

_NONCES = 1_000_000_000


class Auth:
    """Signs with one key pair."""

    def __init__(self, cred: CredInfo) -> None:
        self.cred = cred

    def app_sign(self, bucket: str, cos_path: str, expired: int, upload_sign: bool = True) -> str:
        """Return a signature.

        `expired` is epoch seconds, seconds from now where it lies in the past, or 0: good once.
        """
        now = int(time.time())
        appid = str(self.cred.get_appid())
        fileid = _native.percent_encode(cos_path, "path")
        if upload_sign:
            fileid = f"/{appid}/{bucket}{fileid}"
        if expired != 0 and expired < now:
            expired += now
        return _native.sign_cos(
            appid,
            bucket,
            self.cred.get_secret_id(),
            self.cred.get_secret_key(),
            now,
            int(expired),
            secrets.randbelow(_NONCES),
            fileid,
        )

    def sign_once(self, bucket: str, cos_path: str) -> str:
        """Return a signature that is good for one deletion, update or move."""
        return self.app_sign(bucket, cos_path, 0)

    def sign_more(self, bucket: str, cos_path: str, expired: int) -> str:
        """Return a signature that is good until a time."""
        return self.app_sign(bucket, cos_path, expired)

    def sign_download(self, bucket: str, cos_path: str, expired: int) -> str:
        """Return a signature that lets a file be downloaded until a time."""
        return self.app_sign(bucket, cos_path, expired, False)
