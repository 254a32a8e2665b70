"""The local WCS beside a model, asked by our client: what is stored, found, moved and listed."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.property.machines import QUICK_HTTP
from wirespeed import wcs
from wirespeed.errors import Conflict, ObjectNotFound, ServiceError
from wirespeed.local import LocalCloud

KEYS = st.sampled_from(["a", "a/b", "a/c/d", "ba", "\u00e9/\u4e2d", "z"])
PREFIXES = st.sampled_from(["", "a", "a/", "a/c", "\u00e9", "none"])
BUCKETS = st.sampled_from(["one", "two"])
BODIES = st.sampled_from([b"", b"x", b"y" * 100, b"z" * 5000])
PLACES = st.integers(0, 120)


def etag_of(body: bytes) -> str:
    """Return the etag of a body of one block."""
    return base64.urlsafe_b64encode(b"\x16" + hashlib.sha1(body).digest()).decode()


class Machine(RuleBasedStateMachine):
    """Two buckets."""

    def __init__(self) -> None:
        super().__init__()
        self.cloud = LocalCloud(["wcs"]).start()
        url = self.cloud.wcs_url
        self.client = wcs.Client(
            self.cloud.access_key, self.cloud.secret_key, upload_url=url, manage_url=url,
            download_url=url + "/download/{bucket}",
        )  # fmt: skip
        self.buckets = {name: self.client.bucket(name) for name in ("one", "two")}
        self.held: dict[str, dict[str, bytes]] = {"one": {}, "two": {}}
        self.used: set[str] = set()
        """The buckets that ever had an object."""

    def teardown(self) -> None:
        """Stop the cloud."""
        self.client.close()
        self.cloud.close()

    @rule(bucket=BUCKETS, key=KEYS, body=BODIES, overwrite=st.booleans())
    def put(self, bucket: str, key: str, body: bytes, overwrite: bool) -> None:
        self.used.add(bucket)
        before = self.held[bucket].get(key, body)
        if before != body and not overwrite:
            with pytest.raises(Conflict):
                self.buckets[bucket].put(key, body, overwrite=False)
            return
        assert self.buckets[bucket].put(key, body, overwrite=overwrite).hash == etag_of(body)
        self.held[bucket][key] = body

    @rule(bucket=BUCKETS, key=KEYS)
    def delete(self, bucket: str, key: str) -> None:
        if self.held[bucket].pop(key, None) is None:
            with pytest.raises(ObjectNotFound):
                self.buckets[bucket].delete(key)
        else:
            self.buckets[bucket].delete(key)

    @rule(source=BUCKETS, key=KEYS, other=BUCKETS, to=KEYS, move=st.booleans())
    def transfer(self, source: str, key: str, other: str, to: str, move: bool) -> None:
        if (source, key) == (other, to):
            return
        bucket = self.buckets[source]
        body = self.held[source].get(key)
        work: Any = bucket.move if move else bucket.copy
        if body is None or self.held[other].get(to, body) != body:
            with pytest.raises(ObjectNotFound if body is None else Conflict):
                work(key, to, bucket=other)
            return
        work(key, to, bucket=other)
        self.used.add(other)
        self.held[other][to] = body
        if move:
            del self.held[source][key]

    @rule(bucket=BUCKETS, prefix=st.sampled_from(["a", "a/", "\u00e9", "none"]))
    def delete_prefix(self, bucket: str, prefix: str) -> None:
        self.buckets[bucket].begin_delete_prefix(prefix)
        held = self.held[bucket]
        self.held[bucket] = {key: held[key] for key in held if not key.startswith(prefix)}

    @rule(bucket=BUCKETS, key=KEYS, start=PLACES, length=st.integers(1, 200))
    def get(self, bucket: str, key: str, start: int, length: int) -> None:
        body = self.held[bucket].get(key)
        asked = self.buckets[bucket]
        if body is None:
            for method in (asked.get, asked.stat):
                with pytest.raises(ObjectNotFound):
                    method(key)
            return
        assert asked.get(key) == body
        stat = asked.stat(key)
        assert (stat.size, stat.hash) == (len(body), etag_of(body))
        if start < len(body):
            assert asked.get(key, start=start, end=start + length) == body[start : start + length]
            assert asked.get(key, start=start) == body[start:]
        else:
            with pytest.raises(ServiceError):
                asked.get(key, start=start)

    @rule(bucket=BUCKETS, prefix=PREFIXES, size=st.integers(1, 4), limit=st.integers(0, 4))
    def look(self, bucket: str, prefix: str, size: int, limit: int) -> None:
        asked = self.buckets[bucket]
        if bucket not in self.used:
            with pytest.raises(ServiceError):
                asked.list(prefix).all()
            return
        keys = sorted(key for key in self.held[bucket] if key.startswith(prefix))
        assert [each.key for each in asked.list(prefix, page_size=size)] == keys
        assert [each.key for each in asked.list(prefix, limit, page_size=size)] == keys[:limit]
        level = {key: key.find("/", len(prefix)) for key in keys}
        pages = list(asked.list(prefix, delimiter="/", page_size=size).pages())
        assert all(0 <= len(page.items) + len(page.prefixes) <= size for page in pages)
        found = [each.key for page in pages for each in page.items]
        assert found == [key for key in keys if level[key] < 0]
        folders = [each for page in pages for each in page.prefixes]
        assert folders == sorted({key[: at + 1] for key, at in level.items() if at >= 0})

    @invariant()
    def nothing_is_held_that_is_not_there(self) -> None:
        state = self.cloud._vault.states["wcs"]
        held = sum(len(body) for objects in self.held.values() for body in objects.values())
        assert state.used == held


Machine.TestCase.settings = QUICK_HTTP
TestWcs = Machine.TestCase
