"""A TCP proxy that cuts its connections when told to, as a process of its own.

``python cutter.py LISTEN TARGET``, both "host:port": each line of standard input cuts all
connections with a reset; its end ends the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys

RESET = struct.pack("ii", 1, 0)


async def main(listen: str, target: str) -> None:
    """Serve until standard input ends."""
    open_ones: set[asyncio.StreamWriter] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = target.split(":")
        try:
            there, back = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        both = {writer, back}
        open_ones.update(both)
        await asyncio.gather(copy(reader, back), copy(there, writer))
        open_ones.difference_update(both)

    def cut() -> None:
        for writer in open_ones:
            sock = writer.get_extra_info("socket")
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    host, port = listen.split(":")
    server = await asyncio.start_server(serve, host, int(port))
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        cut()
    server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
