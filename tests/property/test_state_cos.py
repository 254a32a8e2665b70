"""The local COS v4 beside a model, asked by our client: objects, folders and what is in the way."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.property.machines import QUICK_HTTP
from wirespeed import cos
from wirespeed.errors import Conflict, ObjectNotFound, ServiceError
from wirespeed.local import LocalCloud
from wirespeed.local.cos.refusal import Refusal
from wirespeed.local.cos.state import Upload

KEYS = st.sampled_from(["a", "a/x", "a/b", "a/b/c", "d/e", "\u00e9/\u4e2d", "z"])
FOLDERS = st.sampled_from(["a/", "a/b/", "d/", "\u00e9/", "a/x/"])
BODIES = st.sampled_from([b"", b"x", b"y" * 100, b"z" * 5000])
PLACES = st.integers(0, 120)


class Machine(RuleBasedStateMachine):
    """One bucket. The model holds bytes and text of an object, no bytes of a folder."""

    def __init__(self) -> None:
        super().__init__()
        self.cloud = LocalCloud(["cos"]).start()
        url = self.cloud.cos_url
        self.client = cos.Client(
            10001, self.cloud.access_key, self.cloud.secret_key, endpoint=url,
            download_endpoint=url,
        )  # fmt: skip
        self.bucket = self.client.bucket("b")
        self.held: dict[str, tuple[bytes | None, str]] = {}
        self.uploads: dict[str, tuple[Upload, bytes, set[int]]] = {}
        self.state = self.cloud._vault.states["cos"]
        self.store = self.state.bucket("b-10001")

    def teardown(self) -> None:
        """Stop the cloud."""
        self.client.close()
        self.cloud.close()

    def below(self, folder: str) -> list[str]:
        return [key for key in self.held if key.startswith(folder) and key != folder]

    def in_the_way(self, key: str) -> bool:
        """Whether an object of that key would be in a folder's place, or in an object."""
        parts = key.split("/")
        parents = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        return (
            any(parent in self.held for parent in parents)
            or f"{key}/" in self.held
            or bool(self.below(f"{key}/"))
        )

    @rule(key=KEYS, body=BODIES, text=st.sampled_from(["", "note"]), overwrite=st.booleans())
    def put(self, key: str, body: bytes, text: str, overwrite: bool) -> None:
        options: dict[str, Any] = {"biz_attr": text, "overwrite": overwrite}
        if self.in_the_way(key) or (key in self.held and not overwrite):
            with pytest.raises(Conflict):
                self.bucket.put(key, body, **options)
            return
        self.bucket.put(key, body, **options)
        self.held[key] = (body, text)

    @rule(key=FOLDERS, text=st.sampled_from(["", "note"]))
    def create_folder(self, key: str, text: str) -> None:
        if key in self.held or key[:-1] in self.held:
            with pytest.raises(Conflict):
                self.bucket.create_folder(key, biz_attr=text)
            return
        self.bucket.create_folder(key, biz_attr=text)
        self.held[key] = (None, text)

    @rule(key=KEYS, body=st.sampled_from([b"s" * 5, b"t" * 25]), insert_only=st.booleans())
    def begin(self, key: str, body: bytes, insert_only: bool) -> None:
        """Begin an upload by slices of ten bytes, which no client may ask for."""
        upload = Upload(len(body), 10, hashlib.sha1(body).hexdigest(), "slices", insert_only)
        if key in self.uploads:
            with pytest.raises(Refusal, match="UNFINISHED"):
                self.store.begin(f"/{key}", upload)
            return
        self.store.begin(f"/{key}", upload)
        self.uploads[key] = (upload, body, set())

    @rule(key=KEYS, place=st.integers(0, 3), wrong=st.integers(0, 9))
    def add(self, key: str, place: int, wrong: int) -> None:
        if key not in self.uploads:
            return
        upload, body, there = self.uploads[key]
        data = body[place * 10 : place * 10 + 10]
        if not data or not wrong:
            with pytest.raises(Refusal, match="the slice is none"):
                self.store.add(upload, place * 10 + (not wrong), data)
            return
        self.store.add(upload, place * 10, data)
        there.add(place)

    @rule(key=KEYS)
    def finish(self, key: str) -> None:
        if key not in self.uploads:
            return
        upload, body, there = self.uploads[key]
        whole = len(there) * 10 >= len(body)
        if not whole or self.in_the_way(key) or (key in self.held and upload.insert_only):
            with pytest.raises(Refusal):
                self.store.finish(f"/{key}", upload)
            return
        self.store.finish(f"/{key}", upload)
        del self.uploads[key]
        self.held[key] = (body, "slices")

    @rule(key=st.one_of(KEYS, FOLDERS))
    def delete(self, key: str) -> None:
        upload = self.uploads.pop(key, None)
        if upload is not None and key not in self.held:
            self.bucket.delete(key)
        elif key.endswith("/") and self.below(key):
            with pytest.raises(Conflict):
                self.bucket.delete(key)
        elif key in self.held:
            self.bucket.delete(key)
            del self.held[key]
        else:
            with pytest.raises(ObjectNotFound):
                self.bucket.delete(key)

    @rule(key=KEYS, to=KEYS, move=st.booleans(), overwrite=st.booleans())
    def transfer(self, key: str, to: str, move: bool, overwrite: bool) -> None:
        if key == to:
            return
        work = self.bucket.move if move else self.bucket.copy
        if key not in self.held:
            with pytest.raises(ObjectNotFound):
                work(key, to, overwrite=overwrite)
            return
        if self.in_the_way(to) or (to in self.held and not overwrite):
            with pytest.raises(Conflict):
                work(key, to, overwrite=overwrite)
            return
        work(key, to, overwrite=overwrite)
        self.held[to] = self.held[key]
        if move:
            del self.held[key]

    @rule(key=st.one_of(KEYS, FOLDERS), text=st.sampled_from(["", "other"]))
    def update(self, key: str, text: str) -> None:
        if key not in self.held:
            with pytest.raises(ObjectNotFound):
                self.bucket.update(key, biz_attr=text)
            return
        self.bucket.update(key, biz_attr=text)
        self.held[key] = (self.held[key][0], text)

    @rule(key=KEYS, start=PLACES, length=st.integers(1, 200))
    def get(self, key: str, start: int, length: int) -> None:
        if key not in self.held:
            for method in (self.bucket.get, self.bucket.stat):
                with pytest.raises(ObjectNotFound):
                    method(key)
            return
        body, text = self.held[key]
        assert body is not None
        assert self.bucket.get(key) == body
        stat = self.bucket.stat(key)
        assert (stat.size, stat.sha1, stat.biz_attr) == (
            len(body), hashlib.sha1(body).hexdigest(), text,
        )  # fmt: skip
        if start < len(body):
            assert (
                self.bucket.get(key, start=start, end=start + length)
                == (body[start : start + length])
            )
        else:
            with pytest.raises(ServiceError):
                self.bucket.get(key, start=start)

    @rule(
        folder=st.one_of(st.just(""), FOLDERS),
        prefix=st.sampled_from(["", "a", "b", "\u4e2d"]),
        size=st.integers(1, 4),
    )
    def look(self, folder: str, prefix: str, size: int) -> None:
        listing = self.bucket.list(folder, prefix, page_size=size)
        if folder and folder not in self.held and not self.below(folder):
            with pytest.raises(ObjectNotFound):
                listing.all()
            return
        names = set()
        for key in self.below(folder):
            head, slash, _ = key[len(folder) :].partition("/")
            if head.startswith(prefix):
                names.add(folder + head + slash)
        pages = list(listing.pages())
        assert [each.key for page in pages for each in page.entries] == sorted(names)
        assert all(len(page.entries) <= size for page in pages)
        for each in (each for page in pages for each in page.entries):
            body, text = self.held.get(each.key, (None, ""))
            assert (each.size, each.biz_attr) == (len(body or b""), text)

    @invariant()
    def nothing_is_held_that_is_not_there(self) -> None:
        held = sum(len(body or b"") for body, _ in self.held.values())
        for _, body, there in self.uploads.values():
            held += sum(len(body[place * 10 : place * 10 + 10]) for place in there)
        assert self.state.held == held


Machine.TestCase.settings = QUICK_HTTP
TestCos = Machine.TestCase
