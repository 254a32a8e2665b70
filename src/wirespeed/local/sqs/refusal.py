"""What the SQS face says no with."""

from __future__ import annotations

_QUERY_CODES = {
    "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    "BatchRequestTooLong": "AWS.SimpleQueueService.BatchRequestTooLong",
    "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest",
    "InvalidBatchEntryId": "AWS.SimpleQueueService.InvalidBatchEntryId",
    "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
    "PurgeQueueInProgress": "AWS.SimpleQueueService.PurgeQueueInProgress",
    "QueueDeletedRecently": "AWS.SimpleQueueService.QueueDeletedRecently",
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    "UnsupportedOperation": "AWS.SimpleQueueService.UnsupportedOperation",
}


class Refusal(Exception):
    """A request, or an entry of a batch, that the service refuses.

    Attributes:
        code: the error's name in the JSON protocol.
        message: its text.
        status: the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    @property
    def query_code(self) -> str:
        """The error's name in the query protocol."""
        return _QUERY_CODES.get(self.code, self.code)


def no_queue() -> Refusal:
    """Return the refusal for a queue that is not there."""
    return Refusal("QueueDoesNotExist", "The specified queue does not exist.")


def bad_value(name: str, text: str, value: object = None) -> Refusal:
    """Return the refusal for a parameter's value, which it names where one is given."""
    named = "Value for" if value is None else f"Value {value} for"
    return Refusal("InvalidParameterValue", f"{named} parameter {name} is invalid. Reason: {text}")
