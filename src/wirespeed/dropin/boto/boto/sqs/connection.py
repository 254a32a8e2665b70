"""The connection: where a program begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import config
from ..connection import AWSQueryConnection
from ..exception import SQSError
from ..resultset import ResultSet
from .attributes import Attributes
from .batchresults import BatchResults
from .message import Message, RawMessage
from .queue import Queue
from .regioninfo import SQSRegionInfo

_VALUES = {
    "data_type": "DataType",
    "string_value": "StringValue",
    "binary_value": "BinaryValue",
    "string_list_value": "StringListValue",
    "binary_list_value": "BinaryListValue",
}


class SQSConnection(AWSQueryConnection):
    """Speaks to SQS in one region; threads may share it."""

    DefaultRegionName = config.get("Boto", "sqs_region_name", "us-east-1")
    DefaultRegionEndpoint = config.get("Boto", "sqs_region_endpoint", "queue.amazonaws.com")
    APIVersion = "2012-11-05"
    DefaultContentType = "text/plain"
    ResponseError = SQSError
    AuthServiceName = "sqs"

    def __init__(
        self,
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
        region: Any = None,
        path: str = "/",
        security_token: str | None = None,
        validate_certs: bool = True,
        profile_name: str | None = None,
    ) -> None:
        if region is None:
            region = SQSRegionInfo(self, self.DefaultRegionName, self.DefaultRegionEndpoint)
        self.region = region
        super().__init__(
            self.region.endpoint, aws_access_key_id, aws_secret_access_key, is_secure, port,
            proxy, proxy_port, proxy_user, proxy_pass, debug, https_connection_factory, path,
            security_token=security_token, validate_certs=validate_certs,
            profile_name=profile_name,
        )  # fmt: skip
        self.auth_region_name = self.region.name

    # ---- queues ----

    def create_queue(self, queue_name: str, visibility_timeout: int | None = None) -> Any:
        """Create a queue, or return the one of that name and timeout."""
        params: dict[str, Any] = {"QueueName": queue_name}
        if visibility_timeout:
            params["Attribute.1.Name"] = "VisibilityTimeout"
            params["Attribute.1.Value"] = int(visibility_timeout)
        return self.get_object("CreateQueue", params, Queue)

    def delete_queue(self, queue: Any, force_deletion: bool = False) -> bool:
        """Delete a queue with its messages; `force_deletion` is not used."""
        return self.get_status("DeleteQueue", None, queue.id)

    def purge_queue(self, queue: Any) -> bool:
        """Delete all messages of a queue."""
        return self.get_status("PurgeQueue", None, queue.id)

    def get_queue_attributes(self, queue: Any, attribute: Any = "All") -> Any:
        """Return a queue's attributes, or one."""
        params: dict[str, Any] = {}
        self.build_list_params(params, attribute, "AttributeName")
        return self.get_object("GetQueueAttributes", params, Attributes, queue.id)

    def set_queue_attribute(self, queue: Any, attribute: str, value: Any) -> bool:
        """Change an attribute of a queue."""
        params = {"Attribute.1.Name": attribute, "Attribute.1.Value": value}
        return self.get_status("SetQueueAttributes", params, queue.id)

    def get_all_queues(self, prefix: str = "") -> ResultSet:
        """Return up to 1000 queues whose names begin with `prefix`."""
        params = {"QueueNamePrefix": prefix} if prefix else {}
        return self.get_list("ListQueues", params, [("QueueUrl", Queue)])

    def get_queue(self, queue_name: str, owner_acct_id: str | None = None) -> Any:
        """Return a queue, or None where the service has none of that name."""
        params = {"QueueName": queue_name}
        if owner_acct_id:
            params["QueueOwnerAWSAccountId"] = owner_acct_id
        try:
            return self.get_object("GetQueueUrl", params, Queue)
        except SQSError:
            return None

    lookup = get_queue

    def get_dead_letter_source_queues(self, queue: Any) -> ResultSet:
        """Return the queues whose dead letters come to this one."""
        params = {"QueueUrl": queue.url}
        return self.get_list("ListDeadLetterSourceQueues", params, [("QueueUrl", Queue)])

    def add_permission(self, queue: Any, label: str, aws_account_id: str, action_name: str) -> bool:
        """Let an account carry out an action."""
        params = {"Label": label, "AWSAccountId.1": aws_account_id, "ActionName.1": action_name}
        return self.get_status("AddPermission", params, queue.id)

    def remove_permission(self, queue: Any, label: str) -> bool:
        """Withdraw what `add_permission` gave."""
        return self.get_status("RemovePermission", {"Label": label}, queue.id)

    # ---- messages ----

    def receive_message(
        self,
        queue: Any,
        number_messages: int = 1,
        visibility_timeout: int | None = None,
        attributes: Any = None,
        wait_time_seconds: int | None = None,
        message_attributes: Any = None,
    ) -> ResultSet:
        """Return up to 10 messages, of the queue's class."""
        params: dict[str, Any] = {"MaxNumberOfMessages": number_messages}
        if visibility_timeout is not None:
            params["VisibilityTimeout"] = visibility_timeout
        if attributes is not None:
            self.build_list_params(params, attributes, "AttributeName")
        if wait_time_seconds is not None:
            params["WaitTimeSeconds"] = wait_time_seconds
        if message_attributes is not None:
            self.build_list_params(params, message_attributes, "MessageAttributeName")
        return self.get_list(
            "ReceiveMessage", params, [("Message", queue.message_class)], queue.id, queue
        )

    def delete_message(self, queue: Any, message: Any) -> bool:
        """Delete a message."""
        return self.delete_message_from_handle(queue, message.receipt_handle)

    def delete_message_from_handle(self, queue: Any, receipt_handle: str) -> bool:
        """Delete a message by its receipt handle."""
        return self.get_status("DeleteMessage", {"ReceiptHandle": receipt_handle}, queue.id)

    def delete_message_batch(self, queue: Any, messages: Any) -> Any:
        """Delete up to 10 messages."""
        params = {}
        for place, message in enumerate(messages, 1):
            prefix = f"DeleteMessageBatchRequestEntry.{place}"
            params[f"{prefix}.Id"] = message.id
            params[f"{prefix}.ReceiptHandle"] = message.receipt_handle
        return self.get_object("DeleteMessageBatch", params, BatchResults, queue.id, verb="POST")

    def send_message(
        self,
        queue: Any,
        message_content: Any,
        delay_seconds: int | None = None,
        message_attributes: Mapping[str, Any] | None = None,
        message_group_id: str | None = None,
        message_deduplication_id: str | None = None,
    ) -> Any:
        """Send a body as it is, and return a message with the id that it got."""
        params = {"MessageBody": message_content}
        if delay_seconds:
            params["DelaySeconds"] = int(delay_seconds)
        if message_group_id is not None:
            params["MessageGroupId"] = message_group_id
        if message_deduplication_id is not None:
            params["MessageDeduplicationId"] = message_deduplication_id
        params |= _attributes("MessageAttribute", message_attributes)
        return self.get_object("SendMessage", params, Message, queue.id, verb="POST")

    def send_message_batch(self, queue: Any, messages: Any) -> Any:
        """Send up to 10 tuples (id, body, delay[, attributes]), the bodies as they are."""
        params: dict[str, Any] = {}
        for place, message in enumerate(messages, 1):
            prefix = f"SendMessageBatchRequestEntry.{place}"
            params[f"{prefix}.Id"] = message[0]
            params[f"{prefix}.MessageBody"] = message[1]
            params[f"{prefix}.DelaySeconds"] = message[2]
            if len(message) > 3:
                params |= _attributes(f"{prefix}.MessageAttribute", message[3])
        return self.get_object("SendMessageBatch", params, BatchResults, queue.id, verb="POST")

    def change_message_visibility(
        self, queue: Any, receipt_handle: str, visibility_timeout: int
    ) -> bool:
        """Let a message come back after so many seconds."""
        params = {"ReceiptHandle": receipt_handle, "VisibilityTimeout": visibility_timeout}
        return self.get_status("ChangeMessageVisibility", params, queue.id)

    def change_message_visibility_batch(self, queue: Any, messages: Any) -> Any:
        """Let messages come back: up to 10 tuples (message, seconds)."""
        params = {}
        for place, (message, seconds) in enumerate(messages, 1):
            prefix = f"ChangeMessageVisibilityBatchRequestEntry.{place}"
            params[f"{prefix}.Id"] = message.id
            params[f"{prefix}.ReceiptHandle"] = message.receipt_handle
            params[f"{prefix}.VisibilityTimeout"] = seconds
        return self.get_object(
            "ChangeMessageVisibilityBatch", params, BatchResults, queue.id, verb="POST"
        )


def _attributes(prefix: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a message's attributes as parameters, sorted by name."""
    params = {}
    for place, name in enumerate(sorted(given or {}), 1):
        params[f"{prefix}.{place}.Name"] = name
        for key, spelled in _VALUES.items():
            if key in (given or {})[name]:
                params[f"{prefix}.{place}.Value.{spelled}"] = (given or {})[name][key]
    return params


__all__ = ["RawMessage", "SQSConnection"]
