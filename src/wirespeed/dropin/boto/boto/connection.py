"""Signs requests, sends them, and reads the replies."""

from __future__ import annotations

import logging
import random
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from wirespeed import _native
from wirespeed.engine import threads as engine
from wirespeed.engine.effects import Exchange, Flow
from wirespeed.errors import WirespeedError
from wirespeed.http import threads
from wirespeed.http.models import Origin, Request, Response

from . import UserAgent, config
from .exception import BotoServerError, NoAuthHandlerFound
from .handler import XmlHandlerWrapper
from .provider import Provider
from .resultset import ResultSet

log = logging.getLogger("boto")

FORM_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"
_RETRIED = (500, 502, 503, 504)


class HTTPRequest:
    """One request; `authorize` signs it, again at each try."""

    def __init__(
        self,
        method: str,
        protocol: str,
        host: str,
        port: int | None,
        path: str,
        auth_path: str | None,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        body: Any,
    ) -> None:
        self.method = method
        self.protocol = protocol
        self.host = host
        self.port = port
        self.path = path
        self.auth_path = auth_path or path
        self.params = dict(params)
        self.headers = dict(headers)
        self.body = body

    def __str__(self) -> str:
        return f"method:({self.method}) host({self.host}) path({self.path})"

    def authorize(self, connection: AWSAuthConnection, **kwargs: Any) -> None:
        """Write the body and the headers, signed as of now."""
        self.body = urlencode(
            sorted((name, _text(value)) for name, value in self.params.items())
        ).encode()
        stamp = datetime.fromtimestamp(time.time(), timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        provider = connection.provider
        self.headers["User-Agent"] = UserAgent
        self.headers["Content-Type"] = FORM_TYPE
        self.headers["X-Amz-Date"] = stamp
        if provider.security_token:
            self.headers["X-Amz-Security-Token"] = provider.security_token
        signed = {name: text for name, text in self.headers.items() if name.startswith("X-Amz-")}
        self.headers["Authorization"] = _native.sign_v4(
            self.method, self.auth_path, {}, {"Host": connection.host_header, **signed},
            self.body, str(provider.access_key), str(provider.secret_key),
            str(connection.auth_region_name), str(connection.auth_service_name), stamp,
        )  # fmt: skip
        self.headers["Content-Length"] = str(len(self.body))


class HTTPResponse:
    """A reply, whole."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.reason = response.reason
        self.msg = dict(response.headers)
        self._headers = list(response.headers)
        self._body = response.body

    def read(self, amt: int | None = None) -> bytes:
        """Return the body."""
        return self._body

    def getheader(self, name: str, default: str | None = None) -> str | None:
        """Return a header."""
        wanted = name.lower()
        return next((value for key, value in self._headers if key == wanted), default)

    def getheaders(self) -> list[tuple[str, str]]:
        """Return all headers."""
        return list(self._headers)


class AWSAuthConnection:
    """Sends signed requests to one host; threads may share it."""

    ResponseError: Any = BotoServerError
    AuthServiceName = ""

    def __init__(
        self,
        host: str,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        is_secure: bool = True,
        port: int | None = None,
        proxy: str | None = None,
        proxy_port: Any = None,
        proxy_user: str | None = None,
        proxy_pass: str | None = None,
        debug: int = 0,
        https_connection_factory: Any = None,
        path: str = "/",
        provider: str | Provider = "aws",
        security_token: str | None = None,
        suppress_consec_slashes: bool = True,
        validate_certs: bool = True,
        profile_name: str | None = None,
    ) -> None:
        self.host = host
        self.path = path
        self.debug = debug
        self.is_secure = config.getbool("Boto", "is_secure", is_secure)
        self.protocol = "https" if self.is_secure else "http"
        self.port = port or (443 if self.is_secure else 80)
        self.num_retries = config.getint("Boto", "num_retries", 6)
        self.http_connection_kwargs = {"timeout": config.getint("Boto", "http_socket_timeout", 70)}
        self.https_validate_certificates = config.getbool(
            "Boto", "https_validate_certificates", validate_certs
        )
        if proxy or config.get("Boto", "proxy"):
            raise NotImplementedError("boto over wirespeed uses no proxy")
        self.https_connection_factory = None
        self.http_exceptions: tuple[type[BaseException], ...] = (OSError, WirespeedError)
        if https_connection_factory is not None:
            self.https_connection_factory = https_connection_factory[0]
            self.http_exceptions += tuple(https_connection_factory[1])
        self.request_hook: Any = None
        self.profile_name = profile_name
        if isinstance(provider, Provider):
            self.provider = provider
        else:
            self.provider = Provider(
                provider, aws_access_key_id, aws_secret_access_key, security_token, profile_name
            )
        if not self.provider.access_key or not self.provider.secret_key:
            raise NoAuthHandlerFound(
                "No key pair was found: give it, or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or write it to ~/.aws/credentials or ~/.boto"
            )
        self._auth_service_name: str | None = None
        self._auth_region_name: str | None = None
        self._pool = threads.Transport(tls=self._tls())
        weakref.finalize(self, self._pool.discard)

    def __repr__(self) -> str:
        return f"{type(self).__name__}:{self.host}"

    def _tls(self) -> Any:
        """Return what verifies the peer as the settings say; None: as usual."""
        authorities = config.get("Boto", "ca_certificates_file")
        if self.https_validate_certificates and not authorities:
            return None
        import ssl

        context = ssl.create_default_context(cafile=authorities or None)
        if not self.https_validate_certificates:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    @property
    def auth_service_name(self) -> str:
        """The service that signatures are for."""
        return self._auth_service_name or self.AuthServiceName

    @auth_service_name.setter
    def auth_service_name(self, value: str) -> None:
        self._auth_service_name = value

    @property
    def auth_region_name(self) -> str:
        """The region that signatures are for."""
        return self._auth_region_name or "us-east-1"

    @auth_region_name.setter
    def auth_region_name(self, value: str) -> None:
        self._auth_region_name = value

    @property
    def aws_access_key_id(self) -> str | None:
        """The public half of the key pair."""
        key: str | None = self.provider.access_key
        return key

    access_key = gs_access_key_id = aws_access_key_id

    @property
    def aws_secret_access_key(self) -> str | None:
        """The secret half of the key pair."""
        key: str | None = self.provider.secret_key
        return key

    secret_key = gs_secret_access_key = aws_secret_access_key

    @property
    def profile(self) -> str | None:
        """The profile that the keys are from."""
        return self.profile_name

    @property
    def host_header(self) -> str:
        """The Host header of requests."""
        return Origin(self.protocol, self.host, self.port).host_header

    def set_host(self, host: str) -> None:
        """Send to another host."""
        self.host = host

    def set_request_hook(self, hook: Any) -> None:
        """Call `hook.handle_request_data(request, response)` after each request."""
        self.request_hook = hook

    def get_path(self, path: str = "/") -> str:
        """Return a path under the connection's own."""
        whole = self.path.rstrip("/") + "/" + path.lstrip("/")
        return whole if path.endswith("/") or not whole.endswith("/") else whole[:-1] or "/"

    def close(self) -> None:
        """Close the connections; the next request makes new ones."""
        self._pool.discard()

    def build_base_http_request(
        self,
        method: str,
        path: str,
        auth_path: str | None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        data: Any = "",
        host: str | None = None,
    ) -> HTTPRequest:
        """Return a request that is not signed yet."""
        path = self.get_path(path)
        return HTTPRequest(
            method, self.protocol, host or self.host, self.port, path, auth_path or path,
            params or {}, headers or {}, data,
        )  # fmt: skip

    def _mexe(
        self,
        request: HTTPRequest,
        sender: Any = None,
        override_num_retries: int | None = None,
        retry_handler: Callable[..., Any] | None = None,
    ) -> Any:
        """Send a request, again where the network or the service's load was to blame."""
        retries = self.num_retries if override_num_retries is None else override_num_retries
        longest = config.getint("Boto", "max_retry_delay", 60)
        for attempt in range(retries + 1):
            last = attempt == retries
            request.authorize(connection=self)
            try:
                response = self._send(request)
            except self.http_exceptions as error:
                if last or (isinstance(error, WirespeedError) and not error.retryable):
                    raise
                log.debug("%s: %s: trying again", type(error).__name__, error)
            else:
                if response.status not in _RETRIED:
                    if self.request_hook is not None:
                        self.request_hook.handle_request_data(request, response)
                    return response
                if last:
                    raise BotoServerError(response.status, response.reason, response.read())
            time.sleep(min(random.random() * 2**attempt, longest))
        raise AssertionError("a loop that always returns or raises ended")

    def _send(self, request: HTTPRequest) -> Any:
        if self.https_connection_factory is not None:
            connection = self.https_connection_factory(self.host, **self.http_connection_kwargs)
            connection.request(request.method, request.path, request.body, request.headers)
            return connection.getresponse()
        seconds = self.http_connection_kwargs["timeout"]
        headers = [
            (name, value)
            for name, value in request.headers.items()
            if name not in ("Content-Length", "Host")
        ]
        origin = Origin(self.protocol, request.host, int(request.port or self.port))
        made = Request(request.method, request.path, headers, request.body)

        def work() -> Flow[Response]:
            response: Response = yield Exchange(origin, made, time.monotonic() + seconds)
            return response

        return HTTPResponse(engine.run(work(), self._pool))


class AWSQueryConnection(AWSAuthConnection):
    """Speaks the query protocol."""

    APIVersion = ""

    @property
    def service_name(self) -> str:
        """The service's name."""
        return self.auth_service_name

    def get_utf8_value(self, value: Any) -> bytes:
        """Return a value as it is sent."""
        return _text(value)

    def make_request(
        self,
        action: str | None,
        params: Mapping[str, Any] | None = None,
        path: str = "/",
        verb: str = "GET",
    ) -> Any:
        """Send an action as a form; `verb` is not used."""
        request = self.build_base_http_request("POST", path, None, params)
        if action:
            request.params["Action"] = action
        if self.APIVersion:
            request.params["Version"] = self.APIVersion
        return self._mexe(request)

    def build_list_params(self, params: dict[str, Any], items: Any, label: str) -> None:
        """Write a list as the parameters `label.1`, `label.2` and so on."""
        if isinstance(items, str):
            items = [items]
        for place, item in enumerate(items, 1):
            params[f"{label}.{place}"] = item

    def build_complex_list_params(
        self, params: dict[str, Any], items: Any, label: str, names: Sequence[str]
    ) -> None:
        """Write a list of tuples as the parameters `label.1.name` and so on."""
        for place, item in enumerate(items, 1):
            for name, value in zip(names, item, strict=False):
                if value is not None:
                    params[f"{label}.{place}.{name}"] = value

    def get_list(
        self,
        action: str,
        params: Mapping[str, Any] | None,
        markers: list[Any],
        path: str = "/",
        parent: Any = None,
        verb: str = "GET",
    ) -> ResultSet:
        """Send an action and return the list that its reply holds."""
        made = ResultSet(markers)
        self._read(self.make_request(action, params, path, verb), made, parent or self)
        return made

    def get_object(
        self,
        action: str,
        params: Mapping[str, Any] | None,
        cls: Any,
        path: str = "/",
        parent: Any = None,
        verb: str = "GET",
    ) -> Any:
        """Send an action and return the object that its reply describes."""
        made = cls(parent or self)
        self._read(self.make_request(action, params, path, verb), made, parent or self)
        return made

    def get_status(
        self,
        action: str,
        params: Mapping[str, Any] | None,
        path: str = "/",
        parent: Any = None,
        verb: str = "GET",
    ) -> bool:
        """Send an action and return whether it went well."""
        made = ResultSet()
        self._read(self.make_request(action, params, path, verb), made, parent or self)
        return made.status

    def _read(self, response: Any, node: Any, parent: Any) -> None:
        body = response.read()
        log.debug("status %s, %d bytes", response.status, len(body))
        if response.status != 200 or not body:
            raise self.ResponseError(response.status, response.reason, body)
        XmlHandlerWrapper(node, parent).parseString(body)


def _text(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return str(value).encode()
