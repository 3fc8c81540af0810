"""`REDIS_URL`: its forms, what protects a connection, and texts that a driver would read another way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantgate.cache_url import CacheUrl, parse_cache_url

PASSWORD = "canary-password"
FAR = f"redis://app:{PASSWORD}@cache.example.com"
SAFE = FAR.replace("redis:", "rediss:")


def parsed(text: str, *, protection: str = "private-network", relaxed: bool = False) -> CacheUrl:
    return parse_cache_url(text, protection=protection, relaxed=relaxed)


@pytest.mark.parametrize(
    ("text", "place", "login"),
    [
        ("redis://cache", ("cache", 6379, 0), ("", "")),
        ("redis://cache/", ("cache", 6379, 0), ("", "")),
        ("redis://cache:6380/3", ("cache", 6380, 3), ("", "")),
        ("redis://cache_of_compose:6379", ("cache_of_compose", 6379, 0), ("", "")),
        ("redis://[::1]:6380/1", ("::1", 6380, 1), ("", "")),
        ("redis://[2001:db8::1]", ("2001:db8::1", 6379, 0), ("", "")),
        ("redis://:secret@cache", ("cache", 6379, 0), ("", "secret")),
        ("redis://app:secret@cache", ("cache", 6379, 0), ("app", "secret")),
        ("redis://a%40b:%2F%3f%C3%BC%25@cache", ("cache", 6379, 0), ("a@b", "/?ü%")),
        ("redis://app:a@b:c@cache", ("cache", 6379, 0), ("app", "a@b:c")),
    ],
)
def test_a_url_has_a_place_and_a_login(text: str, place: tuple[str, int, int], login: tuple[str, str]) -> None:
    url = parsed(text)

    assert (url.host, url.port, url.number) == place
    assert (url.user, url.password) == login
    assert not url.tls


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cache:6379",
        "redis:cache",
        "REDIS://cache",
        "unix:///tmp/socket",
        "valkey://cache",
        "http://cache",
        "redis://",
        "redis:///0",
        "redis://:6379",
        "redis://cache:",
        "redis://cache:0",
        "redis://cache:65536",
        "redis://cache:x",
        "redis://::1",
        "redis://[::1",
        "redis://[::g]",
        "redis://app@cache",
        "redis://a,b",
        "redis://cache/name",
        "redis://cache/0/1",
        "redis://cache/-1",
        "redis://cache/\u0661",
        "redis://cache/123456",
        "redis://cache#fragment",
        "redis://ca che",
        "redis://cache\\@evil.example",
        "redis://app:%zz@cache",
        "redis://app:%4@cache",
        "redis://app:%ff@cache",
        "redis://cache\n",
        "redis://" + "a" * 2048,
        "redis://cache?socket_timeout=60",
        "rediss://cache?ssl_cert_reqs=none",
        "rediss://cache?ssl_ca_certs=",
        "rediss://cache?ssl_ca_certs=/a&ssl_cert_reqs=none",
        "rediss://cache?ssl_ca_certs=/a&ssl_ca_certs=/b",
        "rediss://cache?",
    ],
)
def test_another_text_is_refused_with_the_allowed_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"set it to redis://host|its only parameter"):
        parsed(text)


@pytest.mark.parametrize("text", [f"{FAR}:x", f"{FAR}/{PASSWORD}", f"{FAR}?{PASSWORD}", f"redis://{PASSWORD}%"])
def test_an_error_never_repeats_the_text(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parsed(text)

    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("protection", "text", "accepted"),
    [
        ("verify-full", FAR, False),
        ("verify-full", SAFE, True),
        ("verify-full", f"{SAFE}?ssl_ca_certs=/etc/ca.pem", True),
        ("verify-full", FAR.replace("cache.example.com", "127.0.0.1.example.com"), False),
        ("verify-full", f"redis://127.0.0.1:{PASSWORD}@cache.example.com", False),
        ("verify-full", f"redis://app:{PASSWORD}@127.0.0.1:6379/0", True),
        ("verify-full", "redis://[::1]", True),
        ("verify-full", "redis://localhost", True),
        ("encrypted", FAR, False),
        ("encrypted", SAFE, True),
        ("private-network", FAR, True),
        ("private-network", SAFE, True),
    ],
)
def test_another_machine_needs_tls_unless_the_network_is_private(protection: str, text: str, accepted: bool) -> None:
    if accepted:
        parsed(text, protection=protection)
    else:
        with pytest.raises(ValueError, match="begin it with rediss://"):
            parsed(text, protection=protection)
    # Development and test.
    parsed(text, protection=protection, relaxed=True)


@pytest.mark.parametrize(
    ("protection", "verified"), [("verify-full", True), ("encrypted", False), ("private-network", False)]
)
def test_only_verify_full_verifies_the_server(protection: str, verified: bool) -> None:
    url = parsed(f"{SAFE}?ssl_ca_certs=%2Fetc%2Fca%201.pem", protection=protection)

    assert (url.tls, url.verified, url.authorities) == (True, verified, "/etc/ca 1.pem")


@given(
    st.text(alphabet=st.sampled_from("redis:/@[]%?=&#.0a1ü \\\n"), max_size=40),
    st.sampled_from(["", "redis://", "rediss://"]),
)
def test_every_text_is_parsed_or_refused(rest: str, scheme: str) -> None:
    try:
        url = parsed(scheme + rest)
    except ValueError:
        return
    assert url.host
    assert not set(url.host) & set("@/?#% \\")
    assert 0 < url.port < 65536
