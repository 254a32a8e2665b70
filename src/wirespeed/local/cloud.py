"""`LocalCloud`: every local service in one background thread."""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
import socket
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ..config import Credentials
from ..errors import ClosedError, ConfigError
from .addresses import endpoint
from .faults import Faults, Faulty
from .services import HTTP_SERVICES, SERVICES
from .vault import Vault

if TYPE_CHECKING:
    from .rocketmq import Broker, NameServer
    from .web import Web

ACCESS_KEY = "local"
SECRET_KEY = "local-secret"

REGION = "us-east-1"
APPID = "10001"

_PORTS = ("namesrv", "broker", *HTTP_SERVICES, "console")
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
_NEEDS_EXTRA = "the local {} needs starlette and uvicorn: pip install 'wirespeed[local]'"

_Result = TypeVar("_Result")


class LocalCloud:
    """RocketMQ's name server and broker, CMQ, COS, SQS and WCS, on this machine.

    ```python
    with LocalCloud() as cloud:
        producer = Producer("group", namesrv=cloud.namesrv)
    ```

    `with` and `async with` start and close it; so do `start()` and `close()`. The services run
    on an event loop in a daemon thread of their own. All methods may be called from any thread.

    Args:
        services: which to run; all by default.
        host: address to listen on: a loopback address, or any with `public`.
        ports: fixed ports by "namesrv", "broker", "cmq", "cos", "sqs", "wcs" and "console"; free
            ones where none is given.
        console: whether there is a page that shows and controls the cloud, on this machine alone.
        public: whether other machines may reach the services. Their secret key is a new one then,
            and RocketMQ's broker asks for it too.
        directory: folder in which the cloud keeps what it holds: SQLite and files. Whatever was
            acknowledged is there again at the next start, even if the process was killed. Without
            one it is kept in memory.
        delay_levels: seconds of RocketMQ's delay levels 1 and up; the real ones by default.
        rocketmq_users: secret by access key of those who may ask RocketMQ's broker, which then
            checks signatures; anybody may by default.
        rocketmq_tls: paths of a certificate with its chain and of its key, in PEM, for clients
            that speak TLS to the name server and the broker; without it they are turned away.
        rocketmq_tls_only: whether those that do not speak it are turned away.

    Raises:
        ConfigError: a service or port is unknown, a port is not within 0..65535, a user has no
            name or no secret, or TLS is demanded and has no certificate.
    """

    access_key = ACCESS_KEY
    """Access key of the only user of the local CMQ, COS, SQS and WCS."""

    secret_key: str
    """Secret key of that user; no secret, unless the cloud is public."""

    faults: Faults
    """What goes wrong on purpose, and the log of requests."""

    def __init__(
        self,
        services: Iterable[str] = SERVICES,
        host: str = "127.0.0.1",
        ports: Mapping[str, int] | None = None,
        *,
        console: bool = False,
        public: bool = False,
        directory: str | os.PathLike[str] | None = None,
        delay_levels: tuple[float, ...] | None = None,
        rocketmq_users: Mapping[str, str] | None = None,
        rocketmq_tls: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
        rocketmq_tls_only: bool = False,
    ) -> None:
        self._services = tuple(services)
        self._host = host
        self._ports = dict(ports or {})
        self._directory = None if directory is None else Path(directory)
        self._delay_levels = delay_levels
        self._console = console
        self._public = public
        self.secret_key = secrets.token_urlsafe(24) if public else SECRET_KEY
        default_users = {ACCESS_KEY: self.secret_key} if public else {}
        self._rocketmq_users = dict(rocketmq_users or default_users)
        self._rocketmq_tls = rocketmq_tls
        self._rocketmq_tls_only = rocketmq_tls_only
        if not all(isinstance(each, str) for pair in self._rocketmq_users.items() for each in pair):
            raise ConfigError("rocketmq_users: access keys and secrets must be strings")
        if not all(name and secret for name, secret in self._rocketmq_users.items()):
            raise ConfigError("rocketmq_users: each needs an access key and a secret")
        if rocketmq_tls_only and rocketmq_tls is None:
            raise ConfigError("rocketmq_tls_only needs rocketmq_tls")
        for service in self._services:
            if service not in SERVICES:
                raise ConfigError(f"services: {service!r} is none of {', '.join(SERVICES)}")
        for name, port in self._ports.items():
            if name not in _PORTS:
                raise ConfigError(f"ports: {name!r} is none of {', '.join(_PORTS)}")
            if not isinstance(port, int) or not 0 <= port <= 65535:
                raise ConfigError(f"ports: {name} must be within 0..65535, not {port!r}")
        self.faults = Faults()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._name_server: NameServer | None = None
        self._broker: Broker | None = None
        self._webs: dict[str, Web] = {}
        self._vault: Vault | None = None
        self._urls: dict[str, str] = {}
        self._namesrv = ""
        self._console_url = ""
        self._console_token = secrets.token_urlsafe(24)

    def start(self) -> LocalCloud:
        """Start the services and return the cloud; nothing happens if it runs already.

        Raises:
            ConfigError: CMQ, COS, SQS or WCS is wanted and the extra `local` is not installed.
            ConfigError: the host's name has no address, or the files of rocketmq_tls are not to
                be had or no certificate and key.
            ConfigError: another cloud uses the directory, or it holds something else.
            ConfigError: the host is none that clients reach, or no loopback address and nobody
                said `public`.
            OSError: a port is taken, the host is no address of this machine, or the directory
                cannot be written to.
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
        """Stop the services; without a directory what they held is gone.

        A second call does nothing.
        """
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
    def cmq_url(self) -> str:
        """URL of the CMQ, for queues and topics alike.

        Raises:
            ClosedError: the cloud does not run, or runs no CMQ.
        """
        return self._running(self._urls.get("cmq", ""), "cmq")

    @property
    def cos_url(self) -> str:
        """URL of the COS v4, for requests and downloads alike; any appid will do.

        Raises:
            ClosedError: the cloud does not run, or runs no COS.
        """
        return self._running(self._urls.get("cos", ""), "cos")

    @property
    def wcs_url(self) -> str:
        """URL of the WCS, for uploads and management alike.

        Raises:
            ClosedError: the cloud does not run, or runs no WCS.
        """
        return self._running(self._urls.get("wcs", ""), "wcs")

    @property
    def sqs_url(self) -> str:
        """URL of the SQS, the endpoint of its clients; any region will do.

        Raises:
            ClosedError: the cloud does not run, or runs no SQS.
        """
        return self._running(self._urls.get("sqs", ""), "sqs")

    @property
    def console_url(self) -> str:
        """URL of the console.

        Raises:
            ClosedError: the cloud does not run, or has no console.
        """
        return self._running(self._console_url, "console")

    @property
    def console_token(self) -> str:
        """What a request to the console that changes something brings, as x-wirespeed-token."""
        return self._console_token

    @property
    def rocketmq_credentials(self) -> Credentials | None:
        """A key pair that RocketMQ's broker takes; None where it asks for none."""
        for user, secret in self._rocketmq_users.items():
            return Credentials(user, secret)
        return None

    def env(self) -> dict[str, str]:
        """Return the environment variables that point programs at the cloud."""
        variables = {}
        if self._namesrv:
            variables["NAMESRV_ADDR"] = self._namesrv
        if "cmq" in self._urls:
            variables["WIRESPEED_CMQ_URL"] = self._urls["cmq"]
            variables["WIRESPEED_CMQ_SECRET_ID"] = ACCESS_KEY
            variables["WIRESPEED_CMQ_SECRET_KEY"] = self.secret_key
        if "cos" in self._urls:
            variables["WIRESPEED_COS4_URL"] = self._urls["cos"]
            variables["WIRESPEED_COS4_APPID"] = APPID
            variables["WIRESPEED_COS4_SECRET_ID"] = ACCESS_KEY
            variables["WIRESPEED_COS4_SECRET_KEY"] = self.secret_key
        if "sqs" in self._urls:
            variables["AWS_ENDPOINT_URL_SQS"] = self._urls["sqs"]
            variables["AWS_ACCESS_KEY_ID"] = ACCESS_KEY
            variables["AWS_SECRET_ACCESS_KEY"] = self.secret_key
            variables["AWS_REGION"] = REGION
        if "wcs" in self._urls:
            variables["WIRESPEED_WCS_URL"] = self._urls["wcs"]
            variables["WIRESPEED_WCS_DOWNLOAD_URL"] = self._urls["wcs"] + "/download/{bucket}"
            variables["WIRESPEED_WCS_ACCESS_KEY"] = ACCESS_KEY
            variables["WIRESPEED_WCS_SECRET_KEY"] = self.secret_key
        if self._console_url:
            variables["WIRESPEED_CONSOLE_URL"] = self._console_url
            variables["WIRESPEED_CONSOLE_TOKEN"] = self._console_token
        return variables

    def reset(self) -> None:
        """Forget all topics, queues, messages, offsets, objects and faults; clients stay connected.

        The clock is right again; snapshots stay.

        Raises:
            ClosedError: the cloud does not run.
        """
        with self._lock:
            if self._thread is None:
                raise ClosedError("the local cloud does not run")
            self._run(self._reset(), _STOP_SECONDS)
            self.faults.clear()

    def travel(self, seconds: float) -> None:
        """Move the services' clock ahead: delays, leases and deadlines end that much sooner.

        Signatures are checked by the machine's clock still, as clients sign by theirs.

        Args:
            seconds: how far, 0 to ten years.

        Raises:
            ConfigError: `seconds` is out of these limits.
            ClosedError: the cloud does not run.
        """
        self._in_vault(lambda vault: vault.travel(seconds))

    def snapshot(self, name: str = "default") -> None:
        """Remember all that the services hold now; a snapshot of that name is replaced.

        With a directory, snapshots outlive the process too. What clients hold, such as
        connections and who consumes, is no part of it.

        Args:
            name: what to call it, 1 to 100 characters.

        Raises:
            ConfigError: the name is not of these lengths.
            ClosedError: the cloud does not run.
        """
        self._in_vault(lambda vault: vault.take_snapshot(name))

    def restore(self, name: str = "default") -> None:
        """Let the services hold what they held at a snapshot, and nothing else.

        Raises:
            ConfigError: there is no snapshot of that name.
            ClosedError: the cloud does not run.
        """
        self._in_vault(lambda vault: vault.restore_snapshot(name))

    def _in_vault(self, call: Callable[[Vault], _Result]) -> _Result:
        async def carry_out() -> _Result:
            assert self._vault is not None
            return call(self._vault)

        with self._lock:
            if self._thread is None:
                raise ClosedError("the local cloud does not run")
            return self._run(carry_out(), _START_SECONDS)

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
        places = [place for place in (self._namesrv, *self._urls.values()) if place]
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
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
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
            self._namesrv = self._console_url = ""
            self._urls.clear()
            self._thread = self._loop = None
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_STOP_SECONDS)

    async def _open(self) -> None:
        address = ip_address(_address(self._host))
        if address.is_unspecified:
            raise ConfigError(f"host: name an address that clients reach, not {self._host!r}")
        if not self._public and not address.is_loopback:
            raise ConfigError(
                f"host: {self._host!r} lets other machines in",
                hint="say public, and a new secret key is asked of all who come",
            )
        self._vault = Vault(self._directory)
        if "rocketmq" in self._services:
            await self._open_rocketmq()
        for service in HTTP_SERVICES:
            if service in self._services:
                self._urls[service] = await self._open_web(service)
        if self._console:
            self._console_url = await self._open_console()

    async def _open_rocketmq(self) -> None:
        from .rocketmq import DELAY_LEVELS, Broker, NameServer, Store, Tls, Watched

        tls = None
        if self._rocketmq_tls is not None:
            try:
                tls = Tls(*self._rocketmq_tls, self._rocketmq_tls_only)
            except OSError as error:
                raise ConfigError(f"rocketmq_tls: {error}") from error
        vault = self._vault
        assert vault is not None
        store = Store(clock=vault.clock, journal=vault.journal("rocketmq"))
        self._name_server = NameServer(store, tls)
        levels = self._delay_levels or DELAY_LEVELS
        self._broker = Broker(store, levels, self._rocketmq_users, tls)
        watch = Watched(self.faults, vault.commit)
        self._broker.server.watch = self._name_server.server.watch = watch
        vault.add("rocketmq", self._broker)
        broker_port = await self._broker.server.start(self._host, self._ports.get("broker", 0))
        store.store_host = (_address(self._host), broker_port)
        self._name_server.broker_address = endpoint(self._host, broker_port)
        port = await self._name_server.server.start(self._host, self._ports.get("namesrv", 0))
        self._namesrv = endpoint(self._host, port)

    async def _open_web(self, service: str) -> str:
        """Start the HTTP face of a service; return its URL."""
        try:
            from .web import Web

            face = importlib.import_module(f".{service}", __package__)
        except ImportError as error:
            raise ConfigError(_NEEDS_EXTRA.format(service.upper())) from error
        vault = self._vault
        assert vault is not None
        clock = vault.clock if service == "cmq" else vault.clock.now
        state = face.State(clock, vault.journal(service))
        vault.add(service, state)
        app = face.create_app(
            state, access_key=ACCESS_KEY, secret_key=self.secret_key, wall=vault.clock.wall
        )
        faulty = Faulty(app, service, self.faults, vault.commit)
        web = self._webs[service] = Web(faulty, service.upper())
        return await web.start(self._host, self._ports.get(service, 0))

    async def _open_console(self) -> str:
        try:
            from .console import create_app
            from .web import Web
        except ImportError as error:
            raise ConfigError(_NEEDS_EXTRA.format("console")) from error
        vault = self._vault
        assert vault is not None

        def reset() -> None:
            vault.clear()
            self.faults.clear()

        web = self._webs["console"] = Web(
            create_app(vault, self.faults, self._console_token, reset), "console"
        )
        host = "127.0.0.1" if self._public else self._host
        return await web.start(host, self._ports.get("console", 0))

    async def _reset(self) -> None:
        if self._vault is not None:
            self._vault.clear()

    async def _shut(self) -> None:
        for web in self._webs.values():
            web.stop()
        if self._name_server is not None:
            await self._name_server.server.close()
        if self._broker is not None:
            self._broker.drop_delayed()
            await self._broker.server.close()
        for web in self._webs.values():
            await web.close()
        self._name_server = self._broker = None
        self._webs.clear()
        if self._vault is not None:
            self._vault.close()
            self._vault = None


def _address(host: str) -> str:
    """Return the numeric address of a host."""
    return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
