"""What outlives the process: rows in SQLite and contents in files. In memory, nothing does."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import logging
import re
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import ConfigError
from .content import Content, FilePiece

_LOG = logging.getLogger("wirespeed.local")
_VERSION = 1
_DATABASE = "cloud.sqlite3"
_FILES = "contents"
_FILE = re.compile("[0-9a-f]{32}")
_RETRY_SECONDS = 1.0
_SCHEMA = """
CREATE TABLE rows (
    id INTEGER PRIMARY KEY, service TEXT NOT NULL, kind TEXT NOT NULL, fields TEXT NOT NULL,
    blob BLOB, content TEXT
);
CREATE TABLE snapshots (
    name TEXT NOT NULL, service TEXT NOT NULL, kind TEXT NOT NULL, fields TEXT NOT NULL,
    blob BLOB, content TEXT
);
CREATE INDEX snapshots_by_name ON snapshots (name);
"""


@dataclass(frozen=True, slots=True)
class Packed:
    """Something that a service keeps, as it is written down.

    Attributes:
        kind: what it is, such as "queue".
        fields: what JSON can tell of it.
        blob: what it cannot.
        content: the bytes of an object.
    """

    kind: str
    fields: dict[str, Any]
    blob: bytes | None = None
    content: Content | None = None


class Kept(Protocol):
    """Something that a service keeps."""

    def pack(self) -> Packed:
        """Return it as it is now."""
        ...


class Journal:
    """Where a service says what it keeps. This one, of a cloud in memory, writes nothing down."""

    def save(self, thing: Kept) -> None:
        """Something is new, or has changed."""

    def drop(self, thing: Kept) -> None:
        """Something is kept no more."""

    def clear(self) -> None:
        """Nothing is kept any more."""

    def keep(self, chunks: Sequence[bytes]) -> Content:
        """Return bytes that something which is saved now will refer to."""
        return Content(chunks)


class Database:
    """A folder in which the services of one cloud keep what they hold.

    A change is on disk when `commit` returns: in the operating system's hands, which a killed
    process leaves intact. A machine that loses its power can lose the last changes, but breaks
    nothing.

    Args:
        directory: the folder; it is made where there is none.

    Raises:
        ConfigError: another cloud uses it, or it holds something else.
        OSError: it cannot be made, or be written to.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._files = directory / _FILES
        self._changes: dict[Kept, str] = {}
        self._gone: dict[Kept, None] = {}
        self._rows: dict[Kept, tuple[int, list[str]]] = {}
        self._uses: collections.Counter[str] = collections.Counter()
        self._new: set[str] = set()
        self._connection = sqlite3.connect(directory / _DATABASE, timeout=0.2, isolation_level=None)
        try:
            self._open(directory)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, directory: Path) -> None:
        run = self._connection.execute
        try:
            run("PRAGMA locking_mode=EXCLUSIVE")
            run("PRAGMA journal_mode=WAL")
            run("PRAGMA synchronous=NORMAL")
            run("BEGIN IMMEDIATE")
            (version,) = run("PRAGMA user_version").fetchone()
            is_new = version == 0 and not run("SELECT name FROM sqlite_master").fetchall()
            if is_new:
                if self._files.exists() and any(self._files.iterdir()):
                    raise ConfigError(f"directory: {self._files} holds files of somebody else")
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    run(statement)
                run(f"PRAGMA user_version={_VERSION}")
            run("COMMIT")
        except sqlite3.OperationalError as error:
            raise ConfigError(f"directory: {directory} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"directory: {directory / _DATABASE}: {error}") from error
        if version != _VERSION and not is_new:
            raise ConfigError(
                f"directory: {directory / _DATABASE} is of another version, {version}, "
                "or no cloud's"
            )
        self._files.mkdir(exist_ok=True)
        for table in ("rows", "snapshots"):
            for (names,) in run(f"SELECT content FROM {table} WHERE content IS NOT NULL"):
                self._uses.update(_names(names))
        for path in self._files.iterdir():
            if _FILE.fullmatch(path.name) and path.name not in self._uses:
                path.unlink()

    def close(self) -> None:
        """Write what is left, and close."""
        try:
            self.commit()
        finally:
            self._connection.close()

    def journal(self, service: str) -> Journal:
        """Return where a service says what it keeps."""
        return _Journal(self, service)

    def load(self, service: str) -> Iterator[tuple[int, Packed]]:
        """Yield what a service kept, the oldest first, each with its row."""
        for row, *columns in self._connection.execute(
            "SELECT id, kind, fields, blob, content FROM rows WHERE service=? ORDER BY id",
            (service,),
        ).fetchall():
            yield row, self._unpacked(*columns)

    def adopt(self, thing: Kept, row: int) -> None:
        """Take note that a thing is what a row holds."""
        content = thing.pack().content
        self._rows[thing] = row, [] if content is None else _files(content)

    def forget(self, rows: Iterable[int]) -> None:
        """Delete rows that nothing could be made of."""
        self._connection.executemany("DELETE FROM rows WHERE id=?", [(row,) for row in rows])

    def save(self, service: str, thing: Kept) -> None:
        """Write a thing at the next commit, which comes soon by itself."""
        self._soon()
        self._gone.pop(thing, None)
        self._changes[thing] = service

    def drop(self, thing: Kept) -> None:
        """Delete a thing at the next commit."""
        self._soon()
        self._changes.pop(thing, None)
        if thing in self._rows:
            self._gone[thing] = None

    def clear(self, service: str) -> None:
        """Delete all that a service keeps at the next commit."""
        ids = dict(
            self._connection.execute("SELECT id, service FROM rows WHERE service=?", (service,))
        )
        self._changes = {thing: by for thing, by in self._changes.items() if by != service}
        for thing, (row, _) in self._rows.items():
            if row in ids:
                self.drop(thing)

    def keep(self, chunks: Sequence[bytes]) -> Content:
        """Write bytes to a file of their own; it is deleted if nothing refers to it at the next
        commit."""
        size = sum(map(len, chunks))
        if not size:
            return Content()
        self._soon()
        path = self._files / secrets.token_hex(16)
        self._new.add(path.name)
        with path.open("xb") as file:
            file.writelines(chunks)
        return Content((FilePiece(path, size),))

    def _soon(self) -> None:
        if not self._pending():
            asyncio.get_running_loop().call_soon(self._commit_soon)

    def _pending(self) -> bool:
        return bool(self._changes or self._gone or self._new)

    def _commit_soon(self) -> None:
        try:
            self.commit()
        except sqlite3.Error as error:
            _LOG.error("the local cloud cannot write; it tries again: %s", error)
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._commit_soon)

    def commit(self) -> None:
        """Write down all changes since the last time.

        Raises:
            sqlite3.Error: they could not be written; the next call tries again.
        """
        if not self._pending():
            return
        run = self._connection.execute
        written: dict[Kept, tuple[int, list[str]]] = {}
        run("BEGIN IMMEDIATE")
        try:
            for thing, service in self._changes.items():
                columns, names = _columns(thing.pack())
                known = self._rows.get(thing)
                if known is None:
                    row = run(
                        "INSERT INTO rows (service, kind, fields, blob, content)"
                        " VALUES (?, ?, ?, ?, ?)",
                        (service, *columns),
                    ).lastrowid
                    assert row is not None
                else:
                    row = known[0]
                    run(
                        "UPDATE rows SET kind=?, fields=?, blob=?, content=? WHERE id=?",
                        (*columns, row),
                    )
                written[thing] = row, names
            for thing in self._gone:
                run("DELETE FROM rows WHERE id=?", (self._rows[thing][0],))
            run("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                run("ROLLBACK")
            raise
        released: list[str] = []
        for thing, (row, names) in written.items():
            released += self._rows.get(thing, (0, []))[1]
            self._uses.update(names)
            self._rows[thing] = row, names
        for thing in self._gone:
            released += self._rows.pop(thing)[1]
        unused = [name for name in self._new if name not in self._uses]
        self._uses.update(unused)
        self._changes.clear()
        self._gone.clear()
        self._new.clear()
        self._release([*released, *unused])

    def _release(self, names: Sequence[str]) -> None:
        for name in names:
            self._uses[name] -= 1
        for name in set(names):
            if self._uses[name] <= 0:
                del self._uses[name]
                (self._files / name).unlink(missing_ok=True)

    # ---- snapshots ----

    def snapshots(self) -> list[str]:
        """Return the names of all snapshots."""
        found = self._connection.execute("SELECT DISTINCT name FROM snapshots ORDER BY name")
        return [name for (name,) in found]

    def take_snapshot(self, name: str, things: Iterable[tuple[str, Packed]]) -> None:
        """Write things of services down under a name; one of that name is replaced."""
        self.commit()
        run = self._connection.execute
        before = self._content_names(name)
        used: list[str] = []
        run("BEGIN IMMEDIATE")
        try:
            run("DELETE FROM snapshots WHERE name=?", (name,))
            for service, packed in things:
                columns, names = _columns(packed)
                run("INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?)", (name, service, *columns))
                used += names
            run("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                run("ROLLBACK")
            raise
        self._uses.update(used)
        self._release(before)

    def read_snapshot(self, name: str) -> list[tuple[str, Packed]]:
        """Return the things of a snapshot, each with its service."""
        rows = self._connection.execute(
            "SELECT service, kind, fields, blob, content FROM snapshots WHERE name=?"
            " ORDER BY rowid",
            (name,),
        )
        return [(service, self._unpacked(*columns)) for service, *columns in rows]

    def delete_snapshot(self, name: str) -> None:
        """Forget a snapshot."""
        before = self._content_names(name)
        self._connection.execute("DELETE FROM snapshots WHERE name=?", (name,))
        self._release(before)

    def _content_names(self, name: str) -> list[str]:
        rows = self._connection.execute(
            "SELECT content FROM snapshots WHERE name=? AND content IS NOT NULL", (name,)
        )
        return [each for (names,) in rows for each in _names(names)]

    def _unpacked(self, kind: str, fields: str, blob: bytes | None, content: str | None) -> Packed:
        made = None
        if content is not None:
            pieces = [FilePiece(self._files / name, size) for name, size in json.loads(content)]
            made = Content(pieces)
        return Packed(kind, json.loads(fields), blob, made)


class _Journal(Journal):
    def __init__(self, database: Database, service: str) -> None:
        self._database = database
        self._service = service

    def save(self, thing: Kept) -> None:
        self._database.save(self._service, thing)

    def drop(self, thing: Kept) -> None:
        self._database.drop(thing)

    def clear(self) -> None:
        self._database.clear(self._service)

    def keep(self, chunks: Sequence[bytes]) -> Content:
        return self._database.keep(chunks)


def _files(content: Content) -> list[str]:
    return [piece.path.name for piece in content.pieces if isinstance(piece, FilePiece)]


def _names(content: str) -> list[str]:
    return [name for name, _ in json.loads(content)]


def _columns(packed: Packed) -> tuple[tuple[object, ...], list[str]]:
    names: list[str] = []
    content = None
    if packed.content is not None:
        pieces = [piece for piece in packed.content.pieces if isinstance(piece, FilePiece)]
        names = [piece.path.name for piece in pieces]
        content = json.dumps([[piece.path.name, piece.size] for piece in pieces])
    return (packed.kind, json.dumps(packed.fields), packed.blob, content), names
