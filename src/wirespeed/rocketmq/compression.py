"""Compressed message bodies: zlib always, lz4 and zstd where the extra is installed."""

from __future__ import annotations

import zlib

from ..errors import ConfigError, CorruptMessage, MissingCodec

COMPRESSED = 0x1
COMPRESSION_FLAGS = COMPRESSED | 0x700
CODECS = {"zlib": COMPRESSED | 0x300, "lz4": COMPRESSED | 0x100, "zstd": COMPRESSED | 0x200}
"""The flag bits of a message that is compressed by each codec."""
_COMPRESSION_SHIFT = 8
_ZLIB_LEVEL = 5
_ZSTD_LEVEL = 3


def check_codec(codec: str) -> None:
    """Raise unless bodies can be compressed so.

    Raises:
        ConfigError: there is no such codec.
        MissingCodec: its package is not installed.
    """
    if codec not in CODECS:
        raise ConfigError(f"compression must be one of {', '.join(CODECS)}, not {codec!r}")
    compress(b"", codec)


def compress(body: bytes | bytearray | memoryview, codec: str = "zlib") -> bytes:
    """Return `body` in a codec's format, as the Java client reads it.

    Raises:
        MissingCodec: the codec's package is not installed.
    """
    if codec == "lz4":
        try:
            import lz4.frame
        except ImportError as error:
            raise _missing("lz4") from error
        # The Java client reads no frame whose blocks refer to one another.
        made: bytes = lz4.frame.compress(body, block_linked=False)
        return made
    if codec == "zstd":
        try:
            import zstandard
        except ImportError as error:
            raise _missing("zstd") from error
        return zstandard.ZstdCompressor(_ZSTD_LEVEL).compress(body)
    return zlib.compress(body, _ZLIB_LEVEL)


def decompress(body: bytes, sys_flag: int, limit: int = 64 * 1024 * 1024) -> bytes:
    """Undo a body's compression by the type bits of `sys_flag` (0 and 3 zlib, 1 lz4, 2 zstd).

    Raises:
        CorruptMessage: the data is broken, or larger than `limit` bytes when decompressed.
        MissingCodec: the codec's package is not installed.
    """
    kind = (sys_flag >> _COMPRESSION_SHIFT) & 0x7
    try:
        if kind == 1:
            return _lz4(body, limit)
        if kind == 2:
            return _zstd(body, limit)
        return _bounded(zlib.decompressobj(), body, limit)
    except (zlib.error, RuntimeError, EOFError) as error:
        raise CorruptMessage(
            f"the body cannot be decompressed: {error}", service="rocketmq"
        ) from error


def _bounded(decompressor: zlib._Decompress, body: bytes, limit: int) -> bytes:
    data = decompressor.decompress(body, limit)
    if decompressor.unconsumed_tail:
        raise CorruptMessage(f"the body passes {limit} bytes decompressed", service="rocketmq")
    if not decompressor.eof:
        raise CorruptMessage("the compressed body is cut off", service="rocketmq")
    return data


def _lz4(body: bytes, limit: int) -> bytes:
    try:
        import lz4.frame
    except ImportError as error:
        raise _missing("lz4") from error
    decompressor = lz4.frame.LZ4FrameDecompressor()
    data: bytes = decompressor.decompress(body, max_length=limit)
    if not decompressor.eof:
        raise CorruptMessage(f"the body is cut off or passes {limit} bytes", service="rocketmq")
    return data


def _zstd(body: bytes, limit: int) -> bytes:
    try:
        import zstandard
    except ImportError as error:
        raise _missing("zstd") from error
    try:
        with zstandard.ZstdDecompressor().stream_reader(body) as reader:
            data: bytes = reader.read(limit + 1)
    except zstandard.ZstdError as error:
        raise CorruptMessage(
            f"the body cannot be decompressed: {error}", service="rocketmq"
        ) from error
    if len(data) > limit:
        raise CorruptMessage(f"the body passes {limit} bytes decompressed", service="rocketmq")
    return data


def _missing(codec: str) -> MissingCodec:
    return MissingCodec(
        f"{codec} needs a package that is not installed",
        service="rocketmq",
        hint="pip install wirespeed[compression]",
    )
