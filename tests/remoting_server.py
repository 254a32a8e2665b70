"""A scripted name server and broker in one: each request code is answered by a function."""

from __future__ import annotations

import contextlib
import json
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any

from tests.scripted import Peer, ScriptedServer
from wirespeed._native.pure import rocketmq as codec
from wirespeed.remoting.connection import Frame

Answer = tuple[int, dict[str, str], bytes]
Behaviour = Callable[["RemotingServer", Peer, Frame], Answer | None]


def read_frame(peer: Peer) -> Frame | None:
    """Return the next frame, or None when the client closed."""
    data = b""
    while len(data) < 4 or len(data) < 4 + struct.unpack(">i", data[:4])[0]:
        wanted = 4 if len(data) < 4 else 4 + struct.unpack(">i", data[:4])[0]
        chunk = peer.sock.recv(wanted - len(data))
        if not chunk:
            return None
        data += chunk
    return Frame._make(codec.decode_header(data))


def packed(code: int, opaque: int, flag: int, fields: dict[str, str], body: bytes) -> bytes:
    """Return a whole frame."""
    return codec.encode_header(code, opaque, flag, fields, len(body)) + body


class RemotingServer:
    """Serves `topic` with `queues` queues; `behaviours` replace the answer to a request code.

    A behaviour returns (code, fields, body), or None to answer nothing. `tls` secures it.
    """

    def __init__(
        self, *, queues: int = 4, tls: ssl.SSLContext | None = None, **behaviours: Behaviour
    ) -> None:
        self.queues = queues
        self.tls = tls
        self.behaviours = {int(name.removeprefix("on_")): each for name, each in behaviours.items()}
        self.received: list[Frame] = []
        self.changed = threading.Condition()
        self._server = ScriptedServer(self._serve)
        self.address = f"127.0.0.1:{self._server.port}"

    def codes(self) -> list[int]:
        """Return the codes received so far."""
        return [frame.code for frame in self.received]

    def wait_for(self, code: int, count: int = 1, timeout: float = 5.0) -> list[Frame]:
        """Wait until `count` requests of that code came, and return them."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.codes().count(code) >= count, timeout)
        return [frame for frame in self.received if frame.code == code]

    def _serve(self, peer: Peer) -> None:
        if self.tls is None:
            self._answer_all(peer)
            return
        # A client that trusts this server too little ends the handshake.
        with contextlib.suppress(OSError):
            peer.sock = self.tls.wrap_socket(peer.sock, server_side=True)
            with peer.sock:
                self._answer_all(peer)

    def _answer_all(self, peer: Peer) -> None:
        while (frame := read_frame(peer)) is not None:
            with self.changed:
                self.received.append(frame)
                self.changed.notify_all()
            behaviour = self.behaviours.get(frame.code)
            answer = behaviour(self, peer, frame) if behaviour else self.answer(frame)
            if answer is not None and not frame.flag & 2:
                code, fields, body = answer
                peer.send(packed(code, frame.opaque, 1, fields, body))

    def answer(self, frame: Frame) -> Answer:
        """Return what a healthy server answers."""
        if frame.code == 105:
            return 0, {}, json.dumps(self.route()).encode()
        if frame.code == 310:
            place = {"queueId": frame.ext_fields["e"], "queueOffset": "7", "msgId": "0" * 32}
            return 0, place, b""
        return 0, {}, b""

    def route(self) -> dict[str, Any]:
        """Return the route of every topic: this server."""
        queue = {"brokerName": "b", "readQueueNums": self.queues, "perm": 6, "topicSysFlag": 0}
        return {
            "queueDatas": [{**queue, "writeQueueNums": self.queues}],
            "brokerDatas": [{"brokerName": "b", "brokerAddrs": {"0": self.address}}],
        }

    def close(self) -> None:
        """Stop the server."""
        self._server.close()

    def __enter__(self) -> RemotingServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        assert not self._server.failures, self._server.failures
