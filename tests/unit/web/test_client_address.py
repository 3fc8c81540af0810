"""The client's network: a header counts only as far as trusted proxies wrote it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from tenantgate.web.client_address import client_network
from tests.fixtures.web.setup import api_event

PROXIES = ("10.0.0.0/8", "2001:db8:f::/48", "192.0.2.7/32")


def request(*forwarded: str, peer: str | None, event: bool = False) -> Request:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    scope: dict[str, Any] = {
        "type": "http",
        "headers": headers,
        "client": None if peer is None or event else (peer, 1234),
    }
    if event:
        scope["aws.event"] = api_event()
        scope["aws.event"]["requestContext"]["http"]["sourceIp"] = peer
    return Request(scope)


@pytest.mark.parametrize("event", [False, True], ids=["container", "api-gateway"])
@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        pytest.param("203.0.113.9", [], "203.0.113.0/24", id="ipv4"),
        pytest.param("2001:db8:1:2:3:4:5:6", [], "2001:db8:1::/48", id="ipv6"),
        pytest.param("::ffff:203.0.113.9", [], "203.0.113.0/24", id="ipv4-in-ipv6"),
        pytest.param("127.0.0.1", [], "127.0.0.1", id="this-machine"),
        pytest.param("::1", [], "::1", id="this-machine-ipv6"),
        pytest.param("203.0.113.9", ["198.51.100.1"], "203.0.113.0/24", id="forged-by-the-client"),
        pytest.param("203.0.113.9", ["198.51.100.1, 10.0.0.1"], "203.0.113.0/24", id="forged-with-a-proxy"),
        pytest.param("10.0.0.1", ["203.0.113.9"], "203.0.113.0/24", id="one-proxy"),
        pytest.param("10.0.0.1", ["203.0.113.9, 10.0.0.2,10.0.0.3"], "203.0.113.0/24", id="three-proxies"),
        pytest.param("10.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.0/24", id="forged-behind-a-proxy"),
        pytest.param("10.0.0.1", ["198.51.100.1", "203.0.113.9"], "203.0.113.0/24", id="forged-in-a-line-before"),
        pytest.param("10.0.0.1", ["10.9.9.9, 203.0.113.9"], "203.0.113.0/24", id="a-proxys-address-forged"),
        pytest.param("2001:db8:f::1", ["2001:db8:5::7"], "2001:db8:5::/48", id="ipv6-proxy"),
        pytest.param("10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.0/24", id="forwarded-ipv4-in-ipv6"),
        pytest.param("192.0.2.8", ["203.0.113.9"], "192.0.2.0/24", id="neighbor-of-a-proxy"),
        pytest.param("10.0.0.1", [], "10.0.0.0/24", id="proxy-without-the-header"),
        pytest.param("10.0.0.1", ["10.0.5.2"], "10.0.5.0/24", id="only-proxies"),
        pytest.param("10.0.0.1", ["garbage"], None, id="garbage"),
        pytest.param("10.0.0.1", ["203.0.113.9, "], None, id="empty-last"),
        pytest.param("10.0.0.1", ["203.0.113.9, unknown"], None, id="unknown"),
        pytest.param("10.0.0.1", ["203.0.113.9:1234"], None, id="with-a-port"),
        pytest.param("10.0.0.1", ["fe80::1%eth0"], None, id="zone"),
        pytest.param("10.0.0.1", ["1.2.3"], None, id="short"),
        pytest.param("10.0.0.1", ["0x7f.1.1.1"], None, id="hexadecimal"),
        pytest.param("10.0.0.1", ["203.000.113.009"], None, id="leading-zeros"),
        pytest.param("10.0.0.1", ["203.0.113.9\x00"], None, id="nul"),
        pytest.param("10.0.0.1", ["９.9.9.9".encode().decode("latin-1")], None, id="other-digits"),
        pytest.param("testclient", [], None, id="a-name"),
    ],
)
def test_the_last_address_that_no_trusted_proxy_has_counts(
    peer: str, forwarded: list[str], expected: str | None, event: bool
) -> None:
    assert client_network(request(*forwarded, peer=peer, event=event), trusted_proxies=PROXIES) == expected


def test_without_trusted_proxies_the_header_has_no_effect() -> None:
    assert client_network(request("198.51.100.1", peer="10.0.0.1"), trusted_proxies=()) == "10.0.0.0/24"


def test_a_connection_without_an_address_has_no_network() -> None:
    assert client_network(request("198.51.100.1", peer=None), trusted_proxies=PROXIES) is None


def test_a_header_of_thousands_of_proxies_is_not_followed() -> None:
    assert client_network(request("10.0.0.1," * 5000, peer="10.0.0.1"), trusted_proxies=PROXIES) is None
    long = "198.51.100.1," + "10.0.0.2," * 5000 + "10.0.0.3"
    assert client_network(request(long, peer="10.0.0.1"), trusted_proxies=PROXIES) is None


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=40), max_size=4))
def test_any_header_gives_a_network_or_nothing(lines: list[str]) -> None:
    for peer in ("10.0.0.1", "203.0.113.9"):
        found = client_network(request(*lines, peer=peer), trusted_proxies=PROXIES)
        assert found is None or found.endswith(("/24", "/48")) or ip_address(found).is_loopback
        assert peer != "203.0.113.9" or found == "203.0.113.0/24"
