"""Bodies that are no file and no buffer, for asyncio. `client` is generated from this file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from types import TracebackType
from typing import Any

from ...engine.effects import Compute, Flow
from ...errors import ConfigError
from ...http.calls import Patience, call
from ...http.models import Origin, Request, Response
from ..download import check_source

_CHUNK = 1024 * 1024

Run = Callable[[Flow[Any]], Any]


class AsyncSpool:
    """A body as a temporary file, which is gone when the block ends.

    Args:
        body: a file object, an iterable of bytes-like, or for asyncio an async one, or the URL,
            http:// or https://, of what is to be fetched.
        run: runs a flow.
        patience: how long requests wait and how often they are tried.
        deadline: when it must be over.

    Raises:
        ConfigError: the body is none of these, or gives what is no bytes.
    """

    def __init__(self, body: Any, run: Run, patience: Patience, deadline: float) -> None:
        self._body = body
        self._run = run
        self._patience = patience
        self._deadline = deadline
        handle, self.path = tempfile.mkstemp(prefix="wirespeed-")
        self._file = os.fdopen(handle, "w+b")

    async def __aenter__(self) -> str:
        try:
            await self._fill()
            self._file.flush()
        except BaseException:
            self._remove()
            raise
        return self.path

    async def _fill(self) -> None:
        body = self._body
        if isinstance(body, str):
            await self._run(self._fetch(body))
        elif hasattr(body, "read"):
            while piece := await self._run(_computed(body.read, _CHUNK)):
                self._write(piece)
        elif hasattr(body, "__aiter__"):
            async for piece in body:
                self._write(piece)
        elif hasattr(body, "__iter__"):
            for piece in body:
                self._write(piece)
        else:
            raise ConfigError(
                "data must be bytes-like, a path, a file object, an iterable of bytes or a URL, "
                f"not {type(body).__name__}"
            )

    def _write(self, piece: Any) -> None:
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            raise ConfigError(f"data gave {type(piece).__name__}, not bytes")
        self._file.write(piece)

    def _fetch(self, url: str) -> Flow[None]:
        scheme, mark, rest = url.partition("://")
        host, _, target = rest.partition("/")
        origin = Origin.parse(f"{scheme}{mark}{host}", "data")

        def make() -> Request:
            self._file.seek(0)
            self._file.truncate()
            return Request("GET", f"/{target.partition('#')[0]}", sink=self._file.write)

        def parse(response: Response) -> None:
            check_source(response, self._patience.service)

        yield from call(self._patience, origin, make, parse, self._deadline)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        self._file.close()
        os.unlink(self.path)


def _computed(function: Callable[..., Any], *args: Any) -> Flow[Any]:
    return (yield Compute(function, *args))
