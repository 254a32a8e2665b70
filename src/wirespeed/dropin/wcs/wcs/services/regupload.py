"""Uploads in one request."""

from __future__ import annotations

import os
import secrets
from typing import Any

from wirespeed.wcs import wire

from ..commons import config
from ..commons.http import send
from ..commons.logme import debug, error


class RegUpload:
    """Uploads files with one token.

    Attributes:
        fileds: the form's fields; add `key`, `mimeType`, `deadline` or `x:...` to it.
    """

    def __init__(self, uploadtoken: str) -> None:
        self.fileds: dict[str, Any] = {"token": uploadtoken}

    def reg_upload(self, filepath: str) -> tuple[int, Any]:
        """Upload a file, whole in memory.

        Returns:
            The status and the text of the answer, or `(-1, exception)` when there was none.

        Raises:
            ValueError: there is no such file.
        """
        if not os.path.isfile(filepath):
            error("Sorry ! Please input a existing file")
            raise ValueError("Sorry ! We need a existing file to upload")
        try:
            with open(filepath, "rb") as file:
                data = file.read()
            fields = {name: str(value) for name, value in self.fileds.items() if name != "file"}
            request = wire.form_request(fields, data, "text/plain", secrets.token_hex(16))
            url = f"{config.PUT_URL}/file/upload"
            debug(f"File {filepath} upload start!")
            response = send("POST", url, dict(request.headers), list(request.body))  # type: ignore[arg-type]
        except Exception as failure:
            debug(f"Post Exception:{failure}")
            return -1, failure
        text = response.body.decode("utf-8", "replace")
        debug(f"The result of upload is: {response.status}, {text}")
        return response.status, text
