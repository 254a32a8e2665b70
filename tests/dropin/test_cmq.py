"""Programs written for cmq-python-sdk, where ours differs from it on purpose."""

from __future__ import annotations

import concurrent.futures
import importlib
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer, closed_port
from wirespeed.local import LocalCloud


@pytest.fixture
def account(cmq: Any, cloud: LocalCloud) -> Any:
    return cmq.Account(cloud.cmq_url, "local", "local-secret")


def module(name: str) -> Any:
    """Return a module of the drop-in."""
    return importlib.import_module(f"cmq.{name}")


def queue_of(account: Any, name: str = "q", **attributes: Any) -> Any:
    queue = account.get_queue(name)
    meta = module("queue").QueueMeta()
    for key, value in attributes.items():
        setattr(meta, key, value)
    queue.create(meta)
    return queue


def test_a_body_that_begins_with_at_is_taken(account: Any) -> None:
    queue = queue_of(account)
    queue.send_message(module("queue").Message("@file"))
    assert queue.receive_message(0).msgBody == "@file"


def test_base64_bodies(account: Any) -> None:
    queue = queue_of(account)
    queue.set_encoding(True)
    for body, received in (("中文", "中文"), (b"text", "text"), (b"\xff\x00", b"\xff\x00")):
        queue.send_message(module("queue").Message(body))
        assert queue.receive_message(0).msgBody == received
    queue.set_encoding(False)
    queue.batch_send_message([module("queue").Message(b"bytes")])
    assert queue.batch_receive_message(1, 0)[0].msgBody == "bytes"


def test_an_account_is_shared_by_threads(account: Any) -> None:
    queue = queue_of(account)
    message = module("queue").Message("x")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        sent = list(pool.map(lambda _: queue.send_message(message).msgId, range(200)))
    assert len(set(sent)) == 200
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda _: queue.receive_message(0).msgId, range(200)))
    assert sorted(got) == sorted(sent)


def test_no_message_raises_7000(account: Any) -> None:
    queue = queue_of(account)
    with pytest.raises(module("cmq_exception").CMQServerException) as caught:
        queue.receive_message(0)
    assert (caught.value.code, bool(caught.value.request_id)) == (7000, True)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.code, again.request_id, again.data) == (
        7000, caught.value.request_id, caught.value.data,
    )  # fmt: skip


def test_a_subscription_is_read_back(account: Any) -> None:
    meta = module("topic").TopicMeta()
    account.get_topic("t").create(meta)
    wanted = module("subscription").SubscriptionMeta()
    assert "endpoint" in str(wanted)
    wanted.Endpoint, wanted.Protocal = "q", "queue"
    wanted.NotifyContentFormat = "SIMPLIFIED"
    wanted.FilterTag = ["a"]
    account.get_subscription("t", "s").create(wanted)
    found = account.get_subscription("t", "s").get_attributes()
    assert (found.Endpoint, found.Protocal, found.FilterTag) == ("q", "queue", ["a"])
    assert found.CreateTime > 1_500_000_000 and found.LastModifyTime >= found.CreateTime


def test_set_client_keeps_what_was_set(account: Any, cloud: LocalCloud) -> None:
    account.set_sign_method("sha256")
    account.get_client().set_method("GET")
    account.get_client().set_connection_timeout(3)
    account.set_client(cloud.cmq_url)
    client = account.get_client()
    assert (client.sign_method, client.method, client.http.connection_timeout) == (
        "sha256", "GET", 3,
    )  # fmt: skip
    assert account.list_queue(offset="0")[0] == 0


def test_the_token_in_fourth_place(cmq: Any) -> None:
    seen: list[bytes] = []

    def handler(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            seen.append(request[1])
            peer.answer(200, b'{"code": "0", "msgId": "7"}')

    with ScriptedServer(handler) as server:
        account = cmq.Account(server.url, "id", "key", "the-token")
        assert account.debug is False
        message = module("queue").Message("x")
        assert account.get_queue("q").send_message(message).msgId == "7"
        account.set_token("other")
        params = {"queueName": "q", "msgBody": "y", "SignatureMethod": "HmacSHA256"}
        account.get_client().send_message(params)
        account.get_client().close_connection()
    assert b"Token=the-token&" in seen[0] and b"Token=other&" in seen[1]
    assert b"UserpollingWaitSeconds" not in seen[0]


@pytest.mark.parametrize(("name", "sent"), [("send", 1), ("receive", 2)])
def test_a_lost_answer(cmq: Any, name: str, sent: int) -> None:
    seen: list[bytes] = []

    def handler(peer: Peer) -> None:
        request = peer.read_request()
        if request is not None:
            seen.append(request[1])

    with ScriptedServer(handler) as server:
        queue = cmq.Account(server.url, "id", "key").get_queue("q")
        with pytest.raises(module("cmq_exception").CMQClientNetworkException) as caught:
            if name == "send":
                queue.send_message(module("queue").Message("x"))
            else:
                queue.receive_message(0)
    assert len(seen) == sent
    assert caught.value.__cause__.outcome == "unknown"


@pytest.mark.parametrize("answer", [(502, b"bad"), (200, b"<html>"), (200, b"{}")])
def test_an_answer_that_is_none_of_cmq(cmq: Any, answer: tuple[int, bytes]) -> None:
    def handler(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(*answer)

    with ScriptedServer(handler) as server:
        account = cmq.Account(server.url, "id", "key")
        with pytest.raises(module("cmq_exception").CMQServerNetworkException) as caught:
            account.list_queue()
        account.get_client().close_connection()
    assert (caught.value.status, caught.value.data) == (answer[0], answer[1].decode())
    assert pickle.loads(pickle.dumps(caught.value)).status == answer[0]


@pytest.mark.parametrize(
    "host", ["ftp://h", "http://", "http://h/path", "http://h:port", "https://a b"]
)
def test_hosts_are_checked(cmq: Any, host: str) -> None:
    with pytest.raises(module("cmq_exception").CMQClientParameterException):
        cmq.Account(host, "id", "key")


def test_nobody_there(cmq: Any) -> None:
    account = cmq.Account(f"http://127.0.0.1:{closed_port()}", "id", "key")
    with pytest.raises(module("cmq_exception").CMQClientNetworkException, match="cannot connect"):
        account.list_queue()
    account.get_client().set_method("PUT")
    with pytest.raises(module("cmq_exception").CMQClientNetworkException, match="GET, POST"):
        account.list_queue()


def test_the_log_has_no_signature(
    account: Any, cloud: LocalCloud, caplog: pytest.LogCaptureFixture
) -> None:
    request = module("cmq_http").RequestInternal("POST", "/v2/index.php")
    account.get_client().build_req_inter("ListQueue", {}, request)
    assert "Signature=" in request.data and "Signature=" not in str(request)
    with caplog.at_level(logging.DEBUG, "CMQ_python_sdk"):
        account.list_queue()
    assert "ListQueue RequestId:" in caplog.text and "Signature" not in caplog.text


def test_the_log_file_is_made_with_its_first_line(
    tmp_path: Path, cmq: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    logger = module("cmq_tool").CMQLogger.get_logger("other", "other.log", logging.DEBUG)
    assert not list(tmp_path.iterdir())
    logger.debug("line")
    for handler in list(logger.handlers):
        handler.close()
        logger.removeHandler(handler)
    assert "line" in (tmp_path / "other.log").read_text()
