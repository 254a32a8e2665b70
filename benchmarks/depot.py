"""A WCS and a COS that take and give as fast as they can: the server of the storage benchmarks.

    python -m benchmarks.depot     prints its port, and ends with its standard input

It checks no signature and keeps no object: what it must answer truly, a digest, is computed by the
core's fastest path. Each connection has a thread, and each a buffer that is used again.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import sys
import threading
from urllib.parse import parse_qs, urlsplit

from wirespeed import _native, digest

BLOCK = 4 << 20
KEYS = 100_000
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_RANGE = re.compile(rb"(?i)\r\nrange: *bytes=(\d+)-(\d+)")
_SHA = re.compile(rb'name="sha"\r\n(?:[^\r\n]*\r\n)*?\r\n([0-9a-fA-F]{40})')


class Depot:
    """What all connections share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.blocks: dict[str, bytes] = {}
        self.serial = 0
        self.sha1 = ""
        self.size = 0
        self.etag = ""
        self.served = b""

    def mkblk(self, body: memoryview) -> bytes:
        """Take a block."""
        digests = digest.sha1_blocks(body, BLOCK)
        with self.lock:
            self.serial += 1
            context = f"ctx{self.serial}"
            self.blocks[context] = digests
        checksum = base64.urlsafe_b64encode(digests).decode()
        answer = {"ctx": context, "offset": len(body), "checksum": checksum}
        return json.dumps(answer).encode()

    def mkfile(self, body: memoryview) -> bytes:
        """Join blocks."""
        contexts = bytes(body).decode().split(",")
        digests = b"".join(self.blocks.pop(context, b"") for context in contexts)
        return json.dumps({"hash": _native.etag_from_blocks(digests), "key": "k"}).encode()

    def form(self, body: memoryview) -> bytes:
        """Take a small file of a form."""
        data = bytes(body)
        start = data.index(b"\r\n\r\n", data.index(b"filename=")) + 4
        end = data.rindex(b"\r\n--", 0, len(data) - 4)
        etag, size = digest.etag(data[start:end]), end - start
        text = f"hash={etag}&fsize={size}&bucket=b&key=k"
        return base64.urlsafe_b64encode(text.encode())

    def listing(self, query: str) -> bytes:
        """Give a page of keys."""
        fields = parse_qs(query)
        marker = fields.get("marker", [""])[0]
        start = int(base64.urlsafe_b64decode(marker)) if marker else 0
        end = min(KEYS, start + int(fields.get("limit", ["1000"])[0]))
        items = [
            {
                "key": f"folder/{number:08}",
                "fsize": number,
                "hash": "FpAEzHGOWdh-QAYhattxl1vqHLMw",
                "mimeType": "text/plain",
                "putTime": "1700000000000",
            }
            for number in range(start, end)
        ]
        following = base64.urlsafe_b64encode(str(end).encode()).decode() if end < KEYS else ""
        return json.dumps({"marker": following, "commonPrefixes": [], "items": items}).encode()

    def cos(self, head: bytes, body: memoryview) -> bytes:
        """Answer a request of COS."""
        if head.startswith(b"GET"):
            entry = {"filesize": self.size, "sha": self.sha1, "access_url": "http://h/k"}
            return json.dumps({"code": 0, "message": "", "data": entry}).encode()
        start = bytes(body[:4096])
        if b"upload_slice_init" in start:
            whole = bytes(body)
            with self.lock:
                found = _SHA.search(whole)
                self.sha1 = found[1].decode() if found else ""
                size = re.search(rb'name="filesize"\r\n\r\n(\d+)', whole)
                self.size = int(size[1]) if size else 0
            data = {"session": "s", "slice_size": 1 << 20}
            return json.dumps({"code": 0, "message": "", "data": data}).encode()
        data = {"access_url": "http://h/k", "session": "s", "offset": 0}
        return json.dumps({"code": 0, "message": "", "data": data}).encode()

    def answer(self, head: bytes, body: memoryview) -> tuple[bytes, memoryview]:
        """Return the status with further headers, and the body of an answer."""
        target = head.split(b" ", 2)[1].decode("latin-1")
        path, query = urlsplit(target)[2:4]
        if path.startswith("/mkblk"):
            return b"200 OK", memoryview(self.mkblk(body))
        if path.startswith("/mkfile"):
            return b"200 OK", memoryview(self.mkfile(body))
        if path.startswith("/file/upload"):
            return b"200 OK", memoryview(self.form(body))
        if path == "/list":
            return b"200 OK", memoryview(self.listing(query))
        if path.startswith("/files/v2"):
            return b"200 OK", memoryview(self.cos(head, body))
        if path.startswith("/stat/"):
            known = {"name": "k", "fsize": len(self.served), "hash": self.etag}
            return b"200 OK", memoryview(json.dumps(known).encode())
        if path.startswith("/grow/"):
            self.served = os.urandom(1 << 20) * int(path[6:])
            self.etag = digest.etag(self.served)
            return b"200 OK", memoryview(b"{}")
        wanted = _RANGE.search(head)
        if wanted:
            first, last = int(wanted[1]), int(wanted[2])
            status = b"206 Partial\r\nContent-Range: bytes %d-%d/%d" % (
                first, last, len(self.served)
            )  # fmt: skip
            return status, memoryview(self.served)[first : last + 1]
        return b"200 OK", memoryview(self.served)

    def serve(self, sock: socket.socket) -> None:
        """Answer the requests of one connection."""
        buffer = bytearray(BLOCK + (64 << 10))
        have = 0
        with contextlib.suppress(OSError), sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                while (end := buffer.find(b"\r\n\r\n", 0, have)) < 0:
                    count = sock.recv_into(memoryview(buffer)[have:])
                    if not count:
                        return
                    have += count
                head = bytes(buffer[: end + 4])
                match = _LENGTH.search(head)
                size = int(match[1]) if match else 0
                start = end + 4
                if start + size > len(buffer):
                    buffer.extend(bytes(start + size - len(buffer)))
                if b"xpect: 100" in head:
                    sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                view = memoryview(buffer)
                while have < start + size:
                    count = sock.recv_into(view[have : start + size])
                    if not count:
                        return
                    have += count
                status, body = self.answer(head, view[start : start + size])
                view.release()
                answer = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
                if len(body) < 65536:
                    sock.sendall(answer + body)
                else:
                    sock.sendall(answer)
                    sock.sendall(body)
                rest = buffer[start + size : have]
                buffer[: len(rest)] = rest
                have = len(rest)


def main() -> None:
    """Serve until standard input ends."""
    depot = Depot()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def accept() -> None:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=depot.serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
