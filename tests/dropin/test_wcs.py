"""Programs written for wcs-python-sdk, on the drop-in and the local service."""

from __future__ import annotations

import base64
import importlib
import io
import json
import os
import stat
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import Peer, ScriptedServer, closed_port
from tests.wcs_server import WcsServer
from wirespeed import digest, dropin
from wirespeed.errors import ConnectError, IntegrityError

BLOCK = 4 << 20


def token(wcs: Any, scope: str = "b:k", **policy: Any) -> str:
    deadline = str(int((time.time() + 60) * 1000))
    text = wcs.Auth("local", "local-secret").uploadtoken(
        {"scope": scope, "deadline": deadline, "overwrite": 1, **policy}
    )
    return str(text)


def make(tmp_path: Path, size: int) -> tuple[str, bytes]:
    data = os.urandom(size)
    path = tmp_path / "upload"
    path.write_bytes(data)
    return str(path), data


def test_tokens_are_the_golden_ones(wcs: Any) -> None:
    auth = wcs.Auth("1234", "qwer")
    assert auth.uploadtoken({"scope": "test"}) == (
        "1234:OWE0NTdhNDk4MzJiZGIwODlkMWFiYmFmMGRjNjIzMThlOWEyZGUxMg==:eyJzY29wZSI6ICJ0ZXN0In0="
    )
    assert auth.managertoken("http://any/list?bucket=test") == (
        "1234:ZjE3NTA4Mjg1NGMyOTg4ZjNlODRlOWI3M2JhYTA3ZWVjZTM4NzM3ZA=="
    )
    assert auth.managertoken("http://x/setdeadline", "bucket=dGVzdA==&key=MQ==&deadline=3") == (
        "1234:NzZiMjJlNGVkYjQxZGVmYWY5NDllM2Q5YmQyODk5YmYzOTZiODRkYg=="
    )
    assert auth.managertoken("/x;y=1?q=2#f") == auth.managertoken("/x?q=2")
    for pair in (("", "s"), ("a", ""), (None, "s")):
        with pytest.raises(ValueError, match="invalid key"):
            wcs.Auth(*pair)
    assert "qwer" not in repr(auth)


def test_util(wcs: Any, tmp_path: Path) -> None:
    util = importlib.import_module("wcs.commons.util")
    path, data = make(tmp_path, BLOCK + 5)
    assert wcs.etag(path) == digest.etag(data)
    assert util.etag_stream(io.BytesIO(b"")) == "Fto5o-5ea0sNMlW_75VgGJCv2AcJ"
    assert util.urlsafe_base64_encode("b:k?") == "Yjprfw==".replace("fw", "Pw")
    assert util.urlsafe_base64_decode("Yjpr") == b"b:k"
    assert util.file_crc32(path) == zlib.crc32(data)
    assert util.crc32("text") == zlib.crc32(b"text")
    assert util.entry("b", None) == "Yg=="
    assert util.entry("b", "k") == "Yjpr"
    with wcs.file_to_stream(path) as stream:
        assert wcs.readfile(stream, 1, 3) == data[1:4]
        assert wcs.readfile(stream, BLOCK + 5, 3) is None
        assert list(util._file_iter(stream, BLOCK, 3)) == [
            data[BLOCK : BLOCK + 3],
            data[BLOCK + 3 :],
        ]
        assert util.etag_stream(stream) == digest.etag(data)
    assert len(util.GetUuid()) == 32
    for size in (0, 10):
        temporary = util.create_tmp_file(size)
        assert os.path.getsize(temporary) == size
        os.remove(temporary)
    with pytest.raises(FileNotFoundError):
        wcs.etag(path + "x")


def test_regular_upload(wcs: Any, server: WcsServer, tmp_path: Path) -> None:
    path, data = make(tmp_path, 100_000)
    upload = wcs.RegUpload(token(wcs))
    for _ in range(2):
        code, text = upload.reg_upload(path)
        assert code == 200
        assert f"hash={digest.etag(data)}" in base64.urlsafe_b64decode(text).decode()
    assert server.content("b", "k") == data
    upload = wcs.RegUpload(token(wcs, "b", returnBody="$(key) $(x:n) $(fsize)"))
    upload.fileds.update({"key": "other", "x:n": "v"})
    assert upload.reg_upload(path) == (200, "other v 100000")
    code, text = wcs.RegUpload("bad").reg_upload(path)
    assert (code, json.loads(text)["code"]) == (401, 401)
    with pytest.raises(ValueError, match="existing file"):
        upload.reg_upload(path + "x")


def test_a_return_url_is_followed(wcs: Any, server: WcsServer, tmp_path: Path) -> None:
    path, _ = make(tmp_path, 10)
    with ScriptedServer(
        lambda peer: peer.read_request() and peer.answer(200, b"landed")
    ) as landing:
        upload = wcs.RegUpload(token(wcs, returnUrl=landing.url + "/page"))
        assert upload.reg_upload(path) == (200, "landed")
        assert landing.peers[0].requests[0][0].startswith(b"GET /page HTTP/1.1")
        assert b"authorization" not in landing.peers[0].requests[0][0].lower()


@pytest.mark.parametrize("size", [0, 10, 512 * 1024, BLOCK, 2 * BLOCK, 2 * BLOCK + 777])
def test_slice_upload_as_in_the_manual(
    wcs: Any, server: WcsServer, tmp_path: Path, size: int
) -> None:
    path, data = make(tmp_path, size)
    recorder = wcs.UploadProgressRecorder()
    upload = wcs.SliceUpload(
        token(wcs), path, "k", {"position": "local", "message": "up"}, recorder, time.time()
    )
    assert upload.num == max(1, -(-size // BLOCK))
    code, answer = upload.slice_upload()
    assert (code, answer) == (200, {"hash": digest.etag(data), "key": "k"})
    assert server.content("b", "k") == data
    assert upload.progress == size
    assert len(upload.status) == upload.num
    assert recorder.get_upload_record("k") is None


class Interrupted:
    """A WCS client program whose upload fails at its last block, and a second try."""

    def __init__(self, wcs: Any, path: str) -> None:
        self.wcs = wcs
        self.path = path
        self.recorder = wcs.UploadProgressRecorder()

        class Broken(wcs.SliceUpload):  # type: ignore[misc]
            def block_url(self, size: int, blocknum: int) -> str:
                url: str = super().block_url(size, blocknum)
                return url + "/nowhere" if blocknum == self.num - 1 else url

        self.broken = Broken

    def fail(self) -> Any:
        upload = self.broken(token(self.wcs), self.path, "k", None, self.recorder, 1.0)
        with pytest.raises(Exception, match=r"^slice upload fail$"):
            upload.slice_upload()
        return upload

    def again(self, scope: str = "b:k") -> Any:
        upload = self.wcs.SliceUpload(
            token(self.wcs, scope), self.path, "k", None, self.recorder, 2.0
        )
        assert upload.slice_upload()[0] == 200
        return upload


def test_a_failed_upload_goes_on_where_it_stopped(
    wcs: Any, server: WcsServer, tmp_path: Path
) -> None:
    importlib.import_module("wcs.commons.config").Thread_num = 1
    path, data = make(tmp_path, 3 * BLOCK + 1)
    trial = Interrupted(wcs, path)
    first = trial.fail()
    records = trial.recorder.get_upload_record("k")
    assert [record["offset"] for record in records] == [0, BLOCK, 2 * BLOCK]
    assert records[-1]["progress"] == 3 * BLOCK
    assert first.recovery_to_list(records)[0][:2] == [0, 200]
    (name,) = os.listdir(trial.recorder.record_folder)
    mode = stat.S_IMODE(os.stat(os.path.join(trial.recorder.record_folder, name)).st_mode)
    if os.name == "posix":
        assert mode == 0o600
    blocks = len(server.state.blocks)
    second = trial.again()
    assert second.uploadBatch == first.uploadBatch
    assert blocks == 3
    assert server.content("b", "k") == data
    assert second.progress == len(data)


@pytest.mark.parametrize("change", ["file", "scope", "garbage"])
def test_a_record_of_something_else_is_not_used(
    wcs: Any, server: WcsServer, tmp_path: Path, change: str
) -> None:
    importlib.import_module("wcs.commons.config").Thread_num = 1
    path, data = make(tmp_path, 2 * BLOCK + 1)
    trial = Interrupted(wcs, path)
    first = trial.fail()
    scope = "b:k"
    if change == "file":
        path, data = make(tmp_path, 2 * BLOCK + 1)
    elif change == "scope":
        scope = "c:k"
    else:
        (name,) = os.listdir(trial.recorder.record_folder)
        record = Path(trial.recorder.record_folder) / name
        record.write_text("__import__('os').abort()\n{'offset': 0}\n[]\n{}\n")
    second = trial.again(scope)
    assert second.uploadBatch != first.uploadBatch
    assert server.content(scope[0], "k") == data


def test_dead_contexts_end_the_record(wcs: Any, server: WcsServer, tmp_path: Path) -> None:
    path, _ = make(tmp_path, 100)
    recorder = wcs.UploadProgressRecorder()

    class Late(wcs.SliceUpload):  # type: ignore[misc]
        def file_url(self, host: str) -> str:
            server.state.blocks.clear()
            url: str = super().file_url(host)
            return url

    code, answer = Late(token(wcs), path, "k", None, recorder, None).slice_upload()
    assert (code, answer["code"]) == (400, 701)
    assert recorder.get_upload_record("k") is None


def test_a_refused_mkfile_keeps_the_record(wcs: Any, server: WcsServer, tmp_path: Path) -> None:
    path, _ = make(tmp_path, 100)
    recorder = wcs.UploadProgressRecorder()
    upload = wcs.SliceUpload(token(wcs, fsizeLimit=5), path, "k", None, recorder, None)
    code, answer = upload.slice_upload()
    assert (code, answer["code"]) == (401, 401)
    assert len(recorder.get_upload_record("k")) == 1


def test_another_hash_is_an_integrity_error(wcs: Any, server: WcsServer, tmp_path: Path) -> None:
    path, _ = make(tmp_path, 100)
    upload = wcs.SliceUpload(
        token(wcs, returnBody="hash=Fwrong"), path, "k", None, wcs.UploadProgressRecorder(), None
    )
    with pytest.raises(IntegrityError, match="Fwrong"):
        upload.slice_upload()


def test_headers_may_be_overridden(wcs: Any, tmp_path: Path) -> None:
    path, _ = make(tmp_path, 10)

    class Limited(wcs.SliceUpload):  # type: ignore[misc]
        def block_headers(self, uploadBatch: str) -> dict[str, str]:
            return {**super().block_headers(uploadBatch), "x-wos-traffic-limit": "5"}

    def refuse(peer: Peer) -> None:
        while peer.read_request():
            peer.answer(400, b'{"code":400,"message":"seen"}')

    with ScriptedServer(refuse) as service:
        importlib.import_module("wcs.commons.config").PUT_URL = service.url
        upload = Limited(token(wcs), path, "k", None, wcs.UploadProgressRecorder(), None)
        with pytest.raises(Exception, match="slice upload fail"):
            upload.slice_upload()
        (head, body), *others = service.peers[0].requests
        assert others == []
        assert b"x-wos-traffic-limit: 5" in head
        assert len(body) == 10


def test_bucket_manager(wcs: Any, server: WcsServer, tmp_path: Path) -> None:
    from wcs.services.filemanager import FileManager  # type: ignore[import-not-found]

    path, data = make(tmp_path, 10)
    for key in ("a/1", "a/2", "c"):
        assert wcs.RegUpload(token(wcs, f"b:{key}")).reg_upload(path)[0] == 200
    assert FileManager is wcs.BucketManager
    manager = FileManager(wcs.Auth("local", "local-secret"))
    code, answer = manager.stat("b", "c")
    assert (code, answer["fsize"], answer["hash"]) == (200, 10, digest.etag(data))
    code, answer = manager.bucketlist("b", prefix="a/", limit=1000)
    assert [item["key"] for item in answer["items"]] == ["a/1", "a/2"]
    code, first = manager.bucketlist("b", limit=2)
    assert manager.bucketlist("b", marker=first["marker"])[1]["items"][0]["key"] == "c"
    assert manager.bucketlist("b", mode=1)[1]["commonPrefixes"] == ["a/"]
    assert manager.delete("b", "c")[0] == 200
    assert manager.stat("b", "c") == (404, {"code": 404, "message": "file not found"})
    with pytest.raises(ValueError, match="Invalid limit"):
        manager.bucketlist("b", limit=1001)
    with pytest.raises(TypeError, match="bucket"):
        FileManager.bucketlist(wcs.Auth("a", "b"), limit=100)
    assert manager.make_move_url("b", "k", "c", "l").endswith("/move/Yjpr/Yzps")
    assert manager.make_copy_url("b", "k", "c", "l").endswith("/copy/Yjpr/Yzps")
    assert list(manager.limit_check())[-1] == 1000


def test_setdeadline_is_signed_and_not_encoded(wcs: Any) -> None:
    def done(peer: Peer) -> None:
        while peer.read_request():
            peer.answer(200, b"{}")

    with ScriptedServer(done) as service:
        importlib.import_module("wcs.commons.config").MGR_URL = service.url
        auth = wcs.Auth("1234", "qwer")
        assert wcs.BucketManager(auth).setdeadline("test", "1", 3) == (200, {})
        ((head, body),) = service.peers[0].requests
        assert body == b"bucket=dGVzdA==&key=MQ==&deadline=3"
        assert b"NzZiMjJlNGVkYjQxZGVmYWY5NDllM2Q5YmQyODk5YmYzOTZiODRkYg==" in head
        assert b"content-type" not in head.lower()


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": null, "b": [true, {"c": false}]}', {"a": "", "b": ["true", {"c": "false"}]}),
        (b"[1, 2]", [1, 2]),
        (b"{'single': 'quotes'}", {"message": "{'single': 'quotes'}"}),
        (b"__import__('os').getcwd()", {"message": "__import__('os').getcwd()"}),
        ("中".encode(), {"message": "中"}),
    ],
)
def test_answers_are_read_and_never_run(wcs: Any, body: bytes, value: Any) -> None:
    def answer(peer: Peer) -> None:
        while peer.read_request():
            peer.answer(404, body)

    with ScriptedServer(answer) as service:
        assert wcs._get(service.url + "/x?y=1") == (404, value)
        assert wcs._post(service.url, {"A": "b"}, data="text") == (404, value)
        heads = [request for peer in service.peers for request in peer.requests]
        assert heads[0][0].startswith(b"GET /x?y=1 HTTP/1.1")
        assert heads[1][1] == b"text"


def test_failures_are_values(wcs: Any) -> None:
    code, error = wcs._post(f"http://127.0.0.1:{closed_port()}/x", {})
    assert code == -1
    assert isinstance(error, ConnectError)
    assert wcs._get("http://")[0] == -1
    with ScriptedServer(lambda peer: peer.read_request() and peer.answer(200)) as service:
        assert wcs._get(service.url) == (
            -1,
            {"message": "Message Body is None. Please check your URL."},
        )


def test_post_takes_files(wcs: Any, server: WcsServer) -> None:
    files = {"file": ("filename", io.BytesIO(b"abc"), "text/plain")}
    code, _ = wcs._post(server.url + "/file/upload", {}, {"token": token(wcs)}, files)
    assert code == 200
    assert server.content("b", "k") == b"abc"


def test_redirections_are_bounded(wcs: Any) -> None:
    def again(peer: Peer) -> None:
        while peer.read_request():
            peer.answer(302, b"x", "Location: /again\r\n")

    with ScriptedServer(again) as service:
        code, error = wcs._get(service.url)
        assert (code, "redirections" in str(error)) == (-1, True)


def test_records_of_any_key(wcs: Any) -> None:
    recorder = wcs.UploadProgressRecorder()
    for key in ("a/b?>>>", "k" * 1000, "中" * 300):
        assert recorder.get_upload_record(key) is None
        recorder.delete_upload_record(key)
        recorder.set_upload_record(key, {"a": key})
        recorder.set_upload_record(key, {"a": 2})
        assert recorder.get_upload_record(key) == [{"a": key}, {"a": 2}]
        recorder.delete_upload_record(key)
        assert recorder.get_upload_record(key) is None


def test_put_policy(wcs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    policy = importlib.import_module("wcs.commons.config").PutPolicy()
    policy.set_conf("scope", "b")
    policy.set_conf("overwrite", 1)
    policy.set_conf("nonsense", 1)
    assert policy.putpolicy == {"scope": "b", "overwrite": 1}
    assert (policy.get_conf("scope"), policy.get_conf("overwrite")) == ("scope:b", "overwrite:1")
    assert policy.get_conf("nonsense") is None
    assert capsys.readouterr().out.count("invalid putpolicy param") == 2
    with pytest.raises(KeyError):
        policy.get_conf("deadline")


def test_a_configuration_file(wcs: Any, tmp_path: Path) -> None:
    file = tmp_path / "wcs.toml"
    file.write_text(
        "# mine\nPUT_URL = \"http://put\" # here\nMGR_URL = 'http://mgr'\nThread_num = 7\n"
    )
    script = (
        "from wcs.commons import config as c;"
        "print(c.PUT_URL, c.MGR_URL, c.Thread_num, c._BLOCK_SIZE, c._parse_flat(open(c.os.environ"
        "['WIRESPEED_WCS_CONFIG']).read()) == c._parse(open(c.os.environ"
        "['WIRESPEED_WCS_CONFIG']).read()))"
    )

    def run() -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": dropin.folder("wcs"),
            "WIRESPEED_WCS_CONFIG": str(file),
        }
        return subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )

    assert run().stdout == "http://put http://mgr 7 4194304 True\n"
    for bad in ("PUT_URL = 3", "nonsense = 3", "PUT_URL = ", "os = 'x'"):
        file.write_text(bad + "\n")
        done = run()
        assert done.returncode == 1
        assert "WIRESPEED_WCS_CONFIG" in done.stderr
        assert str(file) in done.stderr


def test_import_writes_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", "import wcs, wcs.commons.logme"],
        env={**os.environ, "PYTHONPATH": dropin.folder("wcs"), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert os.listdir(tmp_path) == []


def test_the_etag_command(tmp_path: Path) -> None:
    path, data = make(tmp_path, 10)
    done = subprocess.run(
        [sys.executable, "-m", "wcs.commons.etag_files", "etag", path, path],
        env={**os.environ, "PYTHONPATH": dropin.folder("wcs")},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout == f"{[path, path]}\n{digest.etag(data)} {digest.etag(data)}\n"


def test_a_url_is_uploaded(wcs: Any, server: WcsServer) -> None:
    module = importlib.import_module("wcs.services.streamupload")

    def source(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            peer.answer(404 if b"/missing" in request[0] else 200, b"from a URL")

    with ScriptedServer(source) as origin:
        upload = module.StreamUpload(token(wcs, "b:k"))
        status, text = upload.upload(f"{origin.url}/file")
        assert status == 200 and text
        assert server.content("b", "k") == b"from a URL"
        with pytest.raises(Exception, match="404"):
            upload.upload(f"{origin.url}/missing")
        wcs.commons.config.PUT_URL = f"http://127.0.0.1:{closed_port()}"
        status, error = upload.upload(f"{origin.url}/file")
        assert status == -1 and isinstance(error, ConnectError)


def test_processing_is_described(wcs: Any) -> None:
    fop = wcs.PersistentFop(wcs.Auth("1234", "qwer"), "b")
    saved = "saveas/" + base64.urlsafe_b64encode(b"b:k").decode()
    assert fop.op_save("vframe/jpg", "b", "k") == f"vframe/jpg|{saved}"
    assert fop.build_ops({"a": 1, "b": None}, "k") == [f"a/1|{saved}", f"b|{saved}"]
    fop.host = "http://other"
    assert fop.host == "http://other"
