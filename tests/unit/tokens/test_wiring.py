"""The key sets that a policy names: bundles, files that are the only source, and their age."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.tokens.discovery import ProviderDirectory
from tenantgate.tokens.issuers import IssuerPolicy
from tenantgate.tokens.wiring import jwks_cache, jwks_loader, read_bundle
from tests.fixtures.tokens.issuer import ISSUER, NOW, policy_of, public_jwks

PLAIN_ISSUER = "urn:example:issuer"


def bundle(folder: Path, **members: object) -> Path:
    path = folder / "jwks.json"
    path.write_text(json.dumps({**public_jwks("rsa-1"), **members}), encoding="utf-8")
    return path


@pytest.mark.parametrize("fetched_at", [0, NOW, NOW + 0.5, -1])
def test_a_bundle_states_when_it_was_fetched(tmp_path: Path, fetched_at: float) -> None:
    read = read_bundle(str(bundle(tmp_path, fetched_at=fetched_at)))
    assert read is not None
    assert read.fetched_at == fetched_at
    assert len(read.keys) == 1


@pytest.mark.parametrize("fetched_at", ["2026-11-26", True, False, None, [NOW], {}])
def test_a_bundle_with_another_form_of_time_is_unusable(tmp_path: Path, fetched_at: object) -> None:
    assert read_bundle(str(bundle(tmp_path, fetched_at=fetched_at))) is None


def test_instances_that_started_together_refresh_their_keys_at_different_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = set()
    for byte in (0, 128, 255):
        monkeypatch.setattr("os.urandom", lambda count, byte=byte: bytes([byte]) * count)
        policy = policy_of(jwks_cache_ttl_seconds="1000", jwks_max_age_seconds="90000")
        timings = jwks_cache(policy).of(policy.issuers[0].issuer)._timings
        shares.add(timings.refresh_ahead)
        assert (timings.ttl, timings.max_age) == (1000, 90000)
    assert shares == {0.75, 0.8, 0.75 + 255 / 2560}


def by_file(path: str | None) -> IssuerPolicy:
    entry = {"issuer": PLAIN_ISSUER, "audiences": ["api"], "tenants": "*", "jwks_file": path}
    return policy_of(trusted_issuers=json.dumps([entry])).issuers[-1]


def test_a_file_that_is_the_only_source_is_read_again_each_time(tmp_path: Path) -> None:
    path = bundle(tmp_path)
    load = jwks_loader(by_file(str(path)))
    assert load(1) == public_jwks("rsa-1")
    path.write_text(json.dumps(public_jwks("rsa-2")), encoding="utf-8")
    assert load(1) == public_jwks("rsa-2")


@pytest.mark.parametrize("text", [None, "", "[]", "{", "\0"], ids=["missing", "empty", "list", "cut", "null"])
def test_an_unusable_file_that_is_the_only_source_is_reported_by_its_name(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "jwks.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ProviderUnreachable) as refused:
        jwks_loader(by_file(str(path)))(1)
    assert refused.value.private["file"] == str(path)


METADATA_URL = f"{ISSUER}/.well-known/openid-configuration"
JWKS_URL = f"{ISSUER}/keys"


class Network:
    """Responds with the document of each URL; each response takes `seconds`."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, documents: dict[str, dict[str, object]], seconds: float
    ) -> None:
        self.documents = documents
        self.seconds = seconds
        self.now = 100.0
        self.fetched: list[tuple[str, float]] = []
        directory = ProviderDirectory(fetcher=self)
        monkeypatch.setattr("tenantgate.tokens.discovery.provider_directory", lambda: directory)
        monkeypatch.setattr("tenantgate.tokens.fetch.fetch_json", self)
        monkeypatch.setattr("tenantgate.tokens.wiring.time", SimpleNamespace(monotonic=lambda: self.now))

    def __call__(self, url: str, *, timeout: float) -> Mapping[str, object]:
        self.fetched.append((url, timeout))
        self.now += self.seconds
        if url not in self.documents:
            raise ProviderUnreachable("nothing is there", url=url)
        return self.documents[url]


def metadata(**members: object) -> dict[str, object]:
    return {"issuer": ISSUER, "jwks_uri": JWKS_URL, **members}


@pytest.mark.parametrize(("seconds", "left"), [(0.0, 5.0), (2.0, 3.0), (4.95, 0.1), (9.0, 0.1)])
def test_the_key_set_gets_the_time_that_the_metadata_left(
    monkeypatch: pytest.MonkeyPatch, seconds: float, left: float
) -> None:
    network = Network(monkeypatch, {METADATA_URL: metadata(), JWKS_URL: public_jwks("rsa-1")}, seconds)
    assert jwks_loader(policy_of().issuers[0])(5) == public_jwks("rsa-1")
    assert network.fetched[-1][1] == pytest.approx(left)
    assert [url for url, _ in network.fetched] == [METADATA_URL, JWKS_URL]


def test_a_known_address_of_the_key_set_needs_no_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"issuer": ISSUER, "audiences": ["api"], "tenants": "*", "jwks_uri": JWKS_URL}
    network = Network(monkeypatch, {JWKS_URL: public_jwks("rsa-1")}, 2)
    issuer = policy_of(oidc_issuer_url="", trusted_issuers=json.dumps([entry])).issuers[0]
    assert jwks_loader(issuer)(5) == public_jwks("rsa-1")
    assert network.fetched == [(JWKS_URL, 5)]


def test_metadata_without_an_address_of_the_key_set_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, {METADATA_URL: metadata(jwks_uri=None), JWKS_URL: public_jwks("rsa-1")}, 0)
    load = jwks_loader(policy_of().issuers[0])
    with pytest.raises(ProviderUnreachable, match="jwks_uri"):
        load(5)
    network.documents[METADATA_URL] = metadata()
    assert load(5) == public_jwks("rsa-1")
    load(5)
    assert [url for url, _ in network.fetched] == [METADATA_URL, METADATA_URL, JWKS_URL, JWKS_URL]
