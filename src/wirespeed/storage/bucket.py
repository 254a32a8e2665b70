"""What every bucket does, whatever the store behind it."""

from __future__ import annotations

import os
from typing import Any, Protocol

from .models import ProgressCallback


class Bucket(Protocol):
    """What the buckets of every store do, called from any thread.

    A program that keeps to these methods takes any bucket that `wirespeed.connect` opens. What a
    store lacks raises `wirespeed.errors.Unsupported` at the call.
    """

    def put(
        self, key: str, data: Any, *, overwrite: bool = True, timeout: float | str | None = None
    ) -> Any:
        """Upload bytes in one request, and compare the stored digest with theirs."""

    def upload_file(
        self,
        path: str | os.PathLike[str],
        key: str,
        *,
        workers: int = 4,
        progress: ProgressCallback | None = None,
        overwrite: bool = True,
        timeout: float | str | None = None,
    ) -> Any:
        """Upload a file by parts, several at a time."""

    def get(
        self,
        key: str,
        *,
        start: int | None = None,
        end: int | None = None,
        timeout: float | str | None = None,
    ) -> bytes:
        """Download an object's bytes."""

    def open(
        self, key: str, *, buffer_size: int = 1024 * 1024, timeout: float | str | None = None
    ) -> Any:
        """Return an object as a file to read and to seek in."""

    def download_file(
        self,
        key: str,
        path: str | os.PathLike[str],
        *,
        workers: int = 4,
        progress: ProgressCallback | None = None,
        timeout: float | str | None = None,
    ) -> Any:
        """Download an object into a file that appears once it is whole."""

    def presign(self, key: str, expires: int = 300) -> str:
        """Return a URL by which anybody can download an object."""

    def stat(self, key: str, *, timeout: float | str | None = None) -> Any:
        """Return an object's `key`, `size` and more."""

    def list(self, prefix: str = "", /) -> Any:
        """Iterate over objects: on WCS those whose keys begin so, on COS those of that folder."""

    def delete(self, key: str, *, timeout: float | str | None = None) -> None:
        """Delete an object."""

    def move(self, key: str, destination: str, *, timeout: float | str | None = None) -> None:
        """Give an object another key."""

    def copy(self, key: str, destination: str, *, timeout: float | str | None = None) -> None:
        """Copy an object to another key."""

    def close(self) -> None:
        """Close what was opened for this bucket. Twice is fine."""


class AsyncBucket(Protocol):
    """The same for asyncio; see `Bucket`."""

    async def put(
        self, key: str, data: Any, *, overwrite: bool = True, timeout: float | str | None = None
    ) -> Any:
        """Upload bytes in one request, and compare the stored digest with theirs."""

    async def upload_file(
        self,
        path: str | os.PathLike[str],
        key: str,
        *,
        workers: int = 4,
        progress: ProgressCallback | None = None,
        overwrite: bool = True,
        timeout: float | str | None = None,
    ) -> Any:
        """Upload a file by parts, several at a time."""

    async def get(
        self,
        key: str,
        *,
        start: int | None = None,
        end: int | None = None,
        timeout: float | str | None = None,
    ) -> bytes:
        """Download an object's bytes."""

    async def open(
        self, key: str, *, buffer_size: int = 1024 * 1024, timeout: float | str | None = None
    ) -> Any:
        """Return an object as a file to read and to seek in."""

    async def download_file(
        self,
        key: str,
        path: str | os.PathLike[str],
        *,
        workers: int = 4,
        progress: ProgressCallback | None = None,
        timeout: float | str | None = None,
    ) -> Any:
        """Download an object into a file that appears once it is whole."""

    def presign(self, key: str, expires: int = 300) -> str:
        """Return a URL by which anybody can download an object."""

    async def stat(self, key: str, *, timeout: float | str | None = None) -> Any:
        """Return an object's `key`, `size` and more."""

    def list(self, prefix: str = "", /) -> Any:
        """Iterate over objects: on WCS those whose keys begin so, on COS those of that folder."""

    async def delete(self, key: str, *, timeout: float | str | None = None) -> None:
        """Delete an object."""

    async def move(self, key: str, destination: str, *, timeout: float | str | None = None) -> None:
        """Give an object another key."""

    async def copy(self, key: str, destination: str, *, timeout: float | str | None = None) -> None:
        """Copy an object to another key."""

    async def close(self) -> None:
        """Close what was opened for this bucket. Twice is fine."""
