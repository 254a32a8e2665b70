"""What WCS carries out by itself: most is done before it is answered, the slow kinds after."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .replies import Refusal
from .retrieval import checked_url, name_of, retrieve
from .state import DONE, FAILED, UNDER_WAY, Operation, State, StoredObject
from .tokens import decode_base64, decode_entry

_WORDS = {UNDER_WAY: "under way", DONE: "done", FAILED: "failed"}
UNDER_WAY_LIMIT = 32

Job = Callable[[], tuple[str, str, StoredObject]]
"""The slow part of a job, for a thread of its own: it returns bucket, key and what to store."""


class Operations:
    """Operations on a state, and how they went.

    Args:
        state: what is stored.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._serial = itertools.count(1)
        self._under_way = 0

    def run(self, kind: str, jobs: str) -> str:
        """Carry out jobs, which ";" divides; return the id that `status` takes.

        "fetch" and "compress" go on after this returns; it is called on the event loop.
        """
        carry = {
            "move": self._transfer,
            "copy": self._transfer,
            "delete": self._delete,
            "deletePrefix": self._delete_prefix,
            "deletem3u8": self._delete_playlist,
        }.get(kind)
        prepare = {"fetch": self._fetch, "compress": self._compress}.get(kind)
        if carry is None and prepare is None:
            raise Refusal(404, f"there is no operation {kind}")
        if not jobs:
            raise Refusal(400, "fops is missing")
        if self._under_way >= UNDER_WAY_LIMIT:
            raise Refusal(503, f"{UNDER_WAY_LIMIT} operations are under way")
        items: list[dict[str, Any]] = []
        slow: list[tuple[dict[str, Any], Job]] = []
        for job in jobs.split(";"):
            parts = job.split("/")
            pairs = list(zip(parts[::2], parts[1::2], strict=False))
            item: dict[str, Any] = {"code": DONE, "fop": job}
            items.append(item)
            try:
                if prepare is not None:
                    slow.append((item, prepare(pairs)))
                    item["code"] = UNDER_WAY
                elif carry is not None:
                    carry(kind, dict(pairs))
            except Refusal as refusal:
                item.update(code=FAILED, error=refusal.message)
        operation = self._remember(items)
        if slow:
            self._under_way += 1
            loop, age = asyncio.get_running_loop(), self._state.age
            arguments = (loop, age, operation, slow)
            threading.Thread(target=self._work, args=arguments, daemon=True).start()
        return operation.identity

    def processed(self, commands: list[str]) -> str:
        """Take commands for done; return the id that `status` takes."""
        done = self._remember([{"code": DONE, "cmd": command} for command in commands])
        return done.identity

    def _remember(self, items: list[dict[str, Any]]) -> Operation:
        operation = Operation(f"{next(self._serial)}{secrets.token_hex(12)}", items)
        self._state.operations[operation.identity] = operation
        self._state.journal.save(operation)
        return operation

    def status(self, identity: str) -> dict[str, Any]:
        """Return how an operation went, or how far it is."""
        found = self._state.operations.get(identity)
        if found is None:
            raise Refusal(404, "there is no such operation")
        codes = {item["code"] for item in found.items}
        code = next(each for each in (UNDER_WAY, FAILED, DONE) if each in codes)
        return {"id": identity, "items": found.items, "code": code, "desc": _WORDS[code]}

    def _work(
        self,
        loop: asyncio.AbstractEventLoop,
        age: int,
        operation: Operation,
        slow: list[tuple[dict[str, Any], Job]],
    ) -> None:
        """Run slow jobs in a thread; what they made is stored on the event loop."""
        # A loop that has closed has nobody left who asks.
        with contextlib.suppress(RuntimeError):
            for item, job in slow:
                try:
                    made: tuple[str, str, StoredObject] | str = job()
                except Refusal as refusal:
                    made = refusal.message
                except Exception as error:
                    made = f"{type(error).__name__}: {error}"
                loop.call_soon_threadsafe(self._end, age, operation, item, made)
            loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._under_way -= 1

    def _end(
        self,
        age: int,
        operation: Operation,
        item: dict[str, Any],
        made: tuple[str, str, StoredObject] | str,
    ) -> None:
        """Store what a job made, unless the state was cleared since."""
        if age != self._state.age:
            return
        self._state.journal.save(operation)
        if isinstance(made, str):
            item.update(code=FAILED, error=made)
            return
        bucket, key, stored = made
        stored.content = self._state.journal.keep(list(stored.content.chunks()))
        try:
            self._store(bucket, key, stored)
        except Refusal as refusal:
            item.update(code=FAILED, error=refusal.message)
            return
        item.update(code=DONE, bucket=bucket, key=key, hash=stored.hash, fsize=stored.size)

    def _store(self, bucket: str, key: str, stored: StoredObject) -> None:
        self._state.reserve(stored.size)
        self._state.put(bucket, key, stored, overwrite=True)

    def _fetch(self, pairs: list[tuple[str, str]]) -> Job:
        """Return the job that stores what a URL gives."""
        fields = dict(pairs)
        if "decompression" in fields:
            raise Refusal(400, "the local cloud unpacks nothing that it fetches")
        url = checked_url(_text(fields, "fetchURL"))
        bucket, digest = _text(fields, "bucket"), fields.get("md5", "").lower()
        key = _text(fields, "key", "") or name_of(url)
        prefix = _text(fields, "prefix", "")

        def job() -> tuple[str, str, StoredObject]:
            stored = retrieve(url, digest)
            return bucket, prefix + (key or stored.hash), stored

        return job

    def _compress(self, pairs: list[tuple[str, str]]) -> Job:
        """Return the job that packs objects into one."""
        fields = dict(pairs)
        bucket, target = _text(fields, "bucket"), decode_entry(fields.get("saveas", ""))
        keys = [_text({"key": value}, "key") for name, value in pairs if name == "key"]
        if not keys:
            raise Refusal(400, "key is missing")
        objects = {key: self._state.get(bucket, key) for key in keys}
        form = fields.get("format", "zip")

        def job() -> tuple[str, str, StoredObject]:
            # Few need it, and it would cost every start some milliseconds.
            from .packing import pack

            return (*target, pack(objects, form))

        return job

    def _transfer(self, kind: str, fields: dict[str, str]) -> None:
        source = decode_entry(fields.get("resource", ""))
        bucket = _text(fields, "bucket")
        key = _text(fields, "prefix", "") + (_text(fields, "key", "") or source[1])
        stored = self._state.get(*source)
        if source == (bucket, key):
            return
        self._store(bucket, key, replace(stored))
        if kind == "move":
            self._state.delete(*source)

    def _delete(self, kind: str, fields: dict[str, str]) -> None:
        self._state.delete(_text(fields, "bucket"), _text(fields, "key"))

    def _delete_prefix(self, kind: str, fields: dict[str, str]) -> None:
        bucket, prefix = _text(fields, "bucket"), _text(fields, "prefix")
        held = self._state.buckets.get(bucket, {})
        for key in [key for key in held if key.startswith(prefix)]:
            self._state.delete(bucket, key)

    def _delete_playlist(self, kind: str, fields: dict[str, str]) -> None:
        """Delete a playlist and, where asked to, the segments it names that are there."""
        bucket, key = _text(fields, "bucket"), _text(fields, "key")
        playlist = self._state.get(bucket, key)
        if fields.get("deletets", "0") == "1":
            folder = key[: key.rfind("/") + 1]
            for line in playlist.content.read().decode("utf-8", "replace").splitlines():
                segment = folder + line.strip()
                if line.strip() and not line.startswith("#") and segment != key:
                    with contextlib.suppress(Refusal):
                        self._state.delete(bucket, segment)
        self._state.delete(bucket, key)


def _text(fields: dict[str, str], name: str, default: str | None = None) -> str:
    if name not in fields and default is not None:
        return default
    value = decode_base64(fields.get(name, ""), name).decode("utf-8", "replace")
    if not value:
        raise Refusal(400, f"{name} is missing")
    return value
