"""The console: a page that shows what the cloud holds, and the control of it over HTTP."""

from __future__ import annotations

from .app import create_app

__all__ = ["create_app"]
