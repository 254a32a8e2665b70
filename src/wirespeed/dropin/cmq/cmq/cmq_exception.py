"""What calls raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CMQExceptionBase(Exception):
    """Base of all. Picklable.

    Attributes:
        message: what happened.
        code: CMQ's code, or -1.
        data: the whole reply, where there is one.
    """

    def __init__(self, message: Any, code: Any = -1, data: Any = None) -> None:
        super().__init__(message, code, data)
        self.code = code
        self.message = message
        self.data = {} if data is None else data

    def get_info(self) -> str:
        """Return code, message and data on one line."""
        return f"Code:{self.code}, Message:{self.message}, Data:{self.data}\n"

    def __str__(self) -> str:
        return f"{type(self).__name__}  {self.get_info()}"


class CMQClientException(CMQExceptionBase):
    """This side is to blame."""


class CMQClientNetworkException(CMQClientException):
    """No answer came; `__cause__` is wirespeed's error, whose `outcome` tells the rest."""


class CMQClientParameterException(CMQClientException):
    """An argument is wrong."""


class CMQServerNetworkException(CMQExceptionBase):
    """The answer's status is not 200.

    Attributes:
        status: the status.
        header: the answer's headers.
        data: its body.
    """

    def __init__(
        self, status: int = 200, header: Mapping[str, str] | None = None, data: Any = ""
    ) -> None:
        super().__init__(f"HTTP status {status}", status, data)
        self.args = (status, header, data)
        self.status = status
        self.header = dict(header or {})

    def __str__(self) -> str:
        header = "\n".join(f"{name}: {value}" for name, value in self.header.items())
        return (
            f"CMQServerNetworkException Status: {self.status}\nHeader: {header}\n"
            f"Data: {self.data}\n"
        )


class CMQServerException(CMQExceptionBase):
    """The service said no: `code` says why, `request_id` is what its support asks for."""

    def __init__(self, message: Any, request_id: Any, code: Any = -1, data: Any = None) -> None:
        super().__init__(message, code, data)
        self.args = (message, request_id, code, data)
        self.request_id = request_id

    def __str__(self) -> str:
        return f"CMQServerException  {self.get_info()}\nRequestID:{self.request_id}"
