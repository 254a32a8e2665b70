"""`LocalCloud`: every local service in one background thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ClosedError, ConfigError

if TYPE_CHECKING:
    import uvicorn

    from .rocketmq import Broker, NameServer
    from .wcs import State

SERVICES = ("rocketmq", "wcs")
"""The services that there are."""

ACCESS_KEY = "local"
SECRET_KEY = "local-secret"

_PORTS = ("namesrv", "broker", "wcs")
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
_NEEDS_EXTRA = "the local WCS needs starlette and uvicorn: pip install 'wirespeed[local]'"

_Result = TypeVar("_Result")


class LocalCloud:
    """RocketMQ's name server and broker, and WCS, on this machine and in memory.

    ```python
    with LocalCloud() as cloud:
        producer = Producer("group", namesrv=cloud.namesrv)
    ```

    `with` and `async with` start and close it; so do `start()` and `close()`. The services run
    on an event loop in a daemon thread of their own. All methods may be called from any thread.

    Args:
        services: which to run; all by default.
        host: address to listen on. Another machine can reach the services, which ask for no
            password worth the name, at any but a loopback address.
        ports: fixed ports by "namesrv", "broker" and "wcs"; a free one where none is given.
        delay_levels: seconds of RocketMQ's delay levels 1 and up; the real ones by default.

    Raises:
        ConfigError: a service or port is unknown, or a port is not within 0..65535.
    """

    access_key = ACCESS_KEY
    """Access key of the local WCS's only user."""

    secret_key = SECRET_KEY
    """Secret key of the local WCS's only user; no secret."""

    def __init__(
        self,
        services: Iterable[str] = SERVICES,
        host: str = "127.0.0.1",
        ports: Mapping[str, int] | None = None,
        *,
        delay_levels: tuple[float, ...] | None = None,
    ) -> None:
        self._services = tuple(services)
        self._host = host
        self._ports = dict(ports or {})
        self._delay_levels = delay_levels
        for service in self._services:
            if service not in SERVICES:
                raise ConfigError(f"services: {service!r} is none of {', '.join(SERVICES)}")
        for name, port in self._ports.items():
            if name not in _PORTS:
                raise ConfigError(f"ports: {name!r} is none of {', '.join(_PORTS)}")
            if not isinstance(port, int) or not 0 <= port <= 65535:
                raise ConfigError(f"ports: {name} must be within 0..65535, not {port!r}")
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._name_server: NameServer | None = None
        self._broker: Broker | None = None
        self._state: State | None = None
        self._web: uvicorn.Server | None = None
        self._web_task: asyncio.Task[None] | None = None
        self._web_socket: socket.socket | None = None
        self._namesrv = ""
        self._wcs_url = ""

    def start(self) -> LocalCloud:
        """Start the services and return the cloud; nothing happens if it runs already.

        Raises:
            ConfigError: the WCS is wanted and the extra `local` is not installed.
            ConfigError: the host's name has no address.
            OSError: a port is taken or the host is no address of this machine.
        """
        with self._lock:
            if self._thread is not None:
                return self
            ready = threading.Event()
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._serve, args=(self._loop, ready), name="wirespeed-local", daemon=True
            )
            self._thread.start()
            ready.wait()
            try:
                self._run(self._open(), _START_SECONDS)
            except (socket.gaierror, UnicodeError) as error:
                self._stop()
                raise ConfigError(f"host: {self._host!r} has no address") from error
            except BaseException:
                self._stop()
                raise
        return self

    def close(self) -> None:
        """Stop the services and forget what they held. A second call does nothing."""
        with self._lock:
            if self._thread is not None:
                self._stop()

    @property
    def namesrv(self) -> str:
        """ "host:port" of the RocketMQ name server.

        Raises:
            ClosedError: the cloud does not run, or runs no RocketMQ.
        """
        return self._running(self._namesrv, "rocketmq")

    @property
    def wcs_url(self) -> str:
        """URL of the WCS, for uploads and management alike.

        Raises:
            ClosedError: the cloud does not run, or runs no WCS.
        """
        return self._running(self._wcs_url, "wcs")

    def env(self) -> dict[str, str]:
        """Return the environment variables that point programs at the cloud."""
        variables = {}
        if self._namesrv:
            variables["NAMESRV_ADDR"] = self._namesrv
        if self._wcs_url:
            variables["WIRESPEED_WCS_URL"] = self._wcs_url
            variables["WIRESPEED_WCS_ACCESS_KEY"] = ACCESS_KEY
            variables["WIRESPEED_WCS_SECRET_KEY"] = SECRET_KEY
        return variables

    def reset(self) -> None:
        """Forget all topics, messages, offsets and objects; clients stay connected.

        Raises:
            ClosedError: the cloud does not run.
        """
        with self._lock:
            if self._thread is None:
                raise ClosedError("the local cloud does not run")
            self._run(self._reset(), _STOP_SECONDS)

    def __enter__(self) -> LocalCloud:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> LocalCloud:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    def __del__(self) -> None:
        if getattr(self, "_thread", None) is not None:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        places = [place for place in (self._namesrv, self._wcs_url) if place]
        return f"<LocalCloud {', '.join(places) if places else 'stopped'}>"

    def _running(self, place: str, service: str) -> str:
        if not place:
            raise ClosedError(
                f"the local cloud runs no {service}", hint="use `with LocalCloud() as cloud:`"
            )
        return place

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
        asyncio.set_event_loop(loop)
        loop.call_soon(ready.set)
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def _run(self, work: Coroutine[Any, Any, _Result], seconds: float) -> _Result:
        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), self._loop)
        return future.result()

    def _stop(self) -> None:
        thread, loop = self._thread, self._loop
        assert thread is not None and loop is not None
        try:
            self._run(self._shut(), _STOP_SECONDS)
        finally:
            self._namesrv = self._wcs_url = ""
            self._thread = self._loop = None
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_STOP_SECONDS)

    async def _open(self) -> None:
        if "rocketmq" in self._services:
            await self._open_rocketmq()
        if "wcs" in self._services:
            await self._open_wcs()

    async def _open_rocketmq(self) -> None:
        from .rocketmq import Broker, NameServer, Store

        store = Store()
        self._name_server = NameServer(store)
        self._broker = Broker(store, *([self._delay_levels] if self._delay_levels else []))
        broker_port = await self._broker.server.start(self._host, self._ports.get("broker", 0))
        store.store_host = (_address(self._host), broker_port)
        self._name_server.broker_address = _endpoint(self._host, broker_port)
        port = await self._name_server.server.start(self._host, self._ports.get("namesrv", 0))
        self._namesrv = _endpoint(self._host, port)

    async def _open_wcs(self) -> None:
        try:
            import uvicorn

            from .wcs import State, create_app
        except ImportError as error:
            raise ConfigError(_NEEDS_EXTRA) from error
        self._state = State()
        app: Callable[..., Any] = create_app(
            self._state, access_key=ACCESS_KEY, secret_key=SECRET_KEY
        )
        self._web_socket = _listen(self._host, self._ports.get("wcs", 0))
        config = uvicorn.Config(
            app,
            access_log=False,
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
            ws="none",
        )
        self._web = uvicorn.Server(config)
        self._web_task = asyncio.ensure_future(self._web.serve([self._web_socket]))
        while not self._web.started:
            if self._web_task.done():
                self._web_task.result()
                raise ConfigError("the local WCS did not start")
            await asyncio.sleep(0.001)
        port = self._web_socket.getsockname()[1]
        self._wcs_url = f"http://{_endpoint(self._host, port)}"

    async def _reset(self) -> None:
        if self._broker is not None:
            self._broker.reset()
        if self._state is not None:
            self._state.clear()

    async def _shut(self) -> None:
        if self._web is not None:
            self._web.should_exit = True
        if self._name_server is not None:
            await self._name_server.server.close()
        if self._broker is not None:
            self._broker.drop_delayed()
            await self._broker.server.close()
        if self._web_task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._web_task
        if self._web_socket is not None:
            self._web_socket.close()
        self._name_server = self._broker = self._state = None
        self._web = self._web_task = self._web_socket = None


def _address(host: str) -> str:
    """Return the numeric address of a host."""
    return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except BaseException as error:
        listener.close()
        if not isinstance(error, OSError) or isinstance(error, socket.gaierror):
            raise
        raise OSError(error.errno, f"{error.strerror}: {_endpoint(host, port)}") from error
    return listener


def _endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
