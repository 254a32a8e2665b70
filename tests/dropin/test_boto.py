"""Programs written for boto 2.49 and SQS, where ours differs from it on purpose."""

from __future__ import annotations

import base64
import concurrent.futures
import importlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.scripted import Peer, ScriptedServer, closed_port
from wirespeed import dropin
from wirespeed.errors import ConnectError
from wirespeed.local import LocalCloud


def connect(boto: Any, url: str, **options: Any) -> Any:
    """Return a connection to the service at a URL."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    region = module("sqs.regioninfo").SQSRegionInfo(name="us-east-1", endpoint=host)
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local-secret"}
    return boto.connect_sqs(
        **{**keys, "is_secure": False, "port": int(port), "region": region, **options}
    )


def module(name: str) -> Any:
    return importlib.import_module(f"boto.{name}")


@pytest.fixture
def queue(boto: Any, cloud: LocalCloud) -> Any:
    return connect(boto, cloud.sqs_url).create_queue("q")


def test_visibility_batches_have_results(queue: Any) -> None:
    for n in range(3):
        queue.write(queue.new_message(str(n)))
    messages = queue.get_messages(10)
    for n, message in enumerate(messages):
        message.id = str(n)
    done = queue.change_message_visibility_batch([(message, 0) for message in messages])
    assert [entry["id"] for entry in done.results] == ["0", "1", "2"] and not done.errors


def test_queues_are_saved_and_loaded(queue: Any, tmp_path: Path) -> None:
    bodies = ["one", "two words", "три"]
    for body in bodies:
        queue.write(queue.new_message(body))
    path = tmp_path / "file"
    assert queue.save(str(path)) == 3 and queue.count() == 0
    assert sorted(path.read_text("utf-8").splitlines()) == sorted(bodies)
    assert queue.load(str(path)) == 3 and queue.count() == 3
    assert queue.dump(str(tmp_path / "dump"), vtimeout=60) == 3
    queue.purge()
    stream = io.StringIO()
    assert queue.load_from_file(io.BytesIO(b"a|b|c"), "|") == 3
    assert queue.save_to_file(stream, "|") == 3
    assert sorted(stream.getvalue().split("|")) == ["", "a", "b", "c"]
    for call in (queue.save_to_s3, queue.load_from_s3):
        with pytest.raises(NotImplementedError, match="SQS alone"):
            call(None)


def test_bodies_that_are_not_base64(queue: Any) -> None:
    for sent, received in (
        ("中文 😀", "中文 😀"),
        ("%%%", "%%%"),
        (base64.b64encode(b"\xff\xfe").decode(), b"\xff\xfe"),
        (base64.b64encode("é".encode()).decode(), "é"),
    ):
        queue.connection.send_message(queue, sent)
        message = queue.read()
        assert message.get_body() == received
        message.delete()


def test_fifo(boto: Any, cloud: LocalCloud) -> None:
    connection = connect(boto, cloud.sqs_url)
    params = {
        "QueueName": "q.fifo", "Attribute.1.Name": "FifoQueue", "Attribute.1.Value": "true"
    }  # fmt: skip
    queue = connection.get_object("CreateQueue", params, module("sqs.queue").Queue)
    for n in range(2):
        queue.write(
            queue.new_message(str(n)), message_group_id="g", message_deduplication_id=str(n)
        )
    message = queue.read(attributes="All")
    assert message.get_body() == "0" and message.attributes["MessageGroupId"] == "g"


def test_a_connection_is_shared_by_threads(queue: Any) -> None:
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        sent = list(pool.map(lambda n: queue.write(queue.new_message(str(n))).id, range(100)))
    assert len(set(sent)) == 100 and queue.count() == 100


def test_keys(boto: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    provider = module("provider")
    with pytest.raises(module("exception").NoAuthHandlerFound, match="AWS_ACCESS_KEY_ID"):
        boto.connect_sqs()
    with pytest.raises(provider.ProfileNotFoundError, match="missing"):
        provider.Provider("aws", profile_name="missing")
    shared = tmp_path / "credentials"
    shared.write_text(
        "[default]\naws_access_key_id=d\naws_secret_access_key=ds\n"
        "[p]\naws_access_key_id=p\naws_secret_access_key=ps\naws_session_token=pt\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    for options, wanted in (
        ({}, ("d", "ds", None)),
        ({"profile_name": "p"}, ("p", "ps", "pt")),
        ({"access_key": "a", "secret_key": "as"}, ("a", "as", None)),
    ):
        found = provider.Provider("aws", **options)
        assert (found.access_key, found.secret_key, found.security_token) == wanted
        assert str(wanted[1]) not in repr(found)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "e")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "es")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "et")
    found = provider.Provider("aws")
    assert (found.access_key, found.secret_key, found.security_token) == ("e", "es", "et")
    connection = boto.connect_sqs()
    assert (connection.aws_access_key_id, connection.host) == ("e", "queue.amazonaws.com")
    assert connection.gs_secret_access_key == "es" and connection.service_name == "sqs"


def test_settings(boto: Any, tmp_path: Path) -> None:
    path = tmp_path / "boto.cfg"
    path.write_text("[Boto]\nnum_retries = 2\nis_secure = False\nsqs_region_name = x\nrate = 1.5\n")
    config = module("pyami.config").Config(str(path))
    assert config.getint("Boto", "num_retries", 6) == 2
    assert config.getint("Boto", "missing", 6) == 6 and config.get("None", "x", "d") == "d"
    assert config.getbool("Boto", "is_secure", True) is False
    assert config.getfloat("Boto", "rate") == 1.5
    config.setbool("New", "x", True)
    assert config.get_value("New", "x") == "true"
    keys = tmp_path / "keys"
    keys.write_text("AWSAccessKeyId=a\nAWSSecretKey = s\n")
    config.load_credential_file(str(keys))
    assert config.get("Credentials", "aws_secret_access_key") == "s"


def test_regions(boto: Any) -> None:
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    sqs = module("sqs")
    assert sqs.connect_to_region("eu-west-3", **keys).host == "sqs.eu-west-3.amazonaws.com"
    assert sqs.connect_to_region("cn-north-1", **keys).host == "cn-north-1.queue.amazonaws.com.cn"
    assert sqs.connect_to_region("eu-west", **keys) is None
    assert len(sqs.regions()) == 16


def test_arns(boto: Any, queue: Any) -> None:
    assert queue.arn == "arn:aws:sqs:us-east-1:000000000000:q"
    queue.connection.region.name = "us-gov-west-1"
    assert queue.arn.startswith("arn:aws-us-gov:")
    assert module("sqs.queue").Queue(None, "http://h/n").name == "n"


OK = b"<ListQueuesResponse><ListQueuesResult/></ListQueuesResponse>"


def answering(*answers: tuple[int, bytes] | None) -> tuple[ScriptedServer, list[bytes]]:
    left = list(answers)
    seen: list[bytes] = []

    def handler(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            seen.append(request[0])
            answer = left.pop(0)
            if answer is None:
                return
            peer.answer(*answer)

    return ScriptedServer(handler), seen


def test_tries_again(boto: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    server, seen = answering((503, b""), None, (500, b""), (200, OK))
    with server:
        connection = connect(boto, server.url)
        hook = mock.Mock()
        connection.set_request_hook(hook)
        assert connection.get_all_queues() == []
        hook.handle_request_data.assert_called_once()
        connection.close()
    assert len(seen) == 4 and len(pauses) == 3
    assert all(0 <= pause <= 2**n for n, pause in enumerate(pauses))


def test_gives_up(boto: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    server, seen = answering(*[(503, b"busy")] * 7)
    with server, pytest.raises(module("exception").BotoServerError) as caught:
        connect(boto, server.url).get_all_queues()
    assert (len(seen), caught.value.status, caught.value.message) == (7, 503, "busy")
    server, seen = answering((403, b"<ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>"))
    with server, pytest.raises(module("exception").SQSError) as denied:
        connect(boto, server.url).get_all_queues()
    assert (len(seen), denied.value.code) == (1, "X")
    with pytest.raises(ConnectError):
        connection = connect(boto, f"http://127.0.0.1:{closed_port()}")
        connection.num_retries = 0
        connection.get_all_queues()


def test_a_factory_of_the_callers_own(boto: Any) -> None:
    response = mock.Mock(status=200, reason="OK", read=lambda: OK)
    made = mock.Mock(getresponse=lambda: response)
    factory = mock.Mock(return_value=made)
    connection = boto.connect_sqs("a", "b", https_connection_factory=(factory, ()))
    assert connection.get_all_queues() == []
    method, path, body, headers = made.request.call_args[0]
    assert (method, path) == ("POST", "/") and b"Action=ListQueues" in body
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=a/")


def test_entities_are_not_followed(boto: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    text = (
        f'<!DOCTYPE r [<!ENTITY x SYSTEM "file://{secret}">]>'
        "<ErrorResponse><Error><Code>&x;</Code></Error></ErrorResponse>"
    )
    error = module("exception").SQSError(400, "Bad", text)
    assert "secret" not in str(error.code)


def test_what_is_not_there_says_so(boto: Any) -> None:
    with pytest.raises(NotImplementedError, match="boto3"):
        boto.connect_s3()
    with pytest.raises(NotImplementedError, match="no proxy"):
        boto.connect_sqs("a", "b", proxy="h")
    message = module("sqs.bigmessage").BigMessage(body="x")
    assert message._get_bucket_key("s3://b/k/l") == ("b", "k/l")
    with pytest.raises(module("exception").SQSDecodeError):
        message._get_bucket_key("b/k")
    with pytest.raises(NotImplementedError, match="needs S3"):
        message.get_body_encoded()


def test_logging(boto: Any, tmp_path: Path) -> None:
    path = tmp_path / "log"
    boto.set_file_logger("boto-test", str(path))
    boto.log.info("line")
    assert "boto-test [INFO]:line" in path.read_text()
    for handler in list(boto.log.handlers):
        handler.close()
        boto.log.removeHandler(handler)


def test_it_imports_without_warnings() -> None:
    program = "import boto, boto.sqs, boto.sqs.jsonmessage; from boto.sqs.message import *"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "PYTHONPATH": dropin.folder("boto")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
