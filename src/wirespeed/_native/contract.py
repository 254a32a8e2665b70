"""The names that every backend supplies, and the types that all of them take.

The signatures are those of `wirespeed._native.pure`, the typed reference twin. All backends give
equal values, or errors of equal type:

- a `Buffer` argument takes any C-contiguous buffer (bytes, bytearray, memoryview, mmap, array);
  one that is not contiguous is a BufferError, a `str` in its place is a TypeError;
- an argument outside its limits is a ValueError that names the argument and the limit.
"""

from __future__ import annotations

from array import array
from mmap import mmap
from typing import Any, TypeAlias

Buffer: TypeAlias = "bytes | bytearray | memoryview | mmap | array[Any]"
"""Any C-contiguous buffer of bytes."""

BACKENDS = ("cython", "cffi", "pure")

DIGEST_NAMES = (
    "Sha1",
    "Sha1Lanes",
    "Sha256",
    "base64url_decode",
    "base64url_encode",
    "cpu_path",
    "cpu_paths",
    "cpu_plan",
    "crc32",
    "crc64",
    "etag",
    "etag_from_blocks",
    "hmac_sha1",
    "hmac_sha1_many",
    "hmac_sha256",
    "set_cpu_path",
    "sha1",
    "sha1_blocks",
    "sha1_kernels",
    "sha1_many",
    "sha1_states",
    "sha256",
)

ROCKETMQ_NAMES = (
    "FrameSplitter",
    "MessageHandle",
    "StoredMessage",
    "decode_header",
    "decode_messages",
    "decode_properties",
    "encode_batch",
    "encode_header",
    "encode_properties",
    "encode_send",
    "message_create",
    "message_destroy",
    "message_get_body",
    "message_get_keys",
    "message_get_properties",
    "message_get_property",
    "message_get_tags",
    "message_get_topic",
    "message_is_alive",
    "message_set_body",
    "message_set_body_length",
    "message_set_delay_level",
    "message_set_keys",
    "message_set_property",
    "message_set_tags",
    "message_set_topic",
    "tag_hash",
)

SIGN_NAMES = (
    "base64_decode",
    "base64_encode",
    "canonical_headers",
    "canonical_query",
    "constant_time_equal",
    "form_encode",
    "percent_encode",
    "sign_cmq",
    "sign_cos",
    "sign_rocketmq",
    "sign_v4",
    "sign_wcs_manager",
    "sign_wcs_upload",
)
