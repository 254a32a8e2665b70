"""The services that there are."""

from __future__ import annotations

HTTP_SERVICES = ("cmq", "cos", "sqs", "wcs")
"""Those that speak HTTP."""

SERVICES = ("rocketmq", *HTTP_SERVICES)
"""All of them."""
