"""The module that setup.py generates from csrc/wirespeed.h."""

from typing import Any

ffi: Any
lib: Any
