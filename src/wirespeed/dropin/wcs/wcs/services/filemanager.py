"""Stat, list, delete and the like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ..commons import config
from ..commons.auth import Auth
from ..commons.http import _get, _post
from ..commons.logme import debug, error
from ..commons.util import entry, urlsafe_base64_encode


class BucketManager:
    """Manages objects; each method returns `(status, value)`.

    Args:
        auth: the key pair.
    """

    def __init__(self, auth: Auth) -> None:
        self.auth = auth

    @property
    def mgr_host(self) -> str:
        """Where requests go: `config.MGR_URL`, or what was assigned here."""
        host: str = self.__dict__.get("_mgr_host") or config.MGR_URL
        return host

    @mgr_host.setter
    def mgr_host(self, value: str) -> None:
        self.__dict__["_mgr_host"] = value

    def limit_check(self) -> Iterator[int]:
        """Yield the limits that a listing may have, 0 to 1000."""
        yield from range(1001)

    def gernerate_headers(self, url: str, body: str | None = None) -> dict[str, str]:
        """Return the headers of a request."""
        return {"Authorization": self.auth.managertoken(url, body=body)}

    def _ask(self, what: str, url: str, body: str | None = None) -> tuple[int, Any]:
        code, text = _post(url=url, data=body, headers=self.gernerate_headers(url, body))
        debug(f"The return code of {what} is {code} and text is: {text}")
        return code, text

    def make_delete_url(self, bucket: str, key: str) -> str:
        """Return the URL of a deletion."""
        return f"{self.mgr_host}/delete/{entry(bucket, key)}"

    def delete(self, bucket: str, key: str) -> tuple[int, Any]:
        """Delete an object."""
        return self._ask("delete", self.make_delete_url(bucket, key))

    def make_filestat_url(self, bucket: str, key: str) -> str:
        """Return the URL of what is known of an object."""
        return f"{self.mgr_host}/stat/{entry(bucket, key)}"

    def stat(self, bucket: str, key: str) -> tuple[int, Any]:
        """Return what is known of an object."""
        url = self.make_filestat_url(bucket, key)
        code, text = _get(url=url, headers=self.gernerate_headers(url))
        debug(f"The return code of stat is {code} and text is: {text}")
        return code, text

    def make_list_url(self, param: Mapping[str, Any]) -> str:
        """Return the URL of a listing."""
        url = f"{self.mgr_host}/list"
        return f"{url}?{self.params_parse(param)}" if param else url

    def bucketlist(
        self,
        bucket: str,
        prefix: str | None = None,
        marker: str | None = None,
        limit: int | None = None,
        mode: int | None = None,
    ) -> tuple[int, Any]:
        """List a bucket.

        Args:
            bucket: the bucket.
            prefix: what the keys begin with.
            marker: the answer before's marker.
            limit: how many entries, up to 1000.
            mode: 1 for one level, 0 for all.

        Raises:
            ValueError: the limit is no int from 0 to 1000.
        """
        options: dict[str, Any] = {"bucket": quote(bucket, safe="")}
        if marker is not None:
            options["marker"] = quote(marker, safe="=")
        if limit is not None:
            if limit not in self.limit_check():
                error("Invalid limit ! Please redefine limit")
                raise ValueError("Invalid limit")
            options["limit"] = limit
        if prefix is not None:
            options["prefix"] = urlsafe_base64_encode(prefix)
        if mode is not None:
            options["mode"] = mode
        url = self.make_list_url(options)
        code, text = _get(url=url, headers=self.gernerate_headers(url))
        debug(f"The return code of list is {code} and text is: {text}")
        return code, text

    def params_parse(self, params: Mapping[str, Any]) -> str:
        """Return `name=value` pairs joined by `&`, as they are."""
        return "&".join(f"{name}={value}" for name, value in params.items())

    def _pair_url(self, what: str, srcbucket: str, srckey: str, dstbucket: str, dstkey: str) -> str:
        source = urlsafe_base64_encode(f"{srcbucket}:{srckey}")
        target = urlsafe_base64_encode(f"{dstbucket}:{dstkey}")
        return f"{self.mgr_host}/{what}/{source}/{target}"

    def make_move_url(self, srcbucket: str, srckey: str, dstbucket: str, dstkey: str) -> str:
        """Return the URL of a move."""
        return self._pair_url("move", srcbucket, srckey, dstbucket, dstkey)

    def move(self, srcbucket: str, srckey: str, dstbucket: str, dstkey: str) -> tuple[int, Any]:
        """Move an object."""
        return self._ask("move", self.make_move_url(srcbucket, srckey, dstbucket, dstkey))

    def make_copy_url(self, srcbucket: str, srckey: str, dstbucket: str, dstkey: str) -> str:
        """Return the URL of a copy."""
        return self._pair_url("copy", srcbucket, srckey, dstbucket, dstkey)

    def copy(self, srcbucket: str, srckey: str, dstbucket: str, dstkey: str) -> tuple[int, Any]:
        """Copy an object."""
        return self._ask("copy", self.make_copy_url(srcbucket, srckey, dstbucket, dstkey))

    def setdeadline(self, bucket: str, key: str, deadline: int | str) -> tuple[int, Any]:
        """Let an object be deleted after a number of days."""
        body = self.params_parse(
            {
                "bucket": urlsafe_base64_encode(bucket),
                "key": urlsafe_base64_encode(key),
                "deadline": deadline,
            }
        )
        return self._ask("setdeadline", f"{self.mgr_host}/setdeadline", body)


FileManager = BucketManager
