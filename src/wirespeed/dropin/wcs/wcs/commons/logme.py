"""The drop-in's log: the logger `wcs_python_sdk`, whose handlers are the program's own."""

from __future__ import annotations

import logging

logger = logging.getLogger("wcs_python_sdk")
logger.addHandler(logging.NullHandler())


def debug(msg: object) -> None:
    """Log for whoever looks for a fault."""
    logger.debug(msg)


def warning(msg: object) -> None:
    """Log what went wrong and is tried again."""
    logger.warning(msg)


def error(msg: object) -> None:
    """Log what failed."""
    logger.error(msg)
