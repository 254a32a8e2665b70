"""Recordings of live streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..commons.http import _get
from ..commons.logme import debug
from .manage import Manager, joined


class WsLive(Manager):
    """Lists the recordings of live streams."""

    @property
    def mgr_host(self) -> str:
        """Where requests go, as `host`."""
        return self.host

    @mgr_host.setter
    def mgr_host(self, value: str) -> None:
        self.host = value

    def gernerate_headers(self, url: str, body: str | None = None) -> dict[str, str]:
        """Return the headers of a request."""
        return {"Authorization": self.auth.managertoken(url, body=body)}

    def params_parse(self, params: Mapping[str, Any]) -> str:
        """Return `name=value` pairs joined by `&`, the values percent-encoded."""
        return joined({name: quote(str(value), safe="=") for name, value in params.items()})

    def make_list_url(self, param: Mapping[str, Any]) -> str:
        """Return the URL of a listing."""
        url = f"{self.host}/wslive/list"
        return f"{url}?{self.params_parse(param)}" if param else url

    def wslive_list(
        self,
        channelname: str,
        startTime: str,
        endTime: str,
        bucket: str,
        start: int | None = None,
        limit: int | None = None,
    ) -> tuple[int, Any]:
        """List a channel's recordings of a time; `start` and `limit` choose a page."""
        query: dict[str, Any] = {
            "channelname": channelname,
            "startTime": startTime,
            "endTime": endTime,
            "bucket": bucket,
        }
        if start is not None:
            query["start"] = start
        if limit is not None:
            query["limit"] = limit
        url = self.make_list_url(query)
        code, text = _get(url=url, headers=self.gernerate_headers(url))
        debug(f"The return code of list is {code} and text is: {text}")
        return code, text
