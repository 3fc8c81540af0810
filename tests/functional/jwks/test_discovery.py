"""Provider metadata against a real HTTP server (OpenID Connect Discovery §4)."""

from __future__ import annotations

import json
import os
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tenantgate.errors.tokens import ProviderUnreachable, WrongIssuer
from tenantgate.tokens.discovery import ProviderDirectory, provider_directory, provider_metadata
from tenantgate.tokens.wiring import jwks_loader, read_bundle, token_verifier
from tests.fixtures.providers.issuer_server import METADATA_PATH, IssuerServer, failing, send_json
from tests.fixtures.tokens.issuer import NOW, ManualClock, good_claims, policy_of, public_jwks, sign


def test_metadata_is_fetched_once_and_kept_for_an_hour(issuer: IssuerServer, clock: ManualClock) -> None:
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
        pytest.param({"issuer": ["https://other.example.test"]}, id="issuers-in-a-list"),
    ],
)
def test_refuses_metadata_that_is_not_the_issuers_own(changes: dict[str, object], issuer: IssuerServer) -> None:
    issuer.metadata_changes = changes
    with pytest.raises(ProviderUnreachable):
        ProviderDirectory().metadata(issuer.url)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"registration_endpoint": None}, id="null"),
        pytest.param({"registration_endpoint": ""}, id="empty"),
        pytest.param({"check_session_iframe": "http://example.test/frame"}, id="plain-http"),
        pytest.param({"introspection_endpoint": ["https://example.test"]}, id="a-list"),
        pytest.param({"token_endpoint": "http://example.test/token"}, id="token-over-plain-http"),
        pytest.param({"authorization_endpoint": "javascript:alert(1)"}, id="a-script"),
        pytest.param({"end_session_endpoint": ["https://example.test"]}, id="end-session-in-a-list"),
        pytest.param({"userinfo_endpoint": "https://example.test/\r\n"}, id="a-line-break"),
        pytest.param({"authorization_endpoint": None, "token_endpoint": None}, id="no-sign-in-at-all"),
    ],
)
def test_a_discovery_member_that_is_not_used_decides_nothing(changes: dict[str, object], issuer: IssuerServer) -> None:
    issuer.metadata_changes = changes
    verifier = token_verifier(policy_of(oidc_issuer_url=issuer.url))
    assert verifier.verify(sign(good_claims(int(time.time()), iss=issuer.url))).issuer == issuer.url


@pytest.mark.parametrize(
    "jwks_uri",
    [
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param(7, id="a-number"),
        pytest.param("http://keys.example.test/jwks", id="over-plain-http"),
        pytest.param("https://user:word@keys.example.test/jwks", id="user-info"),
        pytest.param("https://keys.example.test/jwks#x", id="a-fragment"),
        pytest.param("https://keys.example.test\\@evil.example.test/", id="a-backslash"),
        pytest.param("file:///etc/passwd", id="a-file"),
    ],
)
def test_bearer_tokens_need_a_jwks_uri_that_can_be_fetched(jwks_uri: object, issuer: IssuerServer) -> None:
    issuer.metadata_changes = {"jwks_uri": jwks_uri}
    token = sign(good_claims(int(time.time()), iss=issuer.url))
    with pytest.raises(ProviderUnreachable):
        token_verifier(policy_of(oidc_issuer_url=issuer.url)).verify(token)
    # A corrected document counts at once: the invalid one isn't cached for an hour.
    issuer.metadata_changes = {}
    assert token_verifier(policy_of(oidc_issuer_url=issuer.url)).verify(token).issuer == issuer.url


def test_discovery_may_be_elsewhere_with_a_query_and_still_names_the_issuer(issuer: IssuerServer) -> None:
    elsewhere = f"{issuer.url}/b2c/v2.0/.well-known/openid-configuration?p=B2C_1_sign_in"
    document = {"issuer": "urn:tenantgate:test", "jwks_uri": f"{issuer.url}/keys?appid=a%2Fb"}

    def respond(request: BaseHTTPRequestHandler) -> None:
        send_json(request, document if "?p=" in request.path else public_jwks("rsa-1"))

    issuer.custom_response = respond
    policy = policy_of(oidc_issuer_url="urn:tenantgate:test", oidc_discovery_url=elsewhere)
    token = sign(good_claims(int(time.time()), iss="urn:tenantgate:test"))
    assert token_verifier(policy).verify(token).issuer == "urn:tenantgate:test"
    assert issuer.requests == [elsewhere.removeprefix(issuer.url), "/keys?appid=a%2Fb"]
    document["issuer"] = issuer.url
    provider_directory().doubt("urn:tenantgate:test", elsewhere)
    with pytest.raises(ProviderUnreachable, match="another issuer"):
        ProviderDirectory().metadata("urn:tenantgate:test", elsewhere)


@pytest.mark.parametrize(
    "name",
    ["https://ADFS.Example.test/adfs", "http://adfs.example.test/adfs/services/trust", "urn:issuer:1", "supabase"],
)
def test_an_issuer_is_a_text_where_its_keys_are_named(name: str, issuer: IssuerServer) -> None:
    entry = {"issuer": name, "audiences": ["tenantgate-api"], "tenants": "*", "jwks_uri": f"{issuer.url}/jwks"}
    verifier = token_verifier(policy_of(oidc_issuer_url="", trusted_issuers=json.dumps([entry])))
    assert verifier.verify(sign(good_claims(int(time.time()), iss=name))).issuer == name
    for other in (name.upper(), name.swapcase(), f"{name}/", f" {name}"):
        with pytest.raises(WrongIssuer):
            verifier.verify(sign(good_claims(int(time.time()), iss=other)))


def test_an_issuer_that_is_not_a_url_uses_its_key_file_as_long_as_it_is_trusted(
    tmp_path: Path, clock: ManualClock
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({**public_jwks("rsa-1"), "fetched_at": NOW - 10 * 86400}))
    entry = {"issuer": "supabase", "audiences": ["tenantgate-api"], "tenants": "*", "jwks_file": str(file)}
    policy = policy_of(oidc_issuer_url="", trusted_issuers=json.dumps([entry]))
    load = jwks_loader(policy.issuers[0])
    assert load(1)["keys"] == public_jwks("rsa-1")["keys"]
    verifier = token_verifier(policy)
    assert verifier.verify(sign(good_claims(int(time.time()), iss="supabase"))).issuer == "supabase"
    file.write_text("{")
    with pytest.raises(ProviderUnreachable, match="key file"):
        load(1)


def test_metadata_serves_on_through_an_outage_of_a_day(clock: ManualClock) -> None:
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


def test_a_jwks_uri_in_the_settings_needs_no_discovery(issuer: IssuerServer) -> None:
    entry = {"issuer": issuer.url, "audiences": ["tenantgate-api"], "tenants": "*", "jwks_uri": f"{issuer.url}/jwks"}
    verifier = token_verifier(policy_of(oidc_issuer_url="", trusted_issuers=json.dumps([entry])))
    verifier.verify(sign(good_claims(int(time.time()), iss=issuer.url)))
    assert issuer.requests == ["/jwks"]


def test_a_jwks_uri_that_moved_is_looked_up_again(issuer: IssuerServer) -> None:
    token = sign(good_claims(int(time.time()), iss=issuer.url))
    token_verifier(policy_of(oidc_issuer_url=issuer.url)).verify(token)

    def moved(request: BaseHTTPRequestHandler) -> None:
        issuer.custom_response = None
        failing(404)(request)

    issuer.custom_response = moved
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
