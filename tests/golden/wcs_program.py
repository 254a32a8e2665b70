# -*- coding: utf-8 -*-
"""A program as its users wrote them for wcs-python-sdk; it runs under Python 2.7 and 3.

    wcs_program.py FOLDER

It uploads the files of FOLDER and prints what each call returned, as JSON.
"""

import json
import os
import sys
from collections import OrderedDict

from wcs.commons.auth import Auth
from wcs.commons.config import PutPolicy
from wcs.commons.util import crc32, entry, etag, readfile, urlsafe_base64_encode
from wcs.services.filemanager import BucketManager
from wcs.services.regupload import RegUpload
from wcs.services.sliceupload import SliceUpload
from wcs.services.uploadprogressrecorder import UploadProgressRecorder

KEYS = [
    "plain", "a b", "a/b/c", "a+b", "a%41", "a&b=c", "a?b", "a#b", "a:b", "a~b-c_d.e", "(a)", "a'b",
    "a,b;c", "a@b$c", "[a]", "UPPER.TXT", "0", "-", "中文", "ключ", "é", "dir/中 文", "dir/.",
    "x" * 200,
]  # fmt: skip
DEADLINE = "4102444800000"


def token(auth, scope, **more):
    policy = OrderedDict([("scope", scope), ("deadline", DEADLINE), ("overwrite", 1)])
    policy.update(more)
    return auth.uploadtoken(policy)


def main(folder):
    results = []
    auth = Auth("local", "local-secret")
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        results.append(["etag", etag(path)])
        with open(path, "rb") as stream:
            results.append(["crc32", crc32(readfile(stream, 0, 100) or b"")])
        results.append(["reg", RegUpload(token(auth, "b:reg-" + name)).reg_upload(path)])
        upload = SliceUpload(
            token(auth, "b:" + name),
            path,
            name,
            {"position": "local"},
            UploadProgressRecorder(),
            1.5,
        )
        results.append(["slice", upload.slice_upload()])
        upload = RegUpload(token(auth, "b", returnBody="k=$(key)&x=$(x:a)&s=$(fsize)"))
        upload.fileds["key"] = "named-" + name
        upload.fileds["x:a"] = "value"
        results.append(["named", upload.reg_upload(path)])
    results.append(["bad", RegUpload("local:bad:token").reg_upload(path)])
    manager = BucketManager(auth)
    results.append(["stat", manager.stat("b", "small")])
    results.append(["list", manager.bucketlist("b", limit=3)])
    results.append(["list", manager.bucketlist("b", limit=2, marker="bmFtZWQtbWlkZGxl", mode=0)])
    results.append(["delete", manager.delete("b", "small")])
    results.append(["gone", manager.stat("b", "small")])
    results.append(["denied", BucketManager(Auth("local", "wrong")).stat("b", "large")])
    for key in KEYS:
        upload = RegUpload(token(auth, "b:" + key))
        results.append(["put", upload.reg_upload(path)])
        upload = RegUpload(token(auth, "b", returnBody="k=$(key)&b=$(bucket)"))
        upload.fileds["key"] = key
        named, found = upload.reg_upload(path), manager.stat("b", key)
        # The original misreads replies with other characters.
        plain = all(ord(character) < 128 for character in key)
        results.append(["put", named if plain else named[0]])
        results.append(["stat", found if plain else found[0]])
        if plain:
            results.append(["list", manager.bucketlist("b", limit=len(key))])
            results.append(["list", manager.bucketlist("b", limit=len(key), mode=1)])
        results.append(["delete", manager.delete("b", key)])
        results.append(["gone", manager.stat("b", key)])
    results.append(["move", manager.make_move_url("b", "k", "c", "l").rpartition("/move/")[2]])
    results.append(["entry", [entry("b", "k"), entry("b", None), urlsafe_base64_encode("b?>")]])
    policy = PutPolicy()
    policy.set_conf("scope", "b:k")
    results.append(["policy", [policy.putpolicy, policy.get_conf("scope")]])
    sys.stdout.write(json.dumps(results))


main(sys.argv[1])
