"""Hosts and times."""

from __future__ import annotations

from typing import Any

_REGIONS = {
    "shanghai": "sh",
    "guangzhou": "gz",
    "tianjin": "tj",
    "tianjing": "tj",
    "singapore": "sgp",
}


class CosRegionInfo:
    """The hosts of a region, or those given."""

    def __init__(
        self,
        region: str | None = None,
        hostname: str | None = None,
        download_hostname: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if region is not None:
            short = _REGIONS.get(region, region)
            self._hostname = f"{short}.file.myqcloud.com"
            self._download_hostname = f"cos{short}.myqcloud.com"
        elif hostname and download_hostname:
            self._hostname = hostname
            self._download_hostname = download_hostname
        else:
            raise ValueError(
                "region or [hostname, download_hostname] must be set, and region should be "
                "sh/gz/tj/sgp"
            )

    @property
    def hostname(self) -> str:
        """The host of requests, with its port if there is one."""
        return self._hostname

    @property
    def download_hostname(self) -> str:
        """What follows BUCKET-APPID. in the host of downloads."""
        return self._download_hostname


class CosConfig:
    """Hosts, the seconds a request may take, and those a signature is good."""

    def __init__(
        self,
        timeout: int = 300,
        sign_expired: int = 300,
        enable_https: bool = False,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._region = CosRegionInfo(*args, **kwargs)
        self._user_agent = "cos-python-sdk-v4"
        self._timeout = timeout
        self._sign_expired = sign_expired
        self._enable_https = enable_https

    @property
    def _protocol(self) -> str:
        return "https" if self._enable_https else "http"

    def get_endpoint(self) -> str:
        """Return the URL that requests begin with."""
        return f"{self._protocol}://{self._region.hostname}/files/v2"

    def get_download_hostname(self) -> str:
        """Return what follows BUCKET-APPID. in the host of downloads."""
        return self._region.download_hostname

    def get_user_agent(self) -> str:
        """Return the User-Agent of requests."""
        return self._user_agent

    def set_timeout(self, time_out: int) -> None:
        """Set the seconds that a request may take."""
        assert isinstance(time_out, int)
        self._timeout = time_out

    def get_timeout(self) -> int:
        """Return the seconds that a request may take."""
        return self._timeout

    def set_sign_expired(self, expired: int) -> None:
        """Set the seconds that a signature is good."""
        assert isinstance(expired, int)
        self._sign_expired = expired

    def get_sign_expired(self) -> int:
        """Return the seconds that a signature is good."""
        return self._sign_expired

    @property
    def enable_https(self) -> bool:
        """Whether requests and downloads go over TLS."""
        return self._enable_https

    @enable_https.setter
    def enable_https(self, val: bool) -> None:
        self._enable_https = val
