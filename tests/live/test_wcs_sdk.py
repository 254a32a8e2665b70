"""The living WCS SDK, wcs-python3-sdk 5.0.36, as a client of our local WCS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.live.installed import installed, run_program
from wirespeed import wcs
from wirespeed.digest import etag_file
from wirespeed.local import LocalCloud

SDK = ("wcs-python3-sdk==5.0.36", "crcmod", "requests", "requests-toolbelt", "pyyaml")

PROGRAM = r"""
import json, os, sys, time
from wcs.commons.config import Config
from wcs.commons.util import etag, urlsafe_base64_encode as b64
from wcs.services.client import Client

url, small, large, records = sys.argv[1:]
config = Config()
config.access_key, config.secret_key = "local", "local-secret"
config.put_url = config.mgr_url = url
config.tmp_record_folder = records
config.overwrite = 1
client = Client(config)
results = {}


def note(name, answer):
    code, body = answer[0], answer[1]
    results[name] = [code, body if isinstance(body, (dict, list, str, int)) else str(body)]
    return body


note("simple_upload", client.simple_upload(small, "b", "dir/small"))
note("smart_upload", client.smart_upload(large, "b", "dir/large", multi_size=1))
note("multipart_upload", client.multipart_upload(large, "b", "dir/again"))
note("stat", client.stat("b", "dir/large"))
note("bucket_list", client.bucket_list("b", prefix="dir/", limit=2))
note("bucket_listAll", client.bucket_listAll("b", prefix="dir/", limit=1))
note("list_buckets", client.list_buckets())
note("bucket_stat", client.bucket_stat("b", "2026-01-01", "2026-01-02"))
note("bucket_statistics", client.bucket_statistics("b", "uploadFlow", "2026-01-01", "2026-01-02"))
note("move", client.move("b", "dir/again", "b", "moved"))
note("copy", client.copy("b", "moved", "b", "copied"))
note("setdeadline", client.setdeadline("b", "copied", 3))
begun = note("fmgr_delete", client.fmgr_delete("bucket/%s/key/%s" % (b64("b"), b64("copied"))))
note("fmgr_status", client.fmgr_status(begun["persistentId"]))
note("fmgr_copy", client.fmgr_copy(
    "resource/%s/bucket/%s/key/%s" % (b64("b:moved"), b64("b"), b64("again"))))
note("fmgr_move", client.fmgr_move(
    "resource/%s/bucket/%s/key/%s" % (b64("b:again"), b64("b"), b64("third"))))
slow = [
    note("fmgr_fetch", client.fmgr_fetch("fetchURL/%s/bucket/%s/key/%s" % (
        b64(url + "/download/b/dir/small"), b64("b"), b64("fetched")))),
    note("fmgr_compress", client.fmgr_compress("bucket/%s/key/%s/format/zip/saveas/%s" % (
        b64("b"), b64("dir/small"), b64("b:packed.zip")))),
]
limit = time.time() + 20
for begun in slow:
    while client.fmgr_status(begun["persistentId"])[1]["code"] < 3 and time.time() < limit:
        time.sleep(0.05)
begun = note("ops_execute", client.ops_execute("avthumb/mp4", "b", "moved"))
note("ops_status", client.ops_status(begun["persistentId"]))
note("wslive_list", client.wslive_list("news", "20260101000000", "20260102000000", "b"))
note("delete", client.delete("b", "moved"))
note("prefix_delete", client.prefix_delete("bucket/%s/prefix/%s" % (b64("b"), b64("third"))))
note("missing", client.stat("b", "none"))
results["etag"] = etag(large)
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def sdk() -> Path:
    """Return the folder of the SDK, installed the first time."""
    return installed("wcs-python3-sdk-5.0.36", *SDK)


def test_every_call_of_the_sdk(sdk: Path, tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"small")
    large.write_bytes(os.urandom(9 * 1024 * 1024 + 7))
    with LocalCloud(["wcs"]) as cloud:
        paths = (str(small), str(large), f"{tmp_path}/records/")
        results = run_program(PROGRAM, sdk, tmp_path, cloud.wcs_url, *paths)
        expected = etag_file(str(large))
        assert results.pop("etag") == expected
        assert results.pop("missing")[0] == 404
        assert {name: answer[0] for name, answer in results.items()} == dict.fromkeys(results, 200)
        assert results["stat"][1]["hash"] == expected
        assert len(results["bucket_list"][1]["items"]) == 2
        assert len(results["bucket_listAll"][1]["items"]) == 3
        assert results["fmgr_status"][1]["code"] == results["ops_status"][1]["code"] == 3
        with wcs.Client(
            "local", "local-secret", upload_url=cloud.wcs_url, manage_url=cloud.wcs_url
        ) as client:
            keys = {item.key for item in client.bucket("b").list()}
            fetched = client.bucket("b").stat("fetched")
    assert keys == {"dir/small", "dir/large", "fetched", "packed.zip"}
    assert fetched.size == 5
