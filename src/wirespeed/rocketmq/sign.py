"""RocketMQ's request signature (ACL 1.0 and 2.0 verify the same one)."""

from __future__ import annotations

from .. import _native
from ..config import Credentials
from ..remoting.connection import Command


def sign(command: Command, credentials: Credentials) -> None:
    """Add AccessKey, SecurityToken where there is one, and Signature to the command's fields.

    The signature covers every field's value in the order of the field names, then the body.
    It must be the last thing done to a command.
    """
    fields = command.ext_fields
    if fields is None:
        fields = command.ext_fields = {}
    fields.pop("Signature", None)
    fields["AccessKey"] = credentials.access_key
    if credentials.token:
        fields["SecurityToken"] = credentials.token
    fields["Signature"] = _native.sign_rocketmq(fields, command.body, credentials.secret_key)
