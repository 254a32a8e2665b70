"""Keys of a role, from a container's or a machine's metadata service."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer, closed_port
from wirespeed import sqs
from wirespeed.config import Retry
from wirespeed.errors import ConfigError

ROLES = "/latest/meta-data/iam/security-credentials/"


def keys(number: int, seconds: float) -> bytes:
    ends = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return json.dumps(
        {
            "AccessKeyId": f"AK{number}",
            "SecretAccessKey": "sesame",
            "Token": f"token{number}",
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    ).encode()


class Metadata:
    """A metadata service and an SQS service in one; `lives` are the seconds each key lives."""

    def __init__(self, *lives: float) -> None:
        self.lives = list(lives)
        self.given = 0
        self.used: list[str] = []
        self.asked: list[str] = []
        self.headers: list[bytes] = []

    def __call__(self, peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            head = request[0]
            method, target, _ = head.split(b"\r\n")[0].decode().split()
            if b"X-Amz-Target" in head:
                used = head.partition(b"Credential=")[2].partition(b"/")[0].decode()
                token = head.partition(b"X-Amz-Security-Token: ")[2].partition(b"\r\n")[0]
                assert token.decode() == used.replace("AK", "token")
                self.used.append(used)
                peer.answer(200, b'{"QueueUrls":[]}')
                continue
            self.asked.append(f"{method} {target}")
            self.headers.append(head)
            if method == "PUT":
                peer.answer(200, b"session-token")
            elif target == ROLES:
                peer.answer(200, b"the-role\n")
            elif self.lives:
                self.given += 1
                peer.answer(200, keys(self.given, self.lives.pop(0)))
            else:
                peer.answer(500, b"")


def client(server: ScriptedServer, given: Any) -> sqs.Client:
    return sqs.Client("us-east-1", endpoint=server.url, credentials=given, retry=Retry(1))


def test_a_machines_role_is_asked_once_while_its_keys_last() -> None:
    metadata = Metadata(3600)
    with ScriptedServer(metadata) as server:
        given = sqs.MetadataCredentials(environ={"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url})
        assert metadata.asked == []
        with client(server, given) as made:
            for _ in range(3):
                made.ping()
    assert metadata.used == ["AK1"] * 3
    assert metadata.asked == ["PUT /latest/api/token", f"GET {ROLES}", f"GET {ROLES}the-role"]
    assert b"X-aws-ec2-metadata-token: session-token" in metadata.headers[-1]


def test_keys_are_refreshed_before_they_end_and_old_ones_bridge_a_failure() -> None:
    metadata = Metadata(200, 3600)
    with ScriptedServer(metadata) as server:
        given = sqs.MetadataCredentials(environ={"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url})
        with client(server, given) as made:
            for _ in range(3):
                made.ping()
    assert metadata.used == ["AK1", "AK2", "AK2"]
    failing = Metadata(200)
    with ScriptedServer(failing) as server:
        given = sqs.MetadataCredentials(environ={"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url})
        with client(server, given) as made:
            for _ in range(2):
                made.ping()
    assert failing.used == ["AK1", "AK1"]


def test_a_container_is_asked_with_its_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    for extra, shown in (
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN": "plain"}, b"Authorization: plain"),
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file)}, b"Authorization: from-file"),
    ):
        metadata = Metadata(3600)
        with ScriptedServer(metadata) as server:
            url = f"{server.url}/role?x=1"
            environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, **extra}
            with client(server, sqs.MetadataCredentials(environ=environ)) as made:
                made.ping()
        assert metadata.asked == ["GET /role?x=1"]
        assert shown in metadata.headers[0]


def test_where_there_is_none_the_error_says_so() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    given = sqs.MetadataCredentials(environ={"AWS_EC2_METADATA_SERVICE_ENDPOINT": url})
    with sqs.Client("us-east-1", endpoint=url, credentials=given) as made:
        with pytest.raises(ConfigError, match="metadata service"):
            made.ping()
    with pytest.raises(ConfigError, match="not been asked"):
        given()


@pytest.mark.parametrize("url", ["http://example.org/x", "http://10.0.0.1", "ftp://127.0.0.1"])
def test_only_near_addresses_are_asked(url: str) -> None:
    with pytest.raises(ConfigError, match="metadata address"):
        sqs.MetadataCredentials(environ={"AWS_CONTAINER_CREDENTIALS_FULL_URI": url})


def test_environment_of_retries_and_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = sqs.Credentials("a", "b")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    with sqs.Client("us-east-1", endpoint="http://h", credentials=pair) as made:
        assert made._settings.retry.attempts == 7
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "none")
    with pytest.raises(ConfigError, match="AWS_MAX_ATTEMPTS"):
        sqs.Client("us-east-1", endpoint="http://h", credentials=pair)
    monkeypatch.delenv("AWS_MAX_ATTEMPTS")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/no/such/file")
    with pytest.raises(ConfigError, match="AWS_CA_BUNDLE"):
        sqs.Client("us-east-1", endpoint="http://h", credentials=pair)
