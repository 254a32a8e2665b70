"""A TCP proxy on loopback between RocketMQ's clients and a server, which lets things go wrong."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable

_TURN = 0.01


class Link:
    """One direction of one connection.

    Attributes:
        number: of the connection, from 0.
        replies: whether it leads to the client.
        count: bytes taken in so far.
        lost: what comes is swallowed, as on a line that is dead though nobody was told.
        ended: an end has closed.
    """

    def __init__(
        self, proxy: Proxy, number: int, source: socket.socket, target: socket.socket, replies: bool
    ) -> None:
        self.proxy = proxy
        self.number = number
        self.replies = replies
        self.count = 0
        self.lost = False
        self.ended = False
        self._source = source
        self._target = target
        self._rest = b""

    def send(self, data: bytes) -> None:
        """Pass bytes on."""
        self._target.sendall(data)

    def frames(self, data: bytes) -> list[bytes]:
        """Return the frames that are whole now; the rest waits for more."""
        self._rest += data
        found = []
        while len(self._rest) >= 4:
            size = 4 + struct.unpack(">i", self._rest[:4])[0]
            if len(self._rest) < size:
                break
            found.append(self._rest[:size])
            self._rest = self._rest[size:]
        return found

    def cut(self) -> None:
        """Close both ends."""
        for each in (self._source, self._target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Pass on what comes until an end closes."""
        with contextlib.suppress(OSError):
            while data := self._source.recv(65536):
                self.proxy.thawed.wait()
                self.count += len(data)
                if not self.lost:
                    self.proxy.fault(self, data)
        self.ended = True
        self.cut()


Fault = Callable[[Link, bytes], None]


def healthy(link: Link, data: bytes) -> None:
    """Pass everything on."""
    link.send(data)


class Proxy:
    """Stands before "host:port"; `with` closes it.

    Attributes:
        target: what it stands before.
        address: where clients connect.
        fault: what happens to the bytes.
        links: those of all connections so far.
        thawed: nothing moves while it is clear.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.fault: Fault = healthy
        self.links: list[Link] = []
        self.thawed = threading.Event()
        self.thawed.set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self._port}"
        self._accept_soon()

    def _accept_soon(self) -> None:
        self._start(self._accept, self._listener)

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                host, _, port = self.target.rpartition(":")
                server = socket.create_connection((host, int(port)), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = len(self.links) // 2
            ways = [
                Link(self, number, client, server, False),
                Link(self, number, server, client, True),
            ]
            self.links += ways
            self._start(self._carry, ways, client, server)

    def _carry(self, ways: list[Link], *sockets: socket.socket) -> None:
        back = threading.Thread(target=ways[1].run, daemon=True)
        back.start()
        ways[0].run()
        back.join()
        for each in sockets:
            each.close()

    def down(self) -> None:
        """Refuse connections and cut those there are."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def up(self) -> None:
        """Take connections again, at the same address."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._accept_soon()

    def cut(self) -> None:
        """Cut all connections."""
        for link in self.links:
            link.cut()

    def lose(self) -> None:
        """Let the connections there are lead nowhere, and new ones be sound."""
        for link in self.links:
            link.lost = True

    def close(self) -> None:
        """Cut everything and stop."""
        self.thawed.set()
        self.down()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def in_pieces(seed: int | None) -> Fault:
    """Return a fault that splits what goes by: into single bytes, or by chance with a seed."""
    chance = random.Random(seed)

    def split(link: Link, data: bytes) -> None:
        while data:
            size = 1 if seed is None else chance.randint(1, 40)
            link.send(data[:size])
            data = data[size:]

    return split


def cut_after(size: int, *, replies: bool) -> Fault:
    """Return a fault that cuts one connection, once it carried `size` bytes in a direction."""
    struck: list[Link] = []

    def cut(link: Link, data: bytes) -> None:
        if struck or link.replies is not replies or link.count < size:
            link.send(data)
            return
        struck.append(link)
        with contextlib.suppress(OSError):
            link.send(data[: max(0, size - (link.count - len(data)))])
        link.cut()

    return cut


def late(seed: int, most: float, rate: float = 0.0, stalls: float = 0.0) -> Fault:
    """Return a fault that delays by up to `most` seconds.

    Args:
        seed: of the chance.
        most: seconds of jitter.
        rate: bytes a second that go by; 0 for any.
        stalls: seconds for which one in ten chunks is held up more.
    """
    chance = random.Random(seed)

    def delay(link: Link, data: bytes) -> None:
        time.sleep(chance.random() * most)
        if stalls and chance.random() < 0.1:
            time.sleep(stalls)
        if rate:
            time.sleep(len(data) / rate)
        link.send(data)

    return delay


def renumbered(frame: bytes, opaque: int) -> bytes:
    """Return a frame of the JSON header under another number."""
    size = struct.unpack(">i", frame[4:8])[0] & 0xFFFFFF
    header = json.loads(frame[8 : 8 + size])
    packed = json.dumps({**header, "opaque": opaque}).encode()
    body = frame[8 + size :]
    return struct.pack(">ii", 4 + len(packed) + len(body), len(packed)) + packed + body


class Shuffled:
    """A fault that gives replies in another order, some twice, and some that nobody asked for.

    Attributes:
        moved: frames that were overtaken.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._held: dict[Link, list[bytes]] = {}
        self._lock = threading.Lock()
        self.moved = 0

    def __call__(self, link: Link, data: bytes) -> None:
        """Hold a reply for a moment, and let out what has gathered."""
        if not link.replies:
            link.send(data)
            return
        frames = link.frames(data)
        with self._lock:
            held = self._held.setdefault(link, [])
            waits = bool(held)
            held.extend(frames)
        if frames and not waits:
            timer = threading.Timer(_TURN, self._let_out, (link,))
            timer.daemon = True
            timer.start()

    def _let_out(self, link: Link) -> None:
        with self._lock:
            frames, self._held[link] = self._held[link], []
            before = list(frames)
            self._chance.shuffle(frames)
            self.moved += sum(a is not b for a, b in zip(before, frames, strict=True))
            out = []
            for frame in frames:
                out.append(renumbered(frame, self._chance.randint(1 << 29, 1 << 30)))
                out += [frame] * self._chance.randint(1, 2)
            with contextlib.suppress(OSError):
                link.send(b"".join(out))
