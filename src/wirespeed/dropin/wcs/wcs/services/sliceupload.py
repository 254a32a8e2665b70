"""Uploads by blocks, which go on where an earlier try stopped."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from wirespeed import _native
from wirespeed.config import Retry
from wirespeed.engine import threads as engine
from wirespeed.engine.effects import Compute, Flow, Gather
from wirespeed.errors import IntegrityError, ServiceError, WirespeedError
from wirespeed.http.calls import Patience, call
from wirespeed.http.models import Buffer, Request, Response
from wirespeed.storage import FileSource
from wirespeed.wcs import flow, wire

from ..commons import config
from ..commons.http import interpret, split, transport
from ..commons.logme import debug, error
from ..commons.util import GetUuid, urlsafe_base64_encode
from .uploadprogressrecorder import UploadProgressRecorder

_NO_DEADLINE = float("inf")


class _Requests(flow.BlockRequests):
    """Builds requests with the methods of a `SliceUpload`, which a subclass may have changed."""

    def __init__(self, owner: SliceUpload) -> None:
        super().__init__(lambda: owner.uploadtoken, owner.uploadBatch)
        self._owner = owner

    @staticmethod
    def _post(url: str, headers: Mapping[str, str], body: Buffer) -> Request:
        return Request("POST", split(url)[1], list(headers.items()), body)

    def begin(self, order: int, size: int, data: Buffer) -> Request:
        owner = self._owner
        headers = owner.block_headers(owner.uploadBatch)
        return self._post(owner.block_url(size, order), headers, data)

    def go_on(self, context: str, offset: int, data: Buffer) -> Request:
        owner = self._owner
        headers = owner.bput_headers(owner.uploadBatch)
        return self._post(owner.bput_url(context, offset), headers, data)

    def join(self, size: int, contexts: Sequence[str]) -> Request:
        owner = self._owner
        headers = owner.file_headers(owner.uploadBatch)
        return self._post(owner.file_url(config.PUT_URL), headers, ",".join(contexts).encode())


class _Record:
    """Stands in for progress: the blocks themselves are what is recorded."""

    def start(self) -> None:
        """Nothing is done yet."""

    def reach(self, block: int, offset: int, *, resumed: bool = False) -> None:
        """A piece is confirmed."""


class SliceUpload:
    """Uploads a file by blocks, `config.Thread_num` at a time.

    The object's key is that of the token's scope; `key` only names the record.

    Args:
        uploadtoken: the upload token, with the scope `bucket:key`.
        filepath: the file.
        key: what the record is kept under.
        params: values that mkfile passes on, as `x:name`.
        upload_progress_recorder: keeps the record.
        modify_time: kept in the record.

    Attributes:
        uploadtoken, filepath, key, params, modify_time: as given.
        size: the file's size in bytes.
        num: how many blocks it has, at least one.
        offsetlist: where each begins.
        uploadBatch: the upload's id.
        progress: bytes of finished blocks.
        status: the blocks' contexts, once all are there.
    """

    def __init__(
        self,
        uploadtoken: str,
        filepath: str,
        key: str,
        params: Mapping[str, str] | None,
        upload_progress_recorder: UploadProgressRecorder,
        modify_time: float | None,
    ) -> None:
        self.uploadtoken = uploadtoken
        self.filepath = filepath
        self.key = key
        self.params = params
        self.upload_progress_recorder = upload_progress_recorder
        self.modify_time = modify_time
        self.size = os.path.getsize(filepath)
        self.num = max(1, -(-self.size // config._BLOCK_SIZE))
        self.offsetlist = [number * config._BLOCK_SIZE for number in range(self.num)]
        self.status: list[str] = []
        self.uploadBatch = ""
        self.progress = 0
        self._lock = threading.Lock()

    def need_retry(self, code: int) -> bool:
        """Whether a status calls for another try."""
        return code == -1 or code == 429 or (500 <= code < 600 and code != 579)

    # The record

    def _identity(self) -> dict[str, Any]:
        """What a record must agree with, so that its blocks may be used."""
        status = os.stat(self.filepath)
        return {
            "size": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "block_size": config._BLOCK_SIZE,
            "scope": _scope(self.uploadtoken),
        }

    def record_upload_progress(self, result: Sequence[Any], uploadBatch: str) -> None:
        """Record a block: `result` is offset, code, context and digest."""
        offset, code, ctx, digest = result
        if code != 200:
            error({"offset": offset, "code": code, "message": ctx})
            return
        with self._lock:
            self.progress += min(config._BLOCK_SIZE, self.size - offset)
            record = {
                "offset": offset,
                "code": code,
                "ctx": ctx,
                "uploadBatch": uploadBatch,
                "progress": self.progress,
                "digest": digest,
                **self._identity(),
            }
            if self.modify_time:
                record["modify_time"] = self.modify_time
            self.upload_progress_recorder.set_upload_record(self.key, record)

    def recovery_from_record(self) -> Any:
        """Return the usable records of this very file, or 'Null'."""
        identity = self._identity()
        found = {}
        batch = None
        for record in self.upload_progress_recorder.get_upload_record(self.key) or []:
            fits = all(record.get(name) == value for name, value in identity.items())
            whole = all(isinstance(record.get(n), str) for n in ("ctx", "digest", "uploadBatch"))
            if fits and whole and record.get("code") == 200:
                if batch not in (None, record["uploadBatch"]):
                    found.clear()
                batch = record["uploadBatch"]
                if record.get("offset") in self.offsetlist:
                    found[record["offset"]] = record
        return list(found.values()) or "Null"

    def records_parse(self, record: Any) -> tuple[list[int], str, int]:
        """Return the offsets that are missing, the upload's id or 'Null', and the bytes there."""
        if record == "Null":
            return list(self.offsetlist), "Null", 0
        done = {entry["offset"] for entry in record}
        size = sum(min(config._BLOCK_SIZE, self.size - offset) for offset in done)
        missing = [offset for offset in self.offsetlist if offset not in done]
        return missing, str(record[-1]["uploadBatch"]), size

    def iscomplet(self, results: Any) -> int:
        """Return 1 when every block is there."""
        if results == "Null":
            return 0
        done = {result["offset"] for result in results if result["code"] == 200}
        return int(done == set(self.offsetlist))

    def result_analysis(self, results: Any) -> list[int]:
        """Return the offsets that are missing."""
        return self.records_parse(results)[0]

    def blockStatus(self, results: Any) -> list[str]:
        """Return the blocks' contexts in order."""
        by_offset = {result["offset"]: result["ctx"] for result in results}
        return [by_offset[offset] for offset in self.offsetlist if offset in by_offset]

    def recovery_to_list(self, records: Any) -> list[list[Any]]:
        """Return the records as lists of offset, code, context and progress."""
        return [[rec["offset"], rec["code"], rec["ctx"], rec["progress"]] for rec in records]

    # URLs and headers

    def _headers(self, uploadBatch: str, kind: str) -> dict[str, str]:
        return {
            "Authorization": self.uploadtoken,
            "Content-Type": kind,
            "uploadBatch": uploadBatch,
        }

    def block_url(self, size: int, blocknum: int) -> str:
        """Return the URL that begins a block."""
        return f"{config.PUT_URL}/mkblk/{size}/{blocknum}"

    def mlkblock_url(self, offset: int) -> str:
        """Return the URL that begins the block at an offset."""
        size = min(config._BLOCK_SIZE, self.size - offset)
        return self.block_url(size, offset // config._BLOCK_SIZE)

    def block_headers(self, uploadBatch: str) -> dict[str, str]:
        """Return the headers that begin a block."""
        return self._headers(uploadBatch, "application/octet-stream")

    def bput_url(self, ctx: str, offset: int) -> str:
        """Return the URL of a further piece."""
        return f"{config.PUT_URL}/bput/{ctx}/{offset}"

    def bput_headers(self, uploadBatch: str) -> dict[str, str]:
        """Return the headers of a further piece."""
        return self._headers(uploadBatch, "application/octet-stream")

    def file_url(self, host: str) -> str:
        """Return the URL that joins the blocks."""
        url = f"{host}/mkfile/{self.size}"
        for name, value in (self.params or {}).items():
            url += f"/x:{name}/{urlsafe_base64_encode(value)}"
        return url

    def file_headers(self, uploadBatch: str) -> dict[str, str]:
        """Return the headers that join the blocks."""
        return self._headers(uploadBatch, "text/plain")

    # The upload

    def slice_upload(self) -> tuple[int, Any]:
        """Upload what the record does not have, and join the blocks.

        Returns:
            The status of mkfile and its answer; `(-1, exception)` when there was none.

        Raises:
            Exception: "slice upload fail": a block could not be uploaded; the record stays.
            IntegrityError: the service stored something else.
        """
        records = self.recovery_from_record()
        offsets, batch, self.progress = self.records_parse(records)
        if batch == "Null":
            self.upload_progress_recorder.delete_upload_record(self.key)
            batch = GetUuid()
        self.uploadBatch = batch
        debug(f"File {self.filepath}: {len(offsets)} of {self.num} blocks are to be uploaded")
        try:
            engine.run(self._send_blocks(offsets), transport)
        except (WirespeedError, OSError) as failure:
            error(f"The upload of {self.filepath} failed: {failure}")
            raise Exception("slice upload fail") from failure
        results = self.recovery_from_record()
        if not self.iscomplet(results):
            error(f"The blocks at {self.result_analysis(results)} are missing")
            raise Exception("slice upload fail")
        return self.make_file(config.PUT_URL, self.blockStatus(results), batch)

    def _patience(self, retries: int) -> Patience:
        return Patience(
            service="wcs",
            timeout=float(config.connection_timeout),
            retry=Retry(max(0, retries) + 1),
        )

    def _send_blocks(self, offsets: Sequence[int]) -> Flow[None]:
        source = FileSource(self.filepath, config._BLOCK_SIZE, config._BPUT_SIZE)
        upload = flow.Upload(
            self._patience(max(config.mkblk_retries, config.bput_retries)),
            split(config.PUT_URL)[0],
            self.key,
            _NO_DEADLINE,
            source,
            _Record(),
            _Requests(self),
        )
        try:
            blocks = [self._send_block(upload, offset) for offset in offsets]
            yield Gather(blocks, max(1, config.Thread_num))
            yield Compute(source.verify)
        finally:
            source.close()

    def _send_block(self, upload: flow.Upload, offset: int) -> Flow[None]:
        index = offset // config._BLOCK_SIZE
        context, digests = yield from flow.upload_block(upload, index)
        result = [offset, 200, context, digests.hex()]
        yield Compute(self.record_upload_progress, result, self.uploadBatch)

    def make_file(self, host: str, blockstatus: list[str], uploadBatch: str) -> tuple[int, Any]:
        """Join blocks; forget the record when that worked, or when the contexts are dead."""
        self.status = blockstatus
        self.uploadBatch = uploadBatch
        last: list[Response] = []

        def parse(response: Response) -> Response:
            last[:] = [response]
            wire.check_status(response)
            return response

        requests = _Requests(self)
        patience = self._patience(config.mkfile_retries)
        try:
            response = engine.run(
                call(
                    patience,
                    split(host)[0],
                    lambda: requests.join(self.size, blockstatus),
                    parse,
                    _NO_DEADLINE,
                ),
                transport,
            )
        except ServiceError as failure:
            error(f"mkfile of {self.filepath} failed: {failure}")
            if failure.code == wire.DEAD_CONTEXT:
                self.upload_progress_recorder.delete_upload_record(self.key)
            return interpret(last[0])
        except WirespeedError as failure:
            error(f"mkfile of {self.filepath} failed: {failure}")
            return -1, failure
        self._check_hash(wire.parse_stored(response))
        self.upload_progress_recorder.delete_upload_record(self.key)
        if not response.body:
            return response.status, {"message": ""}
        return interpret(response)

    def _check_hash(self, stored: str) -> None:
        records = self.recovery_from_record()
        if not stored or records == "Null":
            return
        digests = {record["offset"]: record["digest"] for record in records}
        joined = bytes.fromhex("".join(digests[offset] for offset in sorted(digests)))
        sent = _native.etag_from_blocks(joined)
        if stored != sent:
            raise IntegrityError(
                f"WCS stored {self.filepath!r} with the hash {stored}, but sent was {sent}",
                service="wcs",
                outcome="unknown",
            )


def _scope(uploadtoken: str) -> str:
    """Return the scope that a token is for, or "" where it cannot be read."""
    try:
        policy = json.loads(base64.urlsafe_b64decode(uploadtoken.rpartition(":")[2]))
        return str(policy["scope"])
    except (ValueError, KeyError, TypeError):
        return ""
