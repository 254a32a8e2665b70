"""Let each allocation of each native function fail in turn: `allocation_failures LIBRARY BACKEND`.

The library is failing_allocator.c. A call must give its value or MemoryError, hold on to nothing,
and work again afterwards. Prints how many failures each function met.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import struct
import sys
from collections.abc import Callable
from types import ModuleType

from tests.parity.test_rocketmq_header import SEND_FIELDS
from tests.parity.test_rocketmq_stored import record

BODY = bytes(range(200)) * 40
LONG = "v" * 3000
MANY = {f"name-{number}": LONG for number in range(60)}
SMALL = {f"name-{number}": "v" * 90 for number in range(60)}
PARTS = ("group", "orders", LONG, "broker-a", 3, 0, 1_763_722_800_000, 0, 0, None, False)


def life(native: ModuleType) -> object:
    message = native.message_create("topic")
    native.message_set_topic(message, "u" * 500)
    native.message_set_property(message, "long", LONG)
    native.message_set_keys(message, "k1 k2")
    native.message_set_tags(message, "tag")
    native.message_set_delay_level(message, 3)
    native.message_set_body(message, bytearray(BODY))
    read = (
        native.message_get_topic(message), native.message_get_property(message, "long"),
        native.message_get_keys(message), native.message_get_tags(message),
        native.message_get_properties(message), bytes(native.message_get_body(message)),
    )  # fmt: skip
    native.message_destroy(message)
    return read


def split(native: ModuleType) -> object:
    frame = native.encode_header(0, 1, 1, SMALL, len(BODY), remark="x" * 500) + BODY
    splitter = native.FrameSplitter(1 << 20)
    found: list[object] = []
    for at in range(0, len(frame), 4000):
        piece = frame[at : at + 4000]
        splitter.buffer()[: len(piece)] = piece
        found += splitter.received(len(piece))
    return found


def read_stored(native: ModuleType) -> object:
    return [
        (message.topic, bytes(message.body), message.properties, message.property("TAGS"))
        for message in native.decode_messages(record(BODY) * 3)
    ]


def running(native: ModuleType) -> object:
    first, second, lanes = native.Sha1(), native.Sha256(BODY), native.Sha1Lanes(3)
    first.update(BODY)
    lanes.update(BODY[: 3 * 1024], 1024)
    return first.copy().digest(), second.digest(), lanes.digests()


def scenarios(
    digest: ModuleType, sign: ModuleType, rocketmq: ModuleType
) -> dict[str, Callable[[], object]]:
    """Return what to call, by name."""
    header = rocketmq.encode_header(0, 1, 1, SEND_FIELDS, 0)
    binary = rocketmq.encode_header(0, 1, 1, SMALL, 0, binary=True)
    escaped = b'{"remark":"' + b"\\u00e9" * 900 + b'"}'
    json_frame = struct.pack(">II", len(escaped) + 4, len(escaped)) + escaped
    messages = [BODY[:200]] * 50
    return {
        "life of a message": lambda: life(rocketmq),
        "FrameSplitter": lambda: split(rocketmq),
        "decode_messages": lambda: read_stored(rocketmq),
        "decode_header": lambda: rocketmq.decode_header(header),
        "decode_header, binary": lambda: rocketmq.decode_header(binary),
        "decode_header, escaped": lambda: rocketmq.decode_header(json_frame),
        "encode_header": lambda: rocketmq.encode_header(0, 1, 1, MANY, 0, remark=LONG),
        "encode_send": lambda: rocketmq.encode_send(PARTS, BODY, 77, 0, False, 3, 399),
        "encode_batch": lambda: rocketmq.encode_batch([(1, BODY, b"a\x01b\x02")] * 40),
        "encode_properties": lambda: rocketmq.encode_properties(SMALL),
        "decode_properties": lambda: rocketmq.decode_properties(b"a\x01b\x02c\x01d\x02"),
        "running digests": lambda: running(digest),
        "sha1_blocks": lambda: digest.sha1_blocks(BODY, 64),
        "sha1_states": lambda: digest.sha1_states(BODY, 64),
        "sha1_many": lambda: digest.sha1_many(messages),
        "hmac_sha1": lambda: digest.hmac_sha1(b"key", memoryview(BODY)),
        "hmac_sha1_many": lambda: digest.hmac_sha1_many(b"key", messages),
        "etag": lambda: digest.etag(BODY),
        "base64": lambda: sign.base64_decode(sign.base64_encode(BODY)),
        "base64url": lambda: digest.base64url_decode(digest.base64url_encode(BODY)),
        "percent_encode": lambda: sign.percent_encode(LONG),
        "form_encode": lambda: sign.form_encode(SMALL),
        "canonical_query": lambda: sign.canonical_query(SMALL),
        "canonical_headers": lambda: sign.canonical_headers(SMALL),
        "sign_cmq": lambda: sign.sign_cmq("POST", "host", "/path", SMALL, "secret", True),
        "sign_cos": lambda: sign.sign_cos("1", "bkt", "id", "secret", 1, 0, 2, LONG),
        "sign_rocketmq": lambda: sign.sign_rocketmq(SMALL, BODY, "secret"),
        "sign_v4": lambda: sign.sign_v4(
            "POST", "/", SMALL, {"host": "h", "x-amz-date": "20150101T000000Z"}, BODY, "id",
            "secret", "region", "sqs", "20150101T000000Z"
        ),
        "sign_wcs_upload": lambda: sign.sign_wcs_upload("id", "secret", {"scope": LONG}),
        "sign_wcs_manager": lambda: sign.sign_wcs_manager("id", "secret", "/path", BODY),
    }  # fmt: skip


def main(library: str, backend: str) -> int:
    """Run all; return an exit code."""
    digest, sign, rocketmq = (
        importlib.import_module(f"wirespeed._native.{backend}.{part}")
        for part in ("digest", "sign", "rocketmq")
    )
    hook = ctypes.PyDLL(library)
    hook.arm.argtypes = [ctypes.c_long]
    hook.install()
    wrong = 0
    for name, call in scenarios(digest, sign, rocketmq).items():
        wanted = call()
        held = sys.getrefcount(BODY), sys.getrefcount(LONG)
        failures = unexpected = 0
        while True:
            got = None
            hook.arm(failures + 1)
            # A context manager would allocate too.
            try:  # noqa: SIM105
                got = call()
            except MemoryError:
                pass
            if not hook.disarm():
                break
            failures += 1
            unexpected += got is not None and got != wanted
        unexpected += got != wanted
        del got
        gc.collect()
        unexpected += (sys.getrefcount(BODY), sys.getrefcount(LONG)) != held
        wrong += unexpected
        print(f"{name}: {failures} failures{', WRONG' if unexpected else ''}")
        if not failures:
            print(f"{name}: no allocation was seen, so nothing was tested")
            wrong += 1
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
