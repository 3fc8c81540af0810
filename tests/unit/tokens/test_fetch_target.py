"""A URL as the two parts of a request: the authority to connect to, and the target to ask for (RFC 9112 §3.2.1)."""

from __future__ import annotations

import pytest

from tenantgate.tokens.fetch import _split


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("https://idp.example/keys", "idp.example", "/keys"),
        ("https://idp.example", "idp.example", "/"),
        ("https://idp.example/", "idp.example", "/"),
        ("https://idp.example:8443/a/b?c=d/e", "idp.example:8443", "/a/b?c=d/e"),
        ("https://idp.example?tenant=1", "idp.example", "/?tenant=1"),
        ("https://idp.example?a=/b", "idp.example", "/?a=/b"),
        ("http://[::1]:3000/keys", "[::1]:3000", "/keys"),
    ],
)
def test_the_query_may_follow_the_authority_at_once(url: str, authority: str, target: str) -> None:
    assert _split(url) == (authority, target)
