"""Checks of arguments; each returns whether it passed and leaves the reason in `get_err_tips`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

_SPACED_SLASHES = re.compile(r"/(\s*)/")
_META = "x-cos-meta-"


class ParamCheck:
    """Checks, and remembers why the last one failed."""

    def __init__(self) -> None:
        self._err_tips = ""

    def get_err_tips(self) -> str:
        """Return why the last check failed."""
        return self._err_tips

    def _fail(self, tips: str) -> bool:
        self._err_tips = tips
        return False

    def check_param_unicode(self, param_name: str, param_value: Any) -> bool:
        """Text."""
        if param_value is None:
            return self._fail(f"{param_name} is None!")
        if not isinstance(param_value, str):
            return self._fail(f"{param_name} is not unicode!")
        return True

    def check_param_int(self, param_name: str, param_value: Any) -> bool:
        """An int."""
        if param_value is None:
            return self._fail(f"{param_name} is None!")
        if not isinstance(param_value, int):
            return self._fail(f"{param_name} is not int!")
        return True

    def check_cos_path_valid(self, cos_path: str, is_file_path: bool) -> bool:
        """The path of a file, or of a folder, which ends in "/"."""
        if not cos_path.startswith("/"):
            return self._fail("cos path must start with /")
        if is_file_path and cos_path.endswith("/"):
            return self._fail("for file operation, cos_path must not end with /")
        if not is_file_path and not cos_path.endswith("/"):
            return self._fail("for folder operation, cos_path must end with /")
        for letter in ("?", "*", ":", "|", "\\", "<", ">", '"'):
            if letter in cos_path:
                return self._fail(f"cos path contain illegal letter {letter}")
        if _SPACED_SLASHES.search(cos_path):
            return self._fail("cos path contain illegal letter / /")
        return True

    def check_not_cos_root(self, cos_path: str) -> bool:
        """Any path but "/"."""
        if cos_path == "/":
            return self._fail("bucket operation is not supported by sdk,")
        return True

    def check_local_file_valid(self, local_path: str) -> bool:
        """A regular file that can be read."""
        if not os.path.exists(local_path):
            return self._fail(f"local_file {local_path} not exist!")
        if not os.path.isfile(local_path):
            return self._fail(f"local_file {local_path} is not regular file!")
        if not os.access(local_path, os.R_OK):
            return self._fail(f"local_file {local_path} is not readable!")
        return True

    def check_slice_size(self, slice_size: int) -> bool:
        """64 KiB to 3 MiB."""
        low, high = 64 * 1024, 3 * 1024 * 1024
        if low <= slice_size <= high:
            return True
        return self._fail(f"slice_size is invalid, only accept [{low}, {high}]")

    def check_insert_only(self, insert_only: int) -> bool:
        """0 or 1."""
        return insert_only in (0, 1) or self._fail("insert_only only support 0 and 1")

    def check_move_over_write(self, to_over_write: int) -> bool:
        """0 or 1."""
        return to_over_write in (0, 1) or self._fail("to_over_write only support 0 and 1")

    def check_file_authority(self, authority: str) -> bool:
        """One of COS's three, or ""."""
        known = ("", "eInvalid", "eWRPrivate", "eWPrivateRPublic")
        return authority in known or self._fail(
            "file authority valid value is: eInvalid, eWRPrivate, eWPrivateRPublic"
        )

    def check_x_cos_meta_dict(self, x_cos_meta_dict: Mapping[str, Any]) -> bool:
        """Names that begin with x-cos-meta- and are longer, and values that are not empty."""
        for key, value in x_cos_meta_dict.items():
            if not self.check_param_unicode("x-cos-meta-key", key):
                return False
            if not self.check_param_unicode("x-cos-meta-value", value):
                return False
            if not key.startswith(_META):
                return self._fail("x-cos-meta key must start with x-cos-meta-")
            if key == _META:
                return self._fail("x-cos-meta key must not just be x-cos-meta-")
            if not value:
                return self._fail("x-cos-meta value must not be empty")
        return True

    def check_update_flag(self, flag: int) -> bool:
        """Any but 0."""
        return flag != 0 or self._fail("no any attribute to be updated!")

    def check_list_order(self, list_order: int) -> bool:
        """0 or 1."""
        return list_order in (0, 1) or self._fail(
            "list order is invalid, please use 0(positive) or 1(reverse)!"
        )

    def check_list_pattern(self, list_pattern: str) -> bool:
        """One of COS's three."""
        known = ("eListBoth", "eListDirOnly", "eListFileOnly")
        return list_pattern in known or self._fail(
            "list pattern is invalid, please use eListBoth or eListDirOnly or eListFileOnly"
        )
