"""WCS signatures: HMAC-SHA1, of which the hex text is written in URL-safe base64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _native
from ..config import Credentials


def upload_token(credentials: Credentials, policy: Mapping[str, Any]) -> str:
    """Return the token that permits the uploads a policy describes.

    Args:
        credentials: the key pair.
        policy: the fields in the order they are signed; `scope` and `deadline` (milliseconds
            since 1970) at least.
    """
    fields = policy if isinstance(policy, dict) else dict(policy)
    return _native.sign_wcs_upload(credentials.access_key, credentials.secret_key, fields)


def manager_token(credentials: Credentials, target: str, body: bytes = b"") -> str:
    """Return the token of one management request.

    Args:
        credentials: the key pair.
        target: its path, with `?` and the query where there is one, as it is sent.
        body: its body.
    """
    return _native.sign_wcs_manager(credentials.access_key, credentials.secret_key, target, body)
