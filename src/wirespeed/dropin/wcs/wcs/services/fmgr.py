"""Operations on many objects, which the service carries out by and by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..commons.util import urlsafe_base64_encode
from .manage import Manager, joined


class Fmgr(Manager):
    """Begins operations; the value of each answer has the `persistentId` that `status` asks for.

    `fops` is what the service's manual calls so, `notifyurl` is told when it is done, and with
    `separate` 1 of each part.
    """

    def gernerate_headers(self, url: str, body: str | None = None) -> dict[str, str]:
        """Return the headers of a request."""
        return {"Authorization": self.auth.managertoken(url, body=body)}

    def params_parse(self, params: Mapping[str, Any]) -> str:
        """Return `name=value` pairs joined by `&`, as they are."""
        return joined(params)

    def _begin(
        self,
        what: str,
        fops: str,
        notifyurl: str | None,
        separate: int | None,
        force: int | None = None,
    ) -> tuple[int, Any]:
        params: dict[str, Any] = {"fops": fops}
        if notifyurl is not None:
            params["notifyURL"] = urlsafe_base64_encode(notifyurl)
        if force is not None:
            params["force"] = force
        if separate is not None:
            params["separate"] = separate
        return self._post_signed(f"/fmgr/{what}", params)

    def fmgr_move(
        self, fops: str, notifyurl: str | None = None, separate: int | None = None
    ) -> tuple[int, Any]:
        """Move objects."""
        return self._begin("move", fops, notifyurl, separate)

    def fmgr_copy(
        self, fops: str, notifyurl: str | None = None, separate: int | None = None
    ) -> tuple[int, Any]:
        """Copy objects."""
        return self._begin("copy", fops, notifyurl, separate)

    def fmgr_fetch(
        self,
        fops: str,
        notifyurl: str | None = None,
        force: int | None = None,
        separate: int | None = None,
    ) -> tuple[int, Any]:
        """Let the service fetch URLs into a bucket."""
        return self._begin("fetch", fops, notifyurl, separate, force)

    def fmgr_delete(
        self, fops: str, notifyurl: str | None = None, separate: int | None = None
    ) -> tuple[int, Any]:
        """Delete objects."""
        return self._begin("delete", fops, notifyurl, separate)

    def prefix_delete(
        self, fops: str, notifyurl: str | None = None, separate: int | None = None
    ) -> tuple[int, Any]:
        """Delete all objects whose keys begin with a prefix."""
        return self._begin("deletePrefix", fops, notifyurl, separate)

    def m3u8_delete(
        self, fops: str, notifyurl: str | None = None, separate: int | None = None
    ) -> tuple[int, Any]:
        """Delete playlists, and what they list."""
        return self._begin("deletem3u8", fops, notifyurl, separate)

    def status(self, persistentId: str) -> tuple[int, Any]:
        """Ask how far an operation is."""
        return self._get_bare(f"/fmgr/status?persistentId={persistentId}")
