"""The local WCS face on a free loopback port, for tests."""

from __future__ import annotations

import socket
import threading
import time

import uvicorn

from wirespeed.local.wcs import State, create_app

ACCESS_KEY = "local"
SECRET_KEY = "local-secret"


class WcsServer:
    """Serves a fresh state until `close`."""

    def __init__(self) -> None:
        self.state = State()
        # asyncio turns Nagle's delay off only for sockets whose protocol is spelled out.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(100)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        app = create_app(self.state, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self._thread.start()
        limit = time.monotonic() + 10
        while not self._server.started and time.monotonic() < limit:
            time.sleep(0.005)

    def content(self, bucket: str, key: str) -> bytes:
        """Return an object's bytes."""
        return self.state.buckets[bucket][key].content.read()

    def close(self) -> None:
        """Stop the server."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()
