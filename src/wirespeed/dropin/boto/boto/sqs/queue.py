"""Queues."""

from __future__ import annotations

from typing import IO, Any
from urllib.parse import urlparse

from .message import Message


class Queue:
    """One queue.

    Attributes:
        connection: the connection it is reached by.
        url: its URL.
        message_class: what its messages are read as.
        visibility_timeout: what the reply that made it said, or None.
    """

    def __init__(
        self, connection: Any = None, url: str | None = None, message_class: Any = Message
    ) -> None:
        self.connection = connection
        self.url = url
        self.message_class = message_class
        self.visibility_timeout: Any = None

    def __repr__(self) -> str:
        return f"Queue({self.url})"

    @property
    def id(self) -> str | None:
        """The path of its URL."""
        return urlparse(self.url).path if self.url else self.url

    @property
    def name(self) -> str | None:
        """Its name."""
        return str(self.id).rpartition("/")[2] if self.url else self.url

    @property
    def arn(self) -> str:
        """Its ARN."""
        account, name = str(self.id).strip("/").split("/")[-2:]
        region = self.connection.region.name
        partition = "aws"
        if region.startswith("cn-"):
            partition = "aws-cn"
        elif region.startswith("us-gov-"):
            partition = "aws-us-gov"
        return f"arn:{partition}:sqs:{region}:{account}:{name}"

    def startElement(self, name: str, attrs: Any, connection: Any) -> None:
        """An element of the reply begins."""

    def endElement(self, name: str, value: str, connection: Any) -> None:
        """An element of the reply ends."""
        if name == "QueueUrl":
            self.url = value
        elif name == "VisibilityTimeout":
            self.visibility_timeout = int(value)
        else:
            setattr(self, name, value)

    def set_message_class(self, message_class: Any) -> None:
        """Set what messages are read as."""
        self.message_class = message_class

    def get_attributes(self, attributes: Any = "All") -> Any:
        """Return the queue's attributes, or one."""
        return self.connection.get_queue_attributes(self, attributes)

    def set_attribute(self, attribute: str, value: Any) -> Any:
        """Change an attribute."""
        return self.connection.set_queue_attribute(self, attribute, value)

    def get_timeout(self) -> int:
        """Return the seconds that a received message stays hidden."""
        return int(self.get_attributes("VisibilityTimeout")["VisibilityTimeout"])

    def set_timeout(self, visibility_timeout: int) -> Any:
        """Set the seconds that a received message stays hidden."""
        done = self.set_attribute("VisibilityTimeout", visibility_timeout)
        if done:
            self.visibility_timeout = visibility_timeout
        return done

    def add_permission(self, label: str, aws_account_id: str, action_name: str) -> Any:
        """Let an account carry out an action."""
        return self.connection.add_permission(self, label, aws_account_id, action_name)

    def remove_permission(self, label: str) -> Any:
        """Withdraw what `add_permission` gave."""
        return self.connection.remove_permission(self, label)

    def read(
        self,
        visibility_timeout: int | None = None,
        wait_time_seconds: int | None = None,
        message_attributes: Any = None,
        attributes: Any = None,
    ) -> Any:
        """Return one message, or None."""
        found = self.get_messages(
            1, visibility_timeout, attributes=attributes, wait_time_seconds=wait_time_seconds,
            message_attributes=message_attributes,
        )  # fmt: skip
        return found[0] if len(found) == 1 else None

    def write(self, message: Any, delay_seconds: int | None = None, **fifo: Any) -> Any:
        """Send a message, and return it with its id."""
        sent = self.connection.send_message(
            self, message.get_body_encoded(), delay_seconds=delay_seconds,
            message_attributes=message.message_attributes, **fifo,
        )  # fmt: skip
        message.id = sent.id
        message.md5 = sent.md5
        return message

    def write_batch(self, messages: Any) -> Any:
        """Send up to 10 tuples (id, body, delay[, attributes]), the bodies as they are."""
        return self.connection.send_message_batch(self, messages)

    def new_message(self, body: Any = "", **kwargs: Any) -> Any:
        """Return a message of the queue's class."""
        message = self.message_class(self, body, **kwargs)
        message.queue = self
        return message

    def get_messages(
        self,
        num_messages: int = 1,
        visibility_timeout: int | None = None,
        attributes: Any = None,
        wait_time_seconds: int | None = None,
        message_attributes: Any = None,
    ) -> Any:
        """Return up to 10 messages."""
        return self.connection.receive_message(
            self, number_messages=num_messages, visibility_timeout=visibility_timeout,
            attributes=attributes, wait_time_seconds=wait_time_seconds,
            message_attributes=message_attributes,
        )  # fmt: skip

    def delete_message(self, message: Any) -> Any:
        """Delete a message."""
        return self.connection.delete_message(self, message)

    def delete_message_batch(self, messages: Any) -> Any:
        """Delete up to 10 messages."""
        return self.connection.delete_message_batch(self, messages)

    def change_message_visibility_batch(self, messages: Any) -> Any:
        """Let messages come back: up to 10 tuples (message, seconds)."""
        return self.connection.change_message_visibility_batch(self, messages)

    def delete(self) -> Any:
        """Delete the queue."""
        return self.connection.delete_queue(self)

    def purge(self) -> Any:
        """Delete all messages."""
        return self.connection.purge_queue(self)

    def clear(self, page_size: int = 10, vtimeout: int = 10) -> Any:
        """Do what `purge` does."""
        return self.purge()

    def count(self, page_size: int = 10, vtimeout: int = 10) -> int:
        """Return about how many messages there are."""
        name = "ApproximateNumberOfMessages"
        return int(self.get_attributes(name)[name])

    def count_slow(self, page_size: int = 10, vtimeout: int = 10) -> int:
        """Return how many messages there are, by reading them all."""
        total = 0
        while found := self.get_messages(page_size, vtimeout):
            total += len(found)
        return total

    # ---- files ----

    def dump(self, file_name: str, page_size: int = 10, vtimeout: int = 10, sep: str = "\n") -> int:
        """Write all messages to a file, leave them in the queue, and return how many."""
        total = 0
        with open(file_name, "wb") as stream:
            while found := self.get_messages(page_size, vtimeout):
                for message in found:
                    _write(stream, message.get_body(), sep)
                    total += 1
        return total

    def save_to_file(self, fp: IO[Any], sep: str = "\n") -> int:
        """Write all messages to a stream, delete each that is written, and return how many."""
        total = 0
        while (message := self.read()) is not None:
            _write(fp, message.get_body(), sep)
            self.delete_message(message)
            total += 1
        return total

    def save_to_filename(self, file_name: str, sep: str = "\n") -> int:
        """Write all messages to a file, delete each that is written, and return how many."""
        with open(file_name, "wb") as stream:
            return self.save_to_file(stream, sep)

    save = save_to_filename

    def load_from_file(self, fp: IO[Any], sep: str = "\n") -> int:
        """Send a message for each part of a stream between separators; return how many."""
        data = fp.read()
        text = data.decode() if isinstance(data, bytes) else data
        parts = text.split(sep) if sep else [text]
        if parts and not parts[-1]:
            parts.pop()
        for body in parts:
            self.write(self.new_message(body))
        return len(parts)

    def load_from_filename(self, file_name: str, sep: str = "\n") -> int:
        """Send a message for each part of a file between separators; return how many."""
        with open(file_name, "rb") as stream:
            return self.load_from_file(stream, sep)

    load = load_from_filename

    def save_to_s3(self, bucket: Any) -> int:
        """S3 is not part of this package.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("boto over wirespeed speaks to SQS alone: use save_to_file")

    def load_from_s3(self, bucket: Any, prefix: str | None = None) -> int:
        """S3 is not part of this package.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("boto over wirespeed speaks to SQS alone: use load_from_file")


def _write(stream: IO[Any], body: Any, sep: str) -> None:
    """Write a body and the separator to a stream of bytes or of text."""
    raw = body if isinstance(body, bytes) else str(body).encode()
    if hasattr(stream, "encoding"):
        stream.write(raw.decode() + (sep or ""))
    else:
        stream.write(raw + (sep or "").encode())
