"""Redirect targets that the provider allows, and an attack table of those it refuses."""

import pytest

from tenantgate.openid_provider.protocol.redirects import MAX_URI_CHARACTERS, RedirectRule

EXACT = "https://auth.example.com/api/v1/auth/callback"
RULE = RedirectRule(exact=[EXACT], origins=["https://app.example.com", "http://localhost:5173", "https://h.test:8443"])


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(EXACT, id="exact"),
        pytest.param("https://app.example.com", id="only-the-origin"),
        pytest.param("https://app.example.com/a/b?c=d", id="any-path"),
        pytest.param("https://app.example.com:443/", id="default-port-written-out"),
        pytest.param("HTTPS://APP.example.com/", id="other-case"),
        pytest.param("http://localhost:5173/cb", id="loopback"),
        pytest.param("https://h.test:8443/", id="port"),
    ],
)
def test_allows(uri: str) -> None:
    assert RULE(uri)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("", id="empty"),
        pytest.param(EXACT + "/", id="exact-with-slash"),
        pytest.param(EXACT + "?a=b", id="exact-with-query"),
        pytest.param("http://app.example.com/", id="other-scheme"),
        pytest.param("https://app.example.com:8443/", id="other-port"),
        pytest.param("https://app.example.com.evil.test/", id="suffix"),
        pytest.param("https://evilapp.example.com/", id="prefix"),
        pytest.param("https://app.example.com@evil.test/", id="user-info"),
        pytest.param("https://user:pass@app.example.com/", id="user-info-at-the-right-host"),
        pytest.param("https://evil.test#@app.example.com/", id="fragment-before-host"),
        pytest.param("https://app.example.com/#token", id="fragment"),
        pytest.param("https://evil.test\\@app.example.com/", id="backslash"),
        pytest.param("https:/\\app.example.com/", id="mixed-slashes"),
        pytest.param("https:app.example.com/", id="no-slashes"),
        pytest.param("//app.example.com/", id="no-scheme"),
        pytest.param("/cb", id="path"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("data:text/html,x", id="data"),
        pytest.param("ftp://app.example.com/", id="ftp"),
        pytest.param("https://app.example.com\t.evil.test/", id="tab"),
        pytest.param("https://app.exam\nple.com/", id="line-break"),
        pytest.param(" https://app.example.com/", id="leading-space"),
        pytest.param("https://app.example.com/\n", id="trailing-line-break"),
        pytest.param("https://аpp.example.com/", id="cyrillic-letter"),
        pytest.param("https://app.example.com。evil.test/", id="ideographic-full-stop"),
        pytest.param("https://app.example.com./", id="trailing-dot"),
        pytest.param("https://app%2eexample.com/", id="percent-encoded-host"),
        pytest.param("https://app.example.com:99999/", id="port-out-of-range"),
        pytest.param("https://app.example.com:abc/", id="port-not-a-number"),
        pytest.param("https://[::1/", id="broken-ipv6"),
        pytest.param("https://app.example.com/" + "x" * MAX_URI_CHARACTERS, id="too-long"),
    ],
)
def test_refuses(uri: str) -> None:
    assert not RULE(uri)
