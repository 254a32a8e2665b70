"""The import name of rocketmq-client-python 2.0, over wirespeed."""

from __future__ import annotations

__version__ = "2.0.0"
