"""The native room: one contract, three backends, one of them chosen at import.

`WIRESPEED_BACKEND` is `cython`, `cffi` or `pure`, and is strict: the backend asked for is
loaded, or ImportError tells why not. Unset, it is Cython on CPython and cffi elsewhere; a missing
native backend is an error, never a silent slow path. Only an install that was built with
`WIRESPEED_EXTENSIONS=no` has recorded that choice and runs `pure`.

`WIRESPEED_CPU` is `portable`, `sha-ni`, `avx2`, `avx512` or `armv8` and forces the native digests
onto that path; one that this CPU lacks is an ImportError.

Public within the package: the names of `contract`, and `BACKEND`, the name of the backend.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Literal

from wirespeed._native.contract import (
    BACKENDS,
    DIGEST_NAMES,
    ROCKETMQ_NAMES,
    SIGN_NAMES,
    Buffer,
)

if TYPE_CHECKING:
    # The pure twin is the typed reference; a test holds the others to its signatures.
    from wirespeed._native.pure.digest import (
        Sha1,
        Sha1Lanes,
        Sha256,
        base64url_decode,
        base64url_encode,
        cpu_path,
        cpu_paths,
        cpu_plan,
        crc32,
        crc64,
        etag,
        etag_from_blocks,
        hmac_sha1,
        hmac_sha1_many,
        hmac_sha256,
        set_cpu_path,
        sha1,
        sha1_blocks,
        sha1_kernels,
        sha1_many,
        sha1_states,
        sha256,
    )
    from wirespeed._native.pure.rocketmq import (
        FrameSplitter,
        MessageHandle,
        StoredMessage,
        decode_header,
        decode_messages,
        decode_properties,
        encode_batch,
        encode_header,
        encode_properties,
        encode_send,
        message_create,
        message_destroy,
        message_get_body,
        message_get_keys,
        message_get_properties,
        message_get_property,
        message_get_tags,
        message_get_topic,
        message_is_alive,
        message_set_body,
        message_set_body_length,
        message_set_delay_level,
        message_set_keys,
        message_set_property,
        message_set_tags,
        message_set_topic,
        tag_hash,
    )
    from wirespeed._native.pure.sign import (
        base64_decode,
        base64_encode,
        canonical_headers,
        canonical_query,
        constant_time_equal,
        form_encode,
        percent_encode,
        sign_cmq,
        sign_cos,
        sign_rocketmq,
        sign_v4,
        sign_wcs_manager,
        sign_wcs_upload,
    )

Backend = Literal["cython", "cffi", "pure"]

PARTS = {"digest": DIGEST_NAMES, "sign": SIGN_NAMES, "rocketmq": ROCKETMQ_NAMES}


def build_record() -> dict[str, str]:
    """Return what was asked of the build: keys `extensions`, `backends`, perhaps `sanitize`.

    Empty where nothing was recorded, as after a bare `setup.py build_ext --inplace`.
    """
    try:
        with open(os.path.join(os.path.dirname(__file__), "build_record.txt")) as record:
            return dict(line.rstrip("\n").split("=", 1) for line in record if "=" in line)
    except FileNotFoundError:
        return {}


def _wanted() -> str:
    asked = os.environ.get("WIRESPEED_BACKEND", "")
    if asked:
        if asked not in BACKENDS:
            raise ImportError(
                f"WIRESPEED_BACKEND is {asked!r}: it must be one of {BACKENDS}", name=__name__
            )
        return asked
    if build_record().get("extensions") == "no":
        return "pure"
    return "cython" if sys.implementation.name == "cpython" else "cffi"


def _load() -> Backend:
    name = _wanted()
    try:
        for part, names in PARTS.items():
            module = importlib.import_module(f"wirespeed._native.{name}.{part}")
            globals().update({each: getattr(module, each) for each in names})
    except (ImportError, AttributeError) as failure:
        raise ImportError(
            f"the {name} backend of wirespeed cannot be loaded: {failure}. Reinstall wirespeed "
            "from a wheel or with a C compiler, or choose the slow one with WIRESPEED_BACKEND=pure",
            name=__name__,
        ) from failure
    cpu = os.environ.get("WIRESPEED_CPU", "")
    if cpu:
        try:
            set_cpu_path(cpu)
        except ValueError as failure:
            raise ImportError(
                f"WIRESPEED_CPU is {cpu!r}: this machine can run {', '.join(cpu_paths())}",
                name=__name__,
            ) from failure
    return name  # type: ignore[return-value]


BACKEND: Backend = _load()

__all__ = [
    "BACKEND",
    "Backend",
    "Buffer",
    "FrameSplitter",
    "MessageHandle",
    "Sha1",
    "Sha1Lanes",
    "Sha256",
    "StoredMessage",
    "base64_decode",
    "base64_encode",
    "base64url_decode",
    "base64url_encode",
    "build_record",
    "canonical_headers",
    "canonical_query",
    "constant_time_equal",
    "cpu_path",
    "cpu_paths",
    "cpu_plan",
    "crc32",
    "crc64",
    "decode_header",
    "decode_messages",
    "decode_properties",
    "encode_batch",
    "encode_header",
    "encode_properties",
    "encode_send",
    "etag",
    "etag_from_blocks",
    "form_encode",
    "hmac_sha1",
    "hmac_sha1_many",
    "hmac_sha256",
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
    "percent_encode",
    "set_cpu_path",
    "sha1",
    "sha1_blocks",
    "sha1_kernels",
    "sha1_many",
    "sha1_states",
    "sha256",
    "sign_cmq",
    "sign_cos",
    "sign_rocketmq",
    "sign_v4",
    "sign_wcs_manager",
    "sign_wcs_upload",
    "tag_hash",
]
