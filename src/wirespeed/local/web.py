"""One application on one port, on the running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from ..errors import ConfigError
from .addresses import endpoint, listen
from .guard import Connection, Guard


class Web:
    """Serves an ASGI application.

    Args:
        app: the application.
        name: what it is, for messages.
    """

    def __init__(self, app: Callable[..., Any], name: str) -> None:
        self._name = name
        self._guard = Guard(app)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._guard,
                access_log=False,
                http=Connection,
                lifespan="off",
                log_config=None,
                timeout_graceful_shutdown=1,
                ws="none",
            )
        )
        self._task: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen, and return the URL.

        Raises:
            OSError: the port is taken, or the host is no address of this machine.
        """
        self._guard.listens_at(host)
        self._socket = listen(host, port)
        self._task = asyncio.ensure_future(self._server.serve([self._socket]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise ConfigError(f"the local {self._name} did not start")
            await asyncio.sleep(0.001)
        return f"http://{endpoint(host, self._socket.getsockname()[1])}"

    def stop(self) -> None:
        """Take no more requests; those under way may end within a second."""
        self._server.should_exit = True

    async def close(self) -> None:
        """Wait until the last request has ended, and free the port."""
        self.stop()
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._socket is not None:
            self._socket.close()
