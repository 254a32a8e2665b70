"""Who may ask the broker: each command is signed with the key of a user."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

from . import codes
from .server import Refusal, Request

_USER, _SIGNATURE = "AccessKey", "Signature"
_UNSIGNED_BY_OLD_CLIENTS = "_UNIQUE_KEY_QUERY"


class Access:
    """Checks signatures as RocketMQ 5.5.0 does; every user may do everything.

    Args:
        users: secret by access key; without any, nothing is checked.
    """

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = dict(users)

    def check(self, request: Request) -> None:
        """Refuse a command that no user signed, with code 16."""
        if not self._users:
            return
        name = request.fields.get(_USER)
        if not name:
            raise _refusal("username cannot be null.")
        secret = self._users.get(name)
        if secret is None:
            raise _refusal(f"User:{name} is not found.")
        given = request.fields.get(_SIGNATURE, "")
        if not hmac.compare_digest(given.encode(), _signature(request, secret)):
            raise _refusal("check signature failed.")


def _signature(request: Request, secret: str) -> bytes:
    """Return HMAC-SHA1 of the fields' values, in the order of their names, and the body."""
    unsigned = {_SIGNATURE}
    if request.version < codes.UNIQUE_KEY_QUERY_SIGNED_SINCE:
        unsigned.add(_UNSIGNED_BY_OLD_CLIENTS)
    values = (request.fields[name] for name in sorted(request.fields.keys() - unsigned))
    content = "".join(values).encode() + request.body
    return base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha1).digest())


def _refusal(remark: str) -> Refusal:
    return Refusal(codes.NO_PERMISSION, remark)
