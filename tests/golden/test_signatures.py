"""Signatures that the services' own SDKs and documents give, in every backend."""

from __future__ import annotations

import base64
import hmac
from types import ModuleType

import pytest

from tests.parity.conftest import load
from wirespeed._native.contract import BACKENDS

CMQ = {
    "queueName": "test_1",
    "msgBody": "hello world&x=1",
    "delaySeconds": "0",
    "Action": "SendMessage",
    "Nonce": "1",
    "RequestClient": "SDK_Python_1.3",
    "SecretId": "sid",
    "Timestamp": "1500000000",
}
CMQ_HOST = "cmq-queue-gz.api.qcloud.com"


@pytest.fixture(params=BACKENDS)
def sign(request: pytest.FixtureRequest) -> ModuleType:
    return load(request.param, "sign")


@pytest.mark.parametrize(
    ("method", "sha256", "signature"),
    [
        ("HmacSHA1", False, "JvBLT9b78I+h2HVj9ok3Dpw3pQQ="),
        ("HmacSHA256", True, "ghvsP7hiU84pYQ5SWSZPouSENXsa4Hf2fWB0fsTqyMc="),
    ],
)
def test_cmq(sign: ModuleType, method: str, sha256: bool, signature: str) -> None:
    params = {**CMQ, "SignatureMethod": method}
    given = sign.sign_cmq("POST", CMQ_HOST, "/v2/index.php", params, "skey", sha256)
    assert given == signature


def test_wcs_upload(sign: ModuleType) -> None:
    assert sign.sign_wcs_upload("1234", "qwer", '{"scope": "test"}') == (
        "1234:OWE0NTdhNDk4MzJiZGIwODlkMWFiYmFmMGRjNjIzMThlOWEyZGUxMg==:eyJzY29wZSI6ICJ0ZXN0In0="
    )


def test_wcs_manager(sign: ModuleType) -> None:
    assert sign.sign_wcs_manager("1234", "qwer", "/list?bucket=test") == (
        "1234:ZjE3NTA4Mjg1NGMyOTg4ZjNlODRlOWI3M2JhYTA3ZWVjZTM4NzM3ZA=="
    )
    assert sign.sign_wcs_manager(
        "1234", "qwer", "/setdeadline", b"bucket=dGVzdA==&key=MQ==&deadline=3"
    ) == ("1234:NzZiMjJlNGVkYjQxZGVmYWY5NDllM2Q5YmQyODk5YmYzOTZiODRkYg==")


def test_cos(sign: ModuleType) -> None:
    fileid = sign.percent_encode("/10001/bkt/dir/a b.txt", "path")
    assert fileid == "/10001/bkt/dir/a%20b.txt"
    assert sign.sign_cos(
        "10001", "bkt", "sid", "skey", 1500000000, 1500000300, 123456789, fileid
    ) == (
        "kiNy+lRr44q9ZDwgIjfq1coyjbhhPTEwMDAxJms9c2lkJmU9MTUwMDAwMDMwMCZ0PTE1MDAwMDAwMDAmcj0xMjM0"
        "NTY3ODkmZj0vMTAwMDEvYmt0L2Rpci9hJTIwYi50eHQmYj1ia3Q="
    )


def test_v4(sign: ModuleType) -> None:
    """AWS Signature Version 4 of an SQS request."""
    assert sign.sign_v4(
        "POST",
        "/",
        {},
        {"Host": "queue.amazonaws.com", "X-Amz-Date": "20150101T000000Z"},
        b"Action=ListQueues&Version=2012-11-05",
        "AKID",
        "SECRET",
        "us-east-1",
        "sqs",
        "20150101T000000Z",
    ) == (
        "AWS4-HMAC-SHA256 Credential=AKID/20150101/us-east-1/sqs/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=24f8eaa098cdfca061b4217ca91098f4d42efab044b43e26299acd65c677a862"
    )


# AWS's own examples of Signature Version 4 (aws4_testsuite), all with these credentials.
V4_KEYS = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service")
V4_HEADERS = {"Host": "example.amazonaws.com", "X-Amz-Date": "20150830T123600Z"}
V4_EMPTY = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "signature"),
    [
        ("GET", "/", {}, {}, V4_EMPTY),
        ("GET", "//", {}, {}, V4_EMPTY),
        ("GET", "/./", {}, {}, V4_EMPTY),
        ("GET", "/example/..", {}, {}, V4_EMPTY),
        (
            "GET",
            "/",
            {"Param2": "value2", "Param1": "value1"},
            {},
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "POST",
            "/",
            {},
            {},
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
    ],
)
def test_v4_examples(
    sign: ModuleType,
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    signature: str,
) -> None:
    given = sign.sign_v4(
        method, path, query, {**V4_HEADERS, **headers}, b"", *V4_KEYS, "20150830T123600Z"
    )
    assert given.endswith(f"Signature={signature}")


def test_rocketmq(sign: ModuleType) -> None:
    fields = {"b": "topic", "a": "group", "Signature": "old", "AccessKey": "key", "z": "中"}
    signed = "keygrouptopic中".encode() + b"body"
    expected = base64.b64encode(hmac.digest(b"secret", signed, "sha1")).decode()
    assert sign.sign_rocketmq(fields, b"body", "secret") == expected
