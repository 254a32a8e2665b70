"""The Java client, and the C++ one, on the local name server and broker."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.fault.test_http_certificates import issue
from tests.live.cluster import Cluster, version_asked
from tests.live.collector import Collector, eventually
from wirespeed.local import LocalCloud
from wirespeed.rocketmq import Admin, Producer, PushConsumer, StartFrom


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


def run_mqadmin(cluster: Cluster, namesrv: str, folder: Path, *commands: str) -> list[str]:
    """Run commands of mqadmin; return what each printed, its blanks made single."""
    command = cluster.java_peer("Mqadmin", *(f"{each} -n {namesrv}" for each in commands))
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.split("\n$ ")[1:]
    assert len(printed) == len(commands), done.stdout
    return [" ".join(each.split()) for each in printed]


def test_mqadmin(rocketmq_cluster: Cluster, cloud: LocalCloud, tmp_path: Path) -> None:
    box = Collector()
    with (
        Producer("makers", cloud.namesrv) as producer,
        PushConsumer(
            "readers", {"orders": "A"}, cloud.namesrv, start_from=StartFrom.FIRST
        ) as consumer,
        Admin(namesrv=cloud.namesrv) as admin,
    ):
        admin.create_topic("orders", queues=2)
        sent = [
            producer.send("orders", f"body {number}", tag="A", keys=f"key-{number}")
            for number in range(8)
        ]
        consumer.start(box)
        box.wait(8)
        eventually(lambda: admin.progress("readers", "orders").lag == 0, "the commit")
        address = admin.brokers()[0].addresses[0]
        [client] = admin.connections("readers")
        broker = f"-b {address}"
        expected = [
            (f"updateTopic {broker} -t made -r 3 -w 2 -a +message.type=FIFO", ["success"]),
            ("updateTopic -c DefaultCluster -t other -r 1 -w 1", ["success"]),
            ("topicList", [" made ", " other ", " orders ", "%RETRY%readers"]),
            ("topicList -c", ["DefaultCluster orders readers DefaultCluster"]),
            ("topicRoute -t made", ['"readQueueNums":3', '"writeQueueNums":2', '"perm":6']),
            ("topicStatus -t orders", ["broker-a 0 0 4 20", "broker-a 1 0 4 20"]),
            ("topicClusterList -t made", ["DefaultCluster"]),
            (f"updateTopicPerm {broker} -t made -p 4", ["from 6 to 4", "perm=R--"]),
            ("topicRoute -l -t made", ["3 2 4 "]),
            ("allocateMQ -t orders -i 10.0.0.1,10.0.0.2", ['"10.0.0.2":[{"brokerName"']),
            (f"updateSubGroup {broker} -g idlers -r 3", ["create subscription group", "success"]),
            ("getConsumerConfig -g idlers", ["retryMaxTimes = 3", "BroadcastEnable = false"]),
            ("consumerProgress", ["readers 1 V5_5_0 PUSH CLUSTERING 0 0", "idlers 0 OFFLINE"]),
            ("consumerProgress -g readers", ["orders broker-a 1 4 4 0 0 20", "Diff Total: 0"]),
            ("consumerConnection -g readers", [
                f"{client.client_id} {client.address} PYTHON V5_5_0",
                "orders A %RETRY%readers *",
                "CONSUME_PASSIVELY MessageModel: CLUSTERING ConsumeFromWhere: CONSUME_FROM_FIRST",
            ]),
            ("producerConnection -g makers -t orders", ["0001 ", "PYTHON"]),
            ("consumerStatus -g readers", [client.client_id, "Rebalance OK"]),
            ("clusterList", [f"DefaultCluster broker-a 0 {address} local 0.00(0,0ms)"]),
            (f"brokerStatus {broker}", ["msgPutTotalTodayNow : 8", "brokerActive : true"]),
            (f"queryMsgById -t orders -i {sent[3].offset_message_id} -f UTF-8", [
                f"OffsetID: {sent[3].offset_message_id}", "body 3",
                "consumerGroup=readers, trackType=CONSUMED",
            ]),
            (f"queryMsgById -t orders -i {sent[4].message_id} -f UTF-8", ["Keys: [key-4]"]),
            ("queryMsgByKey -t orders -k key-5", [sent[5].message_id]),
            ("queryMsgByOffset -t orders -b broker-a -i 1 -o 2 -f UTF-8", ["Queue Offset: 2"]),
            ("printMsg -t orders -d true", [f"BODY: body {number} " for number in range(8)]),
            ("resetOffsetByTime -g readers -t orders -s 0", ["broker-a 0 0 broker-a 1 0"]),
            ("skipAccumulatedMessage -g readers -t orders", ["broker-a 0 4 broker-a 1 4"]),
            (f"deleteSubGroup {broker} -g idlers", ["delete subscription group", "success"]),
            ("deleteSubGroup -c DefaultCluster -g gone -r true", ["[gone]", "success"]),
            ("deleteTopic -c DefaultCluster -t made", ["from NameServer success"]),
            ("topicRoute -t made", ["CODE: 17"]),
        ]  # fmt: skip
        printed = run_mqadmin(
            rocketmq_cluster, cloud.namesrv, tmp_path, *(command for command, _ in expected)
        )
        # The first of the two resets let it read everything again.
        box.wait(16)
    for (command, wanted), text in zip(expected, printed, strict=True):
        for each in wanted:
            assert each in text, f"{command}: {text}"


TOUR = {
    "commit": "transaction SEND_OK",
    "rollback": "transaction SEND_OK",
    "ask-commit": "transaction SEND_OK",
    "ask-rollback": "transaction SEND_OK",
    "pulled": str(list(range(20))),
    "delayed": "[level, timer] early []",
    "ordered": str([list(range(key, 40, 4)) for key in range(4)]),
    "asked": "re: hello",
    "transactions": "true [ask-commit, commit]",
}


@pytest.mark.skipif(version_asked().startswith("4."), reason="the peer is written for 5.x")
@pytest.mark.parametrize("broker", ["local", "real"])
def test_java_s_tour_finds_no_difference(
    rocketmq_cluster: Cluster, cloud: LocalCloud, broker: str
) -> None:
    namesrv = cloud.namesrv if broker == "local" else rocketmq_cluster.namesrv
    seen = rocketmq_cluster.run_peer("Tour", namesrv, f"tour-{os.getpid()}", timeout=500)
    assert {str(row["kind"]): row["seen"] for row in seen} == TOUR
