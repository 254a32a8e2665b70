"""What WCS carries out by itself; here it is done before it is answered."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import replace
from typing import Any

from .replies import Refusal
from .state import State
from .tokens import decode_base64, decode_entry

_DONE, _FAILED = 3, 4


class Operations:
    """Operations on a state, and how they went.

    Args:
        state: what is stored.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._serial = itertools.count(1)
        self._status: dict[str, dict[str, Any]] = {}

    def run(self, kind: str, jobs: str) -> str:
        """Carry out jobs, which ";" divides; return the id that `status` takes."""
        carry = {
            "move": self._transfer,
            "copy": self._transfer,
            "delete": self._delete,
            "deletePrefix": self._delete_prefix,
            "deletem3u8": self._delete,
        }.get(kind)
        if kind in ("fetch", "compress"):
            raise Refusal(400, f"the local cloud has no {kind}")
        if carry is None:
            raise Refusal(404, f"there is no operation {kind}")
        if not jobs:
            raise Refusal(400, "fops is missing")
        items = []
        for job in jobs.split(";"):
            parts = job.split("/")
            fields = dict(zip(parts[::2], parts[1::2], strict=False))
            try:
                carry(kind, fields)
                items.append({"code": _DONE, "fop": job})
            except Refusal as refusal:
                items.append({"code": _FAILED, "fop": job, "error": refusal.message})
        return self._remember(items)

    def processed(self, commands: list[str]) -> str:
        """Take commands for done; return the id that `status` takes."""
        return self._remember([{"code": _DONE, "cmd": command} for command in commands])

    def _remember(self, items: list[dict[str, Any]]) -> str:
        failed = any(item["code"] == _FAILED for item in items)
        identity = f"{next(self._serial)}{secrets.token_hex(12)}"
        self._status[identity] = {
            "id": identity,
            "code": _FAILED if failed else _DONE,
            "desc": "failed" if failed else "done",
            "items": items,
        }
        return identity

    def status(self, identity: str) -> dict[str, Any]:
        """Return how an operation went."""
        found = self._status.get(identity)
        if found is None:
            raise Refusal(404, "there is no such operation")
        return found

    def _transfer(self, kind: str, fields: dict[str, str]) -> None:
        source = decode_entry(fields.get("resource", ""))
        bucket = _text(fields, "bucket")
        key = _text(fields, "prefix", "") + (_text(fields, "key", "") or source[1])
        stored = self._state.get(*source)
        self._state.put(bucket, key, replace(stored), overwrite=True)
        self._state.reserve(stored.size)
        if kind == "move":
            self._state.delete(*source)

    def _delete(self, kind: str, fields: dict[str, str]) -> None:
        self._state.delete(_text(fields, "bucket"), _text(fields, "key"))

    def _delete_prefix(self, kind: str, fields: dict[str, str]) -> None:
        bucket, prefix = _text(fields, "bucket"), _text(fields, "prefix")
        held = self._state.buckets.get(bucket, {})
        for key in [key for key in held if key.startswith(prefix)]:
            self._state.delete(bucket, key)


def _text(fields: dict[str, str], name: str, default: str | None = None) -> str:
    if name not in fields and default is not None:
        return default
    value = decode_base64(fields.get(name, ""), name).decode("utf-8", "replace")
    if not value:
        raise Refusal(400, f"{name} is missing")
    return value
