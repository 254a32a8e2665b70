"""Programs written for cos-python-sdk-v4, where ours differs from it on purpose."""

from __future__ import annotations

import concurrent.futures
import importlib
import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer, closed_port
from wirespeed import dropin
from wirespeed.local import LocalCloud

MIB = 1 << 20


def client_of(sdk: Any, url: str, **options: Any) -> Any:
    """Return a client whose service is at a URL."""
    host = url.removeprefix("http://")
    client = sdk.CosClient(10001, "local", "local-secret")
    downloads = f"downloads.test:{host.rpartition(':')[2]}"
    client.set_config(
        sdk.CosConfig(hostname=host, download_hostname=downloads, **{"timeout": 10, **options})
    )
    return client


@pytest.fixture
def client(qcloud_cos: Any, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Any:
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        here = str(host).endswith("downloads.test")
        return original("127.0.0.1" if here else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return client_of(qcloud_cos, cloud.cos_url)


def put(sdk: Any, client: Any, path: str, data: Any) -> None:
    request = sdk.UploadFileFromBufferRequest("b", path, data)
    assert client.upload_file_from_buffer(request)["code"] == 0


def test_ranges_and_headers_of_downloads_are_sent(
    qcloud_cos: Any, client: Any, tmp_path: Path
) -> None:
    put(qcloud_cos, client, "/k", b"0123456789")
    stream = client.download_object(qcloud_cos.DownloadObjectRequest("b", "/k", 2, 5))
    assert stream.read() == b"2345"
    stream.close()
    target = tmp_path / "out"
    request = qcloud_cos.DownloadFileRequest("b", "/k", str(target), 8)
    assert client.download_file(request)["code"] == 0 and target.read_bytes() == b"89"
    assert target.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_download_that_fails_leaves_what_was_there(
    qcloud_cos: Any, client: Any, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    target.write_text("before")
    request = qcloud_cos.DownloadFileRequest("b", "/none", str(target))
    result = client.download_file(request)
    assert result["code"] == 1 and "404" in result["message"] and "sign=" not in str(result)

    def short(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")

    with ScriptedServer(short) as server:
        result = client_of(qcloud_cos, server.url).download_file(request)
    assert result["code"] == 1
    assert target.read_text() == "before" and os.listdir(tmp_path) == ["out"]


def test_a_buffer_with_digests(qcloud_cos: Any, client: Any) -> None:
    data = os.urandom(2 * MIB + 5)
    request = qcloud_cos.UploadSliceFileFromBufferRequest("b", "/k", data, enable_sha1=True)
    assert client.upload_slice_file_from_buffer(request)["code"] == 0
    stream = client.download_object(qcloud_cos.DownloadObjectRequest("b", "/k"))
    assert stream.read() == data
    stream.close()
    put(qcloud_cos, client, "/text", "中文")
    stream = client.download_object(qcloud_cos.DownloadObjectRequest("b", "/text"))
    assert stream.read() == "中文".encode()
    stream.close()


def test_an_empty_file_with_digests(qcloud_cos: Any, client: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    request = qcloud_cos.UploadSliceFileRequest(
        "b", "/k", str(tmp_path / "empty"), enable_sha1=True
    )
    assert client.upload_slice_file(request)["code"] == -4000, "the service has no empty slices"


def test_a_client_is_shared_by_threads(qcloud_cos: Any, client: Any) -> None:
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: put(qcloud_cos, client, f"/t/{n}", b"x"), range(100)))
    listed = client.list_folder(qcloud_cos.ListFolderRequest("b", "/t/"))
    assert len(listed["data"]["infos"]) == 100


def test_moves_check_their_arguments(qcloud_cos: Any, client: Any) -> None:
    client.set_cred(qcloud_cos.CredInfo("x", "local", "local-secret"))
    result = client.move_file(qcloud_cos.MoveFileRequest("b", "/k", "/l"))
    assert result == {"code": -1, "message": "appid is not int!"}
    result = client.stat_file(qcloud_cos.StatFileRequest("b", ""))
    assert result["code"] == -1


def test_wrong_requests_are_assertions(qcloud_cos: Any, client: Any) -> None:
    for name in ("upload_file", "del_file", "move_file", "list_folder", "download_object"):
        with pytest.raises(AssertionError):
            getattr(client, name)(object())
    with pytest.raises(AssertionError):
        client.set_config(object())
    assert client.get_config().get_timeout() == 10 and client.get_cred().get_appid() == 10001


def answering(*answers: tuple[int, Any] | None) -> tuple[ScriptedServer, list[bytes]]:
    left = list(answers)
    seen: list[bytes] = []

    def handler(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            seen.append(request[0].partition(b"\r\n")[0])
            answer = left.pop(0)
            if answer is None:
                return
            body = answer[1]
            peer.answer(answer[0], body if isinstance(body, bytes) else json.dumps(body).encode())

    return ScriptedServer(handler), seen


OK = {"code": 0, "message": "", "data": {}}
BEGUN = {"code": 0, "data": {"session": "s", "slice_size": MIB}}


@pytest.mark.parametrize(
    ("answers", "code", "sent"),
    [
        ([(200, BEGUN), (200, OK), (200, OK), (200, OK)], 0, 4),
        ([(200, BEGUN), (500, b""), (200, OK), (200, OK), (200, OK)], 0, 5),
        ([(200, BEGUN), (200, {"code": -71}), (200, OK), (200, OK), (200, OK)], 0, 5),
        ([(200, BEGUN), (400, {"code": -290})], -290, 2),
        ([(200, {"code": 0, "data": {}})], -3, 1),
        ([(200, {"code": -197})], -197, 1),
    ],
)
def test_slices_are_sent_again_where_that_helps(
    qcloud_cos: Any, answers: list[Any], code: int, sent: int
) -> None:
    server, seen = answering(*answers)
    with server:
        client = client_of(qcloud_cos, server.url)
        request = qcloud_cos.UploadSliceFileFromBufferRequest("b", "/k", bytes(2 * MIB))
        assert client.upload_slice_file_from_buffer(request)["code"] == code
    assert len(seen) == sent


def test_a_refused_slice_ends_a_concurrent_upload(qcloud_cos: Any) -> None:
    def handler(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            begins = b"upload_slice_init" in request[1]
            peer.answer(200, json.dumps(BEGUN if begins else {"code": -290}).encode())

    with ScriptedServer(handler) as server:
        client = client_of(qcloud_cos, server.url)
        request = qcloud_cos.UploadSliceFileFromBufferRequest("b", "/k", bytes(4 * MIB), max_con=3)
        result = client.upload_slice_file_from_buffer(request)
    assert result["code"] == 1 and "-290" in result["message"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [((503, b"busy"), -2), ((404, b"<Error/>"), -3), ((200, b"<html>"), -3)],
)
def test_answers_that_are_no_results(qcloud_cos: Any, answer: Any, code: int) -> None:
    server, _ = answering(answer)
    with server:
        result = client_of(qcloud_cos, server.url).stat_file(qcloud_cos.StatFileRequest("b", "/k"))
    assert result["code"] == code and "Traceback" not in result["message"]


def test_a_lost_answer(qcloud_cos: Any) -> None:
    server, seen = answering(None, (200, OK))
    with server:
        client = client_of(qcloud_cos, server.url)
        assert client.stat_file(qcloud_cos.StatFileRequest("b", "/k")) == OK
    server, seen = answering(None)
    with server:
        client = client_of(qcloud_cos, server.url)
        assert client.move_file(qcloud_cos.MoveFileRequest("b", "/k", "/l"))["code"] == -3
    assert len(seen) == 1, "a move is not sent again"


def test_nobody_there(qcloud_cos: Any, caplog: pytest.LogCaptureFixture) -> None:
    client = client_of(qcloud_cos, f"http://127.0.0.1:{closed_port()}", timeout=2)
    with caplog.at_level(logging.DEBUG, "qcloud_cos"):
        result = client.stat_file(qcloud_cos.StatFileRequest("b", "/k"))
    assert result["code"] == -3 and "cannot connect" in result["message"]
    assert "Authorization" not in caplog.text and "sign=" not in caplog.text


def test_the_pool_of_threads(qcloud_cos: Any) -> None:
    module = importlib.import_module("qcloud_cos.threadpool")
    pool = module.SimpleThreadPool(3)

    def fail() -> None:
        raise ValueError("no")

    for number in range(10):
        pool.add_task(int, number)
    pool.add_task(fail)
    pool.wait_completion()
    result = pool.get_result()
    assert result["success_all"] is False
    assert sum(worker[0] for worker in result["detail"]) == 10


ORIGINALS_TEST = """
import unittest
from qcloud_cos.cos_request import UploadFileRequest
class Test(unittest.TestCase):
    def test(self):
        request = UploadFileRequest('bucketname', '/a/b/c.jpg', '/tmp/a.jpg')
        self.assertEqual(request.get_local_path(), '/tmp/a.jpg')
        self.assertEqual(request.get_insert_only(), 1)
unittest.main()
"""


def test_it_runs_by_path_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ORIGINALS_TEST],
        env={**os.environ, "PYTHONPATH": dropin.folder("qcloud_cos")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
