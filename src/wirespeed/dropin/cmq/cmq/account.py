"""The account: where a program begins."""

from __future__ import annotations

from typing import Any

from .cmq_client import CMQClient
from .cmq_tool import CMQLogger
from .queue import Queue
from .shared import Triple, listing, triple
from .subscription import Subscription
from .topic import Topic


class Account:
    """One key pair at one host; threads may share it."""

    def __init__(
        self,
        host: str,
        secretId: str,
        secretKey: str,
        debug: bool | str = False,
        token: str | bool = "",
    ) -> None:
        # The form with temporary keys has the token in fourth place.
        if isinstance(debug, str):
            debug, token = bool(token), debug
        self.secretId = secretId
        self.secretKey = secretKey
        self.debug = debug
        self.logger = CMQLogger.get_logger()
        self.cmq_client = CMQClient(
            host, secretId, secretKey, logger=self.logger, token=str(token or "")
        )

    def set_sign(self, sign: str = "sha256") -> None:
        """Sign by "sha1" or "sha256"."""
        self.cmq_client.set_sign_method(sign)

    def set_sign_method(self, sign_method: str = "sha1") -> None:
        """Do what `set_sign` does: manuals call it so."""
        self.cmq_client.set_sign_method(sign_method)

    def set_token(self, token: str = "") -> None:
        """Set the token of temporary keys."""
        self.cmq_client.set_token(token)

    def set_debug(self, debug: bool) -> None:
        """Switch `debuginfo` on or off."""
        self.debug = debug

    def set_log_level(self, log_level: int) -> None:
        """Set the logger's level."""
        CMQLogger.validate_loglevel(log_level)
        self.logger.setLevel(log_level)
        self.cmq_client.set_log_level(log_level)

    def close_log(self) -> None:
        """Log no more."""
        self.cmq_client.close_log()

    def set_client(
        self, host: str, secretId: str | None = None, secretKey: str | None = None
    ) -> None:
        """Use another host, and other keys where they are given; the settings stay."""
        before = self.cmq_client
        client = CMQClient(
            host,
            self.secretId if secretId is None else secretId,
            self.secretKey if secretKey is None else secretKey,
            logger=self.logger,
            token=before.token,
        )
        client.set_sign_method(before.sign_method)
        client.set_method(before.method)
        client.set_connection_timeout(before.http.connection_timeout)
        client.set_keep_alive(before.http.keep_alive)
        self.cmq_client = client
        before.close_connection()

    def get_queue(self, queue_name: str) -> Queue:
        """Return a queue; nothing is sent."""
        return Queue(queue_name, self.cmq_client, bool(self.debug))

    def get_client(self) -> CMQClient:
        """Return the client."""
        return self.cmq_client

    def list_queue(self, searchWord: str = "", limit: int = -1, offset: Any = "") -> Triple:
        """Return the number of queues, some of them, and where the next begin or ""."""
        reply = self.cmq_client.list_queue(listing(searchWord, limit, offset))
        return triple(reply, "queueList", offset)

    def get_topic(self, topicName: str) -> Topic:
        """Return a topic; nothing is sent."""
        return Topic(topicName, self.cmq_client, bool(self.debug))

    def list_topic(self, searchWord: str = "", limit: int = -1, offset: Any = "") -> Triple:
        """Return the number of topics, some of them, and where the next begin or ""."""
        reply = self.cmq_client.list_topic(listing(searchWord, limit, offset))
        return triple(reply, "topicList", offset)

    def get_subscription(self, topicName: str, subscriptionName: str) -> Subscription:
        """Return a subscription; nothing is sent."""
        return Subscription(topicName, subscriptionName, self.cmq_client, bool(self.debug))

    def debuginfo(self, RequestId: str) -> None:
        """Print a request's id where debugging is on."""
        if self.debug:
            print("===================DEBUG INFO===================")
            print(f"RequestId: {RequestId}")
            print("================================================")
