"""Carries requests out; every method returns a dict with `code` and `message`."""

from __future__ import annotations

import json
import logging
import os
import secrets
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from wirespeed import _native
from wirespeed.config import Retry
from wirespeed.engine import threads as engine
from wirespeed.errors import WirespeedError
from wirespeed.http import threads
from wirespeed.http.calls import Patience, call
from wirespeed.http.models import Origin, Request, Response

from .cos_auth import Auth
from .cos_common import parts_of
from .cos_config import CosConfig
from .cos_cred import CredInfo
from .cos_err import CosErr
from .cos_request import (
    BaseRequest,
    CreateFolderRequest,
    DelFileRequest,
    DelFolderRequest,
    DownloadFileRequest,
    DownloadObjectRequest,
    ListFolderRequest,
    MoveFileRequest,
    StatFileRequest,
    StatFolderRequest,
    UpdateFileRequest,
    UpdateFolderRequest,
    UploadFileFromBufferRequest,
    UploadFileRequest,
    UploadSliceFileFromBufferRequest,
    UploadSliceFileRequest,
)

if TYPE_CHECKING:
    import requests

logger = logging.getLogger(__name__)

_MIB = 1024 * 1024
_SLICED = 8 * _MIB
_CHUNK = 256 * 1024
_DOWNLOAD_SECONDS = 30
_TWICE = Retry(attempts=2, base=0.0)
_AGAIN = (CosErr.NETWORK_ERROR, CosErr.SERVER_ERROR, -71)

Result = dict[str, Any]
Load = Callable[[int, int], bytes]


class BaseOp:
    """What files and folders share."""

    def __init__(self, cred: CredInfo, config: CosConfig, http_session: Any = None) -> None:
        self._cred = cred
        self._config = config
        self._transport = threads.Transport()
        # Programs never close a client.
        weakref.finalize(self, self._transport.discard)

    def set_cred(self, cred: CredInfo) -> None:
        """Set the key pair."""
        self._cred = cred

    def set_config(self, config: CosConfig) -> None:
        """Set hosts and times."""
        self._config = config

    def _build_url(self, bucket: str, cos_path: str) -> str:
        endpoint = self._config.get_endpoint().rstrip("/")
        path = _native.percent_encode(cos_path, "path")
        return f"{endpoint}/{self._cred.get_appid()}/{bucket}{path}"

    def build_download_url(self, bucket: str, cos_path: str, sign: str) -> str:
        """Return the URL of a download."""
        scheme = "https" if self._config.enable_https else "http"
        host = f"{bucket}-{self._cred.get_appid()}.{self._config.get_download_hostname()}"
        path = _native.percent_encode(cos_path, "path")
        return f"{scheme}://{host}{path}?sign={quote_plus(sign)}"

    def send_request(self, method: str, bucket: str, cos_path: str, **kwargs: Any) -> Any:
        """Send a request and return its reply.

        Args:
            method: "GET" or "POST".
            bucket: the bucket.
            cos_path: the path.
            kwargs: as for requests: `headers`, `params`, `data`, `files` and `timeout`.
        """
        url = self._build_url(bucket, cos_path)
        logger.debug("sending request, method: %s, bucket: %s, path: %s", method, bucket, cos_path)
        try:
            response = self._exchange(method, url, **kwargs)
        except WirespeedError as error:
            logger.warning("request failed: %s", error)
            return CosErr.get_err_msg(CosErr.SERVER_ERROR, f"url:{url}, exception:{error}")
        detail = f"url:{url}, status_code:{response.status}"
        if response.status >= 500:
            logger.warning("request failed: %s", detail)
            return CosErr.get_err_msg(CosErr.NETWORK_ERROR, detail)
        try:
            return json.loads(response.body)
        except (ValueError, RecursionError):
            return CosErr.get_err_msg(CosErr.SERVER_ERROR, f"{detail}, the answer is no JSON")

    def _exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: float,
        params: Mapping[str, Any] | None = None,
        data: str | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> Response:
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        target = f"/{path}"
        if params is not None:
            texts = {name: str(value) for name, value in params.items()}
            target += "?" + _native.form_encode(texts)
        made = list(headers.items())
        body: list[bytes] = [] if data is None else [data.encode()]
        if files is not None:
            boundary = secrets.token_hex(16)
            made.append(("Content-Type", f"multipart/form-data; boundary={boundary}"))
            body = list(_form(files, boundary))
        request = Request(method, target, made, body)
        patience = Patience(service="cos", timeout=float(timeout), retry=_TWICE)
        work = call(
            patience,
            Origin.parse(f"{scheme}://{host}", "hostname"),
            lambda: request,
            lambda response: response,
            patience.deadline(3 * float(timeout)),
            ambiguous="op=move" not in target,
        )
        return engine.run(work, self._transport)

    def _check_params(self, request: BaseRequest) -> Result | None:
        """Return None, or the result that tells which argument is wrong."""
        if not self._cred.check_params_valid():
            return CosErr.get_err_msg(CosErr.PARAMS_ERROR, self._cred.get_err_tips())
        if not request.check_params_valid():
            return CosErr.get_err_msg(CosErr.PARAMS_ERROR, request.get_err_tips())
        return None

    def _headers(self, request: BaseRequest, path: str = "", *, once: bool = False) -> Result:
        """Return the headers of a request on `path`, or on the request's own."""
        bucket, path = request.get_bucket_name(), path or request.get_cos_path()
        auth = Auth(self._cred)
        until = int(time.time()) + self._config.get_sign_expired()
        sign = auth.sign_once(bucket, path) if once else auth.sign_more(bucket, path, until)
        return {"Authorization": sign, "User-Agent": self._config.get_user_agent()}

    def _post_json(self, request: BaseRequest, fields: Mapping[str, Any], *, once: bool) -> Any:
        headers = {**self._headers(request, once=once), "Content-Type": "application/json"}
        return self.send_request(
            "POST", request.get_bucket_name(), request.get_cos_path(), headers=headers,
            data=json.dumps(fields), timeout=self._config.get_timeout(),
        )  # fmt: skip

    def _post_form(self, request: BaseRequest, fields: Mapping[str, Any]) -> Any:
        return self.send_request(
            "POST", request.get_bucket_name(), request.get_cos_path(),
            headers=self._headers(request), files=fields, timeout=self._config.get_timeout(),
        )  # fmt: skip

    def del_base(self, request: BaseRequest) -> Any:
        """Delete a file or a folder."""
        return self._check_params(request) or self._post_json(request, {"op": "delete"}, once=True)

    def stat_base(self, request: BaseRequest) -> Any:
        """Ask for the attributes of a file or a folder."""
        return self._check_params(request) or self.send_request(
            "GET", request.get_bucket_name(), request.get_cos_path(),
            headers=self._headers(request), params={"op": "stat"},
            timeout=self._config.get_timeout(),
        )  # fmt: skip


class FileOp(BaseOp):
    """Files."""

    def __init__(self, cred: CredInfo, config: CosConfig, http_session: Any = None) -> None:
        super().__init__(cred, config, http_session)
        self.max_single_file = 20 * _MIB

    def update_file(self, request: UpdateFileRequest) -> Any:
        """Change what the service keeps beside a file."""
        assert isinstance(request, UpdateFileRequest)
        fields: dict[str, Any] = {"op": "update"}
        if request.get_biz_attr() is not None:
            fields["biz_attr"] = request.get_biz_attr()
        if request.get_authority() is not None:
            fields["authority"] = request.get_authority()
        if request.get_custom_headers():
            fields["custom_headers"] = request.get_custom_headers()
        return self._check_params(request) or self._post_json(request, fields, once=True)

    def del_file(self, request: DelFileRequest) -> Any:
        """Delete a file."""
        assert isinstance(request, DelFileRequest)
        return self.del_base(request)

    def stat_file(self, request: StatFileRequest) -> Any:
        """Ask for a file's attributes."""
        assert isinstance(request, StatFileRequest)
        return self.stat_base(request)

    def move_file(self, request: MoveFileRequest) -> Any:
        """Move a file within its bucket."""
        assert isinstance(request, MoveFileRequest)
        wrong = self._check_params(request)
        if wrong:
            return wrong
        fields = {
            "op": "move",
            "dest_fileid": request.dest_path,
            "to_over_write": str(request.overwrite),
        }
        return self.send_request(
            "POST", request.get_bucket_name(), request.get_cos_path(),
            headers=self._headers(request, once=True), params=fields,
            timeout=self._config.get_timeout(),
        )  # fmt: skip

    # ---- uploads ----

    def upload_file(self, request: UploadFileRequest) -> Any:
        """Upload a file: in one request below 8 MiB, else by slices of 1 MiB."""
        assert isinstance(request, UploadFileRequest)
        wrong = self._check_params(request)
        if wrong:
            return wrong
        if os.path.getsize(request.get_local_path()) < _SLICED:
            return self.upload_single_file(request)
        return self.upload_slice_file(
            UploadSliceFileRequest(
                request.get_bucket_name(),
                request.get_cos_path(),
                request.get_local_path(),
                _MIB,
                request.get_biz_attr(),
                request.get_verify_sha1(),
                insert_only=request.get_insert_only(),
            )
        )

    def upload_single_file(self, request: UploadFileRequest) -> Any:
        """Upload a file of at most 20 MiB in one request."""
        assert isinstance(request, UploadFileRequest)
        wrong = self._check_params(request)
        if wrong:
            return wrong
        if os.path.getsize(request.get_local_path()) > self.max_single_file:
            return _too_big()
        with open(request.get_local_path(), "rb") as stream:
            return self._upload(request, stream.read())

    def upload_file_from_buffer(self, request: UploadFileFromBufferRequest) -> Any:
        """Upload bytes: in one request below 8 MiB, else by slices of 1 MiB."""
        assert isinstance(request, UploadFileFromBufferRequest)
        wrong = self._check_params(request)
        if wrong:
            return wrong
        if len(_bytes(request)) < _SLICED:
            return self.upload_single_file_from_buffer(request)
        return self.upload_slice_file_from_buffer(
            UploadSliceFileFromBufferRequest(
                request.get_bucket_name(),
                request.get_cos_path(),
                request.get_data(),
                _MIB,
                request.get_biz_attr(),
                request.get_verify_sha1(),
                insert_only=request.get_insert_only(),
            )
        )

    def upload_single_file_from_buffer(self, request: UploadFileFromBufferRequest) -> Any:
        """Upload at most 20 MiB in one request."""
        assert isinstance(request, UploadFileFromBufferRequest)
        wrong = self._check_params(request)
        if wrong:
            return wrong
        data = _bytes(request)
        return _too_big() if len(data) > self.max_single_file else self._upload(request, data)

    def _upload(self, request: Any, content: bytes) -> Any:
        return self._post_form(
            request,
            {
                "op": "upload",
                "filecontent": content,
                "sha": _native.sha1(content).hex(),
                "biz_attr": request.get_biz_attr(),
                "insertOnly": str(request.get_insert_only()),
            },
        )

    def upload_slice_file(self, request: UploadSliceFileRequest) -> Any:
        """Upload a file by slices."""
        assert isinstance(request, UploadSliceFileRequest)
        wrong = self._check_params(request)
        if wrong:
            return wrong
        path = request.get_local_path()

        def load(offset: int, size: int) -> bytes:
            with open(path, "rb") as stream:
                stream.seek(offset)
                return stream.read(size)

        return self._upload_slices(request, os.path.getsize(path), load)

    def upload_slice_file_from_buffer(self, request: UploadSliceFileFromBufferRequest) -> Any:
        """Upload bytes by slices."""
        assert isinstance(request, UploadSliceFileFromBufferRequest)
        wrong = self._check_params(request)
        if wrong:
            return wrong
        data = _bytes(request)
        return self._upload_slices(
            request, len(data), lambda offset, size: data[offset : offset + size]
        )

    def _upload_slices(self, request: Any, size: int, load: Load) -> Any:
        slice_size = request.get_slice_size()
        fields: dict[str, Any] = {"op": "upload_slice_init"}
        sha: dict[str, str] = {}
        if request.enable_sha1:
            parts = parts_of(load(0, size), slice_size)
            sha = {"sha": parts[-1]["datasha"] if parts else _native.sha1(b"").hex()}
            fields |= {**sha, "uploadparts": json.dumps(parts)}
        fields |= {
            "filesize": str(size),
            "slice_size": str(slice_size),
            "biz_attr": request.get_biz_attr(),
            "insertOnly": str(request.get_insert_only()),
        }
        begun = self._post_form(request, fields)
        if not isinstance(begun, dict) or begun.get("code") != 0:
            return begun
        data = begun.get("data") or {}
        if "access_url" in data:
            return begun
        if "session" not in data:
            return CosErr.get_err_msg(CosErr.SERVER_ERROR, f"the answer has no session: {begun}")
        slice_size = int(data.get("slice_size") or slice_size)
        common = {"op": "upload_slice_data", "session": data["session"], **sha}

        def send(offset: int) -> Any:
            content = load(offset, min(slice_size, size - offset))
            return self._send_slice(
                request, {**common, "filecontent": content, "offset": str(offset)}
            )

        workers = 1 if data.get("serial_upload") == 1 else max(1, request._max_con)
        for result in _each(send, range(0, size, slice_size), workers):
            if not isinstance(result, dict) or result.get("code") != 0:
                return result if workers == 1 else {"code": 1, "message": str(result)}
            if "access_url" in (result.get("data") or {}):
                return result
        return self._post_form(
            request,
            {
                "op": "upload_slice_finish",
                "session": data["session"],
                "filesize": str(size),
                **sha,
            },
        )

    def _send_slice(self, request: BaseRequest, fields: Mapping[str, Any], tries: int = 3) -> Any:
        """Send a slice, again where the network or the service's load was to blame."""
        for left in reversed(range(tries)):
            result = self._post_form(request, fields)
            if not left or not isinstance(result, dict) or result.get("code") not in _AGAIN:
                break
            time.sleep(0.1 * (tries - left))
        return result

    # ---- downloads ----

    def download_file(self, request: DownloadFileRequest) -> Result:
        """Download a file into one here, which appears once it is whole."""
        assert isinstance(request, DownloadFileRequest)
        wrong = self._check_params(request)
        if wrong:
            return wrong
        try:
            answer = self._open_download(request)
            with answer:
                _save(answer, request._local_filename)
        except Exception as error:
            reason = str(error).partition("sign=")[0]
            return {"code": 1, "message": f"download failed, exception: {reason}"}
        return {"code": 0, "message": "download successfully"}

    def download_object(self, request: DownloadObjectRequest) -> Any:
        """Return the stream of a download, undecoded; close it after use.

        Raises:
            IOError: the service said no.
        """
        assert isinstance(request, DownloadObjectRequest)
        answer = self._open_download(request)
        if answer.status_code not in (200, 206):
            answer.close()
            raise OSError(f"get object failed with status code:{answer.status_code}")
        return answer.raw

    def _open_download(self, request: DownloadObjectRequest) -> requests.Response:
        import requests

        bucket, path = request.get_bucket_name(), request.get_cos_path()
        sign = Auth(self._cred).sign_download(bucket, path, self._config.get_sign_expired())
        headers = {"Accept-Encoding": "identity", **(request._custom_headers or {})}
        first, last = request._range_start, request._range_end
        if first is not None or last is not None:
            headers["Range"] = f"bytes={first or 0}-{'' if last is None else last}"
        url = self.build_download_url(bucket, path, sign)
        return requests.get(url, headers=headers, stream=True, timeout=_DOWNLOAD_SECONDS)


class FolderOp(BaseOp):
    """Folders."""

    def update_folder(self, request: UpdateFolderRequest) -> Any:
        """Change a folder's text."""
        assert isinstance(request, UpdateFolderRequest)
        fields = {"op": "update", "biz_attr": request.get_biz_attr()}
        return self._check_params(request) or self._post_json(request, fields, once=True)

    def del_folder(self, request: DelFolderRequest) -> Any:
        """Delete an empty folder."""
        assert isinstance(request, DelFolderRequest)
        return self.del_base(request)

    def stat_folder(self, request: StatFolderRequest) -> Any:
        """Ask for a folder's attributes."""
        assert isinstance(request, StatFolderRequest)
        return self.stat_base(request)

    def create_folder(self, request: CreateFolderRequest) -> Any:
        """Create a folder."""
        assert isinstance(request, CreateFolderRequest)
        fields = {"op": "create", "biz_attr": request.get_biz_attr()}
        return self._check_params(request) or self._post_json(request, fields, once=False)

    def list_folder(self, request: ListFolderRequest) -> Any:
        """List a folder."""
        assert isinstance(request, ListFolderRequest)
        wrong = self._check_params(request)
        if wrong:
            return wrong
        fields = {"op": "list", "num": request.get_num(), "context": request.get_context()}
        if request.get_delimiter():
            fields["delimiter"] = request.get_delimiter()
        path = request.get_cos_path() + request.get_prefix()
        return self.send_request(
            "GET", request.get_bucket_name(), path, headers=self._headers(request, path),
            params=fields, timeout=self._config.get_timeout(),
        )  # fmt: skip


def _form(fields: Mapping[str, Any], boundary: str) -> Iterator[bytes]:
    """Yield a form in which every part has a file name, as the service has always got it."""
    for name, value in fields.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}"'
        yield f"--{boundary}\r\n{head}\r\n\r\n".encode()
        yield value if isinstance(value, bytes) else str(value).encode()
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _each(send: Callable[[int], Any], offsets: range, workers: int) -> Iterator[Any]:
    """Yield the results of sending slices, some at a time; none is begun after a failure."""
    if workers == 1:
        yield from map(send, offsets)
        return
    failed = False

    def guarded(offset: int) -> Any:
        nonlocal failed
        if failed:
            return None
        result = send(offset)
        failed = failed or not isinstance(result, dict) or result.get("code") != 0
        return result

    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(guarded, offsets))
    yield from (result for result in results if result is not None)


def _save(answer: requests.Response, filename: str) -> None:
    """Write a download beside its place, and move it there when it is whole."""
    if answer.status_code not in (200, 206):
        raise OSError(f"download failed with status code:{answer.status_code}")
    length = answer.headers.get("Content-Length")
    folder = os.path.dirname(os.path.abspath(filename))
    handle, temporary = tempfile.mkstemp(prefix=".download-", dir=folder)
    try:
        with open(handle, "wb") as stream:
            for chunk in answer.iter_content(_CHUNK):
                stream.write(chunk)
            size = stream.tell()
        if length is not None and size != int(length):
            raise OSError("download failed with incomplete file")
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, filename)
    except BaseException:
        os.unlink(temporary)
        raise


def _bytes(request: UploadFileFromBufferRequest) -> bytes:
    data = request.get_data()
    return data.encode() if isinstance(data, str) else bytes(data)


def _too_big() -> Result:
    return CosErr.get_err_msg(
        CosErr.NETWORK_ERROR, "file is too big, please use upload_file interface"
    )
