"""A TCP server on loopback whose behaviour on each connection is a function of the test."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

Handler = Callable[["Peer"], None]


class Peer:
    """The server's end of one connection.

    Attributes:
        number: which connection of the server it is, from 0.
        requests: head and body of every request read on it.
    """

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self.requests: list[tuple[bytes, bytes]] = []
        self._data = b""

    def _fill(self) -> bool:
        data = self.sock.recv(65536)
        self._data += data
        return bool(data)

    def read_head(self) -> bytes | None:
        """Return the next request's head, or None when the client closed."""
        while b"\r\n\r\n" not in self._data:
            if not self._fill():
                return None
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        return head

    def read_request(self) -> tuple[bytes, bytes] | None:
        """Return head and body of the next request, or None when the client closed."""
        head = self.read_head()
        if head is None:
            return None
        size = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        while len(self._data) < size:
            if not self._fill():
                return None
        body, self._data = self._data[:size], self._data[size:]
        self.requests.append((head, body))
        return head, body

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def answer(self, status: int = 200, body: bytes = b"", headers: str = "") -> None:
        """Send a response with a Content-Length."""
        head = f"HTTP/1.1 {status} Status\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.send(head.encode() + body)

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def wait_closed(self) -> None:
        """Read until the client closes."""
        while self.sock.recv(65536):
            pass


class ScriptedServer:
    """Runs `handler(peer)` in a thread for each connection; `with` stops it."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.peers: list[Peer] = []
        self.failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(sock, len(self.peers))
            self.peers.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer) -> None:
        try:
            with peer.sock:
                self._handler(peer)
        except OSError:
            pass
        except BaseException as error:
            self.failures.append(error)

    def close(self) -> None:
        """Stop accepting and close every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        assert not self.failures, self.failures


def closed_port() -> int:
    """Return a loopback port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
