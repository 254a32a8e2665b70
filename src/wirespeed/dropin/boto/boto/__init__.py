"""The part of boto 2.49.0 that SQS programs use, over wirespeed."""

from __future__ import annotations

import logging
import platform
from typing import Any

from .pyami.config import Config

__version__ = "2.49.0"
Version = __version__
UserAgent = f"Boto/{__version__} Python/{platform.python_version()} {platform.system()}"

config = Config()

log = logging.getLogger("boto")
log.addHandler(logging.NullHandler())
perflog = logging.getLogger("boto.perf")
perflog.addHandler(logging.NullHandler())


def set_file_logger(
    name: str, filepath: str, level: int = logging.INFO, format_string: str | None = None
) -> None:
    """Log into a file."""
    _add(name, logging.FileHandler(filepath), level, format_string)


def set_stream_logger(
    name: str, level: int = logging.DEBUG, format_string: str | None = None
) -> None:
    """Log to standard error."""
    _add(name, logging.StreamHandler(), level, format_string)


def _add(name: str, handler: logging.Handler, level: int, format_string: str | None) -> None:
    global log
    handler.setLevel(level)
    handler.setFormatter(
        logging.Formatter(format_string or "%(asctime)s %(name)s [%(levelname)s]:%(message)s")
    )
    logger = logging.getLogger(name)
    logger.setLevel(level)
    logger.addHandler(handler)
    log = logger


def connect_sqs(
    aws_access_key_id: str | None = None, aws_secret_access_key: str | None = None, **kwargs: Any
) -> Any:
    """Return an `SQSConnection`."""
    from .sqs.connection import SQSConnection

    return SQSConnection(aws_access_key_id, aws_secret_access_key, **kwargs)


def connect_s3(*args: Any, **kwargs: Any) -> Any:
    """S3 is not part of this package.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("boto over wirespeed speaks to SQS alone: use boto3 for S3")
