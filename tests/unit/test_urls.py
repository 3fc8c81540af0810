"""One form of URL for settings, sign-in and provider; their own tests hold the attacks on each."""

import pytest

from tenantgate.urls import Origin, parse_http_url

LONGEST = 100


@pytest.mark.parametrize(
    ("text", "origin", "serialized", "rest"),
    [
        ("https://a.example", ("https", "a.example", 443), "https://a.example", ""),
        ("HTTPS://A.EXAMPLE:443/X?y#z", ("https", "a.example", 443), "https://a.example", "/X?y#z"),
        ("http://a.example:80", ("http", "a.example", 80), "http://a.example", ""),
        ("http://a.example:443?q", ("http", "a.example", 443), "http://a.example:443", "?q"),
        ("https://[2001:DB8::1]:8443/", ("https", "[2001:db8::1]", 8443), "https://[2001:db8::1]:8443", "/"),
        ("https://a.example:65535#f", ("https", "a.example", 65535), "https://a.example:65535", "#f"),
    ],
)
def test_an_origin_is_scheme_host_and_effective_port(
    text: str, origin: tuple[str, str, int], serialized: str, rest: str
) -> None:
    url = parse_http_url(text, longest=LONGEST)

    assert url == (Origin(*origin), rest)
    assert str(url.origin) == serialized
    assert url.has_fragment == ("#" in text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("a.example", id="no-scheme"),
        pytest.param("//a.example", id="relative"),
        pytest.param("ftp://a.example", id="other-scheme"),
        pytest.param("https:///path", id="no-host"),
        pytest.param("https://u@a.example", id="user-info"),
        pytest.param("https://a.example:65536", id="port-out-of-range"),
        pytest.param("https://a.example:", id="empty-port"),
        pytest.param("https://a_b.example", id="underscore"),
        pytest.param("https://a%2eb.example", id="encoded-host"),
        pytest.param("https://a.example\\b", id="backslash"),
        pytest.param("https://a.example/\n", id="line-break"),
        pytest.param("https://\u0430.example", id="look-alike"),
        pytest.param("https://a.example/".ljust(LONGEST + 1, "x"), id="too-long"),
    ],
)
def test_whatever_a_parser_might_read_otherwise_is_no_url(text: str) -> None:
    assert parse_http_url(text, longest=LONGEST) is None


def test_the_longest_is_accepted() -> None:
    assert parse_http_url("https://a.example/".ljust(LONGEST, "x"), longest=LONGEST) is not None
