"""Uploads of what a URL names."""

from __future__ import annotations

import secrets
from typing import Any

from wirespeed.errors import ServiceError
from wirespeed.wcs import wire

from ..commons import config
from ..commons.http import send
from ..commons.logme import debug


class StreamUpload:
    """Uploads what URLs name, with one token.

    Attributes:
        fileds: the form's fields; add `key`, `mimeType`, `deadline` or `x:...` to it.
    """

    def __init__(self, uploadtoken: str) -> None:
        self.fileds: dict[str, Any] = {"token": uploadtoken}

    def upload(self, stream: str) -> tuple[int, Any]:
        """Download a URL, whole in memory, and upload it.

        Returns:
            The status and the text of the upload's answer, or `(-1, exception)` when there was
            none.

        Raises:
            WirespeedError: the URL could not be downloaded.
        """
        source = send("GET", stream, None)
        if source.status != 200:
            raise ServiceError(
                f"the source answered {source.status}", status=source.status, outcome="rejected"
            )
        debug(f"Stream file size is {len(source.body)}")
        try:
            fields = {name: str(value) for name, value in self.fileds.items() if name != "file"}
            request = wire.form_request(fields, source.body, "text/plain", secrets.token_hex(16))
            url = f"{config.PUT_URL}/file/upload"
            response = send("POST", url, dict(request.headers), list(request.body))  # type: ignore[arg-type]
        except Exception as failure:
            debug(f"Post Exception:{failure}")
            return -1, failure
        text = response.body.decode("utf-8", "replace")
        debug(f"The result of upload is: {response.status}, {text}")
        return response.status, text
