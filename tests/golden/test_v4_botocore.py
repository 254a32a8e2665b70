"""AWS Signature Version 4 beside botocore: the same request, the same Authorization header."""

from __future__ import annotations

from types import ModuleType
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.parity.conftest import load
from wirespeed._native.contract import BACKENDS

auth = pytest.importorskip("botocore.auth")
awsrequest = pytest.importorskip("botocore.awsrequest")
credentials = pytest.importorskip("botocore.credentials")

HOST = "sqs.eu-central-1.amazonaws.com"
NAMES = st.text("abcXYZ09-_.~ +/é", min_size=1, max_size=6)


@pytest.fixture(scope="module", params=BACKENDS)
def sign(request: pytest.FixtureRequest) -> ModuleType:
    return load(request.param, "sign")


@given(
    segments=st.lists(st.text("ab.-~ %é+", max_size=4), max_size=5),
    query=st.dictionaries(NAMES, st.text(max_size=10), max_size=6),
    extra=st.dictionaries(
        st.sampled_from(["X-Amz-Target", "Content-Type", "X-Amz-Meta"]),
        st.text("abc  xyz;=", max_size=12),
    ),
    body=st.binary(max_size=80),
    secret=st.text("abcXYZ019+/", min_size=1, max_size=80),
)
def test_authorization(
    sign: ModuleType,
    segments: list[str],
    query: dict[str, str],
    extra: dict[str, str],
    body: bytes,
    secret: str,
) -> None:
    path = "/" + "/".join(quote(each) for each in segments)
    request = awsrequest.AWSRequest(
        "POST", f"https://{HOST}{path}", headers=extra, data=body, params=query
    )
    signer = auth.SigV4Auth(credentials.Credentials("AKID", secret), "sqs", "eu-central-1")
    signer.add_auth(request)
    stamp = request.headers["X-Amz-Date"]
    assert request.headers["Authorization"] == sign.sign_v4(
        "POST", path, query, {**extra, "Host": HOST, "X-Amz-Date": stamp}, body, "AKID", secret,
        "eu-central-1", "sqs", stamp,
    )  # fmt: skip
