"""The processes that share documents, and the keys of these."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tenantgate.crypto.sealing import new_sealing_key
from tenantgate.provider_copies.store import ProviderCopies
from tenantgate.provider_copies.wiring import key_set_copies, metadata_copies, provider_copies, sharing_verifier
from tenantgate.secrets.wiring import secret_store
from tenantgate.settings.environment import get_settings
from tenantgate.tokens.jwks import CachedIssuerKeys
from tenantgate.tokens.shared_keys import SharedIssuerKeys
from tenantgate.tokens.wiring import jwks_cache
from tests.fixtures.provider_copies.memory import FakeCopies, MemoryValues, memory_copies
from tests.fixtures.servers.scripted_valkey import ScriptedValkey, replying
from tests.fixtures.tokens.issuer import NOW, policy_of

ISSUER = "https://idp.example"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    for cached in (provider_copies, get_settings, secret_store):
        cached.cache_clear()
    yield
    for cached in (provider_copies, get_settings, secret_store):
        cached.cache_clear()


def keys_written(copies: ProviderCopies, values: MemoryValues, **variables: str) -> set[str]:
    policy = policy_of(**({"oidc_issuer_url": ISSUER} | variables))
    values.entries.clear()
    key_set_copies(copies, policy)(policy.issuers[0]).write({"keys": []}, NOW, seconds=5)
    metadata_copies(copies, policy.issuers[0], lambda _: True).write({"issuer": ISSUER}, NOW, seconds=5)
    return set(values.entries)


def test_each_document_of_each_source_has_its_own_key() -> None:
    values = MemoryValues()
    copies = memory_copies(values, clock=lambda: NOW)
    written = [
        keys_written(copies, values),
        keys_written(copies, values, oidc_issuer_url="https://other.example"),
        keys_written(copies, values, oidc_discovery_url="https://idp.example/moved"),
    ]
    assert [len(keys) for keys in written] == [2, 2, 2]
    assert len(set().union(*written)) == 6


def test_a_key_set_is_kept_for_the_age_cap_and_metadata_for_a_day() -> None:
    values = MemoryValues()
    copies = memory_copies(values, clock=lambda: NOW)
    keys_written(copies, values, jwks_max_age_seconds="7200")
    assert [int(script[3]) for script in values.scripts] == [7200, 86_400]


@pytest.mark.parametrize(
    ("redis_url", "kind"), [(None, CachedIssuerKeys), ("redis://:password@127.0.0.1:1/0", SharedIssuerKeys)]
)
def test_documents_are_shared_only_with_valkey(
    monkeypatch: pytest.MonkeyPatch, redis_url: str | None, kind: type[CachedIssuerKeys]
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.delenv("REDIS_URL", raising=False)
    if redis_url is not None:
        monkeypatch.setenv("REDIS_URL", redis_url)
    verifier = sharing_verifier(policy_of(oidc_issuer_url=ISSUER))
    assert type(verifier._issuers[ISSUER].keys) is kind
    assert (provider_copies() is None) is (redis_url is None)
    assert provider_copies() is provider_copies()


def test_a_process_reaches_the_server_of_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing listens there, and that isn't an error: the document is fetched.
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.setenv("REDIS_URL", "redis://:password@127.0.0.1:1/0")
    monkeypatch.setenv("COOKIE_SEALING_KEYS", new_sealing_key())
    copies = provider_copies()
    assert copies is not None
    assert key_set_copies(copies, policy_of())(policy_of().issuers[0]).read() is None
    with ScriptedValkey(replying(b"*1\r\n$-1\r\n")) as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        get_settings.cache_clear()
        provider_copies.cache_clear()
        found = provider_copies()
        assert found is not None
        assert found.run(lambda values, _: values.get_many("a", longest=9), seconds=5) == [[None]]


def test_only_issuers_with_a_url_share_their_keys() -> None:
    entry = {"issuer": "supabase", "audiences": ["a"], "tenants": "*", "jwks_file": "keys.json"}
    policy = policy_of(trusted_issuers=json.dumps([entry]))
    made = jwks_cache(policy, copies=lambda _: FakeCopies())
    assert [type(made.of(issuer.issuer)) for issuer in policy.issuers] == [SharedIssuerKeys, CachedIssuerKeys]
