"""A send request is encoded in one call while nobody looks at its fields, by them afterwards."""

from __future__ import annotations

import pytest

from wirespeed import _native
from wirespeed.config import Credentials
from wirespeed.errors import FrameTooLarge
from wirespeed.remoting.connection import VERSION, Connection
from wirespeed.rocketmq import wire
from wirespeed.rocketmq.models import Message, MessageQueue
from wirespeed.rocketmq.sign import sign

QUEUE = MessageQueue("orders", "broker-a", 3)
FIELDS = {
    "a": "group",
    "b": "orders",
    "c": "TBW102",
    "d": "4",
    "e": "3",
    "f": "1",
    "g": "1763722800000",
    "h": "5",
    "i": "TAGS\x01paid\x02",
    "j": "0",
    "k": "false",
    "m": "false",
    "n": "broker-a",
}


def command(body: bytes = b"body", *, most: int | None = None) -> wire.Command:
    message = Message("orders", body, flag=5)
    return wire.send_request(
        "group", message, FIELDS["i"], QUEUE, 1, 1_763_722_800_000, max_reconsume_times=most
    )


def sent(request: wire.Command, *, binary: bool = False) -> bytes:
    _, buffers = Connection(lambda frame: None, lambda: None, binary=binary).encode(request)
    return b"".join(buffers)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("size", [1, 16384, 16385])
def test_both_ways_write_the_same(size: int, binary: bool) -> None:
    body = b"x" * size
    looked_at = command(body)
    assert looked_at.ext_fields == FIELDS
    request = sent(command(body), binary=binary)
    assert request == sent(looked_at, binary=binary)
    code, language, version, opaque, flag, remark, fields, decoded = _native.decode_header(request)
    assert (code, language, version, opaque, flag, remark) == (310, 3, VERSION, 1, 0, None)
    assert (fields, decoded) == (FIELDS, body)


def test_the_limit_of_deliveries_is_a_field_where_it_is_set() -> None:
    assert _native.decode_header(sent(command(most=16)))[6] == {**FIELDS, "l": "16"}


def test_what_is_signed_is_sent() -> None:
    signed = command()
    sign(signed, Credentials("access", "secret"))
    fields = _native.decode_header(sent(signed))[6]
    assert fields == signed.ext_fields
    assert fields.keys() - FIELDS.keys() == {"AccessKey", "Signature"}


def test_fields_that_are_replaced_are_sent() -> None:
    request = command()
    request.ext_fields = {"b": "other"}
    assert _native.decode_header(sent(request))[6] == {"b": "other"}


def test_a_batch_has_its_own_code_and_mark() -> None:
    request = wire.send_batch_request("group", "orders", b"parts", QUEUE, 1)
    assert request.code == 320
    frame = _native.decode_header(sent(request))
    assert (frame[0], frame[6]["m"], frame[6]["i"], frame[7]) == (
        320, "true", "WAIT\x01true\x02", b"parts",
    )  # fmt: skip
    assert request.ext_fields == frame[6]


def test_a_request_past_the_frame_limit_is_refused() -> None:
    with pytest.raises(FrameTooLarge):
        sent(command(bytes(16 * 1024 * 1024)))
