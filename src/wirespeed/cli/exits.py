"""The exit codes of every command. They are stable: scripts may rely on them.

| code | meaning |
|---|---|
| 0 | done |
| 1 | another error |
| 2 | usage: a wrong argument or setting |
| 3 | no such queue, topic or bucket |
| 4 | no such file, object or message |
| 5 | temporary: the same command may succeed later |
| 6 | permanent: denied, or refused by the server |
| 7 | integrity: a digest or a message is broken |
| 8 | a limit was reached |
| 9 | nothing to do, where that was asked to be an error |
| 130 | interrupted (SIGINT) |
| 143 | terminated (SIGTERM) |
"""

from __future__ import annotations

from wirespeed import errors

OK = 0
FAILED = 1
USAGE = 2
NO_RESOURCE = 3
NO_OBJECT = 4
TEMPORARY = 5
PERMANENT = 6
INTEGRITY = 7
LIMIT = 8
EMPTY = 9
INTERRUPTED = 130
TERMINATED = 143

# The first row that fits counts, so a subclass stands before its base.
_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (KeyboardInterrupt, INTERRUPTED),
    (errors.ConfigError, USAGE),
    (errors.ObjectNotFound, NO_OBJECT),
    (FileNotFoundError, NO_OBJECT),
    (errors.NotFound, NO_RESOURCE),
    (errors.IntegrityError, INTEGRITY),
    (errors.CorruptMessage, INTEGRITY),
    (errors.SourceChanged, TEMPORARY),
    (errors.TransportError, TEMPORARY),
    (errors.Throttled, TEMPORARY),
    (errors.Busy, TEMPORARY),
    (PermissionError, PERMANENT),
)


def code_of(error: BaseException) -> int:
    """Return the exit code for an error that ended a command."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    if isinstance(error, errors.WirespeedError):
        if error.retryable:
            return TEMPORARY
        if isinstance(error, errors.ServiceError | errors.SendError | errors.Unsupported):
            return PERMANENT
    return FAILED
