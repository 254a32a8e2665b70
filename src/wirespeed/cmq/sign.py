"""CMQ requests are signed with HMAC-SHA1 or HMAC-SHA256 over all their parameters."""

from __future__ import annotations

from .. import _native
from ..config import Credentials

PATH = "/v2/index.php"
REQUEST_CLIENT = "wirespeed"


def signed_parameters(
    action: str,
    parameters: dict[str, str],
    credentials: Credentials,
    method: str,
    host: str,
    *,
    sha256: bool,
    wall: float,
    nonce: int,
) -> dict[str, str]:
    """Return the parameters of one request, its signature last.

    Args:
        action: such as "SendMessage".
        parameters: the action's own.
        credentials: the key pair, perhaps with a token.
        method: "POST" or "GET".
        host: the Host header that will be sent.
        sha256: HMAC-SHA256, else HMAC-SHA1.
        wall: the time, seconds since 1970.
        nonce: a random number above 0.
    """
    made = {
        "Action": action,
        **parameters,
        "RequestClient": REQUEST_CLIENT,
        "SecretId": credentials.access_key,
        "Nonce": str(nonce),
        "Timestamp": str(int(wall)),
        "SignatureMethod": "HmacSHA256" if sha256 else "HmacSHA1",
    }
    if credentials.token:
        made["Token"] = credentials.token
    made["Signature"] = _native.sign_cmq(method, host, PATH, made, credentials.secret_key, sha256)
    return made
