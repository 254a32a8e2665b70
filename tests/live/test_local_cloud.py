"""The Java client on the local name server and broker."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.fault.test_http_certificates import issue
from tests.live.cluster import Cluster
from tests.live.collector import Collector
from wirespeed.local import LocalCloud
from wirespeed.rocketmq import Producer, PushConsumer, StartFrom


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """A local cloud of its own."""
    with LocalCloud(services=["rocketmq"]) as cloud:
        yield cloud


def test_java_sends_to_us_and_consumes_from_us(
    rocketmq_cluster: Cluster, cloud: LocalCloud
) -> None:
    sent = rocketmq_cluster.run_peer("Send", cloud.namesrv, "from-java", "TagJ", "20")
    assert len(sent) == 20
    arguments = (cloud.namesrv, "java-group", "from-java", "TagJ", "20", "60")
    read = rocketmq_cluster.run_peer("Consume", *arguments, timeout=90)
    assert {row["message_id"] for row in read} == {row["message_id"] for row in sent}


def test_java_reads_what_we_sent_to_us(rocketmq_cluster: Cluster, cloud: LocalCloud) -> None:
    with Producer("local-producers", cloud.namesrv) as producer:
        sent = [
            producer.send("ours", f"body {number}", tag="A", keys=f"key-{number}").message_id
            for number in range(20)
        ]
    arguments = (cloud.namesrv, "java-group", "ours", "*", "20", "60")
    read = rocketmq_cluster.run_peer("Consume", *arguments, timeout=90)
    bodies = {str(row["message_id"]): base64.b64decode(str(row["body"])) for row in read}
    assert bodies == {each: f"body {number}".encode() for number, each in enumerate(sent)}


def test_we_read_what_java_sent_to_us(rocketmq_cluster: Cluster, cloud: LocalCloud) -> None:
    sent = rocketmq_cluster.run_peer("Send", cloud.namesrv, "theirs", "TagJ", "20")
    collector = Collector()
    consumer = PushConsumer(
        "our-group", {"theirs": "TagJ"}, cloud.namesrv, start_from=StartFrom.FIRST
    )
    with consumer:
        consumer.start(collector)
        read = {message.message_id for message in collector.wait(20)}
    assert read == {row["message_id"] for row in sent}


@pytest.mark.parametrize("user", ["amy", "eve"])
def test_java_is_a_user_and_speaks_tls(
    rocketmq_cluster: Cluster, user: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = issue(None, "Test Authority", authority=True)
    trusted = tmp_path / "authority.pem"
    trusted.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    file = issue(authority, addresses=("127.0.0.1",)).save(tmp_path / "server.pem", authority)
    settings = {
        "tls.enable": "true",
        "tls.test.mode.enable": "false",
        "tls.client.authServer": "true",
        "tls.client.trustCertPath": str(trusted),
        "peer.user": user,
        "peer.secret": "secret-of-amy",
    }
    given = [f"-D{name}={value}" for name, value in settings.items()]
    monkeypatch.setenv(
        "JAVA_TOOL_OPTIONS", " ".join([os.environ.get("JAVA_TOOL_OPTIONS", ""), *given])
    )
    users = {"amy": "secret-of-amy"}
    with LocalCloud(
        ["rocketmq"], rocketmq_users=users, rocketmq_tls=(file, file), rocketmq_tls_only=True
    ) as cloud:
        if user != "amy":
            with pytest.raises(RuntimeError, match="User:eve is not found"):
                rocketmq_cluster.run_peer("Send", cloud.namesrv, "secured", "TagJ", "1")
            return
        sent = rocketmq_cluster.run_peer("Send", cloud.namesrv, "secured", "TagJ", "20")
        arguments = (cloud.namesrv, "java-group", "secured", "TagJ", "20", "60")
        read = rocketmq_cluster.run_peer("Consume", *arguments, timeout=90)
    assert {row["message_id"] for row in read} == {row["message_id"] for row in sent}
