# -*- coding: utf-8 -*-
"""A program as its users wrote them for wcs-python-sdk; it runs under Python 2.7 and 3.

    wcs_operations_program.py

It prints what each call returned, as JSON.
"""

import json
import sys

from wcs import PersistentFop
from wcs.commons.auth import Auth
from wcs.commons.util import urlsafe_base64_encode
from wcs.services.fmgr import Fmgr
from wcs.services.wslive import WsLive

KEYS = ("中文 key", "a/b?c=d&e", "plain")
NOTES = (None, "http://notify/?a=b&c")


def main():
    auth = Auth("1234", "qwer")
    results = []
    fmgr = Fmgr(auth)
    for key in KEYS:
        resource = urlsafe_base64_encode("b:" + key)
        fops = "resource/" + resource + "/bucket/" + urlsafe_base64_encode("c")
        for note in NOTES:
            for separate in (None, 0, 1):
                for name in ("move", "copy", "delete"):
                    call = getattr(fmgr, "fmgr_" + name)
                    results.append([name, call(fops, note, separate)])
                results.append(["prefix", fmgr.prefix_delete(fops, note, separate)])
                results.append(["m3u8", fmgr.m3u8_delete(fops, note, separate)])
                for force in (None, 1):
                    results.append(["fetch", fmgr.fmgr_fetch(fops, note, force, separate)])
    results.append(["status", fmgr.status("p-1")])
    fop = PersistentFop(auth, "b")
    results.append(["op", fop.build_op("imageView", "2", w=100), fop.build_op("vframe", None)])
    results.append(["pipe", fop.pipe_cmd("a", "b", "c")])
    for note in NOTES:
        for force in (None, 0, 1):
            results.append(["execute", fop.execute("avthumb/mp4|saveas/x", "k", force, 1, note)])
    results.append(["execute", fop.execute("vframe", "中文")])
    results.append(["status", fop.fops_status("p-2")])
    live = WsLive(auth)
    results.append(["live", live.wslive_list("c", "20170101", "20170102", "b")])
    results.append(["live", live.wslive_list("c", "20170101", "20170102", "b", 0, 10)])
    sys.stdout.write(json.dumps(results))


main()
