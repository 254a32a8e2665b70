"""Tokens of WCS: the policy's JSON is byte for byte that of `json.dumps`."""

from __future__ import annotations

import base64
import enum
import json
from types import MappingProxyType
from typing import Any

import pytest

from wirespeed.config import Credentials
from wirespeed.wcs import manager_token, upload_token

PAIR = Credentials("1234", "qwer")


class Number(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"scope": "test"},
        {"scope": 'b:"k\\é\n\x7f中😀', "deadline": "1", "n": -5, "big": 10**30},
        {"scope": "b", "overwrite": True},
        {"scope": "b", "size": 1.5, "none": None, "list": [1, "é"], "map": {"a": 1}},
        {"scope": "b", "number": Number.ONE},
        {"scope": "b", 1: "a number as a name"},
        MappingProxyType({"scope": "b", "list": []}),
        MappingProxyType({"scope": "b"}),
    ],
)
def test_the_policy_is_written_as_json_dumps_does(policy: Any) -> None:
    encoded = upload_token(PAIR, policy).rpartition(":")[2]
    assert base64.urlsafe_b64decode(encoded) == json.dumps(dict(policy)).encode()


def test_a_policy_that_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        upload_token(PAIR, {"scope": b"bytes"})


def test_a_management_token_signs_target_and_body() -> None:
    assert manager_token(PAIR, "/setdeadline", b"bucket=dGVzdA==&key=MQ==&deadline=3") == (
        "1234:NzZiMjJlNGVkYjQxZGVmYWY5NDllM2Q5YmQyODk5YmYzOTZiODRkYg=="
    )
