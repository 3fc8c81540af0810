"""Property: all parsers read an accepted URL the same way, so no host can hide behind another one."""

from __future__ import annotations

from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from tenantgate.tokens.fetch import _split
from tenantgate.tokens.proxy import MalformedProxy, configured_proxy
from tenantgate.urls import is_endpoint_url, is_loopback_url, parse_http_url

_PARTS = [
    "https://", "http://", "HTTPS://", "//", "/", "\\", "@", ":", "?", "#", "%40", "%2F", "..", ".", "-", "[::1]",
    "[", "]", "127.0.0.1", "localhost", "issuer.example.test", "EVIL.test", "443", "0", "65536", "user", "word", "a",
    "\t", "\r\n", "\u3002", "\uff0f", "ä", " ", "x=y", "&", ";",
]  # fmt: skip
URLS = st.lists(st.sampled_from(_PARTS), min_size=1, max_size=9).map("".join)


@given(url=URLS.map(lambda rest: f"https://{rest}") | URLS, loopback=st.booleans())
def test_an_accepted_url_has_one_reading(url: str, loopback: bool) -> None:
    if not is_endpoint_url(url, loopback_http=loopback):
        return
    parts = urlsplit(url)
    authority, target = _split(url)
    assert parts.scheme == "https" or (loopback and parts.scheme == "http" and is_loopback_url(url))
    assert parts.netloc == authority
    assert parts.username is None
    assert not parts.fragment
    assert parts.hostname
    assert parts.port is None or 0 < parts.port < 65536
    assert target == (parts.path or "/") + (f"?{parts.query}" if "?" in url else "")
    strict = parse_http_url(url, longest=4096)
    assert strict is not None
    assert strict.host.strip("[]") == parts.hostname


@given(text=URLS)
def test_an_accepted_proxy_has_one_reading(text: str) -> None:
    try:
        proxy = configured_proxy({"HTTPS_PROXY": text})
    except MalformedProxy:
        return
    if proxy is None:
        assert not text.strip()
        return
    parts = urlsplit(proxy.url)
    assert (parts.scheme, parts.path, parts.query, parts.fragment, parts.username) == ("http", "", "", "", None)
    assert parts.port == proxy.port
    assert parts.hostname == proxy.host.strip("[]").lower()
    assert proxy.authorization is None or proxy.authorization.isprintable()
