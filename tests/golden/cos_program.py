# -*- coding: utf-8 -*-
"""A program as its users wrote them for cos-python-sdk-v4; it runs under Python 2.7 and 3.

    cos_program.py HOST:PORT FOLDER

It uploads the files of FOLDER, and prints what each call returned, as JSON.
"""

from __future__ import unicode_literals

import json
import os
import socket
import sys

from qcloud_cos import (
    Auth,
    CosClient,
    CosConfig,
    CreateFolderRequest,
    CredInfo,
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
from qcloud_cos.cos_common import Sha1Hash, Sha1Util, sha1

NAMES = [
    "plain", "a b", "中文.txt", "ключ+&=", "a%41~b", "é'()!", "x.y-z_0",
    "@$,", "[brackets]", "a=b;c", "日本語", "-", "UPPER.TXT",
]  # fmt: skip
DOWNLOADS = "downloads.test"


def find_downloads_here():
    """Let the hosts of downloads be this machine."""
    original = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        return original("127.0.0.1" if name.endswith(DOWNLOADS) else host, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo


class Script(object):
    def __init__(self, host, folder):
        self.folder = folder
        self.results = []
        self.client = CosClient(10001, "local", "local-secret")
        port = host.rpartition(":")[2]
        downloads = DOWNLOADS + ":" + port
        self.config = CosConfig(hostname=host, download_hostname=downloads, timeout=20)
        self.client.set_config(self.config)

    def do(self, name, function, *args):
        try:
            value = function(*args)
        except (AssertionError, ValueError, IOError) as error:
            value = type(error).__name__.replace("IOError", "OSError")
        self.results.append([name, value])
        return value

    def path(self, name):
        return os.path.join(self.folder, name)

    def files(self):
        client = self.client
        for number, name in enumerate(NAMES):
            path = "/dir/" + name
            body = (name * (number * 50 + 1)).encode("utf-8")
            request = UploadFileFromBufferRequest("b", path, body, "attr " + name)
            self.do("buffer", client.upload_file_from_buffer, request)
            self.do("exists", client.upload_file_from_buffer, request)
            request.set_insert_only(0)
            self.do("again", client.upload_single_file_from_buffer, request)
            self.do("stat", client.stat_file, StatFileRequest("b", path))
            update = UpdateFileRequest("b", path)
            update.set_biz_attr("new " + name)
            update.set_authority("eWRPrivate")
            update.set_cache_control("no-cache")
            update.set_content_type("text/plain")
            update.set_content_disposition("attachment")
            update.set_content_language("zh")
            update.set_x_cos_meta("x-cos-meta-a", "1")
            self.do("update", client.update_file, update)
            self.do("stat", client.stat_file, StatFileRequest("b", path))
            target = self.path("out")
            self.do("download", client.download_file, DownloadFileRequest("b", path, target))
            with open(target, "rb") as stream:
                self.results.append(["bytes", stream.read() == body])
            stream = client.download_object(DownloadObjectRequest("b", path))
            self.results.append(["stream", stream.read() == body])
            self.do("move", client.move_file, MoveFileRequest("b", path, "/moved/" + name))
            self.do("gone", client.stat_file, StatFileRequest("b", path))
            self.do("delete", client.del_file, DelFileRequest("b", "/moved/" + name))
            self.do("gone", client.del_file, DelFileRequest("b", "/moved/" + name))
        missing = DownloadFileRequest("b", "/none", self.path("none"))
        self.results.append(["none", client.download_file(missing)["code"]])
        self.do("none", client.download_object, DownloadObjectRequest("b", "/none"))

    def uploads(self):
        client = self.client
        for name in ("empty", "small", "large"):
            path = self.path(name)
            self.do("auto", client.upload_file, UploadFileRequest("b", "/auto-" + name, path))
            request = UploadFileRequest("b", "/one-" + name, path, "attr", 0)
            self.do("single", client.upload_single_file, request)
            self.do("stat", client.stat_file, StatFileRequest("b", "/auto-" + name))
        verified = UploadFileRequest("b", "/verified", self.path("large"), "", 1, True)
        self.do("instant", client.upload_file, verified)
        slices = UploadSliceFileRequest("b", "/slices", self.path("middle"), 512 * 1024, "attr")
        self.do("slices", client.upload_slice_file, slices)
        self.do("exists", client.upload_slice_file, slices)
        digests = UploadSliceFileRequest("b", "/digests", self.path("other"), enable_sha1=True)
        self.do("digests", client.upload_slice_file, digests)
        with open(self.path("middle"), "rb") as stream:
            data = stream.read()
        buffer = UploadSliceFileFromBufferRequest("b", "/buffer", data, 2 * 1024 * 1024)
        self.do("buffer", client.upload_slice_file_from_buffer, buffer)
        parallel = UploadSliceFileRequest("b", "/par", self.path("middle"), max_con=3)
        self.do("parallel", client.upload_slice_file, parallel)
        self.do("states", Sha1Util.get_sha1_by_slice, self.path("middle"), 1024 * 1024)
        running = Sha1Hash().update(data[:128])
        self.do("inner", lambda: [running.inner_digest(), running.hexdigest(), sha1(data[:100])])

    def folders(self):
        client = self.client
        for name in NAMES:
            path = "/f/" + name + "/"
            self.do("create", client.create_folder, CreateFolderRequest("b", path, "attr"))
            self.do("exists", client.create_folder, CreateFolderRequest("b", path))
            self.do("update", client.update_folder, UpdateFolderRequest("b", path, "other"))
            self.do("stat", client.stat_folder, StatFolderRequest("b", path))
            inside = UploadFileFromBufferRequest("b", path + "file", b"bytes")
            self.do("put", client.upload_file_from_buffer, inside)
            self.do("list", client.list_folder, ListFolderRequest("b", path))
            self.do("full", client.del_folder, DelFolderRequest("b", path))
            self.do("empty", client.del_file, DelFileRequest("b", path + "file"))
        self.do("list", client.list_folder, ListFolderRequest("b", "/f/", 3))
        self.do("list", client.list_folder, ListFolderRequest("b", "/f/", 3, "", "plain/"))
        self.do("list", client.list_folder, ListFolderRequest("b", "/f/", 10, "a", "", "/"))
        self.do("list", client.list_folder, ListFolderRequest("b", "/"))
        for name in NAMES:
            self.do("delete", client.del_folder, DelFolderRequest("b", "/f/" + name + "/"))

    def wrong(self):
        client = self.client
        small = self.path("small")
        for request, call in (
            (StatFileRequest("b", "no/slash"), client.stat_file),
            (StatFileRequest("b", "/folder/"), client.stat_file),
            (StatFolderRequest("b", "/file"), client.stat_folder),
            (StatFileRequest("b", "/a?b"), client.stat_file),
            (StatFileRequest("b", "/a//b"), client.stat_file),
            (StatFileRequest("b", "/a/ /b"), client.stat_file),
            (CreateFolderRequest("b", "/"), client.create_folder),
            (UpdateFolderRequest("b", "/"), client.update_folder),
            (DelFolderRequest("b", "/"), client.del_folder),
            (CreateFolderRequest("b", "/x/", None), client.create_folder),
            (CreateFolderRequest("b", "/x/", b"bytes"), client.create_folder),
            (UploadFileRequest("b", "/x", "/does/not/exist"), client.upload_file),
            (UploadFileRequest("b", "/x", "/dev"), client.upload_file),
            (UploadFileRequest("b", "/x", small, "", 2), client.upload_file),
            (UploadFileRequest("b", "/x", small, "", "1"), client.upload_file),
            (UploadSliceFileRequest("b", "/x", small, 100), client.upload_slice_file),
            (UploadSliceFileRequest("b", "/x", small, 2097152, "", True), client.upload_slice_file),
            (ListFolderRequest("b", "/x/", 1, None), client.list_folder),
            (ListFolderRequest("b", "/x/", 1, "", b"c"), client.list_folder),
            (StatFileRequest("b", "/x"), client.del_file),
            (StatFileRequest("b", "/x"), client.upload_file),
        ):
            self.do("wrong", call, request)
        for setter, value in (
            ("set_authority", "public"),
            ("set_content_type", b"bytes"),
            ("set_biz_attr", 7),
        ):
            update = UpdateFileRequest("b", "/x")
            getattr(update, setter)(value)
            self.do(setter, client.update_file, update)
        for key, value in (("other", "v"), ("x-cos-meta-", "v"), ("x-cos-meta-a", "")):
            update = UpdateFileRequest("b", "/x")
            update.set_x_cos_meta(key, value)
            self.do("meta", client.update_file, update)
        self.do("overwrite", MoveFileRequest, "b", "/x", "/y", 1)
        self.do("config", CosConfig)
        self.do("config", lambda: CosConfig(hostname="", download_hostname=""))
        self.do("hosts", lambda: [CosConfig(region=r).get_endpoint() for r in ("sh", "tj", "x")])
        client.set_cred(CredInfo("10001", "local", "local-secret"))
        self.do("appid", client.stat_file, StatFileRequest("b", "/x"))
        client.set_cred(CredInfo(10001, "local", "wrong"))
        self.do("denied", client.stat_file, StatFileRequest("b", "/x"))
        sign = Auth(CredInfo(1, "id", "key")).sign_more("b", "/x y", 300)
        self.results.append(["sign", len(sign)])


def main(host, folder):
    find_downloads_here()
    script = Script(host, folder)
    script.files()
    script.uploads()
    script.folders()
    script.wrong()
    print(json.dumps(script.results, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
