"""`WIRESPEED_DEBUG`: logs on standard error, with secrets taken out."""

from __future__ import annotations

import logging
import re

_SECRET_FIELDS = (
    "signature|secret_?key|secret|token|security_?token|authorization|password|accesskey|sign"
)
_PATTERNS = (
    re.compile(rf"(?i)((?:{_SECRET_FIELDS})[\"']?\s*[=:]\s*[\"']?)([^\s\"'&,;}}]+)"),
    re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)([^\s@/]+)(?=@)"),
    re.compile(r"(\b[\w-]+:)([\w-]{54}==)"),
)
MASK = "***"


def redact(text: str) -> str:
    """Return `text` with the values of secret fields, URL passwords and tokens masked."""
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: match.group(1) + MASK, text)
    return text


class RedactingFormatter(logging.Formatter):
    """Formats a record, its traceback included, and redacts the whole."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def enable(areas: str) -> None:
    """Log the comma-separated `areas` ("rocketmq,http"; "1" or "all" for everything) to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    wanted = {area.strip() for area in areas.split(",")}
    names = (
        ["wirespeed"]
        if wanted & {"1", "all", "true"}
        else [f"wirespeed.{area}" for area in sorted(wanted) if area]
    )
    for name in names:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
