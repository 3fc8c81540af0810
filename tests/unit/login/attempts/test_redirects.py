"""Redirect targets. Each attack has led some parser to another host."""

from collections.abc import Callable

import pytest

from tenantgate.errors.access import RedirectNotAllowed
from tenantgate.login.attempts.redirects import MAX_TARGET_LENGTH, RedirectPolicy

POLICY = RedirectPolicy(
    allowed_origins=("https://app.example.com", "https://app.example.com:8443", "http://localhost:5173"),
    public_base_url="https://auth.example.com",
)

ALLOWED_URLS = [
    pytest.param("https://app.example.com", id="bare-origin"),
    pytest.param("https://app.example.com/", id="root"),
    pytest.param("https://app.example.com:443/", id="default-port-spelled-out"),
    pytest.param("HTTPS://APP.Example.COM/signed-in", id="case-of-scheme-and-host"),
    pytest.param("https://app.example.com:8443/a/b?c=d", id="other-allowed-port"),
    pytest.param("https://app.example.com?next=https%3A%2F%2Fevil.example", id="query-right-after-host"),
    pytest.param("https://app.example.com/@evil.example", id="at-sign-in-the-path"),
    pytest.param("https://app.example.com/?u=http://evil.example/", id="url-in-the-query"),
    pytest.param("http://localhost:5173/callback", id="loopback-in-development"),
    pytest.param("https://auth.example.com/", id="our-own-origin"),
]

ATTACKS_ON_URLS = [
    # Another origin, undisguised
    pytest.param("https://evil.example/", id="another-host"),
    pytest.param("http://app.example.com/", id="plain-http"),
    pytest.param("https://app.example.com:444/", id="another-port"),
    pytest.param("https://app.example.com:80/", id="the-other-schemes-port"),
    pytest.param("https://example.com/", id="parent-domain"),
    pytest.param("http://localhost:5174/", id="loopback-another-port"),
    pytest.param("http://127.0.0.1:5173/", id="loopback-by-address"),
    # Suffix and prefix tricks
    pytest.param("https://app.example.com.evil.example/", id="allowed-host-as-subdomain"),
    pytest.param("https://evil-app.example.com/", id="allowed-host-as-suffix"),
    pytest.param("https://xapp.example.com/", id="longer-label"),
    pytest.param("https://a.app.example.com/", id="subdomain-of-allowed"),
    pytest.param("https://app.example.com.", id="trailing-dot"),
    pytest.param("https://app.example.comevil.example/", id="glued"),
    pytest.param("https://app.example.co", id="shortened"),
    pytest.param("https://app.example.com:8443evil.example/", id="port-with-letters"),
    pytest.param("https://app.example.com:/", id="empty-port"),
    pytest.param("https://app.example.com:99999999/", id="huge-port"),
    pytest.param("https://app.example.com:-443/", id="negative-port"),
    # User info
    pytest.param("https://app.example.com@evil.example/", id="host-as-user"),
    pytest.param("https://app.example.com:pw@evil.example/", id="host-as-user-with-password"),
    pytest.param("https://evil.example@app.example.com/", id="user-info-before-allowed-host"),
    pytest.param("https://@app.example.com/", id="empty-user-info"),
    pytest.param("https://app.example.com%40evil.example/", id="encoded-at-sign"),
    pytest.param("https://app.example.com%2F@evil.example/", id="encoded-slash-in-user-info"),
    # Backslashes and missing or extra slashes
    pytest.param("https:\\\\app.example.com/", id="backslashes-for-slashes"),
    pytest.param("https://evil.example\\@app.example.com/", id="backslash-ends-the-host-in-browsers"),
    pytest.param("https://evil.example\\.app.example.com/", id="backslash-in-host"),
    pytest.param("https://app.example.com\\.evil.example/", id="backslash-after-host"),
    pytest.param("https:/app.example.com/", id="one-slash"),
    pytest.param("https:app.example.com/", id="no-slash"),
    pytest.param("https:///app.example.com/", id="three-slashes"),
    pytest.param("https:////evil.example/", id="four-slashes"),
    pytest.param("https://app.example.com//evil.example/", id="double-slash-path"),
    pytest.param("https://app.example.com/%5c%5cevil.example/", id="encoded-backslashes-in-path"),
    pytest.param("https://app.example.com/%0d%0aSet-Cookie:x=y", id="encoded-line-break-in-path"),
    # Punycode and other look-alikes
    pytest.param("https://аpp.example.com/", id="cyrillic-a"),
    pytest.param("https://xn--pp-7kc.example.com/", id="punycode-of-it"),
    pytest.param("https://app。example。com/", id="ideographic-full-stop"),
    pytest.param("https://app.example.com／evil.example/", id="full-width-slash"),
    pytest.param("https://ａpp.example.com/", id="full-width-letter"),
    pytest.param("https://app.exam\u00adple.com/", id="soft-hyphen"),
    pytest.param("https://app.example.com\u200b/", id="zero-width-space"),
    pytest.param("https://app.ex\u0131ample.com/", id="dotless-i"),
    # Control characters and white space
    pytest.param("https://app.example.com\t.evil.example/", id="tab-is-dropped-by-browsers"),
    pytest.param("ht\ntps://app.example.com/", id="line-feed-in-scheme"),
    pytest.param("https://app.example.com/\r\nSet-Cookie: a=b", id="header-injection"),
    pytest.param("https://app.example.com/\x00", id="null"),
    pytest.param(" https://app.example.com/", id="leading-space"),
    pytest.param("https://app.example.com/ ", id="trailing-space"),
    pytest.param("https://app.example.com/\x7f", id="delete"),
    pytest.param("https://app.example.com/\n", id="trailing-line-feed"),
    pytest.param('https://app.example.com/"onload=', id="quote"),
    pytest.param("https://app.example.com/<script>", id="markup"),
    # Encodings in the host, numbers for hosts
    pytest.param("https://app%2eexample.com/", id="encoded-dot"),
    pytest.param("https://%61pp.example.com/", id="encoded-letter"),
    pytest.param("https://app.example.com%00.evil.example/", id="encoded-null-in-host"),
    pytest.param("http://2130706433:5173/", id="address-as-one-number"),
    pytest.param("http://0x7f.1:5173/", id="address-in-hexadecimal"),
    pytest.param("http://[::ffff:127.0.0.1]:5173/", id="mapped-address"),
    pytest.param("http://[::1]:5173/", id="loopback-version-6"),
    pytest.param("https://[app.example.com]/", id="name-in-brackets"),
    # Other schemes
    pytest.param("javascript:alert(1)", id="javascript"),
    pytest.param("javascript://app.example.com/%0aalert(1)", id="javascript-with-allowed-host"),
    pytest.param("data:text/html,x", id="data"),
    pytest.param("ftp://app.example.com/", id="ftp"),
    pytest.param("blob:https://app.example.com/x", id="blob"),
    pytest.param("view-source:https://app.example.com/", id="view-source"),
    pytest.param("//app.example.com/", id="no-scheme"),
    pytest.param("app.example.com", id="no-scheme-nor-slashes"),
    pytest.param("null", id="null-origin"),
    pytest.param("*", id="wildcard"),
    pytest.param("", id="empty"),
    pytest.param("https://", id="no-host"),
    pytest.param("https://app.example.com/" + "a" * MAX_TARGET_LENGTH, id="too-long"),
]

ATTACKS_ON_PATHS = [
    pytest.param("//evil.example", id="two-slashes"),
    pytest.param("///evil.example", id="three-slashes"),
    pytest.param("/\\evil.example", id="slash-backslash"),
    pytest.param("\\/evil.example", id="backslash-slash"),
    pytest.param("\\\\evil.example", id="two-backslashes"),
    pytest.param("/\t/evil.example", id="tab-between-slashes"),
    pytest.param("/\n/evil.example", id="line-feed-between-slashes"),
    pytest.param("\t//evil.example", id="leading-tab"),
    pytest.param(" /home", id="leading-space"),
    pytest.param("/home\r\nLocation: https://evil.example", id="header-injection"),
    pytest.param("/home\x00", id="null"),
    pytest.param("/%2fevil.example", id="encoded-second-slash"),
    pytest.param("/%2F%2Fevil.example", id="encoded-slashes"),
    pytest.param("/%5cevil.example", id="encoded-backslash"),
    pytest.param("/%255cevil.example", id="twice-encoded-backslash"),
    pytest.param("/%252fevil.example", id="twice-encoded-slash"),
    pytest.param("/%2525252525252fevil.example", id="encoded-without-end"),
    pytest.param("/%09/evil.example", id="encoded-tab"),
    pytest.param("/%0d%0aSet-Cookie:a=b", id="encoded-line-break"),
    pytest.param("/%00", id="encoded-null"),
    pytest.param("/.//evil.example", id="dot-segment"),
    pytest.param("/a/..//evil.example", id="dot-dot-segment"),
    pytest.param("/a//evil.example", id="double-slash-later"),
    pytest.param("/ä", id="not-ascii"),
    pytest.param("home", id="relative"),
    pytest.param("./home", id="dot-relative"),
    pytest.param("?next=/", id="query-only"),
    pytest.param("#top", id="fragment-only"),
    pytest.param("/" + "a" * MAX_TARGET_LENGTH, id="too-long"),
]


@pytest.mark.parametrize("url", ALLOWED_URLS)
def test_allows_urls_of_allowed_origins(url: str) -> None:
    assert POLICY.require_redirect_uri(url) == url
    assert POLICY.require_return_to(url) == url


@pytest.mark.parametrize("url", ATTACKS_ON_URLS)
def test_refuses_every_other_url(url: str) -> None:
    with pytest.raises(RedirectNotAllowed):
        POLICY.require_redirect_uri(url)
    with pytest.raises(RedirectNotAllowed):
        POLICY.require_return_to(url)


@pytest.mark.parametrize(
    "path", ["/", "/home", "/a/b?c=//d&e=%0A#f//g", "/@user", "/a%20b", "/a:b;c,d", "/~x/.well-known"]
)
def test_allows_paths_of_this_origin(path: str) -> None:
    assert POLICY.require_return_to(path) == path


@pytest.mark.parametrize("path", ATTACKS_ON_PATHS)
def test_refuses_paths_that_may_leave_this_origin(path: str) -> None:
    with pytest.raises(RedirectNotAllowed):
        POLICY.require_return_to(path)


@pytest.mark.parametrize("path", ["/", "/home", *(param.values[0] for param in ATTACKS_ON_PATHS)])
def test_a_redirect_uri_is_never_a_path(path: str) -> None:
    with pytest.raises(RedirectNotAllowed):
        POLICY.require_redirect_uri(path)


def test_a_redirect_uri_has_no_fragment() -> None:
    with pytest.raises(RedirectNotAllowed, match="fragment"):
        POLICY.require_redirect_uri("https://app.example.com/#/callback")
    assert POLICY.require_return_to("https://app.example.com/#/home") == "https://app.example.com/#/home"


def test_the_error_does_not_repeat_the_target() -> None:
    with pytest.raises(RedirectNotAllowed) as refused:
        POLICY.require_redirect_uri("https://evil.example/<script>")
    assert "evil" not in str(refused.value.detail)


def test_a_target_has_at_most_1024_characters() -> None:
    url, path = "https://app.example.com/", "/"
    assert POLICY.require_redirect_uri(url.ljust(1024, "a"))
    assert POLICY.require_return_to(path.ljust(1024, "a"))
    for target in (url.ljust(1025, "a"), path.ljust(1025, "a")):
        with pytest.raises(RedirectNotAllowed):
            POLICY.require_return_to(target)


def test_a_path_may_be_encoded_at_most_three_times() -> None:
    assert POLICY.require_return_to("/%252541") == "/%252541"
    with pytest.raises(RedirectNotAllowed):
        POLICY.require_return_to("/%25252541")


@pytest.mark.parametrize("target", ["https://evil.example/", "https://app.example.com/a//b", "//evil.example", "ftp:x"])
def test_the_error_names_the_parameter(target: str) -> None:
    with pytest.raises(RedirectNotAllowed) as refused:
        POLICY.require_return_to(target)
    assert str(refused.value.detail).startswith("return_to: it")
    with pytest.raises(RedirectNotAllowed) as refused:
        POLICY.require_redirect_uri(target)
    assert str(refused.value.detail).startswith("redirect_uri: it")


@pytest.mark.parametrize(
    ("remedy", "detail"),
    [
        (None, "redirect_uri: its origin is not in ALLOWED_ORIGINS"),
        (
            lambda origin: f"Open {origin}.",
            "redirect_uri: its origin is not in ALLOWED_ORIGINS. Open http://127.0.0.1:5173.",
        ),
    ],
    ids=["deployed", "development"],
)
def test_the_words_for_a_foreign_origin(remedy: Callable[[str], str] | None, detail: str) -> None:
    policy = RedirectPolicy(
        allowed_origins=["http://localhost:5173"], public_base_url="http://localhost:3000", remedy=remedy
    )
    with pytest.raises(RedirectNotAllowed) as refused:
        policy.require_redirect_uri("http://127.0.0.1:5173/callback?secret=1")
    assert (refused.value.detail, refused.value.reason) == (detail, detail)
