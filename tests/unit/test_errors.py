"""The error tree: its attributes, its builtin parents, pickling, redaction."""

from __future__ import annotations

import logging
import pickle

import pytest

from wirespeed import _debug, errors
from wirespeed.config import Credentials, Retry, seconds

KINDS = sorted(
    (
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.WirespeedError)
    ),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_every_error_survives_pickling_with_its_attributes(
    kind: type[errors.WirespeedError],
) -> None:
    error = kind(
        "it failed",
        service="wcs",
        code=401,
        status=401,
        request_id="r1",
        endpoint="host:1",
        attempts=2,
        retryable=True,
        outcome="rejected",
        hint="do this",
    )
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is kind
    assert str(twin) == "it failed (do this)"
    assert twin.describe() == error.describe()
    assert twin.describe()["outcome"] == "rejected"


def test_errors_are_the_builtin_ones_they_mean() -> None:
    assert issubclass(errors.ConfigError, ValueError)
    assert issubclass(errors.DeadlineExceeded, TimeoutError)
    assert issubclass(errors.ConnectError, ConnectionError)
    assert issubclass(errors.AccessDenied, PermissionError)
    assert issubclass(errors.ObjectNotFound, FileNotFoundError)


def test_credentials_never_show_the_secret() -> None:
    credentials = Credentials("the-key", "the-secret", "the-token")
    assert "the-key" in repr(credentials)
    assert "the-secret" not in repr(credentials) and "the-token" not in repr(credentials)
    with pytest.raises(errors.ConfigError, match="secret_key"):
        Credentials("key", "")


@pytest.mark.parametrize(
    ("value", "result"), [(2, 2.0), (0.5, 0.5), ("3s", 3.0), ("1m30s", 90.0), ("1h", 3600.0)]
)
def test_durations(value: float | str, result: float) -> None:
    assert seconds(value, "timeout") == result


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), "soon", "", True, None])
def test_bad_durations_name_the_argument(value: object) -> None:
    with pytest.raises(errors.ConfigError, match="timeout"):
        seconds(value, "timeout")  # type: ignore[arg-type]


def test_retry_delay_is_bounded_and_checked() -> None:
    retry = Retry(attempts=5, base=0.1, cap=0.3)
    assert [retry.delay(n, 1.0) for n in (1, 2, 3, 4)] == [0.1, 0.2, 0.3, 0.3]
    with pytest.raises(errors.ConfigError, match="attempts"):
        Retry(attempts=0)


SECRET = "s3cr3tValue"


@pytest.mark.parametrize(
    "text",
    [
        f"Signature={SECRET}&x=1",
        f"{{'AccessKey': '{SECRET}', 'a': 1}}",
        f'"secret_key": "{SECRET}"',
        f"Authorization: {SECRET}",
        f"http://user:{SECRET}@host/path",
        f"token={SECRET}",
    ],
)
def test_debug_output_masks_secrets(text: str) -> None:
    record = logging.LogRecord("wirespeed", logging.DEBUG, "", 0, "%s", (text,), None)
    shown = _debug.RedactingFormatter("%(message)s").format(record)
    assert SECRET not in shown and _debug.MASK in shown


def test_debug_output_keeps_the_rest() -> None:
    assert _debug.redact("sent 3 messages to topic=orders in 2 ms") == (
        "sent 3 messages to topic=orders in 2 ms"
    )
