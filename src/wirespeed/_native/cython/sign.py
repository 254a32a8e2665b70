"""Encodings and request signatures in C; documented in the pure twin.

They are compiled into the extension `digest`, so that both share the kernels in use and the cache
of keys.
"""

from wirespeed._native.cython.digest import (  # type: ignore[import-not-found,unused-ignore]
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

__all__ = [
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
]
