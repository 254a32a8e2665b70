"""One remoting connection without its socket: requests out, frames in (`Frame`)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .. import _native
from ..errors import (
    ConfigError,
    ConnectError,
    DeadlineExceeded,
    FrameTooLarge,
    Outcome,
    ProtocolError,
    TlsError,
    TransportError,
)

if TYPE_CHECKING:
    import ssl

MAX_FRAME = 16 * 1024 * 1024
LANGUAGE_PYTHON = 3
VERSION = 513
"""The MQVersion ordinal that requests declare: V5_5_0."""

FLAG_RESPONSE = 1
FLAG_ONEWAY = 2
REQUEST_CODE_NOT_SUPPORTED = 3
GO_AWAY = 1500
"""A server that shuts down answers so: the connection serves no further request."""

JOINED_BODY = 16 * 1024
"""A body of at most so many bytes is written in one piece with its head."""


Body = bytes | bytearray | memoryview


class Command:
    """A request, or an answer to the server's request.

    Attributes:
        code: request or response code.
        ext_fields: the header's fields, all text, or None.
        body: any buffer.
        remark: text for the peer, or None.
        version: the MQVersion ordinal that the request declares.
    """

    __slots__ = ("body", "code", "ext_fields", "remark")
    version = VERSION

    def __init__(
        self,
        code: int,
        ext_fields: dict[str, str] | None = None,
        body: Body = b"",
        remark: str | None = None,
    ) -> None:
        self.code = code
        self.ext_fields = ext_fields
        self.body = body
        self.remark = remark

    def pack(self, opaque: int, flag: int, *, binary: bool) -> list[Body]:
        """Return the buffers to write, in order; a small body is joined to its head.

        Args:
            opaque: number that joins a reply to its request.
            flag: `FLAG_RESPONSE`, `FLAG_ONEWAY` or 0.
            binary: use the binary header instead of JSON.

        Raises:
            ValueError: header and body pass 16 MiB.
        """
        body = self.body
        size = len(body)
        head = _native.encode_header(
            self.code,
            opaque,
            flag,
            self.ext_fields,
            size,
            binary=binary,
            language=LANGUAGE_PYTHON,
            version=self.version,
            remark=self.remark,
        )
        if size <= JOINED_BODY:
            return [head + body if size else head]
        return [head, body]


class Frame(NamedTuple):
    """A received frame, in the order in which the native decoder gives its parts."""

    code: int
    language: int
    version: int
    opaque: int
    flag: int
    remark: str | None
    ext_fields: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Later:
    """An answer that takes its time.

    Attributes:
        begin: is called with a function that takes the answer, once and from any thread (on an
            event loop from its own). It must not block.
    """

    begin: Callable[[Callable[[Command], None]], None]


RequestHandler = Callable[[Frame], Command | Later | None]
"""Answers a request that the server began; None where it wants no answer. It must not block."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How connections are secured.

    Attributes:
        context: verifies servers, and holds the client's certificate.
        server_name: the name that certificates must have; "" for the address connected to.
    """

    context: ssl.SSLContext
    server_name: str = ""


def parse_address(address: str) -> tuple[str, int]:
    """Split "host:port" or "[v6]:port".

    Raises:
        ConfigError: there is no port, or it is not in 1..65535.
    """
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not colon or not host or not port.isascii() or not port.isdigit():
        raise ConfigError(f'address must be "host:port", not {address!r}')
    if not 1 <= int(port) <= 65535:
        raise ConfigError(f"port must be in 1..65535, not {port} in {address!r}")
    return host, int(port)


def lost(endpoint: str, cause: object, outcome: Outcome = "unknown") -> TransportError:
    """Return the error of an exchange whose connection is gone."""
    return TransportError(
        f"the connection to {endpoint} was lost: {cause}",
        endpoint=endpoint,
        outcome=outcome,
        retryable=True,
    )


def late(endpoint: str) -> DeadlineExceeded:
    """Return the error of an exchange without a reply in time."""
    return DeadlineExceeded(
        f"no reply from {endpoint} before the deadline",
        endpoint=endpoint,
        outcome="unknown",
        retryable=True,
    )


def not_taken(endpoint: str) -> DeadlineExceeded:
    """Return the error of a request that could not be written in time."""
    return DeadlineExceeded(
        f"{endpoint} did not take the request before the deadline",
        endpoint=endpoint,
        outcome="not_sent",
        retryable=True,
    )


def not_connected(endpoint: str) -> DeadlineExceeded:
    """Return the error of an exchange for which no connection was made in time."""
    return DeadlineExceeded(
        f"no connection to {endpoint} before the deadline",
        endpoint=endpoint,
        outcome="not_sent",
        retryable=True,
    )


def refused(endpoint: str, cause: OSError) -> ConnectError:
    """Return the error that tells why no connection to `endpoint` could be made."""
    return ConnectError(
        f"cannot connect to {endpoint}: {cause.strerror or cause}",
        endpoint=endpoint,
        outcome="not_sent",
        retryable=True,
        hint="is the server running, and the address right?",
    )


def not_secured(endpoint: str, cause: Exception) -> TlsError:
    """Return the error that tells why no TLS could be agreed upon."""
    return TlsError(
        f"no TLS with {endpoint}: {cause}",
        endpoint=endpoint,
        outcome="not_sent",
        hint="pass tls= a context that trusts its authority, and check the name",
    )


def sums(left: list[int], right: list[int]) -> list[int]:
    """Return the sums of two lists of counts."""
    return [a + b for a, b in zip(left, right, strict=True)]


class Connection:
    """Correlation ids and frames of one connection. The caller does the locking and the I/O.

    Args:
        handler: answers the server's requests.
        write_later: writes an answer that was not there at once.
        binary: use the binary header instead of JSON.
    """

    __slots__ = ("_binary", "_handler", "_opaque", "_splitter", "_write_later")

    def __init__(
        self,
        handler: RequestHandler,
        write_later: Callable[[list[Body]], None],
        *,
        binary: bool = False,
    ) -> None:
        self._handler = handler
        self._write_later = write_later
        self._binary = binary
        self._opaque = itertools.count(1)
        self._splitter = _native.FrameSplitter(MAX_FRAME)

    def encode(self, command: Command, *, oneway: bool = False) -> tuple[int, list[Body]]:
        """Return the request's correlation id, and the buffers to write in order.

        Raises:
            FrameTooLarge: header and body pass 16 MiB.
        """
        opaque = next(self._opaque) & 0x7FFFFFFF
        return opaque, self._pack(command, opaque, FLAG_ONEWAY if oneway else 0)

    def _pack(self, command: Command, opaque: int, flag: int) -> list[Body]:
        try:
            return command.pack(opaque, flag, binary=self._binary)
        except ValueError as error:
            raise FrameTooLarge(str(error), service="rocketmq", outcome="not_sent") from error

    def buffer(self) -> memoryview:
        """Return where the next received bytes go."""
        return self._splitter.buffer()

    def received(self, size: int) -> tuple[list[Frame], list[Body]]:
        """Take in the `size` bytes just put into `buffer`.

        Returns:
            The responses completed by them, and the answers to write to the server's requests.

        Raises:
            ProtocolError: the stream is no remoting protocol; the connection is to be closed.
        """
        try:
            parts = self._splitter.received(size)
        except ValueError as error:
            raise ProtocolError(
                f"bad frame from the server: {error}", service="rocketmq"
            ) from error
        responses: list[Frame] = []
        answers: list[Body] = []
        for part in parts:
            frame = Frame._make(part)
            if frame.flag & FLAG_RESPONSE:
                responses.append(frame)
                continue
            answer = self._handler(frame)
            if isinstance(answer, Later):
                answer.begin(functools.partial(self._answer, frame.opaque, frame.flag))
            elif not frame.flag & FLAG_ONEWAY:
                if answer is None:
                    answer = Command(
                        REQUEST_CODE_NOT_SUPPORTED,
                        remark=f"request code {frame.code} is not supported by this client",
                    )
                answers += self._pack(answer, frame.opaque, FLAG_RESPONSE)
        return responses, answers

    def _answer(self, opaque: int, flag: int, answer: Command) -> None:
        if not flag & FLAG_ONEWAY:
            self._write_later(self._pack(answer, opaque, FLAG_RESPONSE))
