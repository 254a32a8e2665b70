"""The logger."""

from __future__ import annotations

import logging
import logging.handlers

from .cmq_exception import CMQClientParameterException

METHODS = ["POST", "GET"]
PERMISSION_ACTIONS = [
    "setqueueattributes",
    "getqueueattributes",
    "sendmessage",
    "receivemessage",
    "deletemessage",
    "peekmessage",
    "changevisibility",
]
_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_FORMAT = (
    "[%(asctime)s] [%(name)s] [%(levelname)s] [%(filename)s:%(lineno)d] [%(thread)d] %(message)s"
)


class CMQLogger:
    """Makes the logger."""

    @staticmethod
    def get_logger(
        log_name: str = "CMQ_python_sdk",
        log_file: str = "CMQ_python_sdk.log",
        log_level: int = logging.INFO,
    ) -> logging.Logger:
        """Return a logger; its file of at most 10 MiB is made with its first line."""
        CMQLogger.validate_loglevel(log_level)
        logger = logging.getLogger(log_name)
        if not logger.handlers:
            handler = logging.handlers.RotatingFileHandler(
                log_file, maxBytes=10 * 1024 * 1024, encoding="utf-8", delay=True
            )
            handler.setFormatter(logging.Formatter(_FORMAT, "%Y-%m-%d %H:%M:%S"))
            logger.addHandler(handler)
        logger.setLevel(log_level)
        return logger

    @staticmethod
    def validate_loglevel(log_level: int) -> None:
        """Refuse what is none of logging's five levels."""
        if log_level not in _LEVELS:
            expected = ",".join(map(str, _LEVELS))
            raise CMQClientParameterException(
                "LogLevelInvalid", f"Bad value: '{log_level}', expect levels: '{expected}'."
            )
