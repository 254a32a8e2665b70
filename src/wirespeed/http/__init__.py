"""HTTP/1.1 for the services that speak it.

`models` are the values, `codec` turns them into bytes and back without I/O, `threads` and
`aio` carry exchanges out over pooled keep-alive connections.
"""

from __future__ import annotations

from .models import Limits, Origin, Request, Response

__all__ = ["Limits", "Origin", "Request", "Response"]
