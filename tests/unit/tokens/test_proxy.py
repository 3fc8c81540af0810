"""HTTPS_PROXY and NO_PROXY: forms, precedence, exceptions; the same results as boto3's reading."""

from __future__ import annotations

import subprocess
import sys
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import pytest

from tenantgate.settings.errors import SettingsError
from tenantgate.settings.model import Settings
from tenantgate.tokens.proxy import MalformedProxy, Proxy, configured_proxy, proxy_for


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("http://proxy.example.test:3128", Proxy("proxy.example.test", 3128, None, "")),
        (" HTTP://proxy.example.test:3128/ ", Proxy("proxy.example.test", 3128, None, "")),
        ("proxy.example.test:3128", Proxy("proxy.example.test", 3128, None, "")),
        ("http://proxy.example.test", Proxy("proxy.example.test", 80, None, "")),
        ("http://squid_1:3128", Proxy("squid_1", 3128, None, "")),
        ("http://10.0.0.1:8080", Proxy("10.0.0.1", 8080, None, "")),
        ("http://[fd00::1]:8080", Proxy("[fd00::1]", 8080, None, "")),
        ("http://[fd00::1]", Proxy("[fd00::1]", 80, None, "")),
        ("http://me:word@proxy.example.test:3128", Proxy("proxy.example.test", 3128, "me", "word")),
        ("http://me:w%40r%3Ad@proxy.example.test:3128", Proxy("proxy.example.test", 3128, "me", "w@r:d")),
        ("http://me:w@rd@proxy.example.test:3128", Proxy("proxy.example.test", 3128, "me", "w@rd")),
        ("http://me@proxy.example.test:3128", Proxy("proxy.example.test", 3128, "me", "")),
    ],
)
def test_the_forms_of_a_proxy(text: str, proxy: Proxy) -> None:
    assert proxy_for("issuer.example.test", {"HTTPS_PROXY": text}) == proxy


@pytest.mark.parametrize(
    "text",
    [
        "https://proxy.example.test:3128",
        "socks5://proxy.example.test:1080",
        "http://",
        "http://:3128",
        "http://proxy.example.test:",
        "http://proxy.example.test:0",
        "http://proxy.example.test:65536",
        "http://proxy.example.test:port",
        "http://proxy.example.test:٣١٢٨",
        "http://proxy.example.test:3128000",
        "http://[gd00::1]:3128",
        "http://[fd00::g]:3128",
        "http://[fd00::X]:3128",
        "http://proxy.example.test/path",
        "http://proxy.example.test?x",
        "http://proxy .example.test",
        "http://proxy.example.test\r\nX: y",
        "http://[fd00::1",
        "http://[fd00::1]x",
        "http://[]:3128",
        "http://me:word%0d%0aX:y@proxy.example.test:3128",
        "http://m%3Ae:word@proxy.example.test:3128",
        "http://:s3cr3t@proxy.example.test:3128",
        "ftp://me:s3cr3t@proxy.example.test",
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_a_malformed_proxy_stops_start_up_by_its_name_and_without_its_password(text: str, variable: str) -> None:
    with pytest.raises(MalformedProxy) as problem:
        configured_proxy({variable: text})
    assert problem.value.variable == variable
    with pytest.raises(SettingsError) as refusal:
        Settings.from_mapping({"ENVIRONMENT": "test", variable: text})
    assert set(refusal.value.problems) == {variable}
    assert repr(text) not in str(refusal.value)
    assert "s3cr3t" not in str(refusal.value)


def test_a_good_proxy_starts() -> None:
    assert Settings.from_mapping({"ENVIRONMENT": "test", "HTTPS_PROXY": "http://proxy.example.test:3128"})


def test_user_and_password_travel_in_the_header_and_not_in_the_url() -> None:
    proxy = proxy_for("issuer.example.test", {"HTTPS_PROXY": "http://me:w%C3%B6rd@proxy.example.test:3128"})
    assert proxy is not None
    assert proxy.authorization == "Basic bWU6d8O2cmQ="
    assert proxy.url == "http://proxy.example.test:3128"


@pytest.mark.parametrize(
    "authority", ["localhost", "LOCALHOST:3000", "127.0.0.1", "127.0.0.1:3000", "127.9.9.9:1", "[::1]", "[::1]:3000"]
)
def test_loopback_is_never_proxied(authority: str) -> None:
    assert proxy_for(authority, {"HTTPS_PROXY": "http://proxy.example.test:3128"}) is None


def test_what_only_looks_like_loopback_is_proxied() -> None:
    for authority in ("127.0.0.1.example.test", "localhost.example.test"):
        assert proxy_for(authority, {"HTTPS_PROXY": "http://proxy.example.test:3128"}) is not None


_ENVIRONMENTS = [
    {},
    {"HTTPS_PROXY": "http://upper:1"},
    {"https_proxy": "http://lower:1"},
    {"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"},
    {"HTTPS_PROXY": "http://upper:1", "https_proxy": ""},
    {"HTTPS_PROXY": "", "https_proxy": ""},
    {"HTTP_PROXY": "http://plain:1"},
    {"ALL_PROXY": "http://all:1"},
]
_EXCEPTIONS = [
    {},
    {"NO_PROXY": "*"},
    {"NO_PROXY": "example.test"},
    {"NO_PROXY": ".example.test"},
    {"NO_PROXY": "*.example.test"},
    {"NO_PROXY": "issuer.example.test"},
    {"NO_PROXY": "issuer.example.test:8443"},
    {"NO_PROXY": "ISSUER.Example.TEST"},
    {"NO_PROXY": " a.test , example.test "},
    {"NO_PROXY": ", ,"},
    {"NO_PROXY": "test"},
    {"NO_PROXY": "10.0.0.0/8"},
    {"NO_PROXY": "10.0.0.7"},
    {"NO_PROXY": "example.test", "no_proxy": "other.test"},
    {"NO_PROXY": "example.test", "no_proxy": ""},
    {"no_proxy": "example.test"},
]


@pytest.mark.parametrize("proxies", _ENVIRONMENTS)
@pytest.mark.parametrize("exceptions", _EXCEPTIONS)
def test_reads_the_variables_as_boto3_does(
    proxies: dict[str, str], exceptions: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # botocore takes its proxies from these two functions.
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    environ = proxies | exceptions
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    expected = getproxies_environment()
    for authority in (
        "issuer.example.test", "issuer.example.test:8443", "ISSUER.example.test", "example.test", "otherexample.test",
        "10.0.0.7", "10.0.0.7:443", "a.test",
    ):  # fmt: skip
        direct = "https" not in expected or proxy_bypass_environment(authority, expected)
        chosen = proxy_for(authority, environ)
        assert (chosen is None) == bool(direct), authority
        if chosen is not None:
            assert chosen.url == expected["https"]


def test_a_cold_start_loads_what_reads_proxies_and_trusted_issuers_only_where_they_are_used() -> None:
    script = (
        "import sys; from tenantgate.authorizer.environment import bearer_credential; "
        "bearer_credential({'OIDC_ISSUER_URL': 'https://a.example.test', 'OIDC_AUDIENCE': 'a'}); "
        "print([name for name in sys.modules if name.endswith(('.proxy', '.trusted_issuers', '.fetch', '.discovery'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
