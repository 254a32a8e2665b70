"""Processing of an object, which the service carries out by and by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..commons.auth import Auth
from ..commons.util import entry, urlsafe_base64_encode
from .manage import Manager, joined


class PersistentFop(Manager):
    """Begins the processing of a bucket's objects."""

    def __init__(self, auth: Auth, bucket: str) -> None:
        super().__init__(auth)
        self.bucket = bucket

    def build_op(self, cmd: str, first_arg: Any, **kwargs: Any) -> str:
        """Return a command with its arguments, as `cmd/first_arg/name/value`."""
        parts = [cmd] if first_arg is None else [cmd, str(first_arg)]
        return "/".join([*parts, *(f"{name}/{value}" for name, value in kwargs.items())])

    def pipe_cmd(self, *cmds: str) -> str:
        """Return commands that are carried out one after the other."""
        return "|".join(cmds)

    def op_save(self, op: str, bucket: str, key: str) -> str:
        """Return a command whose result is stored."""
        return self.pipe_cmd(op, f"saveas/{entry(bucket, key)}")

    def build_ops(self, ops: Mapping[str, Any], key: str) -> list[str]:
        """Return commands, each stored as `key` in the bucket."""
        return [
            self.op_save(self.build_op(op, params), self.bucket, key) for op, params in ops.items()
        ]

    def fops_status(self, persistentId: str) -> tuple[int, Any]:
        """Ask how far the processing is."""
        return self._get_bare(f"/status/get/prefop?persistentId={persistentId}")

    def params(self, params: Mapping[str, Any]) -> str:
        """Return `name=value` pairs joined by `&`, as they are."""
        return joined(params)

    def headers(self, url: str, data: Mapping[str, Any]) -> tuple[dict[str, str], str]:
        """Return the headers of a request, and its body."""
        body = joined(data)
        return {"Authorization": self.auth.managertoken(url, body=body)}, body

    def execute(
        self,
        fops: str,
        key: str,
        force: int | None = None,
        separate: int | None = None,
        notifyurl: str | None = None,
    ) -> tuple[int, Any]:
        """Begin the processing of an object; `fops_status` asks for the `persistentId`."""
        data: dict[str, Any] = {
            "bucket": urlsafe_base64_encode(self.bucket),
            "key": urlsafe_base64_encode(key),
            "fops": urlsafe_base64_encode(fops),
        }
        if notifyurl is not None:
            data["notifyURL"] = urlsafe_base64_encode(notifyurl)
        if force == 1:
            data["force"] = 1
        if separate == 1:
            data["separate"] = 1
        return self._post_signed("/fops", data)
