"""Which proxy is chosen, and for which servers none."""

from __future__ import annotations

import pytest

from wirespeed.errors import ConfigError
from wirespeed.http.models import Origin
from wirespeed.http.proxy import Proxies, Proxy

PLAIN = Origin("http", "queue.example.org", 80)
SECURE = Origin("https", "queue.example.org", 443)


@pytest.mark.parametrize(
    ("environ", "plain", "secure"),
    [
        ({}, None, None),
        ({"http_proxy": "http://p:1"}, "p", None),
        ({"HTTP_PROXY": "p:1"}, "p", None),
        ({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, None, None),
        ({"https_proxy": "http://p:1"}, None, "p"),
        ({"HTTPS_PROXY": "http://p:1"}, None, "p"),
        ({"ALL_PROXY": "http://p:1"}, "p", "p"),
        ({"all_proxy": "http://p:1", "https_proxy": "http://q:1"}, "p", "q"),
        ({"HTTPS_PROXY": ""}, None, None),
    ],
)
def test_environment(environ: dict[str, str], plain: str | None, secure: str | None) -> None:
    proxies = Proxies(None, environ)
    for origin, expected in ((PLAIN, plain), (SECURE, secure)):
        found = proxies.find(origin)
        assert (found.origin.host if found else None) == expected
    assert bool(proxies) is bool(plain or secure)


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("*", "http://a.example.org", True),
        ("example.org", "http://example.org", True),
        ("example.org", "http://a.example.org", True),
        (".example.org", "http://a.example.org", True),
        (".example.org", "http://example.org", True),
        ("example.org", "http://notexample.org", False),
        ("EXAMPLE.org", "http://a.example.ORG", True),
        ("example.org:8080", "http://example.org:8080", True),
        ("example.org:8080", "http://example.org", False),
        ("a.org, example.org", "http://example.org", True),
        ("a.org example.org", "http://example.org", True),
        ("10.0.0.0/8", "http://10.1.2.3", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("127.0.0.1", "http://127.0.0.1:9324", True),
        ("127.0.0.1:9324", "http://127.0.0.1:9325", False),
        ("::1", "http://[::1]:80", True),
        ("[::1]:81", "http://[::1]:81", True),
        ("2001:db8::/32", "http://[2001:db8::7]", True),
        ("", "http://169.254.169.254", True),
        ("", "http://example.org", False),
        ("a:b:c", "http://example.org", False),
    ],
)
def test_no_proxy(no_proxy: str, url: str, direct: bool) -> None:
    proxies = Proxies(None, {"ALL_PROXY": "http://p:1", "NO_PROXY": no_proxy})
    assert (proxies.find(Origin.parse(url)) is None) is direct


def test_a_given_proxy_goes_before_the_environment() -> None:
    proxies = Proxies("http://given:3128", {"ALL_PROXY": "http://p:1", "NO_PROXY": "*"})
    found = proxies.find(SECURE)
    assert found is not None
    assert found.origin == Origin("http", "given", 3128)
    assert Proxies("", {"ALL_PROXY": "http://p:1"}).find(SECURE) is None


def test_user_and_password_are_decoded_and_hidden() -> None:
    proxy = Proxy.parse("http://us%40er:pa%3Ass@h:8080", "proxy")
    assert proxy.authorization == "Basic dXNAZXI6cGE6c3M="
    assert "dXNA" not in repr(proxy)
    assert proxy.origin == Origin("http", "h", 8080)


@pytest.mark.parametrize("url", ["socks5://h:1", "https://h:1", "http://h:1/path", "http://"])
def test_bad_proxies_are_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError, match="HTTPS_PROXY"):
        Proxies(None, {"HTTPS_PROXY": url})
    with pytest.raises(ConfigError, match="proxy must"):
        Proxies(7)  # type: ignore[arg-type]
