"""Provider metadata against a real HTTP server (OpenID Connect Discovery §4)."""

from __future__ import annotations

import json
import os
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tenantgate.errors import ProviderUnreachable
from tenantgate.tokens.discovery import ProviderDirectory, provider_metadata
from tenantgate.tokens.wiring import read_bundle, token_verifier
from tests.support.issuer_server import METADATA_PATH, IssuerServer, failing
from tests.support.tokens import NOW, StandingClock, good_claims, policy_of, public_jwks, sign


def test_metadata_is_fetched_once_and_kept_for_an_hour(issuer: IssuerServer, clock: StandingClock) -> None:
    directory = ProviderDirectory(clock=clock)
    for _ in range(3):
        assert directory.metadata(issuer.url)["token_endpoint"] == f"{issuer.url}/token"
    assert issuer.fetches(METADATA_PATH) == 1
    clock.pass_by(3600)
    directory.metadata(issuer.url)
    assert issuer.fetches(METADATA_PATH) == 2


def test_one_terminating_slash_of_the_issuer_is_left_out_of_the_path(issuer: IssuerServer) -> None:
    issuer.metadata_changes = {"issuer": issuer.url + "/"}
    assert ProviderDirectory().metadata(issuer.url + "/")["issuer"] == issuer.url + "/"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"issuer": "https://other.example.test"}, id="issuer-mismatch"),
        pytest.param({"issuer": None}, id="no-issuer"),
        pytest.param({"jwks_uri": None}, id="no-jwks-uri"),
        pytest.param({"jwks_uri": "http://keys.example.test/jwks"}, id="keys-over-plain-http"),
        pytest.param({"token_endpoint": "http://example.test/token"}, id="token-over-plain-http"),
        pytest.param({"authorization_endpoint": "javascript:alert(1)"}, id="a-script"),
        pytest.param({"end_session_endpoint": ["https://example.test"]}, id="a-list"),
        pytest.param({"userinfo_endpoint": "https://example.test/\r\n"}, id="a-line-break"),
    ],
)
def test_refuses_metadata_that_is_not_the_issuers_own_or_not_safe(
    changes: dict[str, object], issuer: IssuerServer
) -> None:
    issuer.metadata_changes = changes
    with pytest.raises(ProviderUnreachable):
        ProviderDirectory().metadata(issuer.url)


def test_metadata_serves_on_through_an_outage_of_a_day(clock: StandingClock) -> None:
    down = False

    def fetch(url: str, *, timeout: float) -> dict[str, object]:
        if down:
            raise ProviderUnreachable("down")
        return {"issuer": "https://a.example.test", "jwks_uri": "https://a.example.test/jwks"}

    directory = ProviderDirectory(fetcher=fetch, clock=clock)
    first = directory.metadata("https://a.example.test")
    down = True
    clock.pass_by(86399)
    assert directory.metadata("https://a.example.test") == first
    clock.pass_by(60)
    with pytest.raises(ProviderUnreachable):
        directory.metadata("https://a.example.test")


def test_the_function_shares_one_directory(issuer: IssuerServer) -> None:
    assert provider_metadata(issuer.url) is provider_metadata(issuer.url)
    assert issuer.fetches(METADATA_PATH) == 1


def test_a_verifier_finds_its_keys_by_discovery(issuer: IssuerServer) -> None:
    verifier = token_verifier(policy_of(oidc_issuer_url=issuer.url))
    assert verifier.verify(sign(good_claims(int(time.time()), iss=issuer.url))).issuer == issuer.url
    assert issuer.requests == [METADATA_PATH, "/jwks"]


def test_a_jwks_uri_of_the_settings_spares_the_discovery(issuer: IssuerServer) -> None:
    entry = {"issuer": issuer.url, "audiences": ["tenantgate-api"], "tenants": "*", "jwks_uri": f"{issuer.url}/jwks"}
    verifier = token_verifier(policy_of(oidc_issuer_url="", trusted_issuers=json.dumps([entry])))
    verifier.verify(sign(good_claims(int(time.time()), iss=issuer.url)))
    assert issuer.requests == ["/jwks"]


def test_a_jwks_uri_that_moved_is_looked_up_again(issuer: IssuerServer) -> None:
    token = sign(good_claims(int(time.time()), iss=issuer.url))
    token_verifier(policy_of(oidc_issuer_url=issuer.url)).verify(token)

    def moved(request: BaseHTTPRequestHandler) -> None:
        issuer.answer = None
        failing(404)(request)

    issuer.answer = moved
    token_verifier(policy_of(oidc_issuer_url=issuer.url)).verify(token)
    assert issuer.requests[-3:] == ["/jwks", METADATA_PATH, "/jwks"]


def test_a_bundled_key_set_verifies_with_the_network_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    bundle = tmp_path / "jwks.json"
    bundle.write_text(json.dumps({**public_jwks(), "fetched_at": int(time.time()) - 3600}))
    verifier = token_verifier(policy_of(oidc_jwks_file=str(bundle)))
    monkeypatch.setattr("socket.socket.connect", no_network)
    monkeypatch.setattr("socket.getaddrinfo", no_network)
    assert verifier.verify(sign(good_claims(int(time.time())))).subject == "user-1"


def test_a_bundle_says_when_it_was_fetched_or_its_file_does(tmp_path: Path) -> None:
    bundle = tmp_path / "jwks.json"
    bundle.write_text(json.dumps({**public_jwks(), "fetched_at": NOW}))
    assert (read := read_bundle(str(bundle))) is not None
    assert read.fetched_at == NOW
    bundle.write_text(json.dumps(public_jwks()))
    os.utime(bundle, (5, 7))
    assert (read := read_bundle(str(bundle))) is not None
    assert read.fetched_at == 7


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys":[]}', '{"keys":[{}],"fetched_at":1}', "\x00"])
def test_an_unusable_bundle_is_logged_and_left_out(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = tmp_path / "jwks.json"
    bundle.write_text(text)
    assert read_bundle(str(bundle)) is None
    assert "unusable" in caplog.text
    assert read_bundle(str(tmp_path / "missing.json")) is None
