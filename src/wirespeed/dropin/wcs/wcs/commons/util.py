"""Encodings, checksums and files."""

from __future__ import annotations

import base64
import logging
import os
import secrets
import string
import tempfile
from collections.abc import Iterator
from hashlib import sha1
from typing import IO, Any, BinaryIO

from wirespeed import digest

from . import config
from .compat import b, s


def urlsafe_base64_encode(data: str | bytes) -> str:
    """Return text or bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(b(data)).decode()


def urlsafe_base64_decode(data: str | bytes) -> bytes:
    """Return the bytes that URL-safe base64 stands for."""
    return base64.urlsafe_b64decode(s(data))


def file_crc32(filePath: str | os.PathLike[str]) -> int:
    """Return the CRC-32 of a file."""
    crc = 0
    with open(filePath, "rb") as file:
        for block in _file_iter(file, 0, config._BLOCK_SIZE):
            crc = digest.crc32(block, crc)
    return crc


def crc32(data: str | bytes) -> int:
    """Return the CRC-32 of text or bytes."""
    return digest.crc32(b(data))


def _file_iter(input_stream: IO[bytes], offset: int, size: int) -> Iterator[bytes]:
    input_stream.seek(offset)
    while data := input_stream.read(size):
        yield data


def readfile(input: IO[bytes], offset: int, size: int) -> bytes | None:
    """Return up to `size` bytes at an offset, or None at the end."""
    input.seek(offset)
    return input.read(size) or None


def file_to_stream(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading bytes."""
    return open(path, "rb")


def _sha1(data: bytes) -> bytes:
    return sha1(data, usedforsecurity=False).digest()


def etag_stream(input_stream: Any) -> str:
    """Return the etag of a stream, from its beginning."""
    input_stream.seek(0)
    return digest.etag_stream(input_stream)


def etag(filePath: str | os.PathLike[str]) -> str:
    """Return the etag of a file."""
    return digest.etag_file(filePath)


def entry(bucket: str, key: str | None) -> str:
    """Return `bucket:key`, or the bucket alone, in URL-safe base64."""
    return urlsafe_base64_encode(bucket if key is None else f"{bucket}:{key}")


def create_tmp_file(size: int) -> str:
    """Make a temporary file of `size` bytes and return its path."""
    descriptor, path = tempfile.mkstemp()
    with open(descriptor, "wb") as file:
        if size > 0:
            file.seek(size - 1)
            file.write(b"0")
    return path


def GetUuid() -> str:
    """Return 32 random letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32))


def get_logger(path: str, logname: str) -> logging.Logger:
    """Return a logger that also writes to `LOGNAME_process.log` in a folder."""
    logger = logging.getLogger(logname)
    logger.setLevel(logging.DEBUG)
    os.makedirs(path, exist_ok=True)
    file = os.path.abspath(os.path.join(path, f"{logname}_process.log"))
    if not any(getattr(handler, "baseFilename", "") == file for handler in logger.handlers):
        handler = logging.FileHandler(file)
        handler.setFormatter(
            logging.Formatter("%(asctime)s - %(threadName)s - %(levelname)s - %(message)s")
        )
        logger.addHandler(handler)
    return logger
