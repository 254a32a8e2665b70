"""Connections, which are kept and shared by threads."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import Any

from wirespeed.config import Retry
from wirespeed.engine import threads as engine
from wirespeed.errors import ConfigError, WirespeedError
from wirespeed.http import threads
from wirespeed.http.calls import Patience, call
from wirespeed.http.models import Origin, Request, Response

from .cmq_exception import CMQClientNetworkException, CMQClientParameterException

# What a lost reply leaves in doubt is sent again only where that does no harm.
_SENDS = ("Action=SendMessage&", "Action=BatchSendMessage&", "Action=PublishMessage&",
          "Action=BatchPublishMessage&")  # fmt: skip
_TRIES = Retry(attempts=2, base=0.0)


class CMQHTTPConnection:
    """The connections to one host.

    Attributes:
        request_length: bytes of the last request's body or query.
    """

    scheme = "http"

    def __init__(self, host: str, port: int | None = None, strict: Any = None) -> None:
        try:
            self.origin = Origin.parse(
                f"{self.scheme}://{host}{'' if port is None else f':{port}'}", "host"
            )
        except ConfigError as error:
            raise CMQClientParameterException(str(error)) from error
        self.host = host
        self.request_length = 0
        self.transport = threads.Transport(proxy="")
        # Programs never close an account.
        weakref.finalize(self, self.transport.discard)

    def close(self) -> None:
        """Close the connections; the next request makes new ones."""
        self.transport.discard()


class CMQHTTPSConnection(CMQHTTPConnection):
    """The same over TLS, verified."""

    scheme = "https"


class CMQHttp:
    """Exchanges requests for responses."""

    def __init__(
        self,
        host: str,
        connection_timeout: float = 10,
        keep_alive: bool = True,
        logger: logging.Logger | None = None,
        is_https: bool = False,
    ) -> None:
        self.conn = CMQHTTPSConnection(host) if is_https else CMQHTTPConnection(host)
        self.connection_timeout = connection_timeout
        self.keep_alive = keep_alive
        self.request_size = 0
        self.response_size = 0
        self.logger = logger
        self._lock = threading.Lock()

    def set_log_level(self, log_level: int) -> None:
        """Set the logger's level."""
        if self.logger:
            self.logger.setLevel(log_level)

    def close_log(self) -> None:
        """Log no more."""
        self.logger = None

    def set_connection_timeout(self, connection_timeout: float) -> None:
        """Set the seconds that a request may take, a long poll's wait not counted."""
        self.connection_timeout = connection_timeout

    def set_keep_alive(self, keep_alive: bool) -> None:
        """Keep connections for the next request, or not."""
        self.keep_alive = keep_alive

    def is_keep_alive(self) -> bool:
        """Whether connections are kept."""
        return self.keep_alive

    def send_request(self, req_inter: RequestInternal, UserTimeOut: Any) -> ResponseInternal:
        """Send a request and return the response; its status may be any.

        Raises:
            CMQClientNetworkException: none came.
        """
        if req_inter.method not in ("GET", "POST"):
            raise CMQClientNetworkException("Method only support (GET, POST)")
        try:
            seconds = float(self.connection_timeout) + int(UserTimeOut)
            response = self._exchange(req_inter, seconds)
        except (WirespeedError, TypeError, ValueError) as error:
            raise CMQClientNetworkException(str(error)) from error
        if not self.keep_alive:
            self.conn.close()
        data = response.body.decode("utf-8", "replace")
        with self._lock:
            self.request_size = self.conn.request_length = len(req_inter.data)
            self.response_size = len(response.body)
        return ResponseInternal(response.status, dict(response.headers), data)

    def _exchange(self, req_inter: RequestInternal, seconds: float) -> Response:
        headers = [
            (name, value)
            for name, value in req_inter.header.items()
            if name.lower() != "connection"
        ]
        if req_inter.method == "GET":
            request = Request("GET", f"{req_inter.uri}?{req_inter.data}", headers)
        else:
            request = Request("POST", req_inter.uri, headers, req_inter.data.encode())
        patience = Patience(service="cmq", timeout=seconds, retry=_TRIES)
        work = call(
            patience,
            self.conn.origin,
            lambda: request,
            lambda response: response,
            patience.deadline(2 * seconds),
            ambiguous=not req_inter.data.startswith(_SENDS),
        )
        return engine.run(work, self.conn.transport)


class RequestInternal:
    """One request."""

    def __init__(
        self, method: str = "", uri: str = "", header: dict[str, str] | None = None, data: str = ""
    ) -> None:
        self.method = method
        self.uri = uri
        self.header = {} if header is None else header
        self.data = data

    def __str__(self) -> str:
        data = self.data.partition("&Signature=")[0]
        return (
            f"Method: {self.method}\nUri: {self.uri}\nHeader: {_lines(self.header)}\nData: {data}\n"
        )


class ResponseInternal:
    """One response."""

    def __init__(
        self, status: int = 0, header: dict[str, str] | None = None, data: str = ""
    ) -> None:
        self.status = status
        self.header = {} if header is None else header
        self.data = data

    def __str__(self) -> str:
        return f"Status: {self.status}\nHeader: {_lines(self.header)}\nData: {self.data}\n"


def _lines(header: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in header.items())
