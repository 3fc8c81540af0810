"""The addresses that the smoke test accepts."""

from __future__ import annotations

import pytest

from tenantgate_cli.console import Failure
from tenantgate_cli.smoke.target import read_base, read_scoped


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://API.example.com/", "https://api.example.com"),
        ("https://api.example.com:8443", "https://api.example.com:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
    ],
)
def test_the_address_is_scheme_host_and_port(url: str, base: str) -> None:
    assert read_base(url) == base


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "https://user:secret@api.example.com",
        "https://api.example.com/stage",
        "https://api.example.com?x=1",
        "https://api.example.com\\@evil.example",
        "file:///etc/passwd",
        "api.example.com",
        "",
    ],
)
def test_any_other_address_is_refused_without_printing_a_password(url: str) -> None:
    with pytest.raises(Failure) as refused:
        read_base(url)

    assert "secret" not in str(refused.value)


def test_a_route_is_one_of_the_api_or_a_whole_url() -> None:
    assert read_scoped("get /orders", "https://a.example") == ("GET", "https://a.example/orders")
    assert read_scoped("POST https://b.example/orders", "https://a.example") == ("POST", "https://b.example/orders")


@pytest.mark.parametrize("text", ["/orders", "GET", "GET http://b.example/orders", "GET orders", "G-T /orders", ""])
def test_any_other_route_is_refused(text: str) -> None:
    with pytest.raises(Failure):
        read_scoped(text, "https://a.example")
