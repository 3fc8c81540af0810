"""The size of a fetched document, to the byte."""

from __future__ import annotations

import pytest

from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.tokens.fetch import fetch_json
from tests.fixtures.providers.issuer_server import IssuerServer, send


@pytest.mark.parametrize("limit", [None, 1000])
def test_a_document_of_the_largest_size_is_read_and_a_larger_one_is_not(
    limit: int | None, issuer: IssuerServer
) -> None:
    largest = limit or 256 * 1024
    limits = {} if limit is None else {"max_bytes": limit}
    issuer.custom_response = lambda request: send(request, 200, b'{"a":1}'.ljust(largest))
    assert fetch_json(f"{issuer.url}/jwks", timeout=5, **limits) == {"a": 1}
    issuer.custom_response = lambda request: send(request, 200, b'{"a":1}'.ljust(largest + 1))
    with pytest.raises(ProviderUnreachable, match="too long"):
        fetch_json(f"{issuer.url}/jwks", timeout=5, **limits)


def test_no_time_at_all_is_a_time_out(issuer: IssuerServer) -> None:
    with pytest.raises(ProviderTimeout):
        fetch_json(f"{issuer.url}/jwks", timeout=0)
    assert issuer.requests == []
