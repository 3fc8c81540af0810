"""The connection that sessions and revocations share."""

from __future__ import annotations

import pytest

from tenantgate.authorizer.environment import credentials, late_valkey
from tenantgate.authorizer.valkey import valkey
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.valkey_reader.reader import ValkeyReader

UNUSABLE = [
    pytest.param({"REDIS_URL": "http://valkey.test"}, id="another-scheme"),
    pytest.param({"REDIS_URL": "redis://u:secret@valkey.test"}, id="plain-in-production"),
    pytest.param({"REDIS_URL": "redis://u:secret@valkey.test", "REDIS_TLS": "encrypted"}, id="not-encrypted"),
]


@pytest.mark.parametrize("values", UNUSABLE)
def test_an_address_that_cannot_be_used_is_no_reason_for_a_401(values: dict[str, str]) -> None:
    unusable = valkey(values)
    for call in (lambda: unusable.values.get_many("a"), lambda: unusable.values.set("a", b"", seconds=1)):
        with pytest.raises(CacheUnavailable) as refused:
            call()
        assert "secret" not in f"{refused.value} {refused.value.private}"
    with pytest.raises(RevocationUnknown) as unknown:
        unusable.revocations()
    assert unknown.value.private["problem"] == "REDIS_URL, REDIS_TLS or REDIS_IAM_CACHE is malformed"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"ENVIRONMENT": "Development"}, id="development"),
        pytest.param({"REDIS_TLS": "private-network"}, id="a-private-network"),
    ],
)
def test_a_plain_address_is_used_where_it_may_be(values: dict[str, str]) -> None:
    made = valkey(values | {"REDIS_URL": " redis://nothing.invalid "})
    assert isinstance(made.values, ValkeyReader)
    with pytest.raises(RevocationUnknown) as unknown:
        made.revocations()
    assert unknown.value.private["problem"] == "the server can't be reached"


def test_the_connection_is_made_once() -> None:
    get = late_valkey({"REDIS_URL": "rediss://valkey.test"})
    assert get is not None
    assert get() is get()


@pytest.mark.parametrize("url", ["", "  "])
def test_without_an_address_nothing_connects(url: str) -> None:
    assert late_valkey({"REDIS_URL": url}) is None
    assert credentials({"OIDC_ISSUER_URL": "https://issuer.example.test", "OIDC_AUDIENCE": "api"}, valkey=None)
