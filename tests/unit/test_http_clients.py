"""What the clients of all four HTTP services share: sessions, proxies, events, counters, status."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.fault.test_http_engine import proxy_of
from tests.scripted import ScriptedServer, closed_port
from wirespeed import cmq, cos, sqs, wcs
from wirespeed.config import Credentials, Retry
from wirespeed.errors import ConfigError, ConnectError, Unsupported, WirespeedError
from wirespeed.local import LocalCloud
from wirespeed.telemetry import Event

KEYS = Credentials("local", "local-secret")
SERVICES = ("sqs", "cmq", "cos", "wcs")


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(list(SERVICES)) as made:
        yield made


def client(service: str, cloud: LocalCloud, kind: str = "Client", **options: Any) -> Any:
    """Return a client; `url` in options goes before the cloud's."""
    url = options.pop("url", None)
    if service == "sqs":
        made = getattr(sqs, kind)
        return made("r", endpoint=url or cloud.sqs_url, credentials=KEYS, **options)
    if service == "cmq":
        return getattr(cmq, kind)(url or cloud.cmq_url, KEYS, **options)
    if service == "cos":
        url = url or cloud.cos_url
        return getattr(cos, kind)(
            1250000000, "local", "local-secret", endpoint=url, download_endpoint=url, **options
        )
    url = url or cloud.wcs_url
    return getattr(wcs, kind)("local", "local-secret", upload_url=url, manage_url=url, **options)


def use(service: str, opened: Any) -> None:
    """Carry a message or an object there and back."""
    if service in ("sqs", "cmq"):
        queue = opened.create_queue(f"q{os.urandom(4).hex()}")
        queue.send("hello")
        (message,) = queue.receive(wait=2)
        queue.ack(message)
        return
    bucket = opened.bucket("bucket")
    body = os.urandom(100_000)
    bucket.put("key", body)
    assert bucket.stat("key").size == len(body)
    try:
        assert bucket.get("key") == body
    except Unsupported:
        assert service == "wcs"


@pytest.mark.parametrize("service", SERVICES)
def test_a_session_of_requests(service: str, cloud: LocalCloud, tmp_path: Path) -> None:
    seen: list[str] = []

    class Watching(requests.adapters.HTTPAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            seen.append(request.method)
            return super().send(request, *args, **kwargs)

    # A .netrc would change the Authorization header of a signed request.
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETRC", str(tmp_path / "netrc"))
        with requests.Session() as session:
            session.mount("http://", Watching())
            session.headers["Authorization"] = "nobody"
            with client(service, cloud, session=session) as made:
                use(service, made)
                assert made.status().ok
            use(service, client(service, cloud, session=session))
    assert len(seen) >= 4


@pytest.mark.parametrize("service", SERVICES)
def test_a_session_is_for_the_sync_client_alone(service: str, cloud: LocalCloud) -> None:
    with requests.Session() as session:
        with pytest.raises(ConfigError, match="session"):
            client(service, cloud, "AsyncClient", session=session)
        with pytest.raises(ConfigError, match="session has its own"):
            client(service, cloud, session=session, tls=ssl.create_default_context())
        with pytest.raises(ConfigError, match="session has its own"):
            client(service, cloud, session=session, proxy="http://h:1")
    with pytest.raises(ConfigError, match=r"requests\.Session"):
        client(service, cloud, session="session")


@pytest.mark.parametrize("service", SERVICES)
def test_proxies_given_and_of_the_environment(
    service: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    with ScriptedServer(proxy_of(seen)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        url = f"http://127.0.0.1:{server.port}"
        monkeypatch.setenv("HTTP_PROXY", url)
        for options in ({}, {"proxy": url}):
            with client(service, cloud, url="http://service.invalid", **options) as made:
                with pytest.raises(WirespeedError):
                    use(service, made)
        assert len(seen) >= 2
        assert all(b"http://service.invalid" in first for first, _ in seen)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with client(service, cloud) as made:
            use(service, made)
        monkeypatch.delenv("NO_PROXY")
        with client(service, cloud, proxy="") as made:
            use(service, made)
    with pytest.raises(ConfigError, match="proxy"):
        client(service, cloud, proxy="socks5://h:1")


@pytest.mark.parametrize("service", SERVICES)
def test_events_counters_and_status(service: str, cloud: LocalCloud) -> None:
    with client(service, cloud) as made:
        assert made.status().endpoints == {}
        use(service, made)
        counts = made.metrics.snapshot()
        assert counts["requests"] >= 2
        assert counts["failures"] == counts["retries"] == 0
        assert counts["bytes_sent"] > 100 and counts["bytes_received"] > 100
        status = made.status()
        assert status.ok and len(status.endpoints) == 1
    address = f"http://127.0.0.1:{closed_port()}"
    events: list[Event] = []
    with client(service, cloud, url=address, retry=Retry(3, 0.001)) as made:
        end = made.on("retry", events.append)
        with pytest.raises(ConnectError):
            use(service, made)
        assert [(event.service, event.attempt) for event in events] == [(service, 1), (service, 2)]
        assert made.metrics.snapshot()["retries"] == 2
        status = made.status()
        assert not status.ok and not status.endpoints[address].ok
        end()
        with pytest.raises(ConnectError):
            use(service, made)
        assert len(events) == 2
        with pytest.raises(ConfigError, match="no event"):
            made.on("everything", events.append)


@pytest.mark.parametrize("service", SERVICES)
def test_asyncio_clients_are_seen_alike(service: str, cloud: LocalCloud) -> None:
    async def main() -> None:
        events: list[Event] = []
        address = f"http://127.0.0.1:{closed_port()}"
        options = {"url": address, "retry": Retry(2, 0.001), "proxy": ""}
        async with client(service, cloud, "AsyncClient", **options) as made:
            made.on("retry", events.append)
            call: Callable[[], Any] = (
                made.queue("q").count if service in ("sqs", "cmq") else ping_bucket(made)
            )
            with pytest.raises(ConnectError):
                await call()
            assert len(events) == 1
            assert not made.status().ok
            assert made.metrics.snapshot()["failures"] == 2

    asyncio.run(main())


def ping_bucket(made: Any) -> Callable[[], Any]:
    return lambda: made.bucket("bucket").stat("key")
