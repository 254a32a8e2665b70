"""TLS on the ports of the name server and the broker: a client's first byte tells whether it
speaks it, so that one port serves both."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .server import Connection

_HANDSHAKE = 0x16


class Tls:
    """What the servers show to clients that speak TLS.

    Args:
        certificate: path of a PEM file with the certificate and its chain.
        key: path of a PEM file with its key.
        only: whether clients that do not speak it are turned away.

    Raises:
        OSError: a file is missing, or (ssl.SSLError) is no such file.
    """

    def __init__(
        self, certificate: str | os.PathLike[str], key: str | os.PathLike[str], only: bool
    ) -> None:
        self.only = only
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)


class Opening(asyncio.Protocol):
    """Looks at a client's first byte, then leaves the client to its connection, or decrypts for it.

    Args:
        connection: what the bytes are for.
        tls: what the client is shown.
    """

    def __init__(self, connection: Connection, tls: Tls) -> None:
        self._connection = connection
        self._tls = tls
        self._transport: asyncio.Transport | None = None
        self._encrypted: _Encrypted | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass it on: the server closes a client that says nothing, too."""
        self._transport = cast(asyncio.Transport, transport)
        self._connection.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Pass it on."""
        self._connection.connection_lost(error)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._connection.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Decide by the first byte; from then on decrypt."""
        transport = self._transport
        assert transport is not None
        if self._encrypted is None:
            if data[0] != _HANDSHAKE:
                if self._tls.only:
                    transport.abort()
                else:
                    transport.set_protocol(self._connection)
                    _feed(self._connection, transport, data)
                return
            self._encrypted = _Encrypted(transport, self._tls.context)
            self._connection.write_to(self._encrypted)
        self._encrypted.received(data, self._connection)


class _Encrypted(asyncio.Transport):
    """Encrypts what a connection writes, and decrypts what its client sends."""

    def __init__(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        super().__init__()
        self._transport = transport
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def received(self, data: bytes, connection: Connection) -> None:
        """Take bytes of the client, and give what they say to the connection."""
        self._incoming.write(data)
        try:
            # The first read shakes hands.
            while plain := self._session.read(65536):
                _feed(connection, self._transport, plain)
            self._transport.close()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:
            # What is left to write is the alert that says why.
            self._flush()
            self._transport.close()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        self._session.write(data)
        self._flush()

    def _flush(self) -> None:
        if (data := self._outgoing.read()) and not self._transport.is_closing():
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Tell whether the client's transport closes."""
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        """Read no more of the client."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()


def _feed(protocol: asyncio.BufferedProtocol, transport: asyncio.Transport, data: bytes) -> None:
    """Give bytes to a protocol that wants them in its own buffers."""
    rest = memoryview(data)
    while rest and not transport.is_closing():
        buffer = memoryview(protocol.get_buffer(len(rest)))
        count = min(len(rest), len(buffer))
        buffer[:count] = rest[:count]
        protocol.buffer_updated(count)
        rest = rest[count:]
