"""What the client raises; `__cause__` is the wirespeed error."""

from __future__ import annotations

__all__ = [
    "ConsumerException",
    "MallocFailed",
    "NullPointerException",
    "ProducerException",
    "ProducerSendAsyncFailed",
    "ProducerSendOnewayFailed",
    "ProducerSendOrderlyFailed",
    "ProducerSendSyncFailed",
    "ProducerStartFailed",
    "PullConsumerFetchMQFailed",
    "PullConsumerFetchMessageFailed",
    "PullConsumerStartFailed",
    "PushConsumerStartFailed",
    "RocketMQException",
]


class RocketMQException(Exception):
    """Base of all."""


class NullPointerException(RocketMQException):
    """An argument is missing."""


class MallocFailed(RocketMQException):
    """There is no memory."""


class ProducerException(RocketMQException):
    """A producer failed."""


class ProducerStartFailed(ProducerException):
    """A producer could not start."""


class ProducerSendSyncFailed(ProducerException):
    """A send was not acknowledged."""


class ProducerSendOnewayFailed(ProducerException):
    """A one-way send could not be written."""


class ProducerSendOrderlyFailed(ProducerException):
    """An orderly send was not acknowledged."""


class ProducerSendAsyncFailed(ProducerException):
    """An asynchronous send failed.

    Attributes:
        error, file, line, type: where the C++ client says it failed.
    """

    def __init__(
        self, msg: str, error: int = 0, file: str = "", line: int = 0, type: str = ""
    ) -> None:
        super().__init__(msg)
        self.error = error
        self.file = file
        self.line = line
        self.type = type


class ConsumerException(RocketMQException):
    """A consumer failed."""


class PushConsumerStartFailed(ConsumerException):
    """A consumer could not start."""


class PullConsumerStartFailed(ConsumerException):
    """A pull consumer could not start."""


class PullConsumerFetchMQFailed(ConsumerException):
    """The queues of a topic could not be found."""


class PullConsumerFetchMessageFailed(ConsumerException):
    """Messages could not be pulled."""
