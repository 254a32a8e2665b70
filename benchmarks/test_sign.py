"""Whole signatures beside the expressions of the original SDKs, and botocore."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json

import pytest

from benchmarks import peers
from benchmarks.conftest import Compare
from wirespeed import _native
from wirespeed.config import Credentials
from wirespeed.wcs import sign

SECRET = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
HOST = "cmq-queue-gz.api.qcloud.com"
PATH = "/v2/index.php"
PARAMS = {
    "queueName": "orders",
    "msgBody": "hello world",
    "delaySeconds": "0",
    "Action": "SendMessage",
    "RequestClient": "SDK_Python_1.3",
    "SecretId": "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
    "Nonce": "11886",
    "Timestamp": "1500000000",
    "SignatureMethod": "HmacSHA1",
}


def test_cmq(compare: Compare) -> None:
    """The original: parameters filtered, sorted, joined; hmac.new; base64."""

    def peer() -> str:
        kept = {name: value for name, value in PARAMS.items() if str(value)[0:1] != "@"}
        text = "&".join(
            name.replace("_", ".") + "=" + str(kept[name]) for name in sorted(kept.keys())
        )
        source = "POST" + HOST + PATH + "?" + text
        hashed = hmac.new(SECRET.encode(), source.encode(), hashlib.sha1)
        return binascii.b2a_base64(hashed.digest())[:-1].decode()

    def ours() -> str:
        return _native.sign_cmq("POST", HOST, PATH, PARAMS, SECRET, False)

    assert ours() == peer()
    compare("sign", "CMQ, nine parameters", ours, peer, against="the original's expression",
            goal=8.0)  # fmt: skip


def wcs_signature(secret: str, data: bytes) -> str:
    hashed = hmac.new(secret.encode(), data, hashlib.sha1)
    return base64.urlsafe_b64encode(hashed.hexdigest().encode()).decode()


def test_wcs_upload(compare: Compare) -> None:
    pair = Credentials("1234567890abcdef1234567890abcdef12345678", SECRET)
    policy = {"scope": "bucket:folder/file.bin", "deadline": "1500000000000", "overwrite": 1}

    def peer() -> str:
        encoded = base64.urlsafe_b64encode(json.dumps(policy).encode())
        signature = wcs_signature(pair.secret_key, encoded)
        return f"{pair.access_key}:{signature}:{encoded.decode()}"

    def ours() -> str:
        return sign.upload_token(pair, policy)

    assert ours() == peer()
    compare("sign", "WCS upload token, policy in JSON", ours, peer,
            against="the original's expression", goal=4.0)  # fmt: skip


def test_wcs_manager(compare: Compare) -> None:
    pair = Credentials("1234567890abcdef1234567890abcdef12345678", SECRET)
    target = "/stat/YnVja2V0OmZvbGRlci9maWxlLmJpbg=="

    def peer() -> str:
        return f"{pair.access_key}:{wcs_signature(pair.secret_key, (target + chr(10)).encode())}"

    def ours() -> str:
        return sign.manager_token(pair, target)

    assert ours() == peer()
    compare("sign", "WCS manager token", ours, peer, against="the original's expression",
            goal=5.0)  # fmt: skip


def test_cos(compare: Compare) -> None:
    def peer() -> str:
        plain = "a=10001&k=sid&e=0&t=1500000000&r=123456789&f=/10001/bkt/dir/a%20b.txt&b=bkt"
        hashed = hmac.new(SECRET.encode(), plain.encode(), hashlib.sha1)
        return base64.b64encode(hashed.digest() + plain.encode()).decode()

    def ours() -> str:
        return _native.sign_cos(
            "10001", "bkt", "sid", SECRET, 1500000000, 0, 123456789, "/10001/bkt/dir/a%20b.txt"
        )

    assert ours() == peer()
    compare("sign", "COS v4", ours, peer, against="hmac, base64")


def test_rocketmq(compare: Compare) -> None:
    fields = {name: f"value of {name}" for name in "abcdefghijkmn"} | {"AccessKey": "key"}
    body = b"x" * 100

    def peer() -> str:
        content = "".join(fields[name] for name in sorted(fields)).encode() + body
        return base64.b64encode(hmac.digest(SECRET.encode(), content, "sha1")).decode()

    def ours() -> str:
        return _native.sign_rocketmq(fields, body, SECRET)

    assert ours() == peer()
    compare("sign", "RocketMQ, fourteen fields", ours, peer, against="hmac, base64")


def test_v4(compare: Compare) -> None:
    """A SendMessage of SQS, from the request's parts to its Authorization header."""
    try:
        auth, awsrequest, credentials = (
            peers.botocore(name) for name in ("auth", "awsrequest", "credentials")
        )
    except LookupError as missing:
        pytest.skip(str(missing))
    body = b'{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/1234/orders","MessageBody":"hello"}'
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "AmazonSQS.SendMessage",
    }
    url = "https://sqs.us-east-1.amazonaws.com/"
    signer = auth.SigV4Auth(credentials.Credentials("AKID", SECRET), "sqs", "us-east-1")

    def peer() -> tuple[str, str]:
        request = awsrequest.AWSRequest("POST", url, headers=headers, data=body)
        signer.add_auth(request)
        return request.headers["Authorization"], request.headers["X-Amz-Date"]

    stamp = "20150101T000000Z"

    def ours() -> str:
        signed = {"host": "sqs.us-east-1.amazonaws.com", "x-amz-date": stamp, **headers}
        return _native.sign_v4(
            "POST", "/", {}, signed, body, "AKID", SECRET, "us-east-1", "sqs", stamp
        )

    expected, stamp = peer()
    assert ours() == expected
    compare("sign", "SigV4 of an SQS send", ours, peer, against="botocore", goal=10.0, calls=200)
