"""One method for each action."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any

from wirespeed import _native

from .cmq_exception import (
    CMQClientParameterException,
    CMQServerException,
    CMQServerNetworkException,
)
from .cmq_http import CMQHttp, RequestInternal, ResponseInternal
from .cmq_tool import CMQLogger
from .sign import Sign, text

URISEC = "/v2/index.php"
_FORM_TYPE = "application/x-www-form-urlencoded"
_LARGEST_NONCE = 2**31 - 1

Params = Mapping[str, Any]


class CMQClient:
    """Signs and sends the requests of one key pair to one host; threads may share it."""

    def __init__(
        self,
        host: str,
        secretId: str,
        secretKey: str,
        version: str = "SDK_Python_1.3",
        logger: logging.Logger | None = None,
        token: str = "",
    ) -> None:
        self.host, self.is_https = self.process_host(host)
        self.secretId = secretId
        self.secretKey = secretKey
        self.token = token
        self.version = version
        self.logger: logging.Logger | None = logger or CMQLogger.get_logger()
        self.http = CMQHttp(self.host, logger=self.logger, is_https=self.is_https)
        self.sign_method = "sha1"
        self.method = "POST"

    def set_method(self, method: str = "POST") -> None:
        """Send by POST or by GET."""
        self.method = method.upper()

    def set_sign_method(self, sign_method: str = "sha1") -> None:
        """Sign by "sha1" or "sha256"."""
        if sign_method not in ("sha1", "sha256"):
            raise CMQClientParameterException(
                f"Only support sha1 or sha256. invalid method:{sign_method}"
            )
        self.sign_method = sign_method

    def set_token(self, token: str = "") -> None:
        """Set the token of temporary keys."""
        self.token = token

    def set_log_level(self, log_level: int) -> None:
        """Set the logger's level."""
        if self.logger:
            CMQLogger.validate_loglevel(log_level)
            self.logger.setLevel(log_level)
            self.http.set_log_level(log_level)

    def close_log(self) -> None:
        """Log no more."""
        self.logger = None
        self.http.close_log()

    def set_connection_timeout(self, connection_timeout: float) -> None:
        """Set the seconds that a request may take, a long poll's wait not counted."""
        self.http.set_connection_timeout(connection_timeout)

    def set_keep_alive(self, keep_alive: bool) -> None:
        """Keep connections for the next request, or not."""
        self.http.set_keep_alive(keep_alive)

    def close_connection(self) -> None:
        """Close the connections; the next request makes new ones."""
        self.http.conn.close()

    def process_host(self, host: str) -> tuple[str, bool]:
        """Return a URL's host, with its port, and whether it is https."""
        for scheme in ("http://", "https://"):
            if host.startswith(scheme):
                name = host[len(scheme) :].removesuffix("/")
                if not name or "/" in name:
                    break
                return name, scheme == "https://"
        raise CMQClientParameterException(f"Only support http(s) prototol. Invalid host:{host}")

    def build_req_inter(self, action: str, params: Params, req_inter: RequestInternal) -> None:
        """Write an action's parameters, signed, into a request."""
        made: dict[str, Any] = {"Action": action[0].upper() + action[1:], **params}
        # It only tells this side how long the answer may take.
        made.pop("UserpollingWaitSeconds", None)
        made["Action"] = action[0].upper() + action[1:]
        made["RequestClient"] = self.version
        if self.token:
            made.setdefault("Token", self.token)
        made.setdefault("SecretId", self.secretId)
        made.setdefault("Nonce", secrets.randbelow(_LARGEST_NONCE) + 1)
        made.setdefault("Timestamp", int(time.time()))
        made.setdefault(
            "SignatureMethod", "HmacSHA256" if self.sign_method == "sha256" else "HmacSHA1"
        )
        whole = {name: text(value) for name, value in made.items()}
        algorithm = "sha256" if whole["SignatureMethod"] == "HmacSHA256" else "sha1"
        whole["Signature"] = Sign(self.secretId, self.secretKey).make(
            self.host, req_inter.uri, whole, req_inter.method, algorithm
        )
        req_inter.data = _native.form_encode(whole)
        self.build_header(req_inter)

    def build_header(self, req_inter: RequestInternal) -> None:
        """Write the headers."""
        if req_inter.method == "POST":
            req_inter.header["Content-Type"] = _FORM_TYPE
        if self.http.is_keep_alive():
            req_inter.header["Connection"] = "Keep-Alive"

    def check_status(self, resp_inter: ResponseInternal) -> None:
        """Raise what a response says went wrong."""
        self._read(resp_inter)

    def _read(self, resp_inter: ResponseInternal) -> dict[str, Any]:
        if resp_inter.status != 200:
            raise CMQServerNetworkException(resp_inter.status, resp_inter.header, resp_inter.data)
        try:
            reply: dict[str, Any] = json.loads(resp_inter.data)
            code = int(reply["code"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise CMQServerNetworkException(
                resp_inter.status, resp_inter.header, resp_inter.data
            ) from error
        if code != 0:
            raise CMQServerException(
                message=reply.get("message", ""),
                request_id=reply.get("requestId", ""),
                code=code,
                data=reply,
            )
        return reply

    def request(self, action: str, params: Params) -> ResponseInternal:
        """Send an action and return the response, whatever it says."""
        req_inter = RequestInternal(self.method, URISEC)
        self.build_req_inter(action, params, req_inter)
        wait = params.get("UserpollingWaitSeconds")
        return self.http.send_request(req_inter, 0 if wait is None else wait)

    def _call(self, action: str, params: Params) -> dict[str, Any]:
        reply = self._read(self.request(action, params))
        if self.logger:
            self.logger.debug("%s RequestId:%s", action, reply.get("requestId", ""))
        return reply

    # ---- queues ----

    def create_queue(self, params: Params) -> None:
        """CreateQueue."""
        self._call("CreateQueue", params)

    def delete_queue(self, params: Params) -> None:
        """DeleteQueue."""
        self._call("DeleteQueue", params)

    def list_queue(self, params: Params) -> dict[str, Any]:
        """ListQueue; the whole reply."""
        return self._call("ListQueue", params)

    def rewindQueue(self, params: Params) -> None:
        """RewindQueue."""
        self._call("RewindQueue", params)

    def set_queue_attributes(self, params: Params) -> None:
        """SetQueueAttributes."""
        self._call("SetQueueAttributes", params)

    def get_queue_attributes(self, params: Params) -> dict[str, Any]:
        """GetQueueAttributes; the whole reply."""
        return self._call("GetQueueAttributes", params)

    def send_message(self, params: Params) -> Any:
        """SendMessage; the message's id."""
        return self._call("SendMessage", params)["msgId"]

    def batch_send_message(self, params: Params) -> Any:
        """BatchSendMessage; the reply's msgList."""
        return self._call("BatchSendMessage", params)["msgList"]

    def receive_message(self, params: Params) -> dict[str, Any]:
        """ReceiveMessage; the whole reply."""
        return self._call("ReceiveMessage", params)

    def batch_receive_message(self, params: Params) -> Any:
        """BatchReceiveMessage; the reply's msgInfoList."""
        return self._call("BatchReceiveMessage", params)["msgInfoList"]

    def delete_message(self, params: Params) -> None:
        """DeleteMessage."""
        self._call("DeleteMessage", params)

    def batch_delete_message(self, params: Params) -> None:
        """BatchDeleteMessage."""
        self._call("BatchDeleteMessage", params)

    # ---- topics ----

    def create_topic(self, params: Params) -> None:
        """CreateTopic."""
        self._call("CreateTopic", params)

    def delete_topic(self, params: Params) -> None:
        """DeleteTopic."""
        self._call("DeleteTopic", params)

    def list_topic(self, params: Params) -> dict[str, Any]:
        """ListTopic; the whole reply."""
        return self._call("ListTopic", params)

    def set_topic_attributes(self, params: Params) -> None:
        """SetTopicAttributes."""
        self._call("SetTopicAttributes", params)

    def get_topic_attributes(self, params: Params) -> dict[str, Any]:
        """GetTopicAttributes; the whole reply."""
        return self._call("GetTopicAttributes", params)

    def publish_message(self, params: Params) -> Any:
        """PublishMessage; the message's id."""
        return self._call("PublishMessage", params)["msgId"]

    def batch_publish_message(self, params: Params) -> Any:
        """BatchPublishMessage; the reply's msgList."""
        return self._call("BatchPublishMessage", params)["msgList"]

    # ---- subscriptions ----

    def create_subscription(self, params: Params) -> None:
        """Subscribe."""
        self._call("Subscribe", params)

    def delete_subscription(self, params: Params) -> None:
        """Unsubscribe."""
        self._call("Unsubscribe", params)

    def clear_filterTags(self, params: Params) -> None:
        """ClearSubscriptionFilterTags."""
        self._call("ClearSubscriptionFilterTags", params)

    def list_subscription(self, params: Params) -> dict[str, Any]:
        """ListSubscriptionByTopic; the whole reply."""
        return self._call("ListSubscriptionByTopic", params)

    def set_subscription_attributes(self, params: Params) -> None:
        """SetSubscriptionAttributes."""
        self._call("SetSubscriptionAttributes", params)

    def get_subscription_attributes(self, params: Params) -> dict[str, Any]:
        """GetSubscriptionAttributes; the whole reply."""
        return self._call("GetSubscriptionAttributes", params)
