"""URLs, origins, loopback hosts and endpoints. The attacks on redirects and settings are in their own tests."""

import pytest

from tenantgate.urls import is_endpoint_url, is_host, is_loopback, is_loopback_url, parse_http_url

LONGEST = 100


@pytest.mark.parametrize(
    ("text", "parts", "origin", "rest"),
    [
        ("https://a.example", ("https", "a.example", 443), "https://a.example", ""),
        ("HTTPS://A.EXAMPLE:443/X?y#z", ("https", "a.example", 443), "https://a.example", "/X?y#z"),
        ("http://a.example:80", ("http", "a.example", 80), "http://a.example", ""),
        ("http://a.example:443?q", ("http", "a.example", 443), "http://a.example:443", "?q"),
        ("https://[2001:DB8::1]:8443/", ("https", "[2001:db8::1]", 8443), "https://[2001:db8::1]:8443", "/"),
        ("https://a.example:65535#f", ("https", "a.example", 65535), "https://a.example:65535", "#f"),
        ("http://127.0.0.2:3000", ("http", "127.0.0.2", 3000), "http://127.0.0.2:3000", ""),
    ],
)
def test_an_origin_is_scheme_host_and_effective_port(
    text: str, parts: tuple[str, str, int], origin: str, rest: str
) -> None:
    url = parse_http_url(text, longest=LONGEST)

    assert url is not None
    assert (url.scheme, url.host, url.port) == parts
    assert (url.origin, url.rest) == (origin, rest)
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
        pytest.param("https://a.example:0", id="port-zero"),
        pytest.param("https://a.example:", id="empty-port"),
        pytest.param("https://a.example:8a", id="port-not-a-number"),
        pytest.param("https://a.example:000443", id="port-with-six-digits"),
        pytest.param("https://a_b.example", id="underscore"),
        pytest.param("https://a..example", id="empty-label"),
        pytest.param("https://a.example.", id="trailing-dot"),
        pytest.param("https://-a.example", id="leading-hyphen"),
        pytest.param("https://a-.example", id="trailing-hyphen"),
        pytest.param(f"https://{'a' * 64}.example", id="long-label"),
        pytest.param("https://a%2eb.example", id="encoded-host"),
        pytest.param("https://a.example\\b", id="backslash"),
        pytest.param("https://a.example/\n", id="line-break"),
        pytest.param("https://\u0430.example", id="homograph"),
        pytest.param("https://[::1", id="open-bracket"),
        pytest.param("https://[]", id="empty-address"),
        pytest.param("https://[::1]x", id="text-after-address"),
        pytest.param("https://[v1.x]", id="future-address"),
        pytest.param("https://a.example/".ljust(LONGEST + 1, "x"), id="too-long"),
    ],
)
def test_rejects_text_that_parsers_may_read_differently(text: str) -> None:
    assert parse_http_url(text, longest=LONGEST) is None


def test_accepts_the_longest_url() -> None:
    assert parse_http_url("https://a.example/".ljust(LONGEST, "x"), longest=LONGEST) is not None


def test_accepts_the_longest_host() -> None:
    host = ".".join(["a" * 63] * 4)[:253]

    assert parse_http_url(f"https://{host}", longest=300) is not None
    assert parse_http_url(f"https://{host}a", longest=300) is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "127.255.255.254", "::1", "[::1]"])
def test_a_loopback_host(host: str) -> None:
    assert is_loopback(host)
    if not host.startswith(":"):
        assert is_loopback_url(f"http://{host}:3000/path")


@pytest.mark.parametrize(
    "host",
    [
        None, "", "localhost.example", "xlocalhost", "127.0.0.1.example", "127.1", "127.0.0", "127.0.0.256",
        "127.0.0.01", "127.0.0.-1", "127.0.0.+1", "127.0.0.\u0661", "127.0.0.", "128.0.0.1", "0.0.0.0", "10.0.0.1",
        "::", "[::2]", "0127.0.0.1", "[127.0.0.1]",
    ],
)  # fmt: skip
def test_no_loopback_host(host: str | None) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "loopback_http", "allowed"),
    [
        ("https://a.example/x?y=z", False, True),
        ("http://a.example/x", True, False),
        ("http://127.0.0.2:3000/idp", True, True),
        ("http://127.0.0.2:3000/idp", False, False),
        ("http://[::1]:80/x", True, True),
        ("https://[::1]/", False, True),
        ("https://[2001:db8::1]/", True, False),
        ("HTTPS://a.example", True, False),
        ("https://a.example/#f", True, False),
        ("https://a.example/[x]", True, False),
        ("https://a.example/".ljust(2048, "x"), True, True),
        ("https://a.example/".ljust(2049, "x"), True, False),
        ("ftp://a.example", True, False),
        (None, True, False),
        (1, True, False),
    ],
)
def test_an_endpoint(url: object, loopback_http: bool, allowed: bool) -> None:
    assert is_endpoint_url(url, loopback_http=loopback_http) is allowed


@pytest.mark.parametrize(
    "text", ["a.example", "a.example:80", "a.example:", "a.example:0", "a_b", "[::1]", "[::1]:8080", "[::1]:"]
)
def test_a_host_header(text: str) -> None:
    assert is_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "a b",
        "a/b",
        "u@a",
        "a:b",
        "a:65536",
        "a:000080",
        "a%2e",
        "[::1",
        "[::1]x",
        "[1.2]",
        "[::1%eth0]",
        "\u0430",
    ],
)
def test_no_host_header(text: str) -> None:
    assert not is_host(text)
