"""What the WCS face remembers: buckets, objects and the blocks of uploads under way."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..content import Content
from ..journal import Journal, Kept, Packed
from .replies import Refusal

BLOCK_SIZE = 4 * 1024 * 1024
LIST_LIMIT = 1000
UNDER_WAY, DONE, FAILED = 2, 3, 4
"""The codes of an operation's jobs."""


def encode_base64(data: bytes) -> str:
    """Return padded URL-safe base64."""
    return base64.urlsafe_b64encode(data).decode()


class BlockDigest:
    """SHA-1 of each 4 MiB of a byte stream, and of all of it so far."""

    def __init__(self) -> None:
        self.finished: list[bytes] = []
        self.size = 0
        self._part = hashlib.sha1()
        # The first 4 MiB are hashed once: until they end, the part is the whole.
        self._whole = self._part

    def copy(self) -> BlockDigest:
        """Return a digest that goes on from here by itself."""
        twin = BlockDigest()
        twin.finished = list(self.finished)
        twin.size = self.size
        twin._part = self._part.copy()
        twin._whole = twin._part if self._whole is self._part else self._whole.copy()
        return twin

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        view = memoryview(data)
        while view:
            if self.size and self.size % BLOCK_SIZE == 0:
                self._part = hashlib.sha1()
            piece = view[: BLOCK_SIZE - self.size % BLOCK_SIZE]
            self._part.update(piece)
            if self._whole is not self._part:
                self._whole.update(piece)
            self.size += len(piece)
            view = view[len(piece) :]
            if self.size % BLOCK_SIZE == 0:
                self.finished.append(self._part.digest())

    def checksum(self) -> str:
        """Return the SHA-1 of everything so far, in URL-safe base64."""
        return encode_base64(self._whole.digest())

    def blocks(self) -> list[bytes]:
        """Return the SHA-1 of every 4 MiB, the last one of what is left."""
        if self.size % BLOCK_SIZE:
            return [*self.finished, self._part.digest()]
        return list(self.finished)


def fold(blocks: list[bytes]) -> str:
    """Return the etag of a file from the SHA-1s of its 4 MiB blocks."""
    if len(blocks) > 1:
        return encode_base64(b"\x96" + hashlib.sha1(b"".join(blocks)).digest())
    return encode_base64(b"\x16" + (blocks[0] if blocks else hashlib.sha1().digest()))


@dataclass(eq=False, slots=True)
class StoredObject:
    """One object.

    Attributes:
        content: its bytes.
        hash: its etag.
        mime_type: its media type.
        put_time: milliseconds since 1970.
        expires: milliseconds since 1970, or None.
        bucket: the bucket it is in.
        key: its name there.
    """

    content: Content
    hash: str
    mime_type: str = "application/octet-stream"
    put_time: int = 0
    expires: int | None = None
    bucket: str = ""
    key: str = ""

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.content.size

    def pack(self) -> Packed:
        """Return it as it is written down."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "content"}
        return Packed("object", fields, content=self.content)

    def describe(self) -> dict[str, Any]:
        """Return the fields that stat and list share."""
        return {
            "fsize": self.size,
            "hash": self.hash,
            "mimeType": self.mime_type,
            "putTime": self.put_time,
            "expirationDate": "" if self.expires is None else str(self.expires),
        }


@dataclass(eq=False, slots=True)
class Operation:
    """An operation, and how each of its jobs went."""

    identity: str
    items: list[dict[str, Any]]

    def pack(self) -> Packed:
        """Return it as it is written down."""
        return Packed("operation", {"identity": self.identity, "items": self.items})


class Block:
    """A block under way. Its context changes with every piece; `State` maps it here."""

    def __init__(self, bucket: str, batch: str, order: int, size: int) -> None:
        self.bucket = bucket
        self.batch = batch
        self.order = order
        self.size = size
        self.context = ""
        self.content = Content()
        self.digest = BlockDigest()

    def pack(self) -> Packed:
        """Return it as it is written down."""
        names = ("bucket", "batch", "order", "size", "context")
        return Packed("block", {name: getattr(self, name) for name in names}, content=self.content)


class Piece:
    """Bytes of one mkblk or bput, kept apart from their block until all have come."""

    def __init__(self, state: State, block: Block) -> None:
        self._state = state
        self._block = block
        self._chunks: list[bytes] = []
        self._digest = block.digest.copy()
        self._crc32 = 0

    def take(self, data: bytes) -> None:
        """Take the next bytes, or refuse those past the block's end with 400."""
        if self._digest.size + len(data) > self._block.size:
            raise Refusal(400, f"the data passes the block's size of {self._block.size} bytes")
        self._state.reserve(len(data))
        self._chunks.append(data)
        self._digest.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)

    def abandon(self) -> None:
        """Give the piece's bytes back; its block stays as it was."""
        self._state.release(sum(map(len, self._chunks)))

    def commit(self) -> dict[str, Any]:
        """Add the piece to its block; return the reply's checksum, crc32 and offset."""
        self._block.content += self._state.journal.keep(self._chunks)
        self._block.digest = self._digest
        return {
            "checksum": self._digest.checksum(),
            "crc32": self._crc32,
            "offset": self._digest.size,
        }


class MadeBucket:
    """A bucket, which is there also when it is empty again.

    Args:
        name: its name.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def pack(self) -> Packed:
        """Return it as it is written down."""
        return Packed("bucket", {"name": self.name})


class State:
    """Buckets, objects and uploads. One event loop uses it at a time.

    Args:
        clock: returns the time, seconds since 1970.
        journal: where it says what it keeps; nowhere by default.
        memory_limit: bytes of objects and unfinished blocks together; what passes it is
            refused with 507. The default is 4 GiB.

    Attributes:
        KINDS: what is taken back, the first before what refers to it.
        buckets: objects by key, by bucket; a bucket exists from its first object on.
        blocks: unfinished blocks by context.
        age: how often everything was forgotten.
    """

    KINDS = ("bucket", "object", "block", "operation")

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        journal: Journal | None = None,
        *,
        memory_limit: int = 4 << 30,
    ) -> None:
        self.now = clock
        self.journal = journal or Journal()
        self.memory_limit = memory_limit
        self.age = 0
        self.operations: dict[str, Operation] = {}
        self._made: dict[str, MadeBucket] = {}
        self.buckets: dict[str, dict[str, StoredObject]] = {}
        self.blocks: dict[str, Block] = {}
        self.used = 0

    def clear(self) -> None:
        """Forget everything."""
        self.age += 1
        self.buckets.clear()
        self.blocks.clear()
        self.operations.clear()
        self._made.clear()
        self.used = 0
        self.journal.clear()

    def things(self) -> Iterator[Kept]:
        """Yield all that it keeps."""
        yield from self._made.values()
        for objects in self.buckets.values():
            yield from objects.values()
        yield from self.blocks.values()
        yield from self.operations.values()

    def load(self, packed: Packed) -> Kept | None:
        """Take back what was written down; return what it is now."""
        fields, content = packed.fields, packed.content or Content()
        self.used += len(content)
        if packed.kind == "bucket":
            self.buckets[fields["name"]] = {}
            made = self._made[fields["name"]] = MadeBucket(fields["name"])
            return made
        if packed.kind == "operation":
            done = Operation(**fields)
            self.operations[done.identity] = done
            return done
        if packed.kind == "object":
            stored = StoredObject(content, **fields)
            self.buckets[stored.bucket][stored.key] = stored
            return stored
        block = Block(*(fields[name] for name in ("bucket", "batch", "order", "size")))
        block.context, block.content = fields["context"], content
        for chunk in content.chunks():
            block.digest.update(chunk)
        self.blocks[block.context] = block
        return block

    def loaded(self) -> None:
        """Give up the jobs that were under way."""
        for operation in self.operations.values():
            for item in operation.items:
                if item["code"] == UNDER_WAY:
                    item.update(code=FAILED, error="the local cloud was stopped")
                    self.journal.save(operation)

    def wake(self) -> None:
        """Nobody waits here."""

    def milliseconds(self) -> int:
        """Return the time, milliseconds since 1970."""
        return int(self.now() * 1000)

    def reserve(self, size: int) -> None:
        """Count `size` more bytes, or refuse with 507."""
        if self.used + size > self.memory_limit:
            raise Refusal(507, f"the local cloud holds at most {self.memory_limit} bytes")
        self.used += size

    def release(self, size: int) -> None:
        """Count `size` bytes fewer."""
        self.used -= size

    def new_context(self, block: Block) -> str:
        """Return the context that the block's next piece must name."""
        context = block.context = secrets.token_urlsafe(30)
        self.blocks[context] = block
        self.journal.save(block)
        return context

    def find_block(self, context: str, batch: str, bucket: str) -> Block:
        """Return the block that a context names, or refuse with 701."""
        block = self.blocks.get(context)
        if block is None or block.batch != batch or block.bucket != bucket:
            raise Refusal(400, "the context is unknown, used or of another upload", 701)
        return block

    def assemble(self, contexts: list[str], size: int, batch: str, bucket: str) -> StoredObject:
        """Join finished blocks into an object that is not stored yet.

        The contexts stay valid until `finish`. Refuses a context that is wrong, used or out
        of order with 701, and sizes that do not fit with 400.
        """
        blocks = []
        for order, context in enumerate(contexts):
            block = self.find_block(context, batch, bucket)
            if block.order != order:
                raise Refusal(400, f"context {order} is of block {block.order}", 701)
            if block.digest.size != block.size:
                raise Refusal(400, f"block {order} has {block.digest.size} of {block.size} bytes")
            blocks.append(block)
        for block in blocks[:-1]:
            if block.size % BLOCK_SIZE or not block.size:
                raise Refusal(400, f"block {block.order} is no multiple of 4 MiB")
        if sum(block.size for block in blocks) != size:
            raise Refusal(400, f"the blocks do not add up to {size} bytes")
        digests = [digest for block in blocks for digest in block.digest.blocks()]
        pieces = [piece for block in blocks for piece in block.content.pieces]
        return StoredObject(Content(pieces), fold(digests))

    def finish(self, contexts: Iterable[str]) -> None:
        """End the contexts of an upload that became an object."""
        for context in contexts:
            self.journal.drop(self.blocks.pop(context))

    def put(self, bucket: str, key: str, stored: StoredObject, overwrite: bool) -> None:
        """Store an object; another one of that name is refused with 614 unless `overwrite`."""
        objects = self.buckets.setdefault(bucket, {})
        if bucket not in self._made:
            made = self._made[bucket] = MadeBucket(bucket)
            self.journal.save(made)
        self._expire(bucket, (key,))
        old = objects.get(key)
        if old is not None:
            if not overwrite and old.hash != stored.hash:
                raise Refusal(400, "an object of that name exists", 614)
            self.release(old.size)
            self.journal.drop(old)
        stored.bucket, stored.key = bucket, key
        stored.put_time = stored.put_time or self.milliseconds()
        objects[key] = stored
        self.journal.save(stored)

    def _expire(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete those of some objects whose deadline is past."""
        now = self.milliseconds()
        objects = self.buckets.get(bucket, {})
        for key in keys:
            stored = objects.get(key)
            if stored is not None and stored.expires is not None and stored.expires <= now:
                self.release(stored.size)
                self.journal.drop(objects.pop(key))

    def get(self, bucket: str, key: str) -> StoredObject:
        """Return an object, or refuse with 404."""
        self._expire(bucket, (key,))
        try:
            return self.buckets[bucket][key]
        except KeyError:
            raise Refusal(404, "file not found") from None

    def delete(self, bucket: str, key: str) -> None:
        """Forget an object, or refuse with 404."""
        stored = self.get(bucket, key)
        self.release(stored.size)
        del self.buckets[bucket][key]
        self.journal.drop(stored)

    def list_page(
        self, bucket: str, prefix: str, marker: str, limit: int, mode: int
    ) -> dict[str, Any]:
        """Return one page of a listing, in the order of the keys.

        Mode 1 shows one level: keys with a further `/` become common prefixes.
        The marker is the last name of the page before, encoded; "" ends the listing.
        """
        if bucket not in self.buckets:
            raise Refusal(404, "bucket not found", 631)
        self._expire(bucket, list(self.buckets[bucket]))
        objects = self.buckets[bucket]
        items: list[dict[str, Any]] = []
        prefixes: list[str] = []
        last = ""
        for key in sorted(key for key in objects if key.startswith(prefix)):
            slash = key.find("/", len(prefix)) if mode == 1 else -1
            name = key[: slash + 1] if slash >= 0 else key
            if name <= marker or (prefixes and name == prefixes[-1]):
                continue
            if len(items) + len(prefixes) == limit:
                return self._page(last, prefixes, items)
            last = name
            if slash >= 0:
                prefixes.append(name)
            else:
                items.append({"key": key, **objects[key].describe()})
        return self._page("", prefixes, items)

    @staticmethod
    def _page(last: str, prefixes: list[str], items: list[dict[str, Any]]) -> dict[str, Any]:
        marker = encode_base64(last.encode()) if last else ""
        return {"marker": marker, "commonPrefixes": prefixes, "items": items}
