"""The codes that this side makes."""

from __future__ import annotations

from typing import Any


class CosErr:
    """Codes below 0 that no service sends."""

    PARAMS_ERROR = -1
    NETWORK_ERROR = -2
    SERVER_ERROR = -3
    UNKNOWN_ERROR = -4

    @staticmethod
    def get_err_msg(errcode: int, err_info: Any) -> dict[str, Any]:
        """Return a result that tells of an error."""
        return {"code": errcode, "message": err_info}
