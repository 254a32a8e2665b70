"""What differed between the versions of Python."""

from __future__ import annotations

import http.client as http_client
import json
from base64 import encodebytes
from io import StringIO
from urllib.parse import quote, unquote, urlencode, urlparse

StandardError = Exception
long_type = int
text_type = str

__all__ = [
    "StandardError",
    "StringIO",
    "encodebytes",
    "http_client",
    "json",
    "long_type",
    "quote",
    "text_type",
    "unquote",
    "urlencode",
    "urlparse",
]
