"""Write the fuzzers' first inputs: `python -m tests.fuzz.make_seeds FOLDER` makes one folder each.

The folders are named as the entry points: frame, json_header, binary_header, properties,
stored_messages, send_request, base64, signed_texts. Beside the inputs made here they get those
kept in `corpus/`, a base64 line each, which long runs found to reach new code:
`python -m tests.fuzz.make_seeds --keep FOLDER` writes those files from such folders.
"""

from __future__ import annotations

import base64
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from wirespeed._native.pure import rocketmq

CORPUS = Path(__file__).parent / "corpus"
FIELDS = {
    "a": "group",
    "b": "orders",
    "i": "KEYS\x01k1\x02TAGS\x01paid\x02",
    "j": "0",
    "m": "false",
    "名": '值 "quoted" 😀',
}
JSON_REPLY = (
    '{"code":0,"extFields":{"queueId":"0","msgId":"7F00000100002A9F","queueOffset":5,"a":null,'
    '"t":true},"flag":1,"language":"JAVA","opaque":3,"remark":"\\u00e9\\ud83d\\ude00\\n",'
    '"serializeTypeCurrentRPC":"JSON","version":513,"more":[{"x":[1.5e3,-0]},"y",false]}'
)
NAMES = b"KEYS\x01k1 k2\x02TAGS\x01paid\x02INSTANCE_ID\x01\x02UNIQ_KEY\x017F000001\x02"


def record(body: bytes, magic: int, sys_flag: int) -> bytes:
    """Return one stored message."""
    born = bytes(20 if sys_flag & 0x10 else 8)
    store = bytes(20 if sys_flag & 0x20 else 8)
    topic = (b"\x06" if magic == 0xDAA320A7 else b"\x00\x06") + b"orders"
    crc = zlib.crc32(body) & 0x7FFFFFFF
    rest = (
        struct.pack(">Iiiqqiq", crc, 3, 0, 1000, 123456, sys_flag, 1_700_000_000_000)
        + born
        + struct.pack(">q", 1_700_000_000_001)
        + store
        + struct.pack(">iqi", 0, 0, len(body))
        + body
        + topic
        + struct.pack(">H", len(NAMES))
        + NAMES
    )
    return struct.pack(">II", len(rest) + 8, magic) + rest


def seeds() -> Iterator[tuple[str, bytes]]:
    """Yield (entry point, input)."""
    json_head = rocketmq.encode_header(310, 7, 0, FIELDS, 4, remark="remark\t")
    binary_head = rocketmq.encode_header(310, 7, 0, FIELDS, 4, binary=True, remark="remark")
    yield "frame", json_head + b"body" + binary_head + b"body"
    yield "frame", rocketmq.encode_header(34, 1, 2, None, 0)
    yield "json_header", json_head[8:]
    yield "json_header", JSON_REPLY.encode()
    yield "json_header", b"{}"
    yield "binary_header", binary_head[8:]
    yield "binary_header", rocketmq.encode_header(0, 1, 1, None, 0, binary=True)[8:]
    yield "properties", NAMES
    yield "properties", b"a\x01b\x02\x02\x01c\x02d\x01\x02a\x01longer than before\x02"
    v1, v2 = 0xDAA320A7, 0xDAA320AB
    filler = struct.pack(">II", 12, 0xCBD43194) + bytes(4)
    yield "stored_messages", record(b"body", v1, 0) + filler + record(b"", v2, 0)
    yield "stored_messages", record(b"x" * 100, v2, 0x30)
    yield "send_request", b'\x03\x00\x00\x00\x01\x9a\x00\x00group orders "broker"' + NAMES
    yield "base64", b"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXorLw=="
    yield "base64", b"-_8="
    yield (
        "signed_texts",
        b"Host\x01/a/../b//c d\x02X-Amz-Date\x01  20150830T123600Z \t x\x02host\x01h\x02",
    )
    yield "signed_texts", NAMES + "名\x01值\x02a_b\x01".encode() + bytes(600)


def kept() -> Iterator[tuple[str, bytes]]:
    """Yield (entry point, input) of the corpus."""
    for path in sorted(CORPUS.glob("*.txt")):
        for line in path.read_text(encoding="ascii").split():
            yield path.stem, base64.b64decode(line)


def keep(folder: Path) -> None:
    """Make the corpus of one entry point of all files of the folder of its name."""
    for inputs in sorted(path for path in folder.iterdir() if path.is_dir()):
        lines = sorted(base64.b64encode(path.read_bytes()) for path in inputs.iterdir())
        (CORPUS / f"{inputs.name}.txt").write_bytes(b"".join(line + b"\n" for line in lines))


def main() -> None:
    """Write every seed under the folder named on the command line, or keep what is in it."""
    folder = Path(sys.argv[-1])
    if "--keep" in sys.argv:
        keep(folder)
        return
    for number, (name, data) in enumerate([*seeds(), *kept()]):
        path = folder / name / f"seed-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
